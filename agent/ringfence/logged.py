"""What the agent has logged, read back: events out of log lines.

Knows how lines arrive: as they were written, or with a system log's stamp in front. It
must not know what events are for. A log is written to by strangers, by way of what the
agent and other programs quote: no line may cost much, and none counts for the agent's
that another program wrote.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO, Final

from ringfence.errors import RingfenceError

MAX_LINE: Final = 16_384
"""Bytes of a line that is read: the agent's own have 4096, a stamp some dozens."""

MAX_TIME: Final = 250_000_000_000.0
"""Seconds since 1970 that a calendar still has a date for: the year 9892."""

_STAMP: Final = re.compile(r"(?:[^ ]+ +)*ringfence(?:\[[0-9]{1,10}\])?: ", re.ASCII)
"""What a system log puts in front: words, then program and process."""

STANDARD_INPUT: Final = "-"

SYSTEM_LOG: Final = ""
"""In place of a file: what the system has kept of the agent's lines."""

_READERS: Final = (
    ("journalctl", "--quiet", "--no-pager", "--output=cat", "--unit=ringfence"),
    ("logread", "-e", "ringfence"),
)
"""The first that is there."""

Event = dict[str, Any]


def event_of(line: str) -> Event | None:
    """Read one line; None for what is no event of the agent."""
    start = line.find("{")
    if start < 0 or not _is_stamp(line[:start]):
        return None
    try:
        event = json.loads(line[start:])
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _is_stamp(text: str) -> bool:
    """Tell a system log's stamp from another program's words before a brace.

    Those stand behind the other's name, which ends in a colon and a blank too.
    """
    if not text or text.isspace():
        return True
    return text.count(": ") == 1 and _STAMP.fullmatch(text) is not None


def time_of(event: Event) -> float | None:
    """Return seconds since 1970; None where there are none that make sense."""
    return moment(event.get("time"))


def moment(value: object) -> float | None:
    """Return seconds since 1970; None for what is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < MAX_TIME else None


def country_of(text: object) -> str:
    """Let nothing through that is no country code; "" instead."""
    if isinstance(text, str) and len(text) == 2 and text.isascii() and text.isupper():
        return text if text.isalpha() else ""
    return ""


def unnamed() -> str:
    """Return where lines come from if nobody says: a pipe or a file on standard input,
    else the system's log."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):  # there is none
        return SYSTEM_LOG
    fed = stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
    return STANDARD_INPUT if fed else SYSTEM_LOG


class Logs:
    """Files of log lines, in the order given, `STANDARD_INPUT` or `SYSTEM_LOG`."""

    def __init__(self, names: Iterable[str], *, again: bool) -> None:
        """Name the files; `again` keeps standard input for a second reading."""
        self._names = tuple(names)
        self._again = again
        self._kept: BinaryIO | None = None

    def __enter__(self) -> "Logs":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up what was kept."""
        if self._kept is not None:
            self._kept.close()

    def lines(self) -> Iterator[str]:
        """Read all lines; of one that is too long only the beginning.

        Raises `RingfenceError` for a file that cannot be read.
        """
        for name in self._names:
            if name == STANDARD_INPUT:
                yield from self._input()
                continue
            if name == SYSTEM_LOG:
                yield from _kept_by_the_system()
                continue
            try:
                with open(name, "rb") as stream:
                    yield from _lines(stream)
            except OSError as error:
                raise RingfenceError(
                    f"{name}: cannot be read: {error.strerror}"
                ) from error

    def _input(self) -> Iterator[str]:
        if not self._again:
            yield from _lines(sys.stdin.buffer)
            return
        if self._kept is None:
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - until the end
            for line in _raw(sys.stdin.buffer):
                self._kept.write(line)
        self._kept.seek(0)
        yield from _lines(self._kept)


def _kept_by_the_system() -> Iterator[str]:
    """Read the system's log; raises `RingfenceError` where it cannot be had."""
    for name, *options in _READERS:
        path = shutil.which(name)
        if path is None:
            continue
        with subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            [path, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None  # noqa: S101 - asked for above
            yield from _lines(process.stdout)
        if process.returncode:
            raise RingfenceError(
                f"{name} cannot read the system's log (exit code "
                f"{process.returncode}): name a LOG, or - for standard input"
            )
        return
    names = " nor ".join(name for name, *_ in _READERS)
    raise RingfenceError(f"neither {names} is there: name a LOG, or -")


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for line in _raw(stream):
        yield line.decode("utf-8", "replace")


def _raw(stream: IO[bytes]) -> Iterator[bytes]:
    """Read lines, each ending in a line feed, however long they are."""
    while line := stream.readline(MAX_LINE):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE)
        yield line if line.endswith(b"\n") else line + b"\n"
