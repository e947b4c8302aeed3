"""What a package installs, and where: one list for every format.

Knows this tree and the folders of OpenWrt and Debian. It must not know archives:
`ipk.py`, `deb.py` and the rest put the same entries into theirs.

Everything is the same for every CPU and for every Python from 3.11 on, since the agent
has no compiled part.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
"""Of the project."""
FILES: Final = ROOT / "firmware_pkg" / "files"

CONFIG: Final = "etc/ringfence/ringfence.toml"
_AGENT: Final = ROOT / "agent" / "ringfence"
_RULES: Final = ROOT / "rules"


class Entry(NamedTuple):
    """One file of a package; folders follow from the paths."""

    path: str
    """From the root of the file system, without a leading slash."""
    data: bytes
    mode: int = 0o644
    kept: bool = False
    """The administrator edits it: an update keeps what he wrote (a conffile)."""
    link: bool = False
    """A symbolic link; `data` is where to."""


def version() -> str:
    """Return the version that the agent says of itself."""
    text = (_AGENT / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError('agent/ringfence/__init__.py: expected __version__ = "…"')
    return found[1]


def source_date() -> int:
    """Return the time to stamp files with, seconds since 1970, the same every time.

    $SOURCE_DATE_EPOCH, else when the last commit was made, else 1980 (a source archive
    without history; some formats know nothing older).
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        return int(given)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"],  # noqa: S607 - the one in PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    stamp = done.stdout.strip()
    return int(stamp) if done.returncode == 0 and stamp else 315_532_800


def code(folder: str) -> Iterator[Entry]:
    """Yield the package `ringfence` below a folder, its rules inside of it.

    What the wheel holds, that is: rules without the generators of their tables.
    """
    for path in sorted(_AGENT.rglob("*.py")):
        inside = path.relative_to(_AGENT).as_posix()
        yield Entry(f"{folder}/ringfence/{inside}", path.read_bytes())
    for path in sorted(_RULES.rglob("*")):
        inside = path.relative_to(_RULES).as_posix()
        if path.is_file() and path.suffix in {".toml", ".csv", ".jsonl", ".tbl", ".md"}:
            yield Entry(f"{folder}/ringfence/_rules/{inside}", path.read_bytes())


def shipped(name: str, path: str, mode: int = 0o644, *, kept: bool = False) -> Entry:
    """Return a file of `firmware_pkg/files` as it lies there."""
    return Entry(path, (FILES / name).read_bytes(), mode, kept)


def configuration(settings: Iterable[tuple[str, str]] = ()) -> Entry:
    """Return the commented configuration, with some defaults replaced.

    `settings` are pairs of a commented line of `ringfence.toml` and what stands in its
    place. Raises ValueError when a line is not there exactly once.
    """
    text = (FILES / "ringfence.toml").read_text(encoding="utf-8")
    for old, new in settings:
        if text.count(f"\n{old}\n") != 1:
            raise ValueError(f"ringfence.toml: expected one line {old!r}")
        text = text.replace(f"\n{old}\n", f"\n{new}\n")
    return Entry(CONFIG, text.encode(), kept=True)
