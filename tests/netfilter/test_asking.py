"""Counters and rules, asked of a real kernel: what nft prints, at the cost of neither."""

import json
import os
import socket

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter import asking, bans, netlink
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import COUNTERS, HOME_MARK, Plan, whole
from ringfence.netfilter.origins import Networks, Ranges

TABLE = """
table inet ringfence {
    counter none { }
    counter some { packets 3 bytes 7 }
    counter most { packets 9223372036854775807 bytes 9223372036854775807 }
    counter lively { }
    quota much { 1 mbytes }
    limit seldom { rate 1/second; }
    chain out {
        type filter hook output priority 0;
        udp dport 5060 counter name lively
    }
}
table ip ringfence { counter other { packets 9 bytes 9 }; }
table inet ringfence2 { counter another { packets 9 bytes 9 }; }
"""


def printed(namespace: Namespace) -> dict[str, int]:
    """Return what nft prints."""
    listed = json.loads(
        namespace.run("nft", "-j", "list", "counters", "table", "inet", "ringfence")
    )
    found = [entry["counter"] for entry in listed["nftables"] if "counter" in entry]
    return {entry["name"]: entry["packets"] for entry in found}


@pytest.mark.netns
def test_counters_are_those_that_nft_prints(entered: Namespace) -> None:
    entered.run("nft", "-f", "-", stdin=TABLE)
    for _ in range(5):
        entered.run("bash", "-c", "echo >/dev/udp/127.0.0.1/5060")
    counted = asking.counters("ringfence")
    assert counted == {"none": 0, "some": 3, "most": 2**63 - 1, "lively": 5}
    assert counted == printed(entered)


@pytest.mark.netns
def test_more_counters_than_one_datagram_holds(entered: Namespace) -> None:
    names = {f"counter-{number:04}".ljust(100, "x"): number for number in range(2_000)}
    lines = [
        f"counter {name} {{ packets {number} bytes 1 }}"
        for name, number in names.items()
    ]
    entered.run("nft", "-f", "-", stdin="\n".join(["table inet t {", *lines, "}"]))
    assert asking.counters("t") == names


@pytest.mark.netns
def test_the_agent_s_own_table(entered: Namespace) -> None:
    assert bans.counters() is None
    control = Control()
    control.install(Plan(queue=5060, sip_ports=frozenset({5060})))
    assert bans.counters() == dict.fromkeys(COUNTERS, 0) == printed(entered)
    control.remove()
    assert bans.counters() is None


def test_without_the_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses(monkeypatch, PermissionError(1, "Operation not permitted"))
    with pytest.raises(KernelError, match="needs the capability CAP_NET_ADMIN"):
        bans.counters()


def test_a_kernel_without_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses(monkeypatch, OSError(93, "Protocol not supported"))
    with pytest.raises(KernelError, match="did not take it: Protocol not supp"):
        bans.counters()
    assert Control().home() is None


def refuses(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(netlink, "open_netfilter", refuse)


@pytest.mark.netns
def test_nobody_in_particular_may_not_ask(entered: Namespace) -> None:
    """The kernel's own refusal, without privileges."""
    control = Control()
    control.install(Plan(queue=5060, sip_ports=frozenset({5060})))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            bans.counters()
            os.write(writer, b"told")
        except KernelError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as said:
        assert b"needs the capability CAP_NET_ADMIN" in said.read()
    os.waitpid(child, 0)
    control.remove()


HOME = Networks(not_foreign=Ranges(((1, 9),), ((1, 9),)))
WHOLE = whole(HOME.not_foreign)
WITHOUT = Plan(queue=5060, sip_ports=frozenset({5060}), wan=("lo",))


@pytest.mark.netns
@pytest.mark.parametrize(
    ("plan", "tells"),
    [
        (WITHOUT, ""),  # the chain is there, but nothing in it
        (WITHOUT._replace(foreign_register=True, networks=lambda: HOME), WHOLE),
        (
            WITHOUT._replace(
                foreign_tls_ports=frozenset({5061}), networks=lambda: HOME
            ),
            WHOLE,
        ),
    ],
    ids=["neither", "register", "tls"],
)
def test_what_is_told_of_the_home_networks(
    entered: Namespace, plan: Plan, tells: str
) -> None:
    assert asking.home() is None
    control = Control()
    control.install(plan)
    told = asking.home()
    assert (told.tells if told else "") == tells
    assert told == control.home()
    if told:
        rules = entered.run(
            "nft", "-a", "list", "chain", "inet", "ringfence", HOME_MARK
        )
        assert f'return comment "{tells}" # handle {told.handle}\n' in rules
    control.remove(keep_bans=True)
    assert asking.home() is None


COMMENT = b"\x00\x05some\x00"


@pytest.mark.parametrize(
    ("data", "comment"),
    [
        (COMMENT, "some"),
        (b"\x01\x04abcd" + COMMENT + b"\x02\x00", "some"),
        (b"\x01\x04abcd", ""),
        (b"", ""),
        (b"\x00", ""),
        (b"\x01\xffab", ""),
        (b"\x00\xffso", "so"),
    ],
)
def test_comments_are_found_among_what_else_is_kept(data: bytes, comment: str) -> None:
    assert asking._comment(data) == comment


class Changing:
    """The kernel's socket, with every dump one that a change came in between of."""

    def __init__(self, real: socket.socket, times: int) -> None:
        self._real, self._times = real, times

    def __enter__(self) -> "Changing":
        return self

    def __exit__(self, *error: object) -> None:
        self._real.close()

    def settimeout(self, seconds: float) -> None:
        self._real.settimeout(seconds)

    def send(self, data: bytes) -> None:
        self._times -= 1
        self._real.send(data)

    def recv(self, size: int) -> bytes:
        data = bytearray(self._real.recv(size))
        if self._times >= 0:
            data[6] |= netlink.DUMP_INTR  # of the first message's flags
        return bytes(data)


@pytest.mark.netns
def test_a_table_that_changes_while_it_is_read(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered.run("nft", "-f", "-", stdin=TABLE)
    real = netlink.open_netfilter

    def changes(times: int) -> None:
        monkeypatch.setattr(netlink, "open_netfilter", lambda: Changing(real(), times))

    changes(asking.READINGS - 1)
    assert asking.counters("ringfence")["some"] == 3
    changes(asking.READINGS)
    with pytest.raises(InterruptedError):
        asking.counters("ringfence")
