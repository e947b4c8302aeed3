"""Entries of a package as files below a folder.

For what is made from a folder (`apk mkpkg`, the feed, an image builder's `files/`)
and for tests. It must not know what is installed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from stage import Entry


def write(entries: Iterable[Entry], root: Path, time: int) -> None:
    """Write entries below a folder, all stamped with one time; what is there stays."""
    for entry in entries:
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if entry.link:
            path.symlink_to(entry.data.decode())
        else:
            path.write_bytes(entry.data)
            path.chmod(entry.mode)
        os.utime(path, (time, time), follow_symlinks=False)


def folders(paths: Iterable[str]) -> list[str]:
    """Return every folder above the paths, parents first; relative, without a slash."""
    found: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        found.update("/".join(parts[: end + 1]) for end in range(len(parts)))
    return sorted(found)
