"""`ringfence_<version>_all.deb`, the same bytes from the same commit.

    python firmware_pkg/build/deb.py FOLDER

Knows `dpkg-deb`, which needs no root here; what goes in is said by `debian.py`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import debian
import stage
from stage import Entry

MISSING: Final = "dpkg-deb is not on this machine (Debian's package dpkg)"


def lacking() -> str:
    """Say what this machine lacks for it; "" for nothing."""
    return "" if shutil.which("dpkg-deb") else MISSING


def build(out: Path) -> Path:
    """Write the package into a folder, which is made; return its path.

    Raises `OSError` where `lacking` has something to say.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"{debian.PACKAGE}_{stage.version()}_all.deb"
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        _write(root, debian.entries())
        archive = Path(scratch, made.name)
        # xz by one thread: how many there are would show in the bytes.
        words = ["--root-owner-group", "-Zxz", "-z9", "--threads-max=1", "--build"]
        subprocess.run(  # noqa: S603 - our own words
            ["dpkg-deb", *words, root, archive],  # noqa: S607 - the one in PATH
            env={**os.environ, "SOURCE_DATE_EPOCH": str(stage.source_date())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        shutil.copyfile(archive, made.with_suffix(".new"))
        made.with_suffix(".new").replace(made)
    return made


def _write(root: Path, installed: list[Entry]) -> None:
    """Lay the package out as dpkg-deb reads it."""
    sums = []
    size = 0
    for entry in installed:
        _put(root / entry.path, entry.data, entry.mode, link=entry.link)
        size += -(-len(entry.data) // 1024)
        if not entry.link and not entry.kept:
            digest = hashlib.md5(entry.data, usedforsecurity=False).hexdigest()
            sums.append(f"{digest}  {entry.path}\n")
    for file in debian.control(installed, size, "".join(sums)):
        _put(root / "DEBIAN" / file.name, file.data, file.mode)
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        # dpkg-deb only turns clocks back: what is older than the commit stays so.
        stamp = stage.source_date()
        os.utime(path, (stamp, stamp), follow_symlinks=False)


def _put(path: Path, data: bytes, mode: int, *, link: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if link:
        path.symlink_to(data.decode())
        return
    path.write_bytes(data)
    path.chmod(mode)


def main(arguments: list[str]) -> int:
    """Build one package, say where it is; 0 also where it had to be skipped."""
    if len(arguments) != 1:
        sys.stderr.write("usage: deb.py FOLDER\n")
        return 2
    if why := lacking():
        sys.stderr.write(f"deb: skipped: {why}\n")
        return 0
    print(build(Path(arguments[0])))  # noqa: T201 - it is a program
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
