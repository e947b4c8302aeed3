"""Files put in place of others, step by step: bundles, and what is remembered.

Knows how that is done so that at any moment, power cuts included, there is the old one
or the new one: temporary file, fsync, rename, fsync of the folder. It must not know
what is in them. Tests take the place of `Disk` and let any of its steps fail.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NEW: Final = ".new"
"""Ending of a file that is being written. There is one writer, by the store's lock or
because there is one agent, so that what a writer left that died is written over."""


class Disk:
    """The steps; each raises `OSError`."""

    def make_folder(self, path: Path) -> None:
        """Make a folder that may be there, and those above it."""
        path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def create(self, path: Path, mode: int = 0o644) -> int:
        """Begin a file; returns its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        return os.open(path, flags, mode)

    def write(self, file: int, data: bytes) -> int:
        """Write some of it; returns how many bytes."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """Have a file's content on the disk."""
        os.fsync(file)

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in place of another."""
        old.rename(new)

    def sync_folder(self, folder: Path) -> None:
        """Have a folder's names on the disk."""
        sync_folder(folder)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def replace(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Put data in place of a file; an error leaves that as it was.

        Only when the last step fails, the new one may be there.
        """
        new = path.with_name(path.name + NEW)
        try:
            file = self.create(new, mode)
            try:
                rest = data
                while rest:
                    rest = rest[self.write(file, rest) :]
                self.sync(file)
            finally:
                os.close(file)
            self.rename(new, path)
        except OSError:
            with suppress(OSError):
                self.unlink(new)  # a full disk needs the room
            raise
        self.sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
