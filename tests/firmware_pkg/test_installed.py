"""The .ipk's own files, run where they would lie: over this machine's root.

An overlay shows them there in a mount namespace; the machine itself has nothing of
them.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openwrt
import pytest
import stage
from lab.agent import to_toml
from lab.namespaces import PREFIX, Namespace, Process, run, wait_until
from openwrtroot import lay_over_this_machine

MOUNT: Final = """
set -e
cd "$1"
mount -t tmpfs tmpfs top
mkdir top/upper top/work
cp -a made top/
mount -t overlay overlay -o lowerdir=top/made:/,upperdir=top/upper,workdir=top/work root
for folder in proc dev tmp; do mount --rbind /$folder root/$folder; done
mount -t tmpfs tmpfs root/run
shift
exec chroot root "$@"
"""
"""`made`, copied off the root that it lies in, over the machine's own root, its /run empty; then a program in it."""


class Installed:
    """The files, and how to run something where they are."""

    def __init__(self, folder: Path) -> None:
        """Unpack; skip where nothing can be mounted."""
        if os.geteuid() != 0:
            pytest.skip("needs root, for a mount namespace")
        self.folder = folder
        for name in ("made", "top", "root"):
            (folder / name).mkdir()
        lay_over_this_machine(folder / "made")
        done = self.run("true")
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")

    def words(self, *words: str) -> list[str]:
        """Return the command that runs words in there."""
        return ["unshare", "-m", "sh", "-c", MOUNT, "sh", str(self.folder), *words]

    @property
    def environment(self) -> dict[str, str]:
        """Return what a router's shell would have."""
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(  # noqa: S603
            self.words(*words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


def test_its_version(installed: Installed) -> None:
    done = installed.run("ringfence", "--version")
    assert done.stdout == f"ringfence {openwrt.release().partition('-')[0]}\n"


def test_what_runs_is_what_was_installed(installed: Installed) -> None:
    done = installed.run(
        *("sh", "-c"),
        "mv /usr/lib/ringfence/ringfence/cli.py /usr/lib/ringfence/ringfence/cli.off;"
        " ringfence --version",
    )
    assert done.returncode != 0
    assert "/usr/lib/ringfence" in done.stderr or "ringfence.cli" in done.stderr


def test_check_and_explain(installed: Installed) -> None:
    done = installed.run("ringfence", "check")
    assert (done.returncode, done.stderr) == (0, "")
    done = installed.run("ringfence", "explain", "--json", "119", "+23276123456")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["verdict"] for record in records] == ["accept", "reject"]


def test_a_broken_configuration_is_named(installed: Installed) -> None:
    done = installed.run(
        *("sh", "-c"), 'echo "mode = 3" >/etc/ringfence/ringfence.toml; ringfence check'
    )
    assert done.returncode == 2
    assert "/etc/ringfence/ringfence.toml" in done.stderr


def test_byte_code_stays_in_memory(installed: Installed) -> None:
    done = installed.run(
        *("sh", "-c"),
        "ringfence check >/dev/null && find /usr/lib/ringfence -name '*.pyc' && "
        "find /run/ringfence/python -path '*ringfence/cli*.pyc' && "
        "stat -c '%U %a' /run/ringfence /run/ringfence/python",
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done
    assert lines[0].endswith(".pyc")
    assert lines[1:] == ["root 755", "root 755"]


def test_the_feeds_test(installed: Installed) -> None:
    """What the feed's own tests would ask after an installation."""
    for name in ("test-version.sh", "test.sh"):
        text = (stage.ROOT / "firmware_pkg/openwrt/ringfence" / name).read_text()
        text = text.replace("/etc/init.d/ringfence enabled", "true")
        done = installed.run("sh", "-c", text, "sh", "ringfence", openwrt.release())
        assert done.returncode == 0, done


@pytest.fixture
def namespace(_netns: None) -> Iterator[Namespace]:
    made = Namespace(f"{PREFIX}{os.getpid()}-installed")
    run("ip", "netns", "add", made.name)
    try:
        made.ip("link set lo up")
        yield made
    finally:
        made.delete()


def jail() -> list[str]:
    """Return what leaves a program the powers that procd's jail leaves it."""
    text = (stage.FILES / "ringfence.capabilities.json").read_text()
    sets = json.loads(text)
    names = sets["bounding"]
    assert all(names == sets[name] for name in sets)
    kept = ",".join(
        ["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names)]
    )
    return [
        *("setpriv", "--no-new-privs", "--securebits", "+noroot,+noroot_locked"),
        *(f"--{kind}={kept}" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
    ]


@pytest.mark.netns
def test_it_protects_reloads_and_leaves(
    installed: Installed, namespace: Namespace, tmp_path: Path
) -> None:
    config = tmp_path / "ringfence.toml"
    config.write_text(to_toml({"numbers": {"profile": "home"}}))
    agent = Process(
        namespace,
        installed.words(*jail(), "ringfence", "run", "--config", str(config)),
        tmp_path / "output",
        installed.environment,
    )

    def events(kind: str) -> list[dict[str, Any]]:
        lines = [line for line in agent.text().splitlines() if line.startswith("{")]
        return [record for record in map(json.loads, lines) if record["type"] == kind]

    try:
        wait_until(lambda: bool(events("ready")), 20, f"ready: {agent.text()}")
        assert "table inet ringfence" in namespace.ruleset()
        status = Path(f"/proc/{agent.pid}/status").read_text()
        assert "CapEff:\t0000000000003000\n" in status
        config.write_text("mode = 3\n")
        agent.signal(signal.SIGHUP)
        wait_until(lambda: len(events("reload")) == 1, 10, "a reload is refused")
        assert events("reload")[0]["ok"] is False
        assert "table inet ringfence" in namespace.ruleset()
        config.write_text('mode = "monitor"\n')
        agent.signal(signal.SIGHUP)
        wait_until(lambda: len(events("reload")) == 2, 10, "a reload is taken")
        assert events("reload")[1]["mode"] == "monitor"
        began = time.monotonic()
        agent.signal(signal.SIGTERM)
        assert agent.wait(10) == 0, agent.text()
        assert time.monotonic() - began < 15  # what the init script grants
        assert namespace.ruleset().strip() == ""
    finally:
        agent.stop()


@pytest.mark.netns
def test_a_reload_while_it_starts_does_not_end_it(
    installed: Installed, namespace: Namespace, tmp_path: Path
) -> None:
    """As when an interface comes up at boot and the firewall loads anew."""
    agent = Process(
        namespace,
        installed.words("ringfence", "run"),
        tmp_path / "output",
        installed.environment,
    )
    try:
        words = Path(f"/proc/{agent.pid}/cmdline")
        wait_until(lambda: b"ringfence.cli" in words.read_bytes(), 20, "Python starts")
        agent.signal(signal.SIGHUP)
        wait_until(lambda: '"type": "ready"' in agent.text(), 20, agent.text())
        agent.signal(signal.SIGHUP)
        wait_until(lambda: '"type": "reload"' in agent.text(), 20, agent.text())
    finally:
        agent.stop()
