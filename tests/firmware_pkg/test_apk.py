"""The package for apk, so far as it can be told without apk: what apk is given."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import apk
import openwrt
import pytest
import stage

STANDIN = """#!/bin/sh
[ "$2" != --help ] || { echo "usage: apk mkpkg"; exit 0; }
out=$(dirname "$0")
printf '%s\\n' "$@" >"$out/words"
while [ $# -gt 0 ]; do
	case "$1" in
		--files) cp -a "$2" "$out/files" ;;
		--script) cp "${2#*:}" "$out/script-${2%%:*}" ;;
		--output) : >"$2" ;;
	esac
	shift
done
"""


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put something in apk's place that keeps what it was given."""
    if os.geteuid() != 0:
        pytest.skip("needs root, as apk does")
    program = tmp_path / "apk"
    program.write_text(STANDIN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert apk.lacking() == ""
    assert apk.build(tmp_path) == tmp_path / f"ringfence-{openwrt.release()}.apk"
    return tmp_path


def test_what_it_is_told(recorded: Path) -> None:
    words = (recorded / "words").read_text().splitlines()
    assert words[0] == "mkpkg"
    told = dict(
        words[at + 1].split(":", 1) for at, word in enumerate(words) if word == "--info"
    )
    assert told["name"] == "ringfence"
    assert told["version"] == openwrt.release()
    assert told["arch"] == "noarch"
    assert told["depends"].split() == ["python3-light>=3.11", *openwrt.DEPENDS]


def test_it_holds_what_the_ipk_holds_and_openwrts_lists(recorded: Path) -> None:
    files = recorded / "files"
    found = {
        path.relative_to(files).as_posix()
        for path in files.rglob("*")
        if path.is_file()
    }
    ours = {entry.path for entry in openwrt.entries()}
    lists = {
        f"lib/apk/packages/ringfence.{end}"
        for end in ("list", "conffiles", "conffiles_static")
    }
    assert found == ours | lists
    folder = files / "lib/apk/packages"
    assert set((folder / "ringfence.list").read_text().split()) == {
        f"/{name}" for name in ours
    }
    for line in (folder / "ringfence.conffiles_static").read_text().splitlines():
        name, digest = line.split()
        assert hashlib.sha256((files / name[1:]).read_bytes()).hexdigest() == digest
    for entry in openwrt.entries():
        status = (files / entry.path).stat()
        assert status.st_mode & 0o777 == entry.mode
        assert status.st_mtime == stage.source_date()


def test_its_scripts_run_in_openwrts_way(recorded: Path) -> None:
    scripts = sorted(path.name[7:] for path in recorded.glob("script-*"))
    assert scripts == sorted(apk.scripts())
    for name in scripts:
        text = (recorded / f"script-{name}").read_text()
        assert text.startswith("#!/bin/sh\n")
        upgrade = name.endswith("upgrade")
        assert ("export PKG_UPGRADE=1\n" in text) == upgrade
    text = apk.scripts()["post-install"]
    assert text.index("firewall reload") < text.index("\ndefault_postinst\n")
    text = apk.scripts()["pre-deinstall"]
    assert text.index("uci -q delete") < text.index("\ndefault_prerm\n")


def test_where_there_is_no_apk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no program apk" in apk.lacking()
    program = tmp_path / "apk"
    program.write_text("#!/bin/sh\necho 'unknown command' >&2\nexit 1\n")
    program.chmod(0o755)
    assert "no command mkpkg" in apk.lacking()


def test_with_the_real_one(tmp_path: Path) -> None:
    if lacking := apk.lacking():
        pytest.skip(lacking)
    program = shutil.which("apk")
    assert program is not None
    path = apk.build(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(  # noqa: S603
        [program, "extract", "--allow-untrusted", "--destination", str(root), path],
        check=True,
    )
    assert (root / stage.CONFIG).exists()
