"""Interfaces from /proc as the kernel writes it; notices and tables of a real kernel."""

import select
from pathlib import Path

import pytest
from lab.namespaces import Namespace
from ringfence.netfilter.notices import (
    LOOK_EVERY,
    LinkNotices,
    TableWatch,
    default_route_interfaces,
    interface_indexes,
)

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"


def route4(name: str, destination: str, flags: str, mask: str) -> str:
    return f"{name}\t{destination}\tFE7100CB\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0"


def route6(name: str, destination: str, length: str, flags: str) -> str:
    zeros = "0" * 32
    return (
        f"{destination} {length} {zeros} 00 {zeros} 00000400 00000001 00000000 "
        f"{flags} {name:>8}"
    )


ANY6 = "0" * 32
DB8 = "20010db8" + "0" * 24


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "names"),
    [
        ([route4("wan", "00000000", "0003", "00000000")], [], ["wan"]),
        ([], [route6("wan6", ANY6, "00", "00000003")], ["wan6"]),
        (
            [
                route4("wan", "00000000", "0003", "00000000"),
                route4("pppoe-wan", "00000000", "0003", "00000000"),
                route4("lan", "0032A8C0", "0001", "00FFFFFF"),
            ],
            [route6("wan", ANY6, "00", "00000003")],
            ["pppoe-wan", "wan"],
        ),
        # 0.0.0.0/1 is half the Internet, not a default route.
        ([route4("vpn", "00000000", "0003", "00000080")], [], []),
        ([route4("down", "00000000", "0002", "00000000")], [], []),
        ([route4("no", "00000000", "0203", "00000000")], [], []),
        # The kernel's own way of saying that nothing is reachable.
        ([], [route6("lo", ANY6, "00", "00200200")], []),
        ([], [route6("lo", ANY6, "00", "00000001")], []),
        ([], [route6("wan", DB8, "20", "00000001")], []),
        (["what is this"], ["nor this"], []),
        ([], [], []),
    ],
)
def test_interfaces_with_a_default_route(
    tmp_path: Path, ipv4: list[str], ipv6: list[str], names: list[str]
) -> None:
    (tmp_path / "route").write_text("\n".join([HEAD, *ipv4, ""]))
    (tmp_path / "ipv6_route").write_text("\n".join([*ipv6, ""]))
    assert default_route_interfaces(tmp_path) == names


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    line = route4("wan", "00000000", "0003", "00000000")
    (tmp_path / "route").write_text(f"{HEAD}\n{line}\n")
    assert default_route_interfaces(tmp_path) == ["wan"]
    assert default_route_interfaces(tmp_path / "nothing") == []


def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    """As of a tunnel that somebody named in his own language, by whatever encoding."""
    line = route4("NAME", "00000000", "0003", "00000000")
    beside = route4("büro", "000200C0", "0001", "00FFFFFF")
    for name, expected in (("büro".encode(), "büro"), (b"b\xfcro", "b\ufffdro")):
        text = f"{HEAD}\n{beside}\n{line}\n".encode().replace(b"NAME", name)
        (tmp_path / "route").write_bytes(text)
        assert default_route_interfaces(tmp_path) == [expected]
    assert interface_indexes(["b\ufffdro"]) == frozenset()


def test_indexes_leave_out_what_does_not_exist() -> None:
    assert interface_indexes(["lo", "no-such-thing"]) == interface_indexes(["lo"])
    assert len(interface_indexes(["lo"])) == 1
    assert interface_indexes([]) == frozenset()


def readable(notices: LinkNotices) -> bool:
    return bool(select.select([notices], [], [], 0.2)[0])


@pytest.mark.netns
def test_a_default_route_that_appears_is_noticed_and_found(entered: Namespace) -> None:
    notices = LinkNotices()
    assert not readable(notices)
    entered.ip(
        "link add wan type veth peer name wire",
        "link set wire up",
        "link set wan up",
        "address add 203.0.113.1/24 dev wan",
        "route add default via 203.0.113.254",
    )
    assert readable(notices)
    # The kernel goes on for a while: carrier, duplicate address detection.
    for _ in range(100):
        notices.drain()
        if not readable(notices):
            break
    else:
        pytest.fail("notices were read and are still there")
    assert default_route_interfaces(Path("/proc/thread-self/net")) == ["wan"]
    notices.close()


@pytest.mark.netns
def test_more_notices_than_fit_are_no_error(entered: Namespace) -> None:
    notices = LinkNotices()
    for _ in range(4):
        entered.ip(
            *(
                f"address {verb} 10.{octet}.0.1/32 dev lo"
                for octet in range(250)
                for verb in ("add", "del")
            )
        )
    while readable(notices):
        notices.drain()
    entered.ip("address add 10.0.0.1/32 dev lo", "route add 10.9.0.0/16 dev lo")
    assert readable(notices), "still subscribed"
    notices.close()


class Clock:
    """Time for a watch: each look is due."""

    def __init__(self) -> None:
        self.now = 100.0

    def look(self, watch: TableWatch) -> bool:
        self.now += LOOK_EVERY
        return watch.lost(self.now)


@pytest.mark.netns
def test_only_the_loss_of_our_own_table_counts(entered: Namespace) -> None:
    watch, clock = TableWatch(), Clock()
    table = "{ chain c { type filter hook input priority 0; }; }"
    entered.run("nft", f"table inet ringfence {table}")
    watch.remember()
    entered.run("nft", f"table inet ringfenced {table}")
    entered.run("nft", f"table ip ringfence {table}")
    assert not clock.look(watch), "adding is no loss"
    entered.run("nft", "delete table inet ringfenced")
    entered.run("nft", "delete table ip ringfence")
    assert not clock.look(watch), "other tables: a longer name, another family"
    entered.run("nft", "flush table inet ringfence")
    assert not clock.look(watch), "emptied, but there"
    entered.run("nft", "flush ruleset")
    assert clock.look(watch)
    assert clock.look(watch), "still gone"
    entered.run("nft", f"table inet ringfence {table}")
    assert clock.look(watch), "made by somebody else"
    watch.remember()
    assert not clock.look(watch)
    watch.close()


@pytest.mark.netns
def test_a_table_that_was_never_there_is_not_lost(entered: Namespace) -> None:
    watch, clock = TableWatch(), Clock()
    watch.remember()
    assert not clock.look(watch)
    watch.close()


@pytest.mark.netns
def test_it_looks_now_and_then(entered: Namespace) -> None:
    watch = TableWatch()
    entered.run("nft", "table inet ringfence { }")
    watch.remember()
    assert not watch.lost(100.0)
    entered.run("nft", "delete table inet ringfence")
    assert watch.wait(100.5) == LOOK_EVERY - 0.5
    assert not watch.lost(100.5), "not yet"
    assert watch.lost(100.0 + LOOK_EVERY)
    watch.close()


@pytest.mark.netns
def test_it_does_not_listen(entered: Namespace) -> None:
    """Whoever does makes every set that anybody loads cost 8 KB an element."""
    entered.run("nft", "table inet ringfence { }")
    watch = TableWatch()
    watch.remember()
    # sk protocol port groups …
    lines = Path("/proc/thread-self/net/netlink").read_text().splitlines()[1:]
    ours = [line.split() for line in lines if line.split()[1] == "12"]
    assert ours
    assert {fields[3] for fields in ours} == {"00000000"}
    watch.close()
