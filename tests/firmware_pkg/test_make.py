"""The command that builds packages, and what it says of those it cannot build."""

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
