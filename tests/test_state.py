"""Bounded tables: at their limits, and one beyond."""

from hypothesis import given
from hypothesis import strategies as st
from ringfence.state import BoundedTable, Rate, Recent

Gone = list[tuple[str, int]]


def table(capacity: int = 2, age: float = 10.0) -> tuple[BoundedTable[str, int], Gone]:
    gone: Gone = []
    return BoundedTable(
        capacity, age, lambda key, value: gone.append((key, value))
    ), gone


def test_holds_its_capacity_and_not_one_more() -> None:
    found, gone = table()
    found.put("a", 1, 0.0)
    found.put("b", 2, 0.0)
    assert (len(found), gone) == (2, [])
    found.put("c", 3, 0.0)
    assert list(found) == ["b", "c"]
    assert gone == [("a", 1)]
    assert (found.evicted, found.expired) == (1, 0)


def test_keeps_an_entry_for_its_age_and_not_longer() -> None:
    found, gone = table()
    found.put("a", 1, 5.0)
    assert found.get("a", 15.0) == 1
    assert found.get("a", 15.001) is None
    found.expire(15.0)
    assert gone == []
    found.expire(15.001)
    assert gone == [("a", 1)]
    assert (len(found), found.evicted, found.expired) == (0, 0, 1)


def test_putting_again_refreshes_age_and_place() -> None:
    found, gone = table()
    found.put("a", 1, 0.0)
    found.put("b", 2, 1.0)
    found.put("a", 3, 9.0)
    found.put("c", 4, 9.0)
    assert gone == [("b", 2)]
    assert found.get("a", 19.0) == 3


def test_getting_refreshes_nothing() -> None:
    found, _ = table()
    found.put("a", 1, 0.0)
    assert found.get("a", 10.0) == 1
    assert found.get("a", 10.1) is None


def test_expired_entries_go_before_any_is_evicted() -> None:
    found, _ = table()
    found.put("a", 1, 0.0)
    found.put("b", 2, 20.0)
    found.put("c", 3, 20.0)
    assert (found.evicted, found.expired) == (0, 1)


def test_pop_tells_nobody() -> None:
    found, gone = table()
    found.put("a", 1, 0.0)
    assert found.pop("a") == 1
    assert found.pop("a") is None
    assert gone == []


def test_a_table_without_room_holds_nothing() -> None:
    found, gone = table(capacity=0)
    found.put("a", 1, 0.0)
    assert (len(found), gone) == (0, [("a", 1)])


def test_without_anybody_to_tell() -> None:
    silent: BoundedTable[str, int] = BoundedTable(1, 1.0)
    silent.put("a", 1, 0.0)
    silent.put("b", 2, 0.0)
    silent.expire(9.0)
    assert (silent.evicted, silent.expired) == (1, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "pop", "expire"]),
            st.integers(0, 6),
            st.floats(0, 5, allow_nan=False),
        ),
        max_size=60,
    )
)
def test_agrees_with_a_plain_dict(
    steps: list[tuple[str, int, float]],
) -> None:
    """A plain dict, swept after every call, holds the same."""
    bounded: BoundedTable[int, int] = BoundedTable(3, 10.0)
    plain: dict[int, tuple[float, int]] = {}
    now = 0.0
    for serial, (verb, key, elapsed) in enumerate(steps):
        now += elapsed
        plain = {k: (at, v) for k, (at, v) in plain.items() if now - at <= 10.0}
        if verb == "put":
            bounded.put(key, serial, now)
            plain.pop(key, None)
            plain[key] = (now, serial)
            plain = dict(list(plain.items())[-3:])
        elif verb == "pop":
            bounded.pop(key)
            plain.pop(key, None)
        elif verb == "expire":
            bounded.expire(now)
            assert list(bounded) == list(plain)
        assert len(bounded) <= 3
        for k in range(7):
            assert bounded.get(k, now) == plain.get(k, (0.0, None))[1]


def test_recent_events_are_counted_within_the_window() -> None:
    recent = Recent(10, 60.0, 5)
    assert [recent.add("a", None, 0, float(at)) for at in range(4)] == [1, 2, 3, 4]
    assert recent.count("a", 60.0) == 4
    assert recent.count("a", 60.5) == 3
    assert recent.count("b", 0.0) == 0
    assert recent.add("a", None, 0, 62.5) == 2
    recent.forget("a")
    assert recent.count("a", 62.5) == 0


def test_recent_events_are_held_up_to_what_can_be_told() -> None:
    recent = Recent(10, 60.0, 3)
    assert [recent.add("a", None, 0, 0.0) for _ in range(5)] == [1, 2, 3, 3, 3]
    assert len(recent.table.get("a", 0.0) or b"") == 3 * 24


def test_recent_events_with_the_same_item_count_once() -> None:
    recent = Recent(10, 60.0, 5)
    found = [recent.add("a", item, 0, 0.0) for item in (7, 8, 7, 8, 9)]
    assert found == [1, 2, 2, 2, 3]


def test_recent_events_of_a_pair_are_cleared() -> None:
    recent = Recent(10, 60.0, 5)
    for pair in (1, 2, 1):
        recent.add("a", None, pair, 0.0)
    recent.clear("a", 1, 0.0)
    assert recent.count("a", 0.0) == 1
    recent.clear("b", 1, 0.0)
    assert recent.count("b", 0.0) == 0


def test_recent_events_have_a_capacity() -> None:
    recent = Recent(2, 60.0, 5)
    for key in "abc":
        recent.add(key, None, 0, 0.0)
    assert [recent.count(key, 0.0) for key in "abc"] == [0, 1, 1]
    assert recent.table.evicted == 1


@given(st.lists(st.floats(0.0, 5.0), max_size=60))
def test_a_rate_is_right_to_a_window(steps: list[float]) -> None:
    rate, mono, times = Rate(4, 10.0), 0.0, []
    for step in steps:
        mono += step
        times.append(mono)
        found = rate.add("a", None, 0, mono)
        assert found <= sum(mono - at <= 20.0 for at in times)
        assert found >= 1


def test_a_steady_rate_is_told() -> None:
    rate = Rate(4, 10.0)
    found = [rate.add("a", None, 0, at / 10) for at in range(1000)]
    assert all(95 <= count <= 105 for count in found[200:])
    assert 95 <= rate.count("a", 100.0) <= 105
    assert rate.count("a", 115.0) < 60
    assert rate.count("a", 121.0) == 0
    rate.clear("a", 0, 99.9)
    rate.forget("a")
    assert rate.count("a", 99.9) == 0


def test_after_a_pause_a_rate_begins_anew() -> None:
    rate = Rate(4, 10.0)
    assert [rate.add("a", None, 0, at) for at in (0.0, 9.0, 25.0, 26.0)] == [1, 2, 1, 2]
