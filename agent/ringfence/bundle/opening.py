"""Bundles from files: read up to a cap, checked with the keys of a folder.

Knows archives and keys on disk. It must not know what rules mean.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from ringfence import __version__
from ringfence.bundle import archive, signify
from ringfence.bundle.checker import Bundle, Checker, Keys, unverified
from ringfence.bundle.refused import Refused
from ringfence.errors import BundleError

MOST_KEYS: Final = 64
"""Keys in a folder; current and next of a few epochs are meant to be there."""


class Archived:
    """The files of a bundle, in memory."""

    def __init__(self, bundle: Bundle, where: str) -> None:
        """Take a bundle that was checked, or opened on somebody's word; and its name."""
        self.bundle = bundle
        self.where = where

    @property
    def kept(self) -> bool:
        """Only what was verified: a table in the cache is used by all processes."""
        return bool(self.bundle.key)

    def names(self) -> list[str]:
        """List the names of files of known kinds, ascending."""
        return sorted(self.bundle.files)

    def label(self, name: str) -> str:
        """Write where a file is, for messages."""
        return f"{self.where}: {name}"

    def open(self, name: str) -> BinaryIO:
        """Open a file; raises `OSError`."""
        content = self.bundle.files.get(name)
        if content is None:
            raise FileNotFoundError(2, "No such file in the bundle", name)
        return BytesIO(content)

    def __str__(self) -> str:
        """Write the archive's name."""
        return self.where


def is_url(text: str) -> bool:
    """Tell whether something names a place, and no file."""
    return "://" in text


def open_bundle(path: Path, keys: Keys) -> Archived:
    """Read an archive that must be signed by a trusted key; `BundleError` if not."""
    try:
        bundle = Checker(keys, __version__).verify(read_archive_file(path))
    except Refused as refused:
        raise Refused(refused.reason, f"{path}: {refused.text}") from refused
    return Archived(bundle, str(path))


def open_unverified(path: Path) -> Archived:
    """Read an archive whoever made it; `BundleError` when it is none.

    Only where a person has said so, and never for an agent that protects something.
    """
    try:
        bundle = unverified(read_archive_file(path))
    except Refused as refused:
        raise Refused(refused.reason, f"{path}: {refused.text}") from refused
    return Archived(bundle, str(path))


def read_archive_file(path: Path) -> bytes:
    """Read a file up to one byte more than a bundle may have.

    That is enough for the checker to refuse it, and a file without end, such as a
    device, ends here. Raises `BundleError` when it cannot be read.
    """
    return read_capped(path, archive.MOST_BYTES + 1)


def read_capped(path: Path, most: int) -> bytes:
    """Read at most that many bytes of a file; `BundleError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error


def read_keys(folder: Path) -> dict[int, list[signify.PublicKey]]:
    """Read the trusted keys: `EPOCH/FILE`, one public key in each file.

    The files' names are free; `usign -P` wants the key's number. Raises `BundleError`
    for a folder that cannot be read and for anything in it that is no key.
    """
    keys: dict[int, list[signify.PublicKey]] = {}
    for epoch, path in _key_files(folder):
        key = signify.parse_public(read_capped(path, signify.MOST_BYTES + 1), str(path))
        keys.setdefault(epoch, []).append(key)
        if sum(map(len, keys.values())) > MOST_KEYS:
            raise BundleError(f"{folder}: expected at most {MOST_KEYS} keys")
    return keys


def _key_files(folder: Path) -> Iterator[tuple[int, Path]]:
    try:
        for within in sorted(folder.iterdir()):
            name = within.name
            if not (name.isascii() and name.isdigit() and name[0] != "0"):
                raise BundleError(
                    f"{within}: expected only folders named by epoch: 1, 2, …"
                )
            for path in sorted(within.iterdir()):
                yield int(name), path
    except OSError as error:
        raise BundleError(
            f"{error.filename}: cannot be read: {error.strerror}: expected folders of "
            "public keys, named by epoch"
        ) from error
