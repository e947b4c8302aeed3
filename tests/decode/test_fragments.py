"""Reassembly: any order, duplicates, contradictions, and every bound."""

from itertools import permutations

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decode import fragments
from ringfence.decode.fragments import Fragment, FragmentTable, Whole
from ringfence.errors import Malformed

BODY = bytes(range(100))
PIECES = {
    "two": wire.split(BODY, [48]),
    "three": wire.split(BODY, [16, 40]),
    "four": wire.split(BODY, [24, 24, 24]),
}


def fragment(
    piece: wire.Piece, key: bytes = b"key", *, header: int = 20, protocol: int = 17
) -> Fragment:
    size = len(piece.data)
    return Fragment(key, protocol, header, piece.offset, size, piece.more, piece.data)


def held(offset: int, size: int, *, more: bool = True) -> Fragment:
    return fragment(wire.Piece(offset, more, bytes(size)))


def refusal(table: FragmentTable, bad: Fragment, mono: float = 0.0) -> str:
    """Add a fragment that condemns its datagram; return the reason."""
    with pytest.raises(Malformed) as caught:
        table.add(bad, mono)
    return caught.value.reason


@pytest.mark.parametrize(
    "order",
    [order for pieces in PIECES.values() for order in permutations(pieces)],
)
def test_any_order(order: tuple[wire.Piece, ...]) -> None:
    table = FragmentTable(30.0)
    for piece in order[:-1]:
        assert table.add(fragment(piece), 0.0) is None
        assert len(table) == 1
    assert table.add(fragment(order[-1]), 0.0) == Whole(17, BODY, False)
    assert (len(table), table.octets, table.evicted, table.expired) == (0, 0, 0, 0)


@pytest.mark.parametrize("order", list(permutations(PIECES["three"])))
@pytest.mark.parametrize("again", [0, 1, 2])
def test_duplicates_are_ignored(order: tuple[wire.Piece, ...], again: int) -> None:
    table = FragmentTable(30.0)
    fed = [order[again], *order] if again else [order[0], order[0], *order[1:]]
    results = [table.add(fragment(piece), 0.0) for piece in fed]
    assert [whole for whole in results if whole] == [Whole(17, BODY, False)]


def test_a_fragment_inside_what_is_there_is_a_duplicate() -> None:
    """As in Linux: the first bytes win, also where the repeated ones differ."""
    table = FragmentTable(30.0)
    first, second, third = PIECES["three"]
    for piece in (first, second, wire.Piece(8, True, b"\xff" * 32)):
        assert table.add(fragment(piece), 0.0) is None
    assert table.add(fragment(third), 0.0) == Whole(17, BODY, False)


def test_only_what_came_in_order_is_one_run() -> None:
    """As in Linux: 16 to 32 lies inside what is there, but across two runs."""
    table = FragmentTable(30.0)
    for offset in (8, 32, 24):
        table.add(held(offset, 8 if offset > 8 else 16), 0.0)
    assert refusal(table, held(16, 16)) == "ip.fragment-overlap"


def test_a_duplicate_completes_nothing() -> None:
    """As in Linux, even though all bytes and the end are there then."""
    table = FragmentTable(30.0)
    assert table.add(held(0, 16), 0.0) is None
    assert table.add(held(16, 8), 0.0) is None
    assert table.add(held(16, 8, more=False), 0.0) is None
    assert len(table) == 1


OVERLAPS = {
    "same-start-longer": ([(0, 16)], (0, 24)),
    "across-the-end": ([(0, 16)], (8, 16)),
    "across-the-start": ([(16, 16)], (8, 16)),
    "around": ([(16, 16)], (8, 32)),
    "around-to-the-end": ([(16, 16)], (8, 24)),
    "across-a-gap": ([(0, 16), (32, 16)], (8, 32)),
    "fills-more-than-a-gap": ([(0, 16), (32, 16)], (16, 24)),
    "behind-two": ([(0, 16), (16, 16)], (24, 16)),
}


@pytest.mark.parametrize("case", OVERLAPS.values(), ids=OVERLAPS)
@pytest.mark.parametrize("fill", [b"\0", b"\xff"], ids=["same", "different"])
def test_overlap_condemns_the_datagram(
    case: tuple[list[tuple[int, int]], tuple[int, int]], fill: bytes
) -> None:
    table = FragmentTable(30.0)
    there, (offset, size) = case
    for start, length in there:
        table.add(held(start, length), 0.0)
    bad = fragment(wire.Piece(offset, True, fill * size))
    assert refusal(table, bad) == "ip.fragment-overlap"
    assert (len(table), table.octets) == (0, 0)


def test_what_follows_a_condemned_datagram_begins_anew() -> None:
    """As in Linux, whose receiver would put these together."""
    table = FragmentTable(30.0)
    table.add(held(0, 16), 0.0)
    assert refusal(table, held(8, 16)) == "ip.fragment-overlap"
    first, second = PIECES["two"]
    assert table.add(fragment(second), 0.0) is None
    assert table.add(fragment(first), 0.0) == Whole(17, BODY, False)


def test_teardrop() -> None:
    """The last fragment lies inside the first one and ends before it."""
    table = FragmentTable(30.0)
    table.add(held(0, 40), 0.0)
    assert refusal(table, held(24, 4, more=False)) == "ip.fragment-end"
    assert len(table) == 0


@pytest.mark.parametrize(
    ("there", "bad"),
    [
        (held(8, 16, more=False), held(8, 24, more=False)),
        (held(16, 16, more=False), held(24, 16, more=True)),
        (held(16, 16, more=True), held(0, 24, more=False)),
        (held(16, 16, more=False), held(40, 8, more=True)),
    ],
    ids=["two-ends", "beyond-the-end", "end-inside", "far-beyond-the-end"],
)
def test_contradicting_ends(there: Fragment, bad: Fragment) -> None:
    table = FragmentTable(30.0)
    table.add(there, 0.0)
    assert refusal(table, bad) == "ip.fragment-end"
    assert (len(table), table.octets) == (0, 0)


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("offset", [0, 16, 32])
def test_empty_fragment_condemns_the_datagram(offset: int, more: bool) -> None:
    table = FragmentTable(30.0)
    table.add(held(0, 16), 0.0)
    reason = "ip.fragment-end" if offset == 0 and not more else "ip.fragment-empty"
    assert refusal(table, held(offset, 0, more=more)) == reason
    assert len(table) == 0


def test_size_bound_of_a_datagram() -> None:
    """20 bytes of header and 65,515 of payload are 65,535; one more is too many."""
    offset = 65_512
    last = fragments.MAX_DATAGRAM - 20 - offset
    table = FragmentTable(30.0)
    assert table.add(held(0, offset), 0.0) is None
    whole = table.add(held(offset, last, more=False), 0.0)
    assert whole is not None
    assert len(whole.data) == fragments.MAX_DATAGRAM - 20
    assert table.add(held(0, offset), 0.0) is None
    beyond = held(offset, last + 1, more=False)
    assert refusal(table, beyond) == "ip.fragment-size"
    # It says nothing about the datagram that the others belong to.
    assert table.add(held(offset, last, more=False), 0.0) is not None


def test_protocol_is_that_of_the_first_fragment() -> None:
    table = FragmentTable(30.0)
    first, second = PIECES["two"]
    assert table.add(fragment(second, protocol=6), 0.0) is None
    whole = table.add(fragment(first, protocol=17), 0.0)
    assert whole is not None
    assert whole.protocol == 17


def test_keys_are_kept_apart() -> None:
    table = FragmentTable(30.0)
    first, second = PIECES["two"]
    other = wire.Piece(0, True, b"\xff" * len(first.data))
    assert table.add(fragment(first, b"one"), 0.0) is None
    assert table.add(fragment(other, b"two"), 0.0) is None
    assert table.add(fragment(second, b"one"), 0.0) == Whole(17, BODY, False)
    assert len(table) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_cut_fragment_ends_what_is_known(order: tuple[int, ...]) -> None:
    table = FragmentTable(30.0)
    parts = [fragment(piece) for piece in PIECES["three"]]
    parts[1] = parts[1]._replace(data=parts[1].data[:10])
    results = [table.add(parts[index], 0.0) for index in order]
    assert results == [None, None, Whole(17, BODY[:26], True)]


def test_number_of_datagrams_is_bounded() -> None:
    table = FragmentTable(30.0)
    first, second = PIECES["two"]
    keys = [b"%d" % number for number in range(fragments.MAX_DATAGRAMS + 1)]
    for key in keys[:-1]:
        table.add(fragment(first, key), 0.0)
    assert (len(table), table.evicted) == (fragments.MAX_DATAGRAMS, 0)
    table.add(fragment(first, keys[-1]), 0.0)
    assert (len(table), table.evicted) == (fragments.MAX_DATAGRAMS, 1)
    assert table.octets == len(table) * (len(first.data) + fragments.OVERHEAD)
    # The oldest went, the second oldest is still there.
    assert table.add(fragment(second, keys[1]), 0.0) == Whole(17, BODY, False)
    assert table.add(fragment(second, keys[0]), 0.0) is None


def test_bytes_held_are_bounded() -> None:
    cost = 16 + fragments.OVERHEAD
    table = FragmentTable(30.0, octets=4 * cost)
    piece = wire.Piece(0, True, bytes(16))
    for number in range(4):
        table.add(fragment(piece, b"%d" % number), 0.0)
    assert (len(table), table.octets, table.evicted) == (4, 4 * cost, 0)
    table.add(fragment(wire.Piece(16, True, b"8 bytes!"), b"3"), 0.0)
    assert (len(table), table.evicted) == (3, 1)
    assert table.octets == 4 * cost - 16 + 8


def test_one_datagram_alone_cannot_hold_more_than_the_bound() -> None:
    table = FragmentTable(30.0, octets=3 * (8 + fragments.OVERHEAD))
    for number in range(4):
        # Every other eight bytes: nothing ever joins.
        table.add(held(16 * number, 8), 0.0)
    assert (len(table), table.octets, table.evicted) == (0, 0, 1)


def test_usual_bounds_hold_three_hundred_thousand_hostile_fragments() -> None:
    table = FragmentTable(30.0)
    for number in range(3_000):
        for offset in range(0, 100 * 16, 16):
            table.add(
                fragment(wire.Piece(offset, True, b"8 bytes!"), b"%d" % number), 0
            )
    assert len(table) <= fragments.MAX_DATAGRAMS
    assert table.octets <= fragments.MAX_OCTETS
    assert len(table) + table.evicted == 3_000


def test_age_counts_from_the_first_fragment() -> None:
    first, second, third = PIECES["three"]
    for late in (0.0, 0.001):
        table = FragmentTable(30.0)
        assert table.add(fragment(first), 100.0) is None
        assert table.add(fragment(second), 120.0) is None
        whole = table.add(fragment(third), 130.0 + late)
        assert (whole is None) is bool(late)
        assert table.expired == bool(late)
        assert len(table) == bool(late)
        if late:
            assert table.octets == len(third.data) + fragments.OVERHEAD


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=30),
    data=st.data(),
    repeats=st.integers(0, 5),
)
def test_any_split_in_any_order_with_duplicates(
    sizes: list[int], data: st.DataObject, repeats: int
) -> None:
    eights = [8 * size for size in sizes]
    body = bytes(number & 0xFF for number in range(sum(eights) + 5))
    parts = [fragment(piece) for piece in wire.split(body, eights)]
    fed = data.draw(st.permutations(parts))
    # A repeat of the one that completes the datagram would begin another.
    others = fed[:-1]
    for _ in range(repeats):
        part = data.draw(st.sampled_from(others))
        fed.insert(data.draw(st.integers(0, len(fed) - 1)), part)
    table = FragmentTable(30.0)
    results = [table.add(part, 0.0) for part in fed]
    assert results == [None] * (len(fed) - 1) + [Whole(17, body, False)]
    assert (len(table), table.octets) == (0, 0)


@given(
    st.lists(
        st.builds(
            held,
            st.integers(0, 20).map(lambda eights: 8 * eights),
            st.integers(0, 40),
            more=st.booleans(),
        ),
        max_size=40,
    )
)
def test_noise_keeps_the_account_right(noise: list[Fragment]) -> None:
    table = FragmentTable(30.0, datagrams=4, octets=1_000)
    for number, part in enumerate(noise):
        keyed = part._replace(key=b"%d" % (number % 6))
        try:
            whole = table.add(keyed, float(number))
        except Malformed as error:
            assert error.reason.startswith("ip.fragment-")  # noqa: PT017
        else:
            assert whole is None or len(whole.data) <= 20 * 8 + 40
        assert 0 <= table.octets <= 1_000
        assert len(table) <= 4
    table.add(held(0, 8), 1_000.0)
    assert (len(table), table.octets) == (1, 8 + fragments.OVERHEAD)
