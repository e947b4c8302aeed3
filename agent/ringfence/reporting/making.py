"""From log files to a report's files, in one pass, or two to begin at a moment.

Knows files and the local clock's zone. It must not know what is counted or shown.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from ringfence.bundle.embedded import load_destinations
from ringfence.bundle.source import Source
from ringfence.bundle.writing import write_whole
from ringfence.calls.terms import Terms
from ringfence.disk import sync_folder
from ringfence.errors import RingfenceError
from ringfence.logged import Event, Logs, event_of, time_of
from ringfence.reporting.composing import compose
from ringfence.reporting.document import Document
from ringfence.reporting.events import CallLine, Line, line_of
from ringfence.reporting.forms import Forms, country_names
from ringfence.reporting.page import page
from ringfence.reporting.rows import CallRows
from ringfence.reporting.tally import CLOCK_SET, Tally

PRIVATE: Final = 0o600
"""Permissions of what says who called whom."""


class Wanted(NamedTuple):
    """What is asked for."""

    logs: tuple[str, ...]
    since_s: int | None
    """How far back from the newest event; None for everything."""
    language: str
    rows: Path | None
    page: Path | None


class Made(NamedTuple):
    """What came out."""

    document: Document
    calls: int
    passed_over: int
    """Lines that were no event."""
    found: bool
    """Calls abroad were stopped, or something was closed or told of."""


def make(wanted: Wanted, rules: Source, terms: Terms) -> Made:
    """Read the logs and write the files; raises `RingfenceError`.

    `terms` has the prices of what was stopped, and the local calendar.
    """
    destinations = load_destinations(rules)
    names = country_names(destinations, wanted.language)
    forms = Forms(wanted.language, names, terms.calendar)
    tally = Tally(terms)
    rows = None
    passed_over = calls = 0
    with ExitStack() as files:
        logs = files.enter_context(Logs(wanted.logs, again=wanted.since_s is not None))
        since = 0.0
        if wanted.since_s is not None:
            since = newest(map(event_of, logs.lines())) - wanted.since_s
        if wanted.rows is not None:
            rows = CallRows(files.enter_context(_whole(wanted.rows)), stamp)
        for text in logs.lines():
            event = event_of(text)
            if event is None:
                passed_over += 1
                continue
            line = line_of(event)
            if line is None or _begin(line, event) < since:
                continue
            tally.take(line)
            if isinstance(line, CallLine):
                calls += 1
                if rows is not None:
                    rows.add(line)
    document = compose(tally, forms, passed_over, offset(tally.newest))
    if wanted.page is not None:
        write_whole(wanted.page, "".join(page(document)).encode(), PRIVATE)
    found = bool(tally.stopped.calls or tally.incidents or tally.notices)
    return Made(document, calls, passed_over, found)


def newest(events: Iterable[Event | None]) -> float:
    """Return when the last event happened, 0 if there is none."""
    return max((time_of(event) or 0.0 for event in events if event), default=0.0)


def _begin(line: Line, event: Event) -> float:
    """Return the moment by which an event is in the report or not."""
    return line.begin if isinstance(line, CallLine) else time_of(event) or 0.0


def stamp(wall: float) -> str:
    """Write a moment of this machine's time zone, as ISO 8601 has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(wall)) + offset(wall)


def offset(wall: float | None) -> str:
    """Write how far local time is from UTC at a moment, as `+09:00`."""
    at = time.localtime(CLOCK_SET if wall is None else wall)
    minutes = abs(at.tm_gmtoff) // 60
    sign = "-" if at.tm_gmtoff < 0 else "+"
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """Write a file bit by bit, in place of what is there once it is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(temporary, flags, PRIVATE)
        try:
            with os.fdopen(file, "w", encoding="utf-8", newline="") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise RingfenceError(f"{path}: cannot be written: {error.strerror}") from error
