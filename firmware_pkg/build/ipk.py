"""The package for opkg: OpenWrt up to 24.10.

Knows the format: a gzipped tar of `debian-binary`, `data.tar.gz` and `control.tar.gz`,
themselves gzipped tars with names that begin `./`, in that order (openwrt's
scripts/ipkg-build). Standard library only; the same sources give the same bytes.
"""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import openwrt
import stage
import tree
from gzipped import compress
from stage import Entry

ARCHITECTURE: Final = "all"

_FUNCTIONS: Final = '"$IPKG_INSTROOT/lib/functions.sh"'
_SOURCED: Final = (
    f"#!/bin/sh\n[ -s {_FUNCTIONS} ] || exit 0\n. {_FUNCTIONS}\n"
    'default_{} "$0" "$@"\n'
)
"""OpenWrt's own steps; they source our part of the same name with `-pkg` behind it."""


def build(out: Path) -> Path:
    """Write the package into a folder; return its path."""
    path = out / f"{openwrt.NAME}_{openwrt.release()}_{ARCHITECTURE}.ipk"
    path.write_bytes(package(openwrt.entries(), stage.source_date()))
    return path


def package(entries: list[Entry], time: int) -> bytes:
    """Return the package's bytes; `time` is stamped on everything in it."""
    size = sum(len(entry.data) for entry in entries)
    texts = {
        "control": control(size, time),
        "conffiles": openwrt.conffiles(),
        "postinst": _SOURCED.format("postinst"),
        "postinst-pkg": openwrt.POSTINST,
        "prerm": _SOURCED.format("prerm"),
        "prerm-pkg": openwrt.PRERM,
        "postrm": openwrt.POSTRM,
    }
    scripts = {"postinst", "postinst-pkg", "prerm", "prerm-pkg", "postrm"}
    members = [
        Entry(name, text.encode(), 0o755 if name in scripts else 0o644)
        for name, text in texts.items()
    ]
    return archive(
        [
            Entry("debian-binary", b"2.0\n"),
            Entry("data.tar.gz", archive(entries, time)),
            Entry("control.tar.gz", archive(members, time)),
        ],
        time,
        root=False,
    )


def control(installed_size: int, time: int) -> str:
    """Return the fields that opkg reads; `installed_size` is in bytes."""
    depends = [f"python3-light (>= {openwrt.PYTHON})", *openwrt.DEPENDS]
    fields = {
        "Package": openwrt.NAME,
        "Version": openwrt.release(),
        "Depends": ", ".join(depends),
        "Section": openwrt.SECTION,
        "License": openwrt.LICENSE,
        "Maintainer": openwrt.MAINTAINER,
        "Architecture": ARCHITECTURE,
        "Installed-Size": str(installed_size),
        "SourceDateEpoch": str(time),
        "Description": f"{openwrt.TITLE}\n {openwrt.DESCRIPTION}",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def archive(entries: Iterable[Entry], time: int, *, root: bool = True) -> bytes:
    """Pack entries; with `root`, the folders above them too, each before what it holds."""
    held = list(entries)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as writer:
        if root:
            for name in ["", *tree.folders(entry.path for entry in held)]:
                folder = _member(name, time, 0o755)
                folder.type = tarfile.DIRTYPE
                writer.addfile(folder)
        for entry in held:
            member = _member(entry.path, time, entry.mode)
            if entry.link:
                member.type = tarfile.SYMTYPE
                member.linkname = entry.data.decode()
                writer.addfile(member)
            else:
                member.size = len(entry.data)
                writer.addfile(member, io.BytesIO(entry.data))
    return compress(packed.getvalue())


def _member(path: str, time: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(f"./{path}")
    member.mtime = time
    member.mode = mode
    member.uname = member.gname = "root"
    return member
