"""Network namespaces, and the programs and sockets in them.

Only this module calls `ip` or enters a namespace. Everything it makes is named after
this process, so that a later run can clear up after one that was killed.
"""

import contextlib
import ctypes
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
from types import TracebackType
from typing import Final

PREFIX: Final = "rf-"
NETNS: Final = Path("/run/netns")

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

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the program and to all that it has started."""
        os.killpg(self.pid, number)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself."""
        self._popen.send_signal(number)

    def wait_bound(
        self, port: int, address: str, timeout: float = 10, *, transport: str = "udp"
    ) -> None:
        """Wait until somebody in its namespace has bound this address and port."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        words = struct.unpack(
            f"={len(packed := socket.inet_pton(family, address)) // 4}I", packed
        )
        mark = "".join(f"{word:08X}" for word in words) + f":{port:04X} "
        name = f"{transport}6" if ":" in address else transport
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


class Closing:
    """Something made of namespaces and programs that removes all of it at its end."""

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()

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
