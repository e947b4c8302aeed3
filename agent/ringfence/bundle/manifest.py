"""MANIFEST: what a bundle is, and the length and SHA-256 of each of its files.

Knows its text, which can be written in one way only. It must not know files nor keys.
The text can be checked with common tools, see the notes on the format (adr).

    format: ringfence-rules/1
    channel: stable
    epoch: 1
    version: 42
    created: 2026-11-21T00:00:00Z
    expires: 2027-05-20T00:00:00Z
    min-agent: 0.4.0
    file: 6146 3b0c… dialplans/jp.toml
"""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ringfence.bundle.archive import MOST_MEMBERS, is_name
from ringfence.bundle.refused import Refused

FORMAT: Final = "ringfence-rules/1"
"""First in what is signed: a signature for something else never fits a bundle."""
MOST_BYTES: Final = 64 << 10
"""Bytes of a MANIFEST; 64 files of the longest names take 12 KB."""
MOST_NUMBER: Final = 2**31 - 1
"""Highest epoch and version: one a second for 68 years."""

_KEYS: Final = (
    *("format", "channel", "epoch", "version", "created", "expires", "min-agent"),
)
_CHANNEL: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"
_AGENT: Final = re.compile(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}")
_FILE: Final = re.compile(r"(0|[1-9][0-9]{0,7}) ([0-9a-f]{64}) (.+)")


class File(NamedTuple):
    """What MANIFEST says of one file."""

    size: int
    """Bytes."""
    digest: str
    """SHA-256 as hex digits."""


class Manifest(NamedTuple):
    """What a bundle says of itself."""

    channel: str
    epoch: int
    """Raised only when keys are replaced."""
    version: int
    """Rises with every bundle of an epoch."""
    created: int
    """Seconds since 1970, UTC."""
    expires: int
    """Seconds since 1970, UTC; from then on it must not be installed any more."""
    min_agent: str
    """The oldest agent that understands it, such as 0.4.0."""
    files: dict[str, File]
    format: str = FORMAT

    def render(self) -> bytes:
        """Write the text."""
        head = (
            self.format,
            self.channel,
            str(self.epoch),
            str(self.version),
            stamp(self.created),
            stamp(self.expires),
            self.min_agent,
        )
        lines = [f"{key}: {value}" for key, value in zip(_KEYS, head, strict=True)]
        for name in sorted(self.files):
            size, digest = self.files[name]
            lines.append(f"file: {size} {digest} {name}")
        return "\n".join([*lines, ""]).encode("ascii")


def stamp(seconds: int) -> str:
    """Write a time as 2026-11-21T00:00:00Z; ones beyond our calendar as seconds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"


def read_stamp(text: str) -> int | None:
    """Read what `stamp` writes, from 1970 on; None for anything else."""
    try:
        found = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = int(found.timestamp())
    return seconds if seconds >= 0 and stamp(seconds) == text else None


def agent_version(text: str) -> tuple[int, ...] | None:
    """Read a version such as 0.4.0, to be compared; None when it is none."""
    if _AGENT.fullmatch(text) is None:
        return None
    return tuple(map(int, text.split(".")))


def parse_manifest(data: bytes) -> Manifest:
    """Read the text; `Refused` for all that `Manifest.render` does not write."""
    if len(data) > MOST_BYTES:
        raise _refused(0, f"{len(data)} bytes", f"at most {MOST_BYTES}")
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _refused(0, f"byte {error.start}", "ASCII") from error
    if lines.pop() != "":
        raise _refused(len(lines) + 1, "no end of line", "one at the very end")
    values: dict[str, str] = {}
    for number, key in enumerate(_KEYS, 1):
        line = lines[number - 1] if number <= len(lines) else ""
        found, colon, value = line.partition(": ")
        if found != key or not colon:
            raise _refused(number, repr(line), f"the line `{key}: …`")
        if key == "format" and value != FORMAT:
            raise Refused(
                "manifest.format", f"MANIFEST:1: {value!r}: expected {FORMAT!r}"
            )
        values[key] = value
    manifest = Manifest(
        channel=values["channel"],
        epoch=_read_number(3, values["epoch"]),
        version=_read_number(4, values["version"]),
        created=_read_time(5, values["created"]),
        expires=_read_time(6, values["expires"]),
        min_agent=values["min-agent"],
        files=_read_files(lines),
    )
    if _CHANNEL.fullmatch(manifest.channel) is None:
        raise _refused(2, repr(manifest.channel), "a channel such as stable")
    if agent_version(manifest.min_agent) is None:
        raise _refused(7, repr(manifest.min_agent), "a version such as 0.4.0")
    if manifest.expires <= manifest.created:
        raise Refused(
            "manifest.dates",
            f"MANIFEST:6: expires {stamp(manifest.expires)}: expected after created, "
            f"{stamp(manifest.created)}",
        )
    if manifest.render() != data:  # whatever the lines above let through
        raise _refused(0, "another spelling", "each value as ringfence writes it")
    return manifest


def _read_files(lines: list[str]) -> dict[str, File]:
    files: dict[str, File] = {}
    last = ""
    for number, line in enumerate(lines[len(_KEYS) :], len(_KEYS) + 1):
        key, _, value = line.partition(": ")
        fields = _FILE.fullmatch(value)
        if key != "file" or fields is None or not is_name(fields[3]):
            raise _refused(number, repr(line), "`file: SIZE SHA256 NAME`")
        if fields[3] <= last:
            raise _refused(
                number, fields[3], f"names in order, each once, after {last}"
            )
        if len(files) == MOST_MEMBERS:
            raise _refused(number, fields[3], f"at most {MOST_MEMBERS} files")
        last = fields[3]
        files[last] = File(int(fields[1]), fields[2])
    return files


def _read_number(line: int, text: str) -> int:
    if _NUMBER.fullmatch(text) and int(text) <= MOST_NUMBER:
        return int(text)
    raise _refused(line, repr(text), f"a whole number from 1 to {MOST_NUMBER}")


def _read_time(line: int, text: str) -> int:
    found = read_stamp(text)
    if found is None:
        raise _refused(line, repr(text), "a time such as 2026-11-21T00:00:00Z")
    return found


def _refused(line: int, found: str, expected: str) -> Refused:
    where = f"MANIFEST:{line}" if line else "MANIFEST"
    return Refused("manifest.form", f"{where}: {found}: expected {expected}")
