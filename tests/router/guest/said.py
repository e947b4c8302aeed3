"""What the test says on the console: one JSON object a line, for the host to judge."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

PREFIX: Final = "@router "
CONSOLE: Final = "/dev/console"

_CHEAP: Final = 3
"""Of the time of a wait, looking takes at most one part in so many: the machine has one
processor, and what is waited for needs it."""


class NotShownError(Exception):
    """A claim does not hold; says what was found in its stead."""


def parameters() -> dict[str, str]:
    """Read what the host has asked for, from the kernel's command line."""
    words = Path("/proc/cmdline").read_text().split()
    return {
        name.removeprefix("router."): value
        for name, _, value in (word.partition("=") for word in words)
        if name.startswith("router.")
    }


SLOWER: Final = int(parameters().get("patience", "1"))
"""Times that everything may take longer here than on amd64; all bounds allow it."""


def say(**record: object) -> None:
    """Write one record in one piece, so that the kernel cannot write in between."""
    line = f"\n{PREFIX}{json.dumps(record)}\n".encode()
    console = os.open(CONSOLE, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(console, line)
    finally:
        os.close(console)


def claim(name: str, shown: Callable[[], dict[str, object] | None]) -> bool:
    """Show one claim; what it returns are figures."""
    begin = time.monotonic()
    figures: dict[str, object] | None = None
    why = ""
    try:
        figures = shown()
    except NotShownError as failed:
        why = str(failed)
    except Exception:  # whatever it is, the rest is to be shown all the same
        why = what_happened()
    say(
        claim=name,
        ok=not why,
        why=why if len(why) < 5000 else f"{why[:2500]} … {why[-2500:]}",
        figures=figures or {},
        took=round(time.monotonic() - begin, 2),
    )
    if why:
        show_journal()
    return not why


def what_happened() -> str:
    """Write the exception that is being handled, as Python does."""
    import traceback  # 1 MB, for when something is broken

    return traceback.format_exc()


def show_journal() -> None:
    """Show what systemd, the agent and the kernel said last, for a person to find why."""
    done = subprocess.run(
        ["journalctl", "-q", "-b", "--no-pager", "-o", "short-monotonic", "-n", "40"],  # noqa: S607
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    say(console=done.stdout)


def expect(holds: bool, otherwise: str) -> None:
    """Raise `NotShownError` unless something holds."""
    if not holds:
        raise NotShownError(otherwise)


def wait_for(found: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until something is so; returns how long that took.

    `seconds` is the longest on amd64.
    """
    seconds *= SLOWER
    begin = asked = time.monotonic()
    while not found():
        now = time.monotonic()
        if now - begin > seconds:
            raise NotShownError(f"not within {seconds:g} s: {what}")
        time.sleep(max(0.05, (_CHEAP - 1) * (now - asked)))
        asked = time.monotonic()
    return time.monotonic() - begin


def pause(seconds: float) -> None:
    """Give everybody some time, of an amd64 machine."""
    time.sleep(seconds * SLOWER)
