"""A bundle made from files, and signed.

Knows how an archive is put together, and that nothing goes into one which an agent
would not load. It reads no clock: the same files and the same `Head` give the same
bytes, and with the same key the same signature.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ringfence.bundle import archive, signify
from ringfence.bundle.checker import Bundle, contents
from ringfence.bundle.digests import sha256
from ringfence.bundle.embedded import (
    dialplan_names,
    load_destinations,
    load_dialplan,
    load_rules,
    read_text,
)
from ringfence.bundle.layout import COUNTRIES, MANIFEST, SIGNATURE, VECTORS, kind_of
from ringfence.bundle.manifest import File, Manifest, parse_manifest
from ringfence.bundle.opening import Archived, read_capped
from ringfence.bundle.packed import unpack
from ringfence.bundle.refused import Refused
from ringfence.bundle.source import Folder
from ringfence.bundle.vectors import Vector, parse_vectors
from ringfence.errors import BundleError


class Head(NamedTuple):
    """What a bundle says of itself, besides its files; see `Manifest`."""

    channel: str
    epoch: int
    version: int
    created: int
    expires: int
    min_agent: str


def collect(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder that belong into a bundle; `BundleError` if one is bad.

    What is of no kind that bundles have, such as a README, stays behind.
    """
    files: dict[str, bytes] = {}
    for name in Folder(folder).names():
        kind = kind_of(name)
        if kind is None:
            continue
        if not archive.is_name(name):
            raise BundleError(
                f"{folder / name}: expected a name of small letters, digits, . _ -"
            )
        files[name] = read_capped(folder / name, kind.most + 1)
        if len(files[name]) > kind.most:
            raise BundleError(f"{folder / name}: expected at most {kind.most} bytes")
    if not files:
        raise BundleError(f"{folder}: expected a folder of rules such as rules/")
    return files


def build(files: Mapping[str, bytes], head: Head) -> bytes:
    """Make an archive that nobody has signed yet.

    Raises `BundleError` with what an agent would have against the files.
    """
    entries = {
        name: File(len(content), sha256(content)) for name, content in files.items()
    }
    text = Manifest(*head, entries).render()
    manifest = parse_manifest(text)
    check_files(Bundle(manifest, contents(files, manifest), sha256(text), ""))
    return archive.write_archive({**files, MANIFEST: text}, head.created)


def check_files(bundle: Bundle) -> list[Vector]:
    """Load all that a bundle holds, as an agent does; return its vectors.

    Raises `BundleError` with every file that is not sound.
    """
    source = Archived(bundle, "bundle")
    problems: list[str] = []
    vectors: list[Vector] = []

    def vectors_read() -> None:
        vectors.extend(parse_vectors(read_text(source, VECTORS), VECTORS))

    loads = [
        lambda: load_rules(source),
        lambda: load_destinations(source),
        lambda: unpack(bundle.files[COUNTRIES], COUNTRIES),
        vectors_read,
        *(
            (lambda name=name: load_dialplan(source, name))
            for name in dialplan_names(source)
        ),
    ]
    for load in loads:
        try:
            load()
        except BundleError as error:
            problems.append(str(error))
    if problems:
        raise BundleError("\n".join(problems))
    return vectors


def sign(data: bytes, key: signify.SecretKey) -> bytes:
    """Return the archive with that key's signature in place of any other."""
    return attach(data, signify.sign(archive.read_archive(data)[MANIFEST], key))


def attach(data: bytes, signature: signify.Signature) -> bytes:
    """Return the archive with a signature that was made elsewhere.

    Raises `Refused` for an archive that is not sound.
    """
    files = archive.read_archive(data)
    manifest = parse_manifest(files[MANIFEST])
    contents(files, manifest)
    if archive.archive_time(data) != manifest.created:
        raise Refused(
            "archive.times",
            f"{MANIFEST}: expected the time {manifest.created}, when it was created",
        )
    return archive.write_archive(
        {**files, SIGNATURE: signature.render()}, manifest.created
    )
