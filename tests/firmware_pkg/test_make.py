"""The command that builds packages, and what it says of those it cannot build."""

import os
import subprocess
import sys
from pathlib import Path

import make
import openwrt
import pytest
import stage


def test_it_builds_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make.main(["ipk", "feed", "--out", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "Packages",
        "Packages.gz",
        f"ringfence-feed-{stage.version()}.tar.gz",
        f"ringfence_{openwrt.release()}_all.ipk",
    ]
    said = capsys.readouterr().out
    assert all(name in said for name in names)


def test_what_it_cannot_build_it_skips_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def skip(out: Path, key: Path | None) -> list[Path]:
        raise make.Skipped("the moon is not full")

    def fail(out: Path, key: Path | None) -> list[Path]:
        raise RuntimeError("it rained in")

    for name in ("apk", "deb", "feed"):
        monkeypatch.setitem(make.BUILDERS, name, skip)
    out = str(tmp_path)
    assert make.main(["--out", out]) == 0
    assert "apk: skipped: the moon is not full" in capsys.readouterr().out
    # Asked for by name, it is missed.
    assert make.main(["apk", "ipk", "--out", out]) == 1
    assert "ipk: " in capsys.readouterr().out
    monkeypatch.setitem(make.BUILDERS, "deb", fail)
    assert make.main(["--out", out]) == 1
    assert "deb: failed: it rained in" in capsys.readouterr().err


def test_a_format_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        make.main(["rpm", "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_tree_for_an_image_builder(tmp_path: Path) -> None:
    """As a program of its own, with nothing of the project's environment."""
    script = stage.ROOT / "firmware_pkg" / "build" / "make.py"
    subprocess.run(  # noqa: S603
        [sys.executable, "-B", "-S", str(script), "tree", str(tmp_path)],
        check=True,
        env={"PATH": "/usr/bin:/bin"},
        timeout=30,
    )
    for entry in openwrt.entries():
        path = tmp_path / entry.path
        assert path.read_bytes() == entry.data
        assert path.stat().st_mode & 0o777 == entry.mode


def test_a_tree_can_be_entered_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert make.main(["tree", str(tmp_path / "files")]) == 0
    finally:
        os.umask(before)
    files = tmp_path / "files"
    folders = [files, *(path for path in files.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o755}


def test_a_tree_leaves_what_the_maker_has_put_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / stage.CONFIG
    config.parent.mkdir(parents=True)
    config.write_text('[origin]\nhome = ["DE"]\n')
    old = tmp_path / "usr/bin/ringfence"
    old.parent.mkdir(parents=True)
    old.write_text("of the version before")
    assert make.main(["tree", str(tmp_path)]) == 0
    assert config.read_text() == '[origin]\nhome = ["DE"]\n'
    assert f"{config} stays" in capsys.readouterr().out
    assert "of the version before" not in old.read_text()


def test_a_time_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert make.main(["ipk", "--out", str(tmp_path)]) == 1
    assert make.main(["tree", str(tmp_path / "files")]) == 1
    said = capsys.readouterr().err
    assert said.count("expected seconds, found 'yesterday'") == 2
    assert not (tmp_path / "files").exists()
