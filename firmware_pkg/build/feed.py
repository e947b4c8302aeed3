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
_SOURCES: Final = (
    "agent/ringfence",
    "rules",
    "firmware_pkg/files",
    "firmware_pkg/build",
)


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
        if path.is_file() and "src" not in path.relative_to(FOLDER).parts
    ]
    source = f"{folder}/ringfence/src"
    for name in _SOURCES:
        for path in sorted((stage.ROOT / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(stage.ROOT).as_posix()
                found.append(Entry(f"{source}/{inside}", path.read_bytes()))
    found.append(Entry(f"{source}/LICENSE", (stage.ROOT / "LICENSE").read_bytes()))
    return [
        entry._replace(mode=0o755) if entry.path.endswith(".sh") else entry
        for entry in found
    ]
