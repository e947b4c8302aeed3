"""Entries of a package as files below a folder.

For what is made from a folder (`apk mkpkg`, the feed, an image builder's `files/`)
and for tests. It must not know what is installed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from stage import Entry


def write(entries: Iterable[Entry], root: Path, time: int) -> None:
    """Write entries below a folder, all stamped with one time; what else is there stays.

    Folders that are made can be entered by everybody, whatever the umask: in an image
    they are the router's own /usr and /etc.
    """
    held = list(entries)
    root.parent.mkdir(parents=True, exist_ok=True)
    for name in ["", *folders(entry.path for entry in held)]:
        folder = root / name
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(0o755)
    for entry in held:
        path = root / entry.path
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
