"""The lab itself: outside, router and inside, wired, recorded and removed again.

Knows which address belongs where; what runs in it is for others to start.
"""

import contextlib
import itertools
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Final, Self

from lab.addresses import (
    COUNTRIES,
    GATEWAY,
    GATEWAY6,
    LAN,
    LAN6,
    PBX,
    PBX6,
    PHONE_ABROAD,
    PHONE_ABROAD6,
    PHONE_INSIDE,
    PHONE_INSIDE6,
    PHONE_JP,
    PHONE_JP6,
    SCANNER_ABROAD,
    SCANNER_JP,
    SIP_PORT,
    TRUNK,
    TRUNK6,
    WAN,
    WAN6,
)
from lab.namespaces import (
    PREFIX,
    Closing,
    LabError,
    Namespace,
    Process,
    remove_stale,
    run,
)
from lab.recorder import Recorder

_OUTSIDE_ADDRESSES: Final = (
    *(PHONE_JP, TRUNK, SCANNER_JP, PHONE_ABROAD, SCANNER_ABROAD),
    *(PHONE_JP6, TRUNK6, PHONE_ABROAD6),
)

_PORT_FORWARDING: Final = f"""
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat
        iifname "wan" udp dport {SIP_PORT} dnat to {PBX}
        iifname "wan" tcp dport {SIP_PORT} dnat to {PBX}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat
        oifname "wan" masquerade
    }}
}}
"""


class Lab(Closing):
    """The whole lab, as a context manager.

    `nat=True` makes the router what most offices have: IPv4 masquerading, and SIP
    forwarded to the PBX (which switches connection tracking on). Without it the
    router only routes, and nothing defragments before the agent. `record=False` leaves
    out the recorders, for floods: there is no `outside_wire`, `inside_wire`, `settle`.
    """

    _count = itertools.count()

    def __init__(self, *, nat: bool = False, record: bool = True) -> None:
        self.nat = nat
        self.binding = "auto"
        """`kernel.binding` of the agents in it, unless a test says otherwise."""
        self._recorded = record
        self._stem = f"{PREFIX}{os.getpid()}-{next(self._count)}"
        self.outside = Namespace(f"{self._stem}-outside")
        self.router = Namespace(f"{self._stem}-router")
        self.inside = Namespace(f"{self._stem}-inside")
        super().__init__()

    @property
    def registrar(self) -> str:
        """The address at which a stranger finds the PBX (IPv4)."""
        return WAN if self.nat else PBX

    def __enter__(self) -> Self:
        remove_stale()
        try:
            self._closing.enter_context(_signals_raise())
            folder = self._closing.enter_context(
                tempfile.TemporaryDirectory(prefix=f"{self._stem}-")
            )
            self.folder = Path(folder)
            self._build()
            if self._recorded:
                self.outside_wire = self._record(self.outside)
                self.inside_wire = self._record(self.inside)
        except BaseException:
            self.close()
            raise
        return self

    def start(
        self,
        namespace: Namespace,
        *command: str,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program that is stopped, at the latest, with the lab."""
        output = self.folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.out"
        process = Process(namespace, command, output, environment)
        self._closing.callback(process.stop)
        return process

    def udp(self, namespace: Namespace, address: str, port: int = 0) -> socket.socket:
        """Make a UDP socket that is closed with the lab."""
        return self._closing.enter_context(namespace.udp(address, port))

    @contextlib.contextmanager
    def outside_speaks_as(self, address: str) -> Iterator[None]:
        """Give programs outside that bind no address this IPv4 source address."""
        self.outside.ip(*(f"route {words}" for words in _inward("replace", address)))
        try:
            yield
        finally:
            self.outside.ip(
                *(f"route {words}" for words in _inward("replace", GATEWAY))
            )

    def settle(self) -> None:
        """Return when all sent inwards before is recorded as arrived, or never will be.

        A harmless request goes the same way; the queue is first in, first out.
        """
        text = f"settle-{time.monotonic_ns()}"
        probe = (
            f"OPTIONS sip:{self.registrar} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {GATEWAY}:9;branch=z9hG4bK-{text}\r\n"
            f"From: <sip:{GATEWAY}>;tag={text}\r\nTo: <sip:{self.registrar}>\r\n"
            f"Call-ID: {text}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        with self.outside.udp(GATEWAY) as sender:
            sender.sendto(probe.encode(), (self.registrar, SIP_PORT))
        # Each recorder writes down in order, but at its own pace.
        seen = (
            self.outside_wire.wait(sent=True, src=GATEWAY, has=text.encode()),
            self.inside_wire.wait(sent=False, src=GATEWAY, has=text.encode()),
        )
        if not all(seen):
            raise LabError("an honest OPTIONS did not arrive inside within 5 s")

    def write_countries(self) -> Path:
        """Write the test country table for `origin.table`."""
        path = self.folder / "countries.csv"
        path.write_text("".join(f"{net},{code}\n" for net, code in COUNTRIES.items()))
        return path

    def _build(self) -> None:
        for namespace in (self.outside, self.router, self.inside):
            self._closing.callback(namespace.delete)
            run("ip", "netns", "add", namespace.name)
            for family in ("ipv4", "ipv6"):
                for scope in ("all", "default"):
                    conf = f"{family}/conf/{scope}"
                    if family == "ipv4":
                        namespace.write_sysctl(f"{conf}/rp_filter", 0)
                    else:
                        namespace.write_sysctl(f"{conf}/accept_dad", 0)
        self.router.write_sysctl("ipv4/ip_forward", 1)
        self.router.write_sysctl("ipv6/conf/all/forwarding", 1)
        self.router.ip(
            "link set lo up",
            f"link add wan type veth peer name wire netns {self.outside.name}",
            f"link add lan type veth peer name wire netns {self.inside.name}",
            *_address("wan", f"{WAN}/24", f"{WAN6}/64"),
            *_address("lan", f"{LAN}/24", f"{LAN6}/64"),
        )
        self.outside.ip(
            "link set lo up",
            *_address("wire", f"{GATEWAY}/24", f"{GATEWAY6}/64"),
            *_address("lo", *_OUTSIDE_ADDRESSES),
            *(f"route {words}" for words in _inward("add", GATEWAY)),
            f"route add 2001:db8:50::/64 via {WAN6}",
        )
        self.inside.ip(
            "link set lo up",
            *_address("wire", f"{PBX}/24", f"{PHONE_INSIDE}/24"),
            *_address("wire", f"{PBX6}/64", f"{PHONE_INSIDE6}/64"),
            f"route add default via {LAN}",
            f"route add default via {LAN6}",
        )
        # Only now: an interface without carrier gives its routes away.
        self.router.ip(
            f"route add default via {GATEWAY}", f"route add default via {GATEWAY6}"
        )
        if self.nat:
            self.router.run("nft", "-f", "-", stdin=_PORT_FORWARDING)

    def _record(self, namespace: Namespace) -> Recorder:
        with namespace.entered():
            recorder = Recorder("wire")
        self._closing.callback(recorder.close)
        return recorder


def _inward(verb: str, source: str) -> Iterator[str]:
    """Yield the outside's IPv4 routes to the router and to what lies behind it."""
    yield f"{verb} {WAN}/32 dev wire src {source}"
    yield f"{verb} 192.168.50.0/24 via {WAN} src {source}"


def _address(interface: str, *addresses: str) -> Iterator[str]:
    yield f"link set {interface} up"
    for address in addresses:
        nodad = " nodad" if ":" in address else ""
        yield f"address add {address} dev {interface}{nodad}"


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that everything unwinds.

    A signal that is ignored (`nohup`) stays so.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    for number, previous in before.items():
        if previous is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
