"""What the agent remembers from one start to the next: one small file.

    {"ringfence": 1, "sections": {"exposure/1": {...}}}

A section belongs to one part of the agent; its name ends with the version of its form.
Sections that this agent does not know, of a newer one or of one that was taken back,
are kept as they are, so that nobody forgets by an update that is undone.

Knows files, and when they may be written; what is in a section, the section alone. It
must not know packets, and it never raises for what the disk holds or cannot hold.

**When it is written**: when the agent stops, and when a section says that it changed in
a way worth it, not before that section's `every` has passed since the last write; for
what must not be forgotten it waits `PRESSING` at most. The file is written whole by a forked process (`forked.py`), since the fsyncs behind it take
until the flash has done them, and nobody's call waits for that.

**What that does to the flash**: with a write every half hour, day and night, exposure
alone (40 days, 64 peers: 2.2 kB, on JFFS2 or UBIFS with the nodes of the folder
and of both names three pages of 4 kB) puts 48 * 12 kB = 0.6 MB a day on it. An overlay
of 8 MB of NOR flash, whose blocks bear 100,000 erasures, takes 800 GB, evenly worn as
both file systems do: for this alone more than three thousand years. The largest file
that is written at all, `MAX_BYTES` every half hour, is 50 MB a day, and forty years.
"""

import errno
import json
import math
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from ringfence.disk import Disk
from ringfence.forked import Forked
from ringfence.packet import Instant

SCHEMA: Final = 1
"""Of the file around the sections."""

MAX_BYTES: Final = 1 << 20
"""Bytes of a file that is read or written: more than ten times what today's sections
take. What is read is in memory twice for a moment."""

ASIDE: Final = ".bad"
"""Ending of a file that could not be used. The first one is kept and no other: whoever
looks wants to see what began it, and flash has no room for one a start."""

MODE: Final = 0o600
"""Who called whom and from where is for root."""

STOP_WITHIN: Final = 5.0
"""Seconds that a stop waits for a write that is under way."""


PRESSING: Final = 60.0
"""Seconds between two writes where a section says that its change is pressing; the
first one of a run is not kept waiting at all."""


class Section(Protocol):
    """A part of the agent that remembers."""

    name: str
    version: int
    every: float
    """Seconds that have to pass from one write to the next for its sake."""
    changed: bool
    """It has something that is worth a write; it is set False when that begins."""
    pressing: bool
    """And that should not wait for `every`; it is set False as well."""

    def dump(self, now: Instant) -> object:
        """Return what is to be kept, as JSON has it."""

    def load(self, data: object) -> None:
        """Take what `dump` returned; `ValueError` for anything else, and no change."""


Fields = dict[str, object]
"""Of a notice for the log."""


class Keeping:
    """The file, and what of it is not ours."""

    def __init__(
        self,
        path: Path,
        sections: Iterable[Section],
        now: Instant,
        disk: Disk | None = None,
    ) -> None:
        """Read the file and give each section its own.

        `problem` says afterwards why something of it could not be used.
        """
        self._path = path
        self._disk = disk or Disk()
        self._sections = {f"{one.name}/{one.version}": one for one in sections}
        self._others: dict[str, str] = {}
        """Sections of others, as JSON: that takes a tenth of what objects do."""
        self._last = now.mono
        """When it was written last, or we began."""
        self._pressed = -math.inf
        """When it was written last."""
        self._written = b""
        """What the file holds."""
        self._writing: tuple[Forked, bytes] | None = None
        self._again = False
        """The last write went wrong, or the file has to be replaced."""
        self._said = ""
        """The latest complaint, which is not repeated."""
        self.problem = self._read()
        if self.problem is not None:
            self._again = True
            self._keep_aside()

    def wait(self, mono: float) -> float:
        """Return the seconds until `tend` has something to do."""
        if self._writing is not None:
            return math.inf  # the end of a process wakes the agent
        return max(0.0, self._due() - mono)

    def tend(self, now: Instant) -> Fields | None:
        """Begin a write if one is due, look after one that was begun; never waits.

        Returns what is to be logged.
        """
        if self._writing is not None:
            return self._wrote() if self._writing[0].ended() else None
        if now.mono < self._due():
            return None
        self._last = self._pressed = now.mono
        data = self._text(now)
        if isinstance(data, str):
            return self._failed(data)
        if data == self._written:
            self._again = False
            return None
        try:
            write = Forked(lambda: self._write(data), "it could not be written")
        except OSError as error:
            return self._failed(str(error))
        self._writing = write, data
        return None

    def close(self, now: Instant) -> Fields | None:
        """Write what is new and end; returns what is to be logged.

        For the time when nobody waits for the agent any more: this waits for the disk.
        """
        if self._writing is not None:
            if not self._writing[0].ended(STOP_WITHIN):
                return self._failed("the disk did not answer in time")
            self._wrote()
        data = self._text(now)
        if isinstance(data, str):
            return self._failed(data)
        if data != self._written:
            try:
                self._write(data)
            except OSError as error:
                return self._failed(str(error))
            self._written = data
        return None

    def _due(self) -> float:
        """Return when the next write may begin; infinity while none is wanted."""
        wanted = [one.every for one in self._sections.values() if one.changed]
        if self._again:
            wanted += [one.every for one in self._sections.values()]
        due = self._last + min(wanted, default=math.inf)
        if any(one.changed and one.pressing for one in self._sections.values()):
            due = min(due, self._pressed + PRESSING)
        return due

    def _wrote(self) -> Fields | None:
        """Learn how a write went that has come to its end."""
        assert self._writing is not None  # noqa: S101 - tells the type checker
        (write, data), self._writing = self._writing, None
        complaint = write.complaint()
        if complaint:
            return self._failed(complaint)
        self._written = data
        self._again = False
        self._said = ""
        return None

    def _failed(self, complaint: str) -> Fields | None:
        self._again = True
        if complaint == self._said:
            return None
        self._said = complaint
        return {"notice": "state-unwritten", "error": f"{self._path}: {complaint}"}

    def _text(self, now: Instant) -> bytes | str:
        """Return the whole file; or a complaint, if it would be too long."""
        sections = dict(self._others)
        for key, one in self._sections.items():
            one.changed = one.pressing = False
            sections[key] = _json(one.dump(now))
            one.changed = False  # `dump` may have found something, which is in it
        inner = ",\n".join(f"{_json(key)}: {text}" for key, text in sections.items())
        data = f'{{"ringfence": {SCHEMA}, "sections": {{\n{inner}\n}}}}\n'.encode()
        if len(data) > MAX_BYTES:
            return f"{len(data)} bytes, expected at most {MAX_BYTES}"
        return data

    def _write(self, data: bytes) -> None:
        self._disk.make_folder(self._path.parent)
        self._disk.replace(self._path, data, MODE)

    def _read(self) -> str | None:
        """Read it all; return what is wrong with it, if anything is."""
        try:
            data = _trusted(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self._path}: cannot be read: {error.strerror or error}"
        try:
            sections = _sections(data)
            self._others = {
                key: _json(found)
                for key, found in sections.items()
                if key not in self._sections
            }
        except (ValueError, RecursionError) as error:
            return f"{self._path}: is damaged: {error}"
        problem = None
        for key, mine in self._sections.items():
            if key not in sections:
                continue
            try:
                mine.load(sections[key])
            except ValueError as error:
                problem = f"{self._path}: {key} is damaged: {error}"
        self._written = data
        return problem

    def _keep_aside(self) -> None:
        """Keep what could not be used, if that is the first time."""
        bad = self._path.with_name(self._path.name + ASIDE)
        with suppress(OSError):
            if os.path.lexists(bad):
                return
            try:
                # A second name: what of it can be used stays until it is replaced.
                os.link(self._path, bad, follow_symlinks=False)
            except OSError:
                self._path.rename(bad)  # a folder, or a file system without links


def _trusted(path: Path) -> bytes:
    """Read a file that nobody but us or root can have written; raises `OSError`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a symbolic link") from None
        raise
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no file")
        if found.st_uid not in (0, os.geteuid()):
            raise OSError(f"it belongs to user {found.st_uid}")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError("others may write to it")
        with open(file, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    finally:
        os.close(file)
    if len(data) > MAX_BYTES:
        raise OSError(f"it has more than {MAX_BYTES} bytes")
    return data


def _sections(data: bytes) -> dict[str, object]:
    """Take the file apart; raises `ValueError`."""
    tree = json.loads(data, parse_constant=_no_number)
    if not isinstance(tree, dict) or tree.get("ringfence") != SCHEMA:
        raise ValueError(f"expected form {SCHEMA}")
    sections = tree.get("sections")
    if not isinstance(sections, dict):
        raise ValueError("expected sections")
    return sections


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
