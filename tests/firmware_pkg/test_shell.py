"""Every shell script of the packages: shellcheck and busybox's own parser."""

import shutil
import subprocess
from pathlib import Path

import apk
import ipk
import openwrt
import pytest
import stage
from openwrtroot import STANDINS, busybox, unpack

IGNORED = "SC1090,SC1091"
"""Files that are sourced: OpenWrt's, which are not here."""


def scripts() -> dict[str, str]:
    """Return all scripts by name: those that lie here, and those that are made."""
    found = {}
    for folder in (stage.FILES, stage.ROOT / "firmware_pkg" / "openwrt"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh"):
                found[path.relative_to(folder.parent).as_posix()] = path.read_text()
    control = unpack(ipk.package(openwrt.entries(), 0))["./control.tar.gz"][1]
    for name, (member, data) in unpack(control).items():
        if member.mode & 0o111 and member.isfile():
            found[f"ipk {name}"] = data.decode()
    found |= {f"apk {name}": text for name, text in apk.scripts().items()}
    return found


SCRIPTS = scripts()


def test_they_are_all_found() -> None:
    assert {
        *("files/ringfence.init", "files/ringfence.uci-defaults"),
        *("files/ringfence.openwrt", "files/firewall.include"),
        *("openwrt/ringfence/test.sh", "openwrt/ringfence/test-version.sh"),
        *("ipk ./postinst", "ipk ./prerm-pkg", "apk post-upgrade"),
    } <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck(name: str, tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck")
    path = tmp_path / "script"
    path.write_text(SCRIPTS[name])
    done = subprocess.run(  # noqa: S603
        ["shellcheck", "--shell=dash", f"--exclude={IGNORED}", str(path)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [*SCRIPTS, *STANDINS])
def test_busybox_reads_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(SCRIPTS.get(name) or STANDINS[name])
    done = subprocess.run(  # noqa: S603
        [busybox(), "sh", "-n", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
