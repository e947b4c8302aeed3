"""The feed for OpenWrt's build system, with the sources it needs, as one archive.

Knows the folder `firmware_pkg/openwrt`. Unpacked anywhere, it is a feed for
`src-link`; in a clone of this project that folder is one as it lies.
"""

from pathlib import Path
from typing import Final

import ipk
import stage
from stage import Entry

FOLDER: Final = stage.ROOT / "firmware_pkg" / "openwrt"
_SOURCES: Final = {
    "agent/ringfence": frozenset({".py"}),
    "rules": stage.RULES,
    "firmware_pkg/files": None,
    "firmware_pkg/build": frozenset({".py"}),
}
"""What the package is written from, and how the names of files end there."""


def build(out: Path) -> Path:
    """Write the archive into a folder; return its path."""
    version = stage.version()
    path = out / f"ringfence-feed-{version}.tar.gz"
    held = entries(f"ringfence-feed-{version}")
    path.write_bytes(ipk.archive(held, stage.source_date()))
    return path


def entries(folder: str) -> list[Entry]:
    """Return the feed's files below a folder, sources under `ringfence/src`."""
    found = [
        Entry(f"{folder}/{path.relative_to(FOLDER).as_posix()}", path.read_bytes())
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.suffix in {"", ".sh"} and _ours(path, FOLDER)
    ]
    source = f"{folder}/ringfence/src"
    for name, ends in _SOURCES.items():
        top = stage.ROOT / name
        for path in sorted(top.rglob("*")):
            known = ends is None or path.suffix in ends
            if path.is_file() and known and not stage.hidden(path, top):
                inside = path.relative_to(stage.ROOT).as_posix()
                found.append(Entry(f"{source}/{inside}", path.read_bytes()))
    found.append(Entry(f"{source}/LICENSE", (stage.ROOT / "LICENSE").read_bytes()))
    return [
        entry._replace(mode=0o755) if entry.path.endswith(".sh") else entry
        for entry in found
    ]


def _ours(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts
    return "src" not in inside and not stage.hidden(path, folder)
