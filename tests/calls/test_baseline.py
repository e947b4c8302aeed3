"""What is usual fades over weeks, fits its bounds and survives nonsense."""

import json
import sys
import tracemalloc
from collections.abc import Callable

import pytest
from builders import octets
from hypothesis import given
from hypothesis import strategies as st
from ringfence.calls import Baseline
from ringfence.calls.baseline import (
    DAY,
    HALF_LIFE,
    MAX_ACCOUNTS,
    MAX_COUNTRIES,
    MAX_NAME,
    MAX_VALUE,
    RIPE,
)
from ringfence.calls.usual import (
    MAX_NEW,
    MAX_USUAL,
    Source,
    read_sources,
    source_key,
    write_sources,
)

DESK = octets("198.51.100.10")
DESK_TOMORROW = octets("198.51.7.7")
CAFE = octets("203.0.113.9")
THIEF = octets("192.0.2.66")


def watched(days: float, each: Callable[[Baseline], None] | None = None) -> Baseline:
    """Watch for so many days, an hour at a time; `each` day does something."""
    base = Baseline()
    base.watch(1000.0)
    for hour in range(1, int(days * 24) + 1):
        base.watch(1000.0 + hour * 3600)
        if each and hour % 24 == 12:
            each(base)
    return base


def passed(base: Baseline, days: float) -> Baseline:
    mono = base._mono
    assert mono is not None
    base.watch(mono + days * DAY)
    return base


def kept(base: Baseline) -> Baseline:
    return Baseline.from_record(json.loads(json.dumps(base.to_record())))


class TestCalls:
    def test_nothing_is_known_at_first(self) -> None:
        base = Baseline()
        assert base.usual("US") == (0, 0)
        assert not base.knows("US")
        assert base.days_since_abroad is None
        assert base.days_watched == 0
        assert base.seen("201", DESK, "JP") is None

    @pytest.mark.parametrize("days", [1, 3, 14, 60, 365])
    def test_a_steady_line_is_known_from_its_first_day_on(self, days: int) -> None:
        def each(base: Baseline) -> None:
            for _ in range(4):
                base.called("US")
                base.talked("US", 150)

        usual = watched(days, each).usual("US")
        assert usual.calls == pytest.approx(4, rel=0.05)
        assert usual.minutes == pytest.approx(10, rel=0.05)

    def test_one_call_in_the_first_hour_is_not_24_a_day(self) -> None:
        base = watched(0.05)
        base.called("US")
        assert base.usual("US").calls == 1

    def test_it_halves_in_two_weeks_and_is_gone_in_months(self) -> None:
        base = watched(200)
        for _ in range(64):
            base.called("PH")
        first = base.usual("PH").calls
        assert passed(base, HALF_LIFE).usual("PH").calls == pytest.approx(
            first / 2, rel=1e-3
        )
        assert passed(base, HALF_LIFE).usual("PH").calls == pytest.approx(
            first / 4, rel=1e-3
        )
        assert base.knows("PH")
        assert not kept(passed(base, 400)).knows("PH")

    def test_a_new_habit_is_usual_within_weeks(self) -> None:
        base = watched(365)
        for day in range(14):
            passed(base, 1)
            for _ in range(10):
                base.called("VN")
            if day == 0:
                assert base.usual("VN").calls < 1
        assert base.usual("VN").calls == pytest.approx(5, rel=0.05)

    def test_days_since_the_last_call_abroad(self) -> None:
        base = watched(10)
        base.called("US")
        passed(base, 3)
        assert base.days_since_abroad == pytest.approx(3)
        assert kept(base).days_since_abroad == pytest.approx(3, abs=1e-3)

    def test_what_belongs_to_no_country(self) -> None:
        base = watched(1)
        base.called(None)
        assert base.usual(None).calls == 1
        assert base.knows(None)
        assert kept(base).knows(None)

    def test_a_drawer_ages_nothing(self) -> None:
        base = watched(30, lambda base: base.called("US"))
        again = kept(base)
        again.watch(5.0)  # another boot, months later
        assert again.usual("US").calls == pytest.approx(
            base.usual("US").calls, rel=1e-3
        )
        assert again.days_watched == pytest.approx(30)

    def test_time_does_not_run_back(self) -> None:
        base = watched(2)
        base.watch(0.0)
        assert base.days_watched == pytest.approx(2)
        base.watch(DAY)
        assert base.days_watched == pytest.approx(3)

    @pytest.mark.parametrize("seconds", [-5.0, 0.0, float("nan"), 1e300])
    def test_no_time_to_learn(self, seconds: float) -> None:
        base = watched(1)
        base.called("US")
        base.talked("US", seconds)
        assert base.usual("US").minutes == 0


class TestSources:
    def test_the_first_is_usual_and_others_have_to_ripen(self) -> None:
        base = watched(10)
        base.signed_in("201", DESK, "JP")
        assert base.seen("201", DESK, "JP") == (True, True)
        assert base.seen("201", DESK_TOMORROW, "JP") == (True, True)
        assert base.seen("201", CAFE, "JP") == (False, True)
        assert base.seen("201", THIEF, "US") == (False, False)
        assert base.seen("202", THIEF, "US") is None
        passed(base, 1)
        base.signed_in("201", THIEF, "US")
        assert base.seen("201", THIEF, "US") == (False, False)
        passed(base, RIPE - 0.5)
        base.signed_in("201", THIEF, "US")
        assert base.seen("201", THIEF, "US") == (False, False)
        passed(base, 1)
        assert base.seen("201", THIEF, "US") == (True, True)

    def test_a_country_that_nobody_knows_says_nothing(self) -> None:
        base = watched(1)
        base.signed_in("201", DESK, None)
        assert base.seen("201", DESK, None) == (True, True)
        assert base.seen("201", CAFE, None) == (False, True)

    def test_who_comes_from_everywhere_in_a_day_pushes_nothing_out(self) -> None:
        base = watched(10)
        base.signed_in("201", DESK, "JP")
        passed(base, 5)
        for number in range(60):
            base.signed_in("201", bytes([11, number, 0, 1]), "US")
        assert base.seen("201", DESK, "JP") == (True, True)
        assert base.seen("201", bytes([11, 59, 0, 1]), "US") == (False, False)
        sources = read_sources(base.to_record()["accounts"]["201"])
        assert sources is not None
        assert len(sources) == 2 + MAX_NEW

    def test_the_usual_ones_are_bounded_too(self) -> None:
        base = watched(10)
        for number in range(30):
            base.signed_in("201", bytes([11, number, 0, 1]), "JP")
            passed(base, 1)
        sources = read_sources(base.to_record()["accounts"]["201"])
        assert sources is not None
        assert MAX_USUAL <= len(sources) <= MAX_USUAL + MAX_NEW
        assert base.seen("201", CAFE, "JP") == (False, True)

    def test_an_ipv6_provider(self) -> None:
        base = watched(1)
        base.signed_in("201", octets("2001:db8:81::10"), "JP")
        assert base.seen("201", octets("2001:db8:99::1"), "JP") == (True, True)
        assert base.seen("201", octets("2001:db9:81::10"), "JP") == (False, True)

    def test_names_of_any_length_and_kind(self) -> None:
        base = watched(1)
        names = [
            "2" * MAX_NAME,
            "2" * (MAX_NAME + 1),
            "受付",
            'a"\\',
            "\ud800",
            "#1",
            " ",
        ]
        for name in names:
            base.signed_in(name, DESK, "JP")
        base.signed_in("", DESK, "JP")
        again = kept(base)
        assert again.ignored == 0
        for name in names:
            assert again.seen(name, DESK, "JP") == (True, True), name
        assert again.seen("", DESK, "JP") is None
        assert all(
            len(name) <= MAX_NAME and name.isascii()
            for name in base.to_record()["accounts"]
        )

    def test_learning_the_same_again_changes_nothing(self) -> None:
        base = watched(1)
        base.signed_in("201", DESK, "JP")
        base.signed_in("202", DESK, "JP")
        before = base.to_record()
        base.signed_in("201", DESK_TOMORROW, "JP")
        assert list(base.to_record()["accounts"]) == list(before["accounts"])
        assert base.to_record() == before


class TestBounds:
    def test_countries(self) -> None:
        base = watched(1)
        names = [chr(65 + a) + chr(65 + b) for a in range(26) for b in range(26)]
        for name in names[:MAX_COUNTRIES]:
            base.called(name)
            base.called(name)
        assert all(base.knows(name) for name in names[:MAX_COUNTRIES])
        base.called("ZZ")
        assert base.knows("ZZ")
        assert base.sizes()["countries"] == (MAX_COUNTRIES, MAX_COUNTRIES)
        base.called("ZY")  # the least called one goes
        assert not base.knows("ZZ")
        record = base.to_record()
        record["countries"]["XX"] = [1, 1]
        assert Baseline.from_record(record).ignored == 1

    def test_accounts(self) -> None:
        base = watched(1)
        for number in range(MAX_ACCOUNTS):
            base.signed_in(str(number), DESK, "JP")
        passed(base, 1)
        base.signed_in("0", DESK, "JP")  # heard of again: not the first to go
        base.signed_in("one more", DESK, "JP")
        assert base.seen("0", DESK, "JP") is not None
        assert base.seen("1", DESK, "JP") is None
        assert base.seen("2", DESK, "JP") is not None
        assert base.sizes()["accounts"] == (MAX_ACCOUNTS, MAX_ACCOUNTS)
        record = base.to_record()
        record["accounts"]["another"] = "JP:0-0"
        assert Baseline.from_record(record).ignored == 1

    @pytest.mark.parametrize(
        ("accounts", "record", "memory"), [(MAX_ACCOUNTS, 32, 220), (1_000, 290, 500)]
    )
    def test_record_and_memory_with_10000_accounts_and_250_countries(
        self, accounts: int, record: int, memory: int
    ) -> None:
        """All of them at a desk each; a tenth as restless and long-named as can be."""
        restless = accounts < MAX_ACCOUNTS
        width, days = (MAX_NAME, 13) if restless else (4, 1)
        tracemalloc.start()
        try:
            base = Baseline()
            base.watch(0.0)
            base.watch(20_000 * DAY if restless else 20 * DAY)
            names = [chr(65 + a) + chr(65 + b) for a in range(10) for b in range(25)]
            for number, name in enumerate(names):
                for _ in range(number):
                    base.called(name)
                    base.talked(name, 12_345.678)
            before = tracemalloc.get_traced_memory()[0]
            for day in range(days):
                for number in range(accounts):
                    address = bytes([32, 1, day, number % 256])
                    if restless:
                        address += bytes(12)
                    base.signed_in(f"{number:0{width}}", address, "JP")
                passed(base, 1)
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert before <= 100_000
        assert memory / 2 <= (after - before) / accounts <= memory
        whole = base.to_record()
        countries = json.dumps(whole["countries"], separators=(",", ":"))
        assert len(countries) <= 7_000
        text = json.dumps(whole, separators=(",", ":"))
        sys.stdout.write(f"{len(countries)}, {len(text)} bytes, {after} in memory\n")
        assert record * 0.9 <= (len(text) - len(countries)) / accounts <= record
        assert kept(base).ignored == 0


class TestRecord:
    def test_round_trip(self) -> None:
        base = watched(40, lambda base: base.called("US"))
        base.called(None)
        base.talked("PH", 61.26)
        for name, address in (("201", DESK), ("202", THIEF), ("201", CAFE)):
            base.signed_in(name, address, "JP")
        record = json.loads(json.dumps(base.to_record()))
        again = Baseline.from_record(record)
        assert again.ignored == 0
        assert again.to_record() == record
        assert again.usual("US").calls == pytest.approx(
            base.usual("US").calls, rel=1e-4
        )

    @pytest.mark.parametrize(
        "record",
        [
            *(None, 1, "x", [], {}),
            {"version": 2, "watched": 1},
            {"version": 1},
            {"version": 1, "watched": -1},
            {"version": 1, "watched": float("nan")},
            {"version": 1, "watched": True},
            {"version": 1, "watched": 2 * MAX_VALUE},
        ],
    )
    def test_what_is_no_record(self, record: object) -> None:
        base = Baseline.from_record(record)
        assert base.ignored == (record is not None)
        assert base.to_record() == Baseline().to_record()

    def test_the_sound_parts_of_a_damaged_one(self) -> None:
        record = {
            "version": 1,
            "watched": 30,
            "last_abroad": 99,
            "countries": {
                "US": [3, 60],
                "--": [0.5, 0],
                "usa": [1, 1],
                "us": [1, 1],
                "GB": [1],
                "FR": [-1, 1],
                "DE": [float("inf"), 1],
                "IT": ["1", 1],
                "ES": {"0": 1},
            },
            "accounts": {
                "201": "JP:0-29,c633:0-29",
                "202": "",
                "203": "JP:5-3",
                "204": "JP:0-31",
                "205": "JP:0-1,JP:0-1",
                "206": "JP:0-1,",
                "207": 5,
                "208 ": "JP:0-1",
                "": "JP:0-1",
                "x" * 33: "JP:0-1",
                "209": ",".join(f"{n:04x}:0-1" for n in range(13)),
                "#00000001": "JP:0-1",
            },
        }
        base = Baseline.from_record(record)
        assert base.ignored == 7 + 10
        assert set(base.to_record()["countries"]) == {"US", "--"}
        assert set(base.to_record()["accounts"]) == {"201", "#00000001"}
        assert base.days_since_abroad == 0
        base.watch(0.0)
        assert passed(base, 5).days_since_abroad == pytest.approx(5)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["version", "watched", "countries", "US", "201"])
                    | st.text(),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=20,
        )
    )
    def test_any_nonsense(self, part: object) -> None:
        for record in (
            part,
            {"version": 1, "watched": part},
            {"version": 1, "watched": 3, "countries": part, "accounts": part},
            {
                "version": 1,
                "watched": 3,
                "last_abroad": part,
                "countries": {"US": part},
            },
            {"version": 1, "watched": 3, "accounts": {"201": part}},
        ):
            base = Baseline.from_record(record)
            base.watch(1.0)
            base.called("US")
            base.signed_in("201", DESK, "JP")
            assert base.usual("US").calls > 0
            again = kept(base)
            assert again.ignored == 0


@given(
    st.lists(
        st.builds(
            Source,
            st.sampled_from(["JP", "US", "c633", "20010db8"]),
            st.integers(0, 500),
            st.integers(500, 99_999),
        ),
        unique_by=lambda one: one.key,
    )
)
def test_sources_are_read_as_they_were_written(sources: list[Source]) -> None:
    assert read_sources(write_sources(sources)) == sources


@given(st.text(alphabet="JP:0-1,abcdef\n "))
def test_other_text_is_no_source(text: str) -> None:
    sources = read_sources(text)
    assert sources is None or write_sources(sources) == text or "0" in text


def test_source_keys() -> None:
    assert source_key(DESK) == "c633"
    assert source_key(octets("2001:db8:81::10")) == "20010db8"
