"""A program of the system, run with a limit of time and of what it may say.

Knows processes. It must not know what the program is for, nor wait for one where a
packet waits: that is for a process of its own (`forked.py`) or the command line.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

MAX_SAID: Final = 8_192
"""Bytes of complaints that are kept: the first ones, which name the cause."""

_LOOK: Final = 0.05
"""Seconds between two looks at whether it has ended. What it says wakes us before, so
that this is only waited for after its last word."""

_REAPING: Final = 5.0
"""Seconds that the kernel may take to end what was killed."""


class Ended(NamedTuple):
    """What became of it."""

    status: int | None
    """Exit code, or a signal's number below 0; None if it was ended here."""
    output: bytes
    """At most one byte more than was asked for."""
    said: bytes
    """What it complained of."""
    late: bool
    """It was ended because its time was over, and not for what it said."""


def run(
    words: list[str],
    *,
    timeout: float,
    most: int | None,
    stdin: int = subprocess.DEVNULL,
    keep: Iterable[int] = (),
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end, or to ours.

    It is ended after `timeout` seconds, or once it has put out more than `most` bytes;
    with None its output is thrown away, and so without a limit. `stdin` and `keep` are
    descriptors that it gets. Whatever it has started goes with it. Raises `OSError`
    when it cannot be started.
    """
    until = time.monotonic() + timeout
    process = subprocess.Popen(  # noqa: S603 - no shell
        words,
        stdin=stdin,
        stdout=subprocess.DEVNULL if most is None else subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=tuple(keep),
        env=environment,
        start_new_session=True,  # so that it can be ended with all its children
    )
    output, said = bytearray(), bytearray()
    pipes = {
        pipe.fileno(): found
        for pipe, found in ((process.stdout, output), (process.stderr, said))
        if pipe is not None
    }
    poll = select.poll()
    for number in pipes:
        os.set_blocking(number, False)
        poll.register(number, select.POLLIN)
    late = False
    try:
        while True:
            over = _is_over(process.pid)
            for number, _ in poll.poll(0 if over else _LOOK * 1000):
                found = pipes[number]
                try:
                    piece = os.read(number, 65_536)
                except BlockingIOError:
                    continue
                if not piece:
                    poll.unregister(number)
                room = MAX_SAID if found is said else (most or 0) + 1
                found += piece[: room - len(found)]
            if over or (most is not None and len(output) > most):
                break
            late = time.monotonic() >= until
            if late:
                break
    finally:
        # Before it is reaped: until then nobody else can have its number.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_REAPING)
    status = process.returncode if over else None
    return Ended(status, bytes(output), bytes(said), late)


def _is_over(pid: int) -> bool:
    """Tell whether a child has ended, and leave it to be reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def last_line(said: bytes) -> str:
    """Return the last line of what a program said that can be shown, "" for none."""
    text = said.decode("utf-8", "replace").replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return "".join(char if char.isprintable() else "?" for char in lines[-1])[:200]
