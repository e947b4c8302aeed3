"""What is brought into the router: the package, signed bundles, the test itself.

Bundles are made by the project's own commands, with a key that lives as long as a run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from router import places

PROJECT: Final = Path(__file__).resolve().parents[2]
_TESTS: Final = PROJECT / "tests"
_LAB: Final = ("__init__", "addresses", "digest", "messages", "namespaces")
"""Modules of the lab that need nothing but the standard library."""

_NETWORK_UNIT: Final = """\
[Unit]
Description=Interfaces of the router, and who is behind them
DefaultDependencies=no
After=systemd-sysctl.service
Before=network.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip -batch /test/links
{around}
[Install]
WantedBy=multi-user.target
"""
_TEST_UNIT: Final = """\
[Unit]
Description=What the router has to show
After=multi-user.target ringfence.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=PYTHONPATH=/test PYTHONDONTWRITEBYTECODE=1
ExecStart=python3 -m router.guest.main
StandardOutput=journal+console
StandardError=journal+console
"""


def ringfence(*words: str | Path) -> None:
    """Run a command of this tree's agent."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "agent")}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "ringfence", *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ringfence {words}: {done.stderr.strip()}")


class Bundles:
    """Signed bundles of increasing versions, and the key that routers trust."""

    def __init__(self, folder: Path, versions: Iterable[int]) -> None:
        """Make them all."""
        key = folder / "key"
        ringfence("bundle", "keygen", key)
        self.key = key.with_suffix(".pub")
        self.number = self.key.read_text().split()[5]
        self.files = []
        for version in versions:
            made = folder / f"{version}.tar"
            ringfence("bundle", "build", "--out", made, "--version", str(version))
            ringfence("bundle", "sign", "--key", key.with_suffix(".sec"), made)
            self.files.append(made)


def build_package(folder: Path) -> Path:
    """Build the Debian package as `make packages` does; returns its path."""
    done = subprocess.run(  # noqa: S603 - our own program
        [
            *(sys.executable, PROJECT / "firmware_pkg/build/deb.py", folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"deb.py: {done.stdout}{done.stderr}")
    (package,) = folder.glob("*.deb")
    return package


def bring(root: Path, package: Path, bundles: Bundles) -> None:
    """Put everything into a router's root folder."""
    test = root / "test"
    for folder in ("router/guest", "lab", "bundles", Path(places.INCLUDES).name):
        (test / folder).mkdir(parents=True)
    for path in (_TESTS / "router/guest").glob("*.py"):
        shutil.copyfile(path, test / "router/guest" / path.name)
    for name in ("__init__", "places"):
        shutil.copyfile(_TESTS / f"router/{name}.py", test / f"router/{name}.py")
    for name in _LAB:
        shutil.copyfile(_TESTS / f"lab/{name}.py", test / f"lab/{name}.py")
    for path in bundles.files:
        shutil.copyfile(path, test / "bundles" / path.name)
    shutil.copyfile(package, test / "ringfence.deb")
    shutil.copyfile(
        PROJECT / "firmware_pkg/files/ringfence.nft",
        root / places.INCLUDES[1:] / "ringfence.nft",
    )
    keys = root / "usr/share/ringfence/keys/1"
    keys.mkdir(parents=True)
    shutil.copyfile(bundles.key, keys / bundles.number)

    (test / "links").write_text(places.LINKS)
    around = []
    for name, lines in places.AROUND.items():
        (test / name).write_text(lines)
        around.append(f"ExecStart=ip -n {name} -batch /test/{name}")
    units = root / "etc/systemd/system"
    (units / "router-network.service").write_text(
        _NETWORK_UNIT.format(around="\n".join(around))
    )
    (units / "router-test.service").write_text(_TEST_UNIT)
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    for name in ("router-network.service", "router-test.service"):
        (wanted / name).symlink_to(f"../{name}")
    sysctl = root / "etc/sysctl.d"
    sysctl.mkdir(exist_ok=True)
    (sysctl / "router.conf").write_text("net.ipv4.ip_forward = 1\n")
