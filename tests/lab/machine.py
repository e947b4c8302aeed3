"""A minimal Debian with systemd as its first process, on the lab's router.

Knows how such a system is made and entered. What is installed in it and what that does
is for the tests. Everything but its network is its own; the kernel is this machine's.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lab.namespaces import LabError, wait_until
from lab.network import Lab

PACKAGES: Final = ("python3", "nftables", "iptables", "systemd")
"""What makes `dpkg -i` of the agent complete, and runs it."""

BOOT: Final = 60.0
"""Seconds for a boot; it takes two, but not on a busy machine."""

_ROOT: Final = Path(__file__).parents[2]
_NAMESPACES: Final = ("--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup")
_APART: Final = ("unshare", "--mount", "--propagation", "unchanged")
"""Not private: that is for a mount, which "/" is not in a chroot."""
_SCRIPT: Final = Path(__file__).with_name("first-process.sh")

Event = dict[str, Any]


class NoSystem(Exception):  # noqa: N818 - a reason to skip
    """Such a system cannot be made on this machine; the message says why."""


def begin_system(
    suite: str, folder: Path, packages: Sequence[str]
) -> subprocess.Popen[str]:
    """Have a system of a Debian suite made in `folder`, without waiting for it.

    $RINGFENCE_SYSTEMS may name a folder with archives of systems made before, which
    saves most of the time: `bookworm.tar` and so on. Raises `NoSystem` when this
    machine does not know where from.
    """
    made = Path(os.environ.get("RINGFENCE_SYSTEMS", "/nowhere"), f"{suite}.tar")
    if made.exists():
        folder.mkdir()
        return _begin("tar", "-C", str(folder), "-xf", str(made))
    if shutil.which("mmdebstrap") is None:
        raise NoSystem("mmdebstrap is not installed")
    lists = folder.with_name(f"{folder.name}-sources")
    subprocess.run(  # noqa: S603 - our own script
        [_ROOT / ".ci" / "debian", "sources", lists, suite], check=True
    )
    sources = sorted(lists.iterdir())
    if not sources:
        raise NoSystem("this machine has no package sources of Debian")
    words = ["--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    # Nobody reads in it, and it need not survive a power cut.
    words += [
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ]
    return _begin("mmdebstrap", *words, suite, str(folder), *map(str, sources))


def _begin(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the lab's own commands
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


class Machine:
    """A system that runs; as a context manager it has booted on entry."""

    def __init__(self, lab: Lab, root: Path) -> None:
        self.root = root
        self._group = f"ringfence-lab-{os.getpid()}-{root.name}"
        self._process = lab.start(
            lab.router, *_APART, str(_SCRIPT), str(root), self._group
        )
        self._init = 0

    def __enter__(self) -> "Machine":
        wait_until(self._has_begun, BOOT, "systemd is there")
        # Not "running", where a service of the system itself dislikes a container.
        state = self.try_run("systemctl", "is-system-running", "--wait")[1].strip()
        if state not in {"running", "degraded"}:
            raise LabError(f"systemd has not booted: {state}")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._init:
                os.kill(self._init, signal.SIGKILL)  # and with it all of them
        self._process.stop()
        script = 'mount -t cgroup2 none "$1" && find "$1/$2" -depth -type d -delete'
        subprocess.run(  # noqa: S603
            [*_APART, "sh", "-c", script, "sh", str(self.root / "sys"), self._group],
            check=False,
        )

    def _has_begun(self) -> bool:
        if self._process.returncode is not None:
            raise LabError(f"systemd has not begun:\n{self._process.text()}")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return False
        self._init = int(children[0])
        return Path(f"/proc/{self._init}/root/run/systemd/private").exists()

    def try_run(self, *command: str, timeout: float = 60) -> tuple[int, str]:
        """Run a command inside as root; return its exit code and what it said."""
        inside = (*_NAMESPACES, "--root", "--wd")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(  # noqa: S603
            [
                *("nsenter", "--target", str(self._init), *inside),
                *("env", "-i", path, "LC_ALL=C.UTF-8"),
                *("DEBIAN_FRONTEND=noninteractive", *command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, *command: str, timeout: float = 60) -> str:
        """Run a command inside that has to succeed; return what it said."""
        code, text = self.try_run(*command, timeout=timeout)
        if code != 0:
            raise LabError(f"{' '.join(command)}: exit code {code}:\n{text}")
        return text

    def path(self, absolute: str) -> Path:
        """Return where one of its files lies on this machine."""
        return self.root / absolute.removeprefix("/")

    def unit(self, name: str, prop: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", prop, name).strip()

    def events(self, unit: str, kind: str, **fields: object) -> list[Event]:
        """Return what a unit has logged of one type, oldest first."""
        lines = self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit)
        events = [json.loads(line) for line in lines.splitlines() if line[:1] == "{"]
        return [
            event
            for event in events
            if event["type"] == kind
            and all(event.get(key) == value for key, value in fields.items())
        ]
