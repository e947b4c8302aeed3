"""Has the connections of banned addresses ended, without waiting for it.

Starts the short-lived program `conntrack.py`, one at a time, with whatever was banned
in the meantime. Never blocks: a packet that is being judged must not wait.
"""

import contextlib
import subprocess
import sys
from typing import Final

from ringfence.facts.network import format_address
from ringfence.netfilter.bans import network

MAX_WAITING: Final = 1_024
"""Addresses that may wait; past this the oldest is left to its ban alone, which stops
all but offloaded flows."""

AT_ONCE: Final = 256
"""Addresses for one run; the command line stays far below its limit."""

PATIENCE: Final = 30.0
"""Seconds that one run may take; a slow router needs about two."""


class Severing:
    """Addresses whose connections have to go, and the program that does it."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._waiting: dict[bytes, None] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._until = 0.0
        self.runs = 0
        """Programs started."""
        self.failures = 0
        """Programs that ended badly or were given up."""
        self.skipped = 0
        """Addresses for which there was no room."""

    def add(self, address: bytes) -> None:
        """Ask for the connections of an address to be ended soon."""
        self._waiting[network(address)] = None
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.skipped += 1

    @property
    def busy(self) -> bool:
        """True while a program runs or addresses wait."""
        return self._child is not None or bool(self._waiting)

    def turn(self, now: float) -> None:
        """Look after the program: to be called again and again while `busy`.

        `now` is monotonic, in seconds.
        """
        child = self._child
        if child is not None:
            code = child.poll()
            if code is None:
                if now >= self._until:
                    child.kill()  # which it need not heed while the kernel is at it
                return
            self.failures += code != 0
            self._child = None
        if self._waiting:
            self._start(now)

    def _start(self, now: float) -> None:
        batch = list(self._waiting)[:AT_ONCE]
        for address in batch:
            del self._waiting[address]
        literals = [format_address(address) for address in batch]
        self.runs += 1
        self._until = now + PATIENCE
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "ringfence.netfilter.conntrack",
                    *literals,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self.failures += 1

    def close(self) -> None:
        """Let the running program finish, for a second at most."""
        if self._child is not None:
            try:
                self._child.wait(1)
            except subprocess.TimeoutExpired:
                self._child.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(1)
            self._child = None
