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
_WITHOUT_HISTORY: Final = 315_532_800

RULES: Final = frozenset({".toml", ".csv", ".jsonl", ".tbl", ".md"})
"""How files of rules end, without the generators of their tables."""


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
    without history, or no git; some formats know nothing older). Raises RuntimeError
    when $SOURCE_DATE_EPOCH is no number.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isdecimal():
            raise RuntimeError(f"SOURCE_DATE_EPOCH: expected seconds, found {given!r}")
        return int(given)
    # A clone of somebody else's, as in a container, is as good; the history of a tree
    # that an archive of ours was unpacked into is not ours.
    words = ["git", "-c", "safe.directory=*", "log", "-1", "--no-show-signature"]
    around = {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)}
    ours = {key: text for key, text in os.environ.items() if key[:4] != "GIT_"}
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            [*words, "--format=%ct"],
            cwd=ROOT,
            env=ours | around,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return _WITHOUT_HISTORY
    stamp = done.stdout.strip()
    return int(stamp) if done.returncode == 0 and stamp else _WITHOUT_HISTORY


def code(folder: str) -> Iterator[Entry]:
    """Yield the package `ringfence` below a folder, its rules inside of it.

    What the wheel holds, that is.
    """
    for path in sorted(_AGENT.rglob("*.py")):
        inside = path.relative_to(_AGENT).as_posix()
        yield Entry(f"{folder}/ringfence/{inside}", path.read_bytes())
    for path in sorted(_RULES.rglob("*")):
        inside = path.relative_to(_RULES).as_posix()
        if path.is_file() and path.suffix in RULES and not hidden(path, _RULES):
            yield Entry(f"{folder}/ringfence/_rules/{inside}", path.read_bytes())


def hidden(path: Path, folder: Path) -> bool:
    """Tell whether a file is a cache's or an editor's, somewhere below a folder."""
    parts = path.relative_to(folder).parts
    return any(part[0] == "." or part == "__pycache__" for part in parts)


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
