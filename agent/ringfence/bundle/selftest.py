"""A bundle tried out in a process of its own, with limits, before it may judge anything.

Knows how the process is made, what it may use, and how its end is read. What is tried
there is `ringfence.publishing.selftest`'s business. A bundle is data, and signed; the
limits are for the mistake of somebody who may sign.

The process is a fork of the installer: a small router has no room for a second Python
with the same modules and the same bundle. It shares the installer's memory until either
writes there, and none of its descriptors: above all not the lock, which would be held
for as long as anybody has it open.
"""

import fcntl
import gc
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from ringfence.errors import BundleError, RingfenceError
from ringfence.forked import detach

Work = Callable[[], list[str]]
"""Tries a bundle out; returns what it fails in, most important first.

A `RingfenceError` that is no `BundleError` says that it could not be tried.
"""

MOST_SAID: Final = 20
"""Problems that are said; the first one is enough to refuse."""
_MOST_CHARACTERS: Final = 4_000
"""Of what a self-test says; with four bytes each they fit into a pipe."""
_STANDARD: Final = 3
"""Descriptors below are standard input, output and errors."""
_STATM: Final = Path("/proc/self/statm")

_PASSED, _FAILED, _UNTRIED = 0, 4, 2


class Limits(NamedTuple):
    """What a self-test may use; the default bundle takes a third at most."""

    memory: int = 160 << 20
    """Bytes of addresses besides the installer's; of these many are never touched."""
    cpu: int = 300
    """Seconds of processor time; an emulated 32-bit MIPS needed more than 60."""
    wall: float = 600.0
    """Seconds."""


LIMITS: Final = Limits()


def run(work: Work, limits: Limits = LIMITS) -> None:
    """Try a bundle out; returns when it has passed.

    Raises `BundleError` with what it failed in, `RingfenceError` when it could not be
    tried.
    """
    try:
        answer, sink = os.pipe()
        try:
            child = os.fork()
        except OSError:
            os.close(answer)
            os.close(sink)
            raise
    except OSError as error:
        raise RingfenceError(
            f"self-test: cannot be started: {error.strerror}"
        ) from error
    if child == 0:
        _try(work, limits, sink)
    os.close(sink)
    ended = False
    try:
        with open(answer, "rb", buffering=0) as reader:
            said = _read(reader.fileno(), limits.wall)
        ended = True
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != _PASSED:
        raise _complaint(code, said.decode("utf-8", "replace"), limits)


def _read(answer: int, wall: float) -> bytes:
    """Read what the process says, to its end; `BundleError` if that does not come."""
    said = b""
    poll = select.poll()
    poll.register(answer, select.POLLIN)
    until = time.monotonic() + wall
    while poll.poll(max(0.0, until - time.monotonic()) * 1000):
        part = os.read(answer, 4 * _MOST_CHARACTERS)
        if not part:
            return said
        said += part
    raise BundleError(
        f"self-test: not at its end after {wall:g} s: expected a bundle "
        "that loads within a few seconds"
    )


def _complaint(code: int, text: str, limits: Limits) -> RingfenceError:
    if code == -signal.SIGXCPU:
        text = f"more than {limits.cpu} s of processor time"
    elif code < 0:
        text = f"ended by signal {-code}"
    if code == _UNTRIED:  # the site's configuration, or the machine
        return RingfenceError(f"self-test: {text}")
    lines = text.splitlines()[-MOST_SAID:] or ["failed without a word"]
    return BundleError("\n".join(f"self-test: {line}" for line in lines))


def _try(work: Work, limits: Limits, sink: int) -> NoReturn:
    """Do the work and say how it ended; nothing of the installer's own goes on here."""
    code, text = _FAILED, ""
    try:
        sink = _alone(sink)
        _limit(limits)
        code, text = _outcome(work, limits)
    finally:
        try:
            os.write(sink, text[:_MOST_CHARACTERS].encode("utf-8", "replace"))
        finally:
            os._exit(code)


def _outcome(work: Work, limits: Limits) -> tuple[int, str]:
    try:
        problems = work()
    except MemoryError:
        return _FAILED, f"more than {limits.memory >> 20} MiB of memory"
    except BundleError as error:
        return _FAILED, str(error)
    except RingfenceError as error:
        return _UNTRIED, str(error)
    except BaseException as error:  # a flaw of ours refuses the bundle
        return _FAILED, f"{type(error).__name__}: {error}{_place(error)}"
    return (_FAILED if problems else _PASSED), "\n".join(problems[:MOST_SAID])


def _place(error: BaseException) -> str:
    """Say where it was raised, for whoever reports it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f" ({at.tb_frame.f_code.co_filename}:{at.tb_lineno})" if at else ""


def _alone(sink: int) -> int:
    """Give up what is the installer's, but for the pipe; returns where that is now."""
    sink = fcntl.fcntl(sink, fcntl.F_DUPFD_CLOEXEC, _STANDARD)
    detach(sink)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(_STANDARD):
        os.dup2(nowhere, number)
    if nowhere >= _STANDARD:
        os.close(nowhere)
    # Counts of references are written with what they count: the less of the
    # installer's is looked at, the more stays shared.
    gc.freeze()
    return sink


def _limit(limits: Limits) -> None:
    """Set this process' limits, for ever."""
    pages = int(_STATM.read_text(encoding="ascii").split()[0])
    memory = pages * resource.getpagesize() + limits.memory
    memory = min(memory, sys.maxsize)  # of 32 bits
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
