"""A bundle's outer form: an uncompressed tar that can be written in one way only.

Knows POSIX ustar (IEEE Std 1003.1, `pax`, "ustar Interchange Format"). It must not
know what the members are for. Members are plain files, MANIFEST first, MANIFEST.sig
second, the rest by name; every other field of a header has one fixed value. What
`read_archive` takes, `write_archive` writes again byte for byte, so there is nothing
in an archive that nobody looks at.
"""

import re
from collections.abc import Mapping
from typing import Final

from ringfence.bundle.layout import MANIFEST, SIGNATURE
from ringfence.bundle.refused import Refused

MOST_BYTES: Final = 4 << 20
"""Bytes of an archive; the default one has 0.75 MB. Readers stop one byte later."""
MOST_MEMBERS: Final = 64
"""Members of an archive; the default one has about twenty."""
MOST_MEMBER_BYTES: Final = 2 << 20
"""Bytes of one member; the country table, the largest, has 0.7 MB."""
MOST_NAME: Final = 96
"""Characters of a name; a ustar header has room for 100."""

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_NAME: Final = re.compile(r"([a-z0-9][a-z0-9._-]{0,30}/)?[a-z0-9][a-z0-9._-]{0,63}")
_MOST_TIME: Final = 8**11 - 1
"""Seconds that eleven octal digits hold."""


def is_name(name: str) -> bool:
    """Tell whether a file of a bundle may have that name."""
    return _NAME.fullmatch(name) is not None


def write_archive(files: Mapping[str, bytes], mtime: int) -> bytes:
    """Write an archive: the same files and time give the same bytes.

    `mtime` in seconds since 1970. Raises `Refused` for what `read_archive` would.
    """
    parts: list[bytes] = []
    for name in sorted(files, key=_place):
        content = files[name]
        if not 0 <= mtime <= _MOST_TIME:
            raise Refused("archive.times", f"time {mtime}: expected 0 to {_MOST_TIME}")
        parts += (_header(name, len(content), mtime), content, _padding(len(content)))
    data = b"".join((*parts, _END))
    read_archive(data)
    return data


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the members by name, in their order.

    Raises `Refused` for everything that `write_archive` did not write. Nothing is
    authenticated here: that is the checker's part.
    """
    if len(data) > MOST_BYTES:
        raise Refused(
            "archive.size", f"{len(data)} bytes: expected at most {MOST_BYTES}"
        )
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    at, last, mtime = 0, ("", ""), -1
    while True:
        block = data[at : at + _BLOCK]
        if len(block) < _BLOCK:
            raise Refused(
                "archive.short", f"byte {at}: expected a header of {_BLOCK} bytes"
            )
        if not block.strip(b"\0"):
            break
        name, size, time = _read_header(block, at)
        if mtime < 0:
            mtime = time
        elif time != mtime:
            raise Refused(
                "archive.times", f"{name}: time {time}: expected {mtime} as before it"
            )
        folder = name.rpartition("/")[0]
        if name in files or name in folders or folder in files:
            raise Refused("archive.duplicate", f"{name}: expected each name once")
        if not files and name != MANIFEST:
            raise Refused("archive.manifest", f"{name}: expected {MANIFEST} first")
        place = _place(name)
        if place <= last:
            raise Refused("archive.order", f"{name}: expected before {last[1]}")
        if len(files) == MOST_MEMBERS:
            raise Refused(
                "archive.members", f"{name}: expected at most {MOST_MEMBERS} members"
            )
        begin, end = at + _BLOCK, at + _BLOCK + size
        at = end + -size % _BLOCK
        if at > len(data):
            raise Refused(
                "archive.short",
                f"{name}: {size} bytes: only {max(len(data) - begin, 0)} are there",
            )
        if data[end:at].strip(b"\0"):
            raise Refused(
                "archive.padding", f"{name}: byte {end}: expected zeros up to {at}"
            )
        files[name] = data[begin:end]
        folders.add(folder)
        last = place
    if data[at:] != _END:
        raise Refused(
            "archive.end",
            f"byte {at}: expected {len(_END)} zero bytes and nothing behind them",
        )
    if not files:
        raise Refused("archive.manifest", f"no member: expected {MANIFEST}")
    return files


def archive_time(data: bytes) -> int:
    """Return the time of all members of an archive that `read_archive` has taken."""
    return _octal(data[136:148])


def _place(name: str) -> tuple[str, str]:
    """Order of members: what is needed to judge the rest comes first."""
    first = {MANIFEST: "", SIGNATURE: "1"}
    return (first.get(name, "2"), name)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _header(name: str, size: int, mtime: int) -> bytes:
    """Write a member's header, all of whose other fields never change."""
    without_sum = b"".join(
        (
            name.encode("ascii", "replace").ljust(100, b"\0"),
            _octal_field(0o644),  # mode
            _octal_field(0),  # owner
            _octal_field(0),  # group
            b"%011o\0%011o\0" % (size, mtime),
            b" " * 8,
            b"0",  # typeflag: a file
            bytes(100),  # name of a link
            b"ustar\0",
            b"00",  # version
            bytes(64),  # names of owner and group
            _octal_field(0),  # device
            _octal_field(0),
            bytes(167),
        )
    )
    return b"%b%06o\0 %b" % (without_sum[:148], sum(without_sum), without_sum[156:])


def _octal_field(value: int) -> bytes:
    return b"%07o\0" % value


def _octal(field: bytes) -> int:
    digits = field[:-1]
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else -1


def _read_header(block: bytes, at: int) -> tuple[str, int, int]:
    """Return name, size and time; say what is wrong with any other header."""
    if _octal(block[148:155]) != sum(block[:148]) + sum(block[156:]) + 8 * 0x20:
        raise Refused(
            "archive.damaged", f"byte {at}: expected a tar header with its check sum"
        )
    name = block[:100].rstrip(b"\0").decode("ascii", "backslashreplace")
    if block[156:157] != b"0":
        raise Refused(
            "archive.kind",
            f"{name!r}: type {block[156:157]!r}: expected b'0', a plain file",
        )
    if name not in (MANIFEST, SIGNATURE) and not is_name(name):
        raise Refused(
            "archive.name",
            f"{name!r}: expected a name such as jp.toml, in at most one folder",
        )
    size, mtime = _octal(block[124:136]), _octal(block[136:148])
    if size > MOST_MEMBER_BYTES:
        raise Refused(
            "archive.member-size",
            f"{name}: {size} bytes: expected at most {MOST_MEMBER_BYTES}",
        )
    if size < 0 or mtime < 0 or block != _header(name, size, mtime):
        raise Refused(
            "archive.header", f"{name}: byte {at}: expected a header as ours are"
        )
    return name, size, mtime
