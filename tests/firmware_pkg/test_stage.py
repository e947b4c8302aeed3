"""The time that is stamped on what packages hold: the same for the same commit."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import stage

DATE = 1_700_000_000
WITHOUT_HISTORY = 315_532_800  # 1980


def git(folder: Path, *words: str) -> None:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_COMMITTER_DATE": f"{DATE} +0900"}
    for who in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@example.net"}
    subprocess.run(  # noqa: S603
        ["git", "-C", str(folder), *words],  # noqa: S607
        check=True,
        env={**os.environ, **identity},
    )


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the project be a clone with one commit."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "file").write_text("something")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    monkeypatch.setattr(stage, "ROOT", folder)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return folder


def test_it_is_the_commits(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.source_date() == DATE
    # As where a hook, or a rebase, runs the build.
    monkeypatch.setenv("GIT_DIR", str(clone / "none"))
    assert stage.source_date() == DATE
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    assert stage.source_date() == 7


def test_whoever_owns_the_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where the clone is the user's and who builds is root."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a folder away")
    for path in (clone, *clone.rglob("*")):
        os.chown(path, 4711, 4711)
    monkeypatch.setenv("HOME", str(clone))
    assert stage.source_date() == DATE


def test_a_history_around_it_is_not_its_own(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the feed's archive is unpacked within OpenWrt's source tree."""
    inside = clone / "feed"
    inside.mkdir()
    monkeypatch.setattr(stage, "ROOT", inside)
    assert stage.source_date() == WITHOUT_HISTORY


def test_without_git(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone))
    assert stage.source_date() == WITHOUT_HISTORY
