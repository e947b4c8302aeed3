"""Where rules and tables come from: a folder of files, or a bundle, alike.

Knows how a file is asked for by name. It must not know what is in the files, nor how
bundles are checked: `ringfence.bundle.opening` does, which only those import who have
a bundle.
"""

from pathlib import Path
from typing import BinaryIO, Protocol

from ringfence.bundle import layout
from ringfence.errors import BundleError


class Source(Protocol):
    """Files by name, as `ringfence.bundle.layout` names them."""

    @property
    def kept(self) -> bool:
        """Whether what is made of its files may be kept for other processes."""

    def names(self) -> list[str]:
        """List the names of files of known kinds, ascending."""

    def label(self, name: str) -> str:
        """Write where a file is, for messages."""

    def open(self, name: str) -> BinaryIO:
        """Open a file; raises `OSError`."""


class Folder:
    """A folder of files, such as the rules that came with the package."""

    kept = True

    def __init__(self, path: Path) -> None:
        """Take the folder's path; it is looked at when files are asked for."""
        self.path = path

    def names(self) -> list[str]:
        """List the names of files of known kinds, ascending."""
        return sorted(
            name
            for pattern in ("*", "*/*")
            for path in self.path.glob(pattern)
            if layout.kind_of(name := path.relative_to(self.path).as_posix())
        )

    def label(self, name: str) -> str:
        """Write where a file is, for messages."""
        return str(self.path / name)

    def open(self, name: str) -> BinaryIO:
        """Open a file; raises `OSError`."""
        return (self.path / name).open("rb")

    def __str__(self) -> str:
        """Write the path."""
        return str(self.path)


def as_source(rules: Source | Path) -> Source:
    """Take a folder's path for the folder."""
    return Folder(rules) if isinstance(rules, Path) else rules


def read(source: Source, name: str) -> bytes:
    """Read a file; `BundleError` says which and why not."""
    try:
        with source.open(name) as file:
            return file.read()
    except OSError as error:
        label = source.label(name)
        raise BundleError(f"{label}: cannot be read: {error.strerror}") from error
