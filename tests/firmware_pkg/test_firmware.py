"""What a router maker does, and what becomes of bundles when the firmware changes.

The commands are those of `firmware_pkg/README.md`. A firmware is a read-only folder with
what the package installs, a factory bundle and keys; over it lies an overlay, which
an update of the firmware throws away but for the files that the keep list names.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import stage
from openwrtroot import lay_over_this_machine

SCRIPT: Final = """
set -e
cd "$1"
mount -t tmpfs tmpfs top
cp -a first second third top/
say() { echo "= $*"; }
# boot FIRMWARE OVERLAY: what the first start finds.
boot() {
	umount -R root 2>/dev/null || true
	mkdir -p top/$2/upper top/$2/work
	mount -t overlay overlay \
		-o lowerdir=top/$1:/,upperdir=top/$2/upper,workdir=top/$2/work root
	for folder in proc dev tmp; do mount --rbind /$folder root/$folder; done
	mount -t tmpfs tmpfs root/run
}
# sysupgrade FIRMWARE OVERLAY: keep what the list names, and nothing else.
sysupgrade() {
	sed 's,^/,,' keep | tar -C root -cf top/kept.tar -T -
	boot "$1" "$2"
	tar -C root -xf top/kept.tar
}
bundle() { chroot root ringfence bundle "$@" 2>&1; }

boot first one
say new; bundle status
say update; bundle install "$1/rules-2.tar"; bundle status
sysupgrade second two
say newer firmware; bundle status
say too old; bundle install "$1/rules-2.tar" || echo "exit $?"
boot first three
bundle install "$1/rules-2.tar" >/dev/null
boot second three
say update of the package; bundle status
boot first three
say older firmware; bundle status
boot first four
say reset; bundle status
bundle install "$1/rules-2.tar" >/dev/null
sysupgrade third five
say keys replaced; bundle status
say stolen key; bundle install "$1/rules-9.tar" || echo "exit $?"
say new key; bundle install "$1/rules-2-2.tar"; bundle status
"""


def ringfence(folder: Path, *words: str) -> str:
    """Run the command on the maker's computer; return what it says."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "ringfence", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(folder: Path, name: str, key: str, version: int, epoch: int = 1) -> Path:
    """Build and sign a bundle."""
    rules = str(stage.ROOT / "rules")
    number = ("--version", str(version), "--epoch", str(epoch))
    ringfence(folder, "bundle", "build", "--from", rules, *number, "--out", name)
    ringfence(folder, "bundle", "sign", name, "--key", key)
    return folder / name


def firmware(folder: Path, base: Path, keys: dict[int, str]) -> None:
    """Lay out the read-only part of a firmware."""
    lay_over_this_machine(folder)
    shared = folder / "usr/share/ringfence"
    (shared / "base.tar").write_bytes(base.read_bytes())
    for epoch, name in keys.items():
        place = shared / "keys" / str(epoch)
        place.mkdir(parents=True)
        (place / name).write_bytes((folder.parent / name).read_bytes())


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Go through it all once; return what was said at each step."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a mount namespace")
    folder = tmp_path_factory.mktemp("firmware")
    for key in ("maker", "next"):
        ringfence(folder, "bundle", "keygen", key)
    bases = [made(folder, f"rules-{n}.tar", "maker.sec", n) for n in (1, 2, 3, 9)]
    after = made(folder, "rules-2-1.tar", "next.sec", 1, epoch=2)
    made(folder, "rules-2-2.tar", "next.sec", 2, epoch=2)
    firmware(folder / "first", bases[0], {1: "maker.pub"})
    firmware(folder / "second", bases[2], {1: "maker.pub"})
    firmware(folder / "third", after, {2: "next.pub"})
    (folder / "keep").write_bytes((stage.FILES / "ringfence.keep").read_bytes())
    for name in ("top", "root"):
        (folder / name).mkdir()
    done = subprocess.run(  # noqa: S603
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(folder)],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"},
    )
    if done.returncode and done.stderr.startswith("mount"):
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [step.splitlines() for step in done.stdout.split("= ")[1:]]
    return {lines[0]: lines[1:] for lines in steps}


OLD_KEY = r"\[signature\.key\]"


def test_a_new_router_uses_what_the_factory_gave_it(said: dict[str, list[str]]) -> None:
    assert said["new"] == ["factory: version 1 of epoch 1 (used)"]


def test_an_update_between_firmwares_wins(said: dict[str, list[str]]) -> None:
    assert "version 2 of epoch 1 is in slot a, on trial" in said["update"][0]
    assert said["update"][-2:] == [
        "factory: version 1 of epoch 1",
        "a: version 2 of epoch 1 (used, on trial)",
    ]


@pytest.mark.parametrize("how", ["newer firmware", "update of the package"])
def test_a_firmware_with_newer_rules_wins(how: str, said: dict[str, list[str]]) -> None:
    assert said[how] == [
        "factory: version 3 of epoch 1 (used)",
        "a: version 2 of epoch 1 (on trial)",
    ]


def test_what_is_older_than_the_firmware_is_refused(said: dict[str, list[str]]) -> None:
    assert said["too old"][-1] == "exit 4"
    assert "expected higher than 3" in said["too old"][0]


def test_an_older_firmware_takes_nothing_away(said: dict[str, list[str]]) -> None:
    assert said["older firmware"] == [
        "factory: version 1 of epoch 1",
        "a: version 2 of epoch 1 (used, on trial)",
    ]


def test_a_reset_goes_back_to_the_factory(said: dict[str, list[str]]) -> None:
    assert said["reset"] == ["factory: version 1 of epoch 1 (used)"]


def test_new_keys_end_the_old_ones(said: dict[str, list[str]]) -> None:
    assert said["keys replaced"][-1] == "factory: version 1 of epoch 2 (used)"
    assert said["stolen key"][-1] == "exit 4"
    assert re.search(OLD_KEY, said["stolen key"][0])
    assert said["new key"][-1] == "a: version 2 of epoch 2 (used, on trial)"
