"""A bundle tried out in a process of its own, with limits, before it may judge anything.

Knows how the process is started, what it may use, and how its end is read. What is
tried there is `ringfence.publishing.selftest`'s business. A bundle is data, and signed;
the limits are for the mistake of somebody who may sign.
"""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from ringfence.errors import BundleError, RingfenceError

_MOST_SAID: Final = 4_000
"""Characters of what a self-test says that are passed on."""


class Limits(NamedTuple):
    """What a self-test may use; the default bundle takes a third at most."""

    memory: int = 192 << 20
    """Bytes of addresses; of these many are never touched."""
    cpu: int = 60
    """Seconds of processor time."""
    wall: float = 180.0
    """Seconds."""


LIMITS: Final = Limits()


def limit(limits: Limits = LIMITS) -> None:
    """Set this process' limits, for ever."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(file: Path, config: Path | None, limits: Limits = LIMITS) -> None:
    """Try a bundle out; returns when it has passed.

    Raises `BundleError` with what it failed in, `RingfenceError` when it could not be
    tried.
    """
    words = [sys.executable, "-P", "-m", "ringfence", "bundle", "selftest", str(file)]
    words += ["--limits", ",".join(map(str, limits[:2]))]
    words += ["--config", str(config)] if config is not None else []
    try:
        done = subprocess.run(  # noqa: S603 - ourselves, no shell
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.wall,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(
            f"self-test: not at its end after {limits.wall:g} s: expected a bundle "
            "that loads within a few seconds"
        ) from None
    except OSError as error:
        raise RingfenceError(
            f"self-test: cannot be started: {error.strerror}"
        ) from error
    said = done.stderr.decode("utf-8", "replace")[:_MOST_SAID].splitlines()
    text = "\n".join(line.removeprefix("ringfence: ") for line in said)
    if done.returncode == 0:
        return
    if done.returncode == -signal.SIGXCPU:
        text = f"more than {limits.cpu} s of processor time"
    elif done.returncode < 0:
        text = f"ended by signal {-done.returncode}"
    if done.returncode in (2, 3):  # the site's configuration, or the machine
        raise RingfenceError(f"self-test: {text}")
    lines = text.splitlines()[-20:] or ["failed without a word"]
    raise BundleError("\n".join(f"self-test: {line}" for line in lines))
