"""Connections that are ended, and those that are not: real tables of a real kernel.

`conntrack` of conntrack-tools makes the entries and says what is left of them.
"""

import errno
import socket
import struct
import subprocess
import sys

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter import conntrack, netlink
from ringfence.netfilter.conntrack import (
    Entry,
    _Table,
    delete_message,
    dump_message,
    end_connections,
    entry_of,
    main,
)
from ringfence.netfilter.netlink import attribute, nested

V4, V6 = socket.AF_INET, socket.AF_INET6


def packed(literal: str) -> bytes:
    return socket.inet_pton(V6 if ":" in literal else V4, literal)


def tuple_of(source: str, destination: str) -> bytes:
    first = 3 if ":" in source else 1
    return nested(
        1,
        attribute(first, packed(source)),
        attribute(first + 1, packed(destination)),
    ) + nested(2, attribute(1, b"\x11"))


def body_of(family: int, original: bytes, reply: bytes, *more: bytes) -> bytes:
    return (
        bytes([family, 0, 0, 0])
        + nested(1, original)
        + nested(2, reply)
        + b"".join(more)
    )


PHONE, WAN, PBX = "203.0.113.9", "203.0.113.1", "192.168.50.2"
OUT, BACK = tuple_of(PHONE, WAN), tuple_of(PBX, PHONE)


@pytest.mark.parametrize(
    ("banned", "found"),
    [
        (PHONE, True),
        (PBX, True),  # behind a port forwarding: only the answers come from it
        (WAN, False),  # the router's own, translated away
        ("203.0.113.10", False),
    ],
)
def test_an_entry_belongs_to_both_its_ends(banned: str, found: bool) -> None:
    number = attribute(12, b"\0\0\0\7")
    body = body_of(V4, OUT, BACK, attribute(3, bytes(4)), number)
    entry = entry_of(body, V4, frozenset([packed(banned)]))
    assert entry == (Entry(OUT, b"\0\0\0\7", None) if found else None)


@pytest.mark.parametrize(
    ("banned", "found"),
    [("2001:db8:1:2:ffff::1", True), ("2001:db8:1:3::9", False)],
)
def test_an_ipv6_address_stands_for_its_64(banned: str, found: bool) -> None:
    original = tuple_of("2001:db8:1:2::9", "2001:db8::1")
    body = body_of(V6, original, tuple_of("2001:db8::1", "2001:db8:1:2::9"))
    entry = entry_of(body, V6, frozenset([packed(banned)[:8]]))
    assert entry == (Entry(original, None, None) if found else None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\2\0\0\0",
        body_of(V6, OUT, BACK),
        body_of(V4, b"", b""),
        body_of(V4, nested(1), nested(1)),
        bytes([V4, 0, 0, 0]) + nested(2, tuple_of(PHONE, PBX)),
    ],
)
def test_what_is_no_entry_of_that_family(body: bytes) -> None:
    assert entry_of(body, V4, frozenset([packed(PHONE)])) is None


def test_messages() -> None:
    (dump,) = netlink.messages(dump_message(V6, 5))
    assert dump == (0x0101, 0x301, 5, b"\x0a\0\0\0")
    (delete,) = netlink.messages(
        delete_message(Entry(OUT, b"\0\0\0\7", b"\0\1"), V4, 6)
    )
    assert delete[:3] == (0x0102, 0x5, 6)
    assert delete.body[:4] == b"\2\0\0\0"
    assert netlink.attributes(delete.body, 4) == {
        1: OUT,
        12: b"\0\0\0\7",
        18: b"\0\1",
    }
    (bare,) = netlink.messages(delete_message(Entry(OUT, None, None), V4, 7))
    assert netlink.attributes(bare.body, 4) == {1: OUT}


class Tracked:
    """The connection tracking table of a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._port = 1024

    def add(self, source: str, destination: str, *more: str) -> None:
        self._port += 1
        self._namespace.run(
            *("conntrack", "-I", "-p", "udp", "-t", "600"),
            *("-s", source, "-d", destination),
            *("--sport", str(self._port), "--dport", "5060", *more),
        )

    def left(self, family: str = "ipv4") -> list[str]:
        """Return the sources of the original direction."""
        lines = self._namespace.run("conntrack", "-L", "-f", family).splitlines()
        words = [word for line in lines for word in line.split()[:5]]
        return sorted(word[4:] for word in words if word.startswith("src="))


@pytest.fixture
def tracked(entered: Namespace) -> Tracked:
    return Tracked(entered)


@pytest.mark.netns
def test_the_connections_of_the_banned_end_and_no_others(tracked: Tracked) -> None:
    for source, destination in [
        (PHONE, WAN),
        (PHONE, WAN),
        (WAN, PHONE),
        ("203.0.113.10", WAN),
        (WAN, "203.0.113.11"),
    ]:
        tracked.add(source, destination)
    tracked.add("2001:db8:1:2::9", "2001:db8::1")
    tracked.add("2001:db8::1", "2001:db8:1:2::a")
    tracked.add("2001:db8:1:3::9", "2001:db8::1")
    assert end_connections([packed(PHONE)]) == 3
    assert tracked.left() == ["203.0.113.1", "203.0.113.10"]
    assert end_connections([packed(PHONE), packed("2001:db8:1:2:7::7")]) == 2
    assert tracked.left("ipv6") == ["2001:db8:1:3::9"]
    assert end_connections([]) == 0


@pytest.mark.netns
def test_a_translated_connection_ends_with_either_end(tracked: Tracked) -> None:
    for _ in range(2):
        tracked.add(PHONE, WAN, "--dst-nat", PBX)
    tracked.add("203.0.113.10", WAN, "--dst-nat", "192.168.50.3")
    assert end_connections([packed(PBX)]) == 2
    assert tracked.left() == ["203.0.113.10"]


@pytest.mark.netns
def test_connections_in_zones_end_too(tracked: Tracked) -> None:
    tracked.add(PHONE, WAN)
    tracked.add(PHONE, WAN, "--zone", "7")
    tracked.add("203.0.113.10", WAN, "--zone", "7")
    assert end_connections([packed(PHONE)]) == 2
    assert tracked.left() == ["203.0.113.10"]


@pytest.mark.netns
def test_an_entry_that_is_not_the_one_that_was_read_stays(tracked: Tracked) -> None:
    """It ran out, and the same two have begun anew: that one is another's to end."""
    tracked.add(PHONE, WAN)
    table = _Table()
    (entry,) = table.entries(V4, frozenset([packed(PHONE)]))
    assert entry.number is not None
    (number,) = struct.unpack("!I", entry.number)
    other = entry._replace(number=struct.pack("!I", number ^ 1))
    assert not table.delete(other, V4)
    assert tracked.left() == [PHONE]
    assert table.delete(entry, V4)
    assert not table.delete(entry, V4), "it is gone"
    assert tracked.left() == []
    table.close()


@pytest.mark.netns
@pytest.mark.parametrize("entries", [5, 6, 11])
def test_more_entries_than_are_kept_at_once(
    tracked: Tracked, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    monkeypatch.setattr(conntrack, "MAX_FOUND", 5)
    for _ in range(entries):
        tracked.add(PHONE, WAN)
    assert end_connections([packed(PHONE)]) == entries
    assert tracked.left() == []


@pytest.mark.netns
def test_the_readings_are_bounded(
    tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conntrack, "MAX_FOUND", 1)
    monkeypatch.setattr(conntrack, "MAX_READINGS", 3)
    for _ in range(4):
        tracked.add(PHONE, WAN)
    assert end_connections([packed(PHONE)]) == 3
    assert len(tracked.left()) == 1


@pytest.mark.netns
def test_the_program(tracked: Tracked, entered: Namespace) -> None:
    tracked.add(PHONE, WAN)
    tracked.add("2001:db8::9", "2001:db8::1")
    program = (sys.executable, "-P", "-m", "ringfence.netfilter.conntrack")
    entered.run(*program, PHONE, "2001:db8::", "nonsense")
    assert tracked.left() == []
    assert tracked.left("ipv6") == []


@pytest.mark.netns
def test_without_the_privilege(tracked: Tracked, entered: Namespace) -> None:
    tracked.add(PHONE, WAN)
    code = (
        "import sys; sys.stderr = sys.stdout; "
        "from ringfence.netfilter.conntrack import main; "
        f"sys.stdout.write(str(main(['{PHONE}'])))"
    )
    bounded = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    assert entered.run(*bounded, sys.executable, "-c", code) == (
        "ringfence: tracked connections cannot be ended: this needs the capability "
        "CAP_NET_ADMIN\n3"
    )


def reply(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    return netlink.message(kind, body, flags, sequence)


class Scripted:
    """A kernel that says what a test wants: real ones do so when they like."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: bytes) -> None:
        self._answers = list(answers)
        self.sent: list[bytes] = []
        monkeypatch.setattr(netlink, "open_netfilter", lambda: self)

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        return self._answers.pop(0)

    def close(self) -> None:
        assert not self._answers, "not all was read"


OK = struct.pack("=i", 0)


def test_an_interrupted_dump_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = body_of(V4, OUT, BACK)
    kernel = Scripted(
        monkeypatch,
        reply(0x0100, 1, body, flags=0x12) + reply(0x0100, 99, body),
        reply(3, 1, OK, flags=2),
        reply(2, 2, OK),
        reply(3, 3, OK),
    )
    assert end_connections([packed(PHONE)]) == 1
    kinds = [next(netlink.messages(sent)).kind for sent in kernel.sent]
    assert kinds == [0x0101, 0x0102, 0x0101]


def test_one_entry_that_will_not_go_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = body_of(V4, OUT, BACK)
    kernel = Scripted(
        monkeypatch,
        reply(0x0100, 1, body) + reply(0x0100, 1, body) + reply(3, 1, OK),
        reply(2, 2, struct.pack("=i", -errno.EBUSY)),
        reply(2, 3, OK),
    )
    with pytest.raises(KernelError, match="cannot be ended: Device or resource busy"):
        end_connections([packed(PHONE)])
    assert len(kernel.sent) == 3


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EINVAL, "the kernel has no nf_conntrack_netlink"),
        (errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_a_kernel_that_cannot(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    said: str,
) -> None:
    Scripted(monkeypatch, reply(2, 1, struct.pack("=i", -number)))
    assert main([PHONE]) == 3
    assert capsys.readouterr().err == (
        f"ringfence: tracked connections cannot be ended: {said}\n"
    )


def test_what_the_program_imports() -> None:
    """It is started again and again on a router: 3 MB and 20 ms above bare Python."""
    code = "import sys, ringfence.netfilter.conntrack; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("ringfence")}
    assert ours == {
        "ringfence",
        "ringfence.errors",
        "ringfence.netfilter",
        "ringfence.netfilter.conntrack",
        "ringfence.netfilter.netlink",
    }
