"""Files written whole or not at all: temporary file, fsync, rename, fsync of the folder.

Knows how a file gets to the disk. It must not know what is in it.
"""

import os
from contextlib import suppress
from pathlib import Path

from ringfence.disk import sync_folder
from ringfence.errors import BundleError


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file in place of what is there; `BundleError` leaves that as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(temporary, flags, mode)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error.strerror}") from error


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that must not be there yet; `BundleError` if it is."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(path.parent)
    except FileExistsError as error:
        raise BundleError(
            f"{path}: expected no such file; it is not written over"
        ) from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error.strerror}") from error
