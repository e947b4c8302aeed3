"""What the subcommands of `bundle` say, and what they read of the outside world.

Knows standard output, standard error and the clock. The clock dates new bundles and
tells of one that has expired; nothing is decided by it.
"""

import sys
from datetime import UTC, datetime


def say(*lines: str) -> None:
    """Write lines to standard output."""
    for line in lines:
        sys.stdout.write(_printable(line) + "\n")


def warn(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"ringfence: {_printable(text)}\n")


def _printable(line: str) -> str:
    """Keep what a stranger wrote from steering the terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in line
    )


def now() -> int:
    """Return seconds since 1970."""
    return int(datetime.now(UTC).timestamp())
