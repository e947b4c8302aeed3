"""Three network namespaces, their wires and addresses, and what runs in them.

    outside 203.0.113.254 --- .1 router 192.168.50.1 --- .10, .20 inside

The outside namespace stands for the rest of the world: it owns a Japanese phone
network, the carrier's trunk and a network abroad, all behind the router's WAN
interface. Only this module calls `ip` or enters a namespace. Everything it makes is
named after this process, so that a later run can clear up after one that was killed.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

from lab.recorder import Recorder

PREFIX: Final = "rf-"
NETNS: Final = Path("/run/netns")
SIP_PORT: Final = 5060

# Outside. Documentation addresses have no country; COUNTRIES gives them one.
GATEWAY: Final = "203.0.113.254"
PHONE_JP: Final = "198.51.100.10"
TRUNK: Final = "198.51.100.50"
SCANNER_JP: Final = "198.51.100.66"
PHONE_ABROAD: Final = "192.0.2.10"
SCANNER_ABROAD: Final = "192.0.2.66"
GATEWAY6: Final = "2001:db8::fe"
PHONE_JP6: Final = "2001:db8:81::10"
TRUNK6: Final = "2001:db8:81::50"
PHONE_ABROAD6: Final = "2001:db8:31::10"
# The router.
WAN: Final = "203.0.113.1"
WAN6: Final = "2001:db8::1"
LAN: Final = "192.168.50.1"
LAN6: Final = "2001:db8:50::1"
# Inside.
PBX: Final = "192.168.50.10"
PHONE_INSIDE: Final = "192.168.50.20"
PBX6: Final = "2001:db8:50::10"
PHONE_INSIDE6: Final = "2001:db8:50::20"

COUNTRIES: Final[Mapping[str, str]] = {
    "198.51.100.0/24": "JP",
    "203.0.113.0/24": "JP",
    "192.0.2.0/24": "NL",
    "2001:db8:81::/48": "JP",
    "2001:db8:50::/48": "JP",
    "2001:db8::/48": "JP",
    "2001:db8:31::/48": "NL",
}

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

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET: Final = 0x40000000


class LabError(Exception):
    """The lab itself does not work; says nothing about the agent."""


def _tool(name: str) -> str:
    """Return the absolute path, so that a test may give the agent another PATH."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        raise LabError(f"{name} is not installed")
    return path


def run(*command: str, stdin: str = "") -> str:
    """Run a short command to its end; return its output or raise with its words."""
    done = subprocess.run(  # noqa: S603 - the lab's own commands
        [_tool(command[0]), *command[1:]],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def wait_until(ready: Callable[[], bool], timeout: float, what: str) -> None:
    """Look every 10 ms until `ready()`, for things that offer nothing to wait on."""
    end = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"not within {timeout:g} s: {what}")
        time.sleep(0.01)


class Process:
    """A program in a namespace, its output in files; ended by its own id only."""

    def __init__(
        self,
        namespace: "Namespace",
        command: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.output = output
        # Not `ip netns exec`: it remounts "/", which fails in a plain chroot.
        with output.open("wb") as sink, namespace.entered():
            self._popen = subprocess.Popen(  # noqa: S603
                [_tool(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=output.parent,
                env={**os.environ, **(environment or {})},
                # Ctrl-C on the terminal is for the lab, which then ends the rest.
                start_new_session=True,
            )
        self.pid = self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    def text(self) -> str:
        """All it has printed so far."""
        return self.output.read_text(errors="replace")

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(
                f"{self.name} still runs after {timeout:g} s:\n{self.text()[-2000:]}"
            ) from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself."""
        self._popen.send_signal(number)

    def wait_bound(self, port: int, address: str, timeout: float = 10) -> None:
        """Wait until somebody in its namespace has bound this UDP address and port."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        words = struct.unpack(
            f"={len(packed := socket.inet_pton(family, address)) // 4}I", packed
        )
        mark = "".join(f"{word:08X}" for word in words) + f":{port:04X} "
        name = "udp6" if ":" in address else "udp"
        table = Path(f"/proc/{self.pid}/net/{name}")

        def bound() -> bool:
            if self.returncode is not None:
                raise LabError(f"{self.name} ended:\n{self.text()[-2000:]}")
            return mark in table.read_text()

        wait_until(bound, timeout, f"{self.name} has bound {address} port {port}")

    def stop(self, patience: float = 3) -> None:
        """SIGTERM, then SIGKILL to its whole session (our own children only)."""
        if self._popen.poll() is None:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(5)


class Namespace:
    """One network namespace by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def _path(self) -> Path:
        return NETNS / self.name

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread into the namespace.

        Sockets and programs that it makes there stay there.
        """
        with open("/proc/thread-self/ns/net") as home, self._path.open() as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def bound(self, family: int, kind: int, address: str, port: int) -> socket.socket:
        """Make a socket in this namespace, bound, with a 5 s timeout."""
        with self.entered():
            made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(5)
        made.bind((address, port))
        return made

    def udp(self, address: str, port: int = 0) -> socket.socket:
        """Make a bound UDP socket of the address's family."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.bound(family, socket.SOCK_DGRAM, address, port)

    def write_sysctl(self, name: str, value: int) -> None:
        """Set net.* in this namespace; /proc shows the calling thread's one."""
        with self.entered():
            Path("/proc/sys/net", name).write_text(f"{value}\n")

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a short command to its end inside."""
        with self.entered():
            return run(*command, stdin=stdin)

    def ip(self, *lines: str) -> None:
        """Run several `ip` commands in one go."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines))

    def ruleset(self) -> str:
        """Return everything netfilter holds here, as nft prints it, without counts."""
        return self.run("nft", "--stateless", "list", "ruleset")

    def delete(self) -> None:
        """Remove it with whatever still runs inside."""
        with contextlib.suppress(LabError):
            for pid in run("ip", "netns", "pids", self.name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", self.name)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"setns: {os.strerror(code)}")


def remove_stale() -> list[str]:
    """Remove labs whose process is gone; return the names of their namespaces."""

    def orphans(folder: Path) -> list[Path]:
        found = sorted(folder.glob(f"{PREFIX}*")) if folder.is_dir() else []
        pids = [entry.name.removeprefix(PREFIX).partition("-")[0] for entry in found]
        return [
            entry
            for entry, pid in zip(found, pids, strict=True)
            if pid.isdigit() and not Path("/proc", pid).exists()
        ]

    removed = orphans(NETNS)
    for entry in removed:
        Namespace(entry.name).delete()
    for entry in orphans(Path(tempfile.gettempdir())):
        if entry.lstat().st_uid == os.geteuid() and not entry.is_symlink():
            shutil.rmtree(entry)
    return [entry.name for entry in removed]


class Lab:
    """The whole lab, as a context manager.

    `nat=True` makes the router what most offices have: IPv4 masquerading, and SIP
    forwarded to the PBX (which switches connection tracking on). Without it the
    router only routes, and nothing defragments before the agent.
    """

    _count = itertools.count()

    def __init__(self, *, nat: bool = False) -> None:
        self.nat = nat
        self._stem = f"{PREFIX}{os.getpid()}-{next(self._count)}"
        self.outside = Namespace(f"{self._stem}-outside")
        self.router = Namespace(f"{self._stem}-router")
        self.inside = Namespace(f"{self._stem}-inside")
        self._closing = contextlib.ExitStack()

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
            self.outside_wire = self._record(self.outside)
            self.inside_wire = self._record(self.inside)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything; a second Ctrl-C has to wait for it."""
        numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            self._closing.close()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

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
        """Return when everything sent inwards before has arrived, or never will.

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
        if not self.inside_wire.wait(sent=False, src=GATEWAY, has=text.encode()):
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
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that everything unwinds."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
