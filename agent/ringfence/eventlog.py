"""JSON lines out, one an event, never in the way of a packet.

procd and systemd read them from standard output and stamp them. A reader that does
not read must not stop the phones: a line that would have to wait is dropped and
counted, and so is what goes beyond the allowed rate.
"""

import json
import os
import select
from typing import Final

from ringfence.packet import Instant

MAX_LINE: Final = 4_096
"""Bytes of a line: what POSIX writes to a pipe in one piece (PIPE_BUF on Linux)."""


class EventLog:
    """Writes events to a file descriptor."""

    def __init__(self, fd: int, max_per_second: int) -> None:
        """Allow `max_per_second` decisions a second, with a burst of as many."""
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._rate = float(max_per_second)
        self._tokens = self._rate
        self._filled = 0.0
        self.suppressed = 0
        """Decisions that the rate kept out of the log."""
        self.unwritten = 0
        """Lines lost because nobody read them."""

    def limit(self, max_per_second: int) -> None:
        """Change the allowed rate."""
        self._rate = float(max_per_second)

    def event(self, kind: str, now: Instant, /, **fields: object) -> None:
        """Write one event: ready, reload, notice, counters, an admitted decision."""
        self._write({"type": kind, "time": round(now.wall, 6), **fields})

    def admits(self, now: Instant) -> bool:
        """Tell whether one more decision may be written; counts it if not.

        Asked before the record is made: under a flood making records would cost
        more than judging.
        """
        elapsed = now.mono - self._filled
        if elapsed > 0:
            self._tokens = min(self._rate, self._tokens + elapsed * self._rate)
            self._filled = now.mono
        if self._tokens < 1:
            self.suppressed += 1
            return False
        self._tokens -= 1
        return True

    def _write(self, event: dict[str, object]) -> None:
        line = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(line) > MAX_LINE:
            line = (
                json.dumps({"type": event["type"], "time": event["time"], "cut": True})
                + "\n"
            ).encode()
        try:
            if not self._poll.poll(0):
                self.unwritten += 1
                return
            os.write(self._fd, line)
        except OSError:
            self.unwritten += 1
