"""Interval sets filled by netlink: what nft then reads, and how much goes at once."""

import json
import socket

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter import intervals, netlink
from ringfence.netfilter.origins import Range

WIDTHS = {"ipv4_addr": 4, "ipv6_addr": 16}


def address(value: int, width: int) -> str:
    family = socket.AF_INET if width == 4 else socket.AF_INET6
    return socket.inet_ntop(family, value.to_bytes(width))


def make_set(namespace: Namespace, kind: str) -> None:
    text = f"table inet t {{ set s {{ type {kind}; flags interval; }}; }}"
    namespace.run("nft", "-f", "-", stdin=text)


def read_set(namespace: Namespace) -> list[str]:
    """Return its elements as nft writes them: an address, a network or a range."""
    listed = json.loads(namespace.run("nft", "-j", "list", "set", "inet", "t", "s"))
    (found,) = [entry["set"] for entry in listed["nftables"] if "set" in entry]
    return [text(one) for one in found.get("elem", [])]


def text(element: object) -> str:
    if isinstance(element, str):
        return element
    assert isinstance(element, dict)
    if "prefix" in element:
        return f"{element['prefix']['addr']}/{element['prefix']['len']}"
    return "-".join(element["range"])


def spread(count: int, width: int) -> list[Range]:
    """Make ranges of three addresses, none of which is a network of its own."""
    start = 1 << (8 * width - 4)
    return [(start + 8 * at + 1, start + 8 * at + 3) for at in range(count)]


@pytest.mark.netns
@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, intervals.AT_ONCE, intervals.AT_ONCE + 1])
def test_what_is_filled_in_is_what_nft_reads(
    entered: Namespace, kind: str, count: int
) -> None:
    width = WIDTHS[kind]
    make_set(entered, kind)
    ranges = spread(count, width)

    intervals.fill("t", "s", ranges, width)

    expected = [f"{address(a, width)}-{address(b, width)}" for a, b in ranges]
    assert read_set(entered) == expected


@pytest.mark.netns
def test_the_first_and_the_last_address_of_all(entered: Namespace) -> None:
    make_set(entered, "ipv4_addr")

    intervals.fill("t", "s", [(0, 255), (0xFFFFFF00, 0xFFFFFFFF)], 4)

    assert read_set(entered) == ["0.0.0.0/24", "255.255.255.0/24"]


@pytest.mark.netns
def test_what_is_missing_is_named(entered: Namespace) -> None:
    make_set(entered, "ipv4_addr")
    with pytest.raises(KernelError, match="networks of other: No such file"):
        intervals.fill("t", "other", [(1, 2)], 4)


@pytest.mark.netns
def test_a_refused_part_is_refused_whole(entered: Namespace) -> None:
    make_set(entered, "ipv4_addr")
    with pytest.raises(KernelError):
        intervals.fill("t", "s", [(1, 9), (5, 20)], 4)
    assert read_set(entered) == []


def test_transactions_are_small() -> None:
    """Attributes have 16 bits for their length, sockets a buffer of 200 KB."""
    widest = spread(intervals.AT_ONCE, 16)
    made = intervals.transaction("ringfence", "home6", widest, 16, 7)
    kinds = [one.kind for one in netlink.messages(made)]
    assert kinds == [16, 10 << 8 | 12, 17]
    assert len(made) < 0x8000


@pytest.mark.netns
def test_as_many_transactions_as_it_takes(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(entered, "ipv4_addr")
    sizes = []
    build = intervals.transaction

    def counted(*arguments: object) -> bytes:
        ranges = arguments[2]
        assert isinstance(ranges, list)
        sizes.append(len(ranges))
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intervals, "transaction", counted)
    intervals.fill("t", "s", spread(2 * intervals.AT_ONCE + 1, 4), 4)

    assert sizes == [intervals.AT_ONCE, intervals.AT_ONCE, 1]
