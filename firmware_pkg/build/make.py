"""Build packages: `python firmware_pkg/build/make.py [FORMAT]...`.

Formats: ipk, apk, deb, feed; all without any. What this machine cannot build is
skipped, and said why; asked for by name, that is a failure (exit code 1).

`tree FOLDER` writes what OpenWrt gets into a folder, for an image builder's `files/`.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apk
import deb
import feed
import index
import ipk
import openwrt
import stage
import tree

FORMATS: Final = ("ipk", "apk", "deb", "feed")


class Skipped(Exception):  # noqa: N818 - it is no error
    """This machine cannot build it; says why."""


def build_ipk(out: Path, key: Path | None) -> list[Path]:
    """Build the package for opkg and the index of the folder."""
    return [ipk.build(out), *index.build(out, key)]


def build_apk(out: Path, key: Path | None) -> list[Path]:
    """Build the package for apk."""
    if lacking := apk.lacking():
        raise Skipped(lacking)
    return [apk.build(out)]


def build_deb(out: Path, key: Path | None) -> list[Path]:
    """Build the package for Debian."""
    if lacking := deb.lacking():
        raise Skipped(lacking)
    return [deb.build(out)]


def build_feed(out: Path, key: Path | None) -> list[Path]:
    """Build the feed."""
    return [feed.build(out)]


BUILDERS: Final[dict[str, Callable[[Path, Path | None], list[Path]]]] = {
    "ipk": build_ipk,
    "apk": build_apk,
    "deb": build_deb,
    "feed": build_feed,
}


def packages(asked: list[str], out: Path, key: Path | None) -> int:
    """Build the formats asked for, all if none; return the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    code = 0
    for name in asked or FORMATS:
        try:
            made = BUILDERS[name](out, key)
        except Skipped as skipped:
            print(f"{name}: skipped: {skipped}")  # noqa: T201
            code |= bool(asked)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"{name}: failed: {error}", file=sys.stderr)  # noqa: T201
            code = 1
        else:
            for path in made:
                size = path.stat().st_size
                print(f"{name}: {path} ({size:,} bytes)")  # noqa: T201
    return code


def image_tree(folder: Path) -> int:
    """Write what OpenWrt gets into an image builder's `files/`; return the exit code.

    What a maker has put there in the place of a conffile stays.
    """
    try:
        time = stage.source_date()
    except RuntimeError as error:
        print(f"tree: failed: {error}", file=sys.stderr)  # noqa: T201
        return 1
    found = openwrt.entries()
    theirs = [one for one in found if one.kept and (folder / one.path).exists()]
    for entry in theirs:
        print(f"tree: {folder / entry.path} stays as it is")  # noqa: T201
    tree.write([one for one in found if one not in theirs], folder, time)
    return 0


def main(argv: list[str]) -> int:
    """Run the command line."""
    if argv[:1] == ["tree"]:
        parser = argparse.ArgumentParser(prog="make.py tree")
        parser.add_argument("folder", type=Path)
        folder = parser.parse_args(argv[1:]).folder
        return image_tree(folder)
    parser = argparse.ArgumentParser(prog="make.py", description=__doc__)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--out", type=Path, default=stage.ROOT / "dist", metavar="DIR")
    parser.add_argument(
        "--index-key", type=Path, metavar="FILE", help="secret key that signs Packages"
    )
    args = parser.parse_args(argv)
    unknown = set(args.formats) - set(FORMATS)
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    return packages(args.formats, args.out, args.index_key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
