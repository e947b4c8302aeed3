"""The package for Debian: what it is made of. What becomes of it: `test_debian.py`."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import deb
import debian
import pytest
import stage
from ringfence import __version__
from ringfence.config.read import parse_config

FILES = stage.FILES / "debian"


def tool(name: str) -> str:
    """Find a program, or skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def said(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 - tools of this machine on our own files
        command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tool("dpkg-deb")
    return deb.build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def unpacked(package: Path) -> Path:
    folder = package.with_name("unpacked")
    said("dpkg-deb", "-R", package, folder)
    return folder


def control(package: Path, field: str) -> str:
    return said("dpkg-deb", "-f", package, field).strip()


def test_what_it_says_of_itself(package: Path) -> None:
    assert package.name == f"ringfence_{__version__}_all.deb"
    assert control(package, "Version") == __version__
    assert control(package, "Architecture") == "all"
    assert control(package, "Depends") == "python3 (>= 3.11), nftables"


def test_the_same_bytes_at_another_time_and_place(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program of its own, so that umask, folder, language and hash seed differ.
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    command = f'umask 077; cd /; exec "{sys.executable}" "{deb.__file__}" "{tmp_path}"'
    printed = said("sh", "-c", command)
    again = Path(printed.strip())
    assert again.parent == tmp_path
    assert again.read_bytes() == package.read_bytes()


def test_without_dpkg_it_says_that_it_was_skipped(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, deb.__file__, tmp_path],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"deb: skipped: {deb.MISSING}\n"
    assert list(tmp_path.iterdir()) == []


def test_everything_is_root_s_and_nothing_can_be_written_by_others(
    package: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "data.tar"
    with archive.open("wb") as sink:
        subprocess.run(  # noqa: S603
            ["dpkg-deb", "--fsys-tarfile", package],  # noqa: S607
            stdout=sink,
            check=True,
        )
    programs = []
    with tarfile.open(archive) as data:
        for member in data:
            assert (member.uid, member.gid) == (0, 0), member.name
            assert member.mtime == stage.source_date(), member.name
            assert member.isdir() or member.isreg(), member.name
            assert member.mode in ({0o755} if member.isdir() else {0o644, 0o755})
            if member.isreg() and member.mode == 0o755:
                programs.append(member.name)
    assert programs == ["./usr/bin/ringfence"]


def test_every_file_has_its_checksum_or_is_the_administrator_s(unpacked: Path) -> None:
    conffiles = (unpacked / "DEBIAN/conffiles").read_text().split()
    assert conffiles == ["/etc/ringfence/ringfence.toml"]
    lines = (unpacked / "DEBIAN/md5sums").read_text().splitlines()
    listed = {line[34:]: line[:32] for line in lines}
    installed = {
        path.relative_to(unpacked).as_posix(): path
        for path in unpacked.rglob("*")
        if path.is_file() and path.relative_to(unpacked).parts[0] != "DEBIAN"
    }
    assert set(installed) == {*listed, *(name[1:] for name in conffiles)}
    for name, digest in listed.items():
        data = installed[name].read_bytes()
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == digest


def test_the_configuration_is_all_defaults_but_for_what_programs_write(
    unpacked: Path,
) -> None:
    text = (unpacked / "etc/ringfence/ringfence.toml").read_text(encoding="utf-8")
    expected = parse_config("", "none")._replace(
        bundle_store="/var/lib/ringfence/rules",
        state_file="/var/lib/ringfence/state.json",
    )
    assert parse_config(text, "packaged") == expected


def test_it_runs_from_where_it_is_unpacked(unpacked: Path, tmp_path: Path) -> None:
    code = unpacked / "usr/lib/python3/dist-packages"
    program = (
        f"import sys; sys.path.insert(0, {str(code)!r}); sys.argv[0] = 'ringfence';"
        "from ringfence.cli import main; sys.exit(main())"
    )
    # -S: nothing that happens to be installed beside it.
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    assert said(*command, "--version") == f"ringfence {__version__}\n"
    config = unpacked / "etc/ringfence/ringfence.toml"
    assert "configuration is fine" in said(*command, "check", "--config", config)


def test_the_manual_page_names_every_command(unpacked: Path) -> None:
    from ringfence.cli import COMMANDS

    page = (FILES / "ringfence.8").read_text(encoding="utf-8")
    named = {
        word.strip('",')
        for line in page.partition(".SH COMMANDS")[2]
        .partition(".SH EXIT")[0]
        .split("\n")
        if line.startswith((".B ", ".BR "))
        for word in line.split()[1:]
    }
    assert set(COMMANDS) <= named


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_maintainer_scripts_are_clean(script: str) -> None:
    said(tool("shellcheck"), "--shell=dash", FILES / script)


def test_lintian_has_no_complaint(package: Path) -> None:
    """By hand, mostly: lintian is 50 MB that nothing else needs."""
    said(
        tool("lintian"),
        *("--allow-root", "--fail-on", "error,warning"),
        *("--suppress-tags", "initial-upload-closes-no-bugs"),
        package,
    )


def test_what_is_installed_is_sorted_and_said_once() -> None:
    paths = [entry.path for entry in debian.entries()]
    assert paths == sorted(set(paths))
