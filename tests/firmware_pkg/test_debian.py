"""The life of an installation, on the real thing: dpkg, systemd, nft, peers outside.

Debian 12 and 13, minimal, made by mmdebstrap from this machine's package sources; see
`lab/machine.py`. The kernel is this machine's: where it has no nft queue statement, the
xtables one serves (`tests/router` has Debian's own kernel). Control groups are without
controllers, so that the unit's limits of memory and processes are not applied here.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import deb
import pytest
import stage
from lab.addresses import COUNTRIES, PBX, PHONE_ABROAD, PHONE_JP, SCANNER_JP, SIP_PORT
from lab.machine import PACKAGES, Event, Machine, NoSystem, begin_system
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns

SUITES = {
    "bookworm": PACKAGES,
    "trixie": (*PACKAGES, "python3-netfilterqueue"),  # bookworm has none
}
UNIT = "ringfence.service"
CONFIG = "/etc/ringfence/ringfence.toml"

EXPOSURE = 25
"""At most, by systemd's count in tenths; most services stand at 92 to 96.

What is left is the agent's own work: the network, netlink, CAP_NET_ADMIN, and to be
root, if without root's powers.
"""

CAP_NET_ADMIN, CAP_NET_RAW = 12, 13

COUNTRY_TABLE = "".join(f"{net},{code}\n" for net, code in COUNTRIES.items())

# Of others: in the very table that our xtables rule goes to, and one of nft.
OTHERS = """
table inet others {
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 9999 drop
    }
}
"""
VOLATILE = ("/var/log/", "/var/cache/", "/var/lib/systemd/", "/var/lib/dpkg/", "/tmp/")  # noqa: S108
"""Where the system itself writes all the time."""


@pytest.fixture(scope="module")
def systems(
    live: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, subprocess.Popen[str]]]]:
    """Both are made at once: each waits for the network most of the time."""
    folder = tmp_path_factory.mktemp("systems")
    made = {}
    try:
        for suite, packages in SUITES.items():
            made[suite] = (
                folder / suite,
                begin_system(suite, folder / suite, packages),
            )
    except NoSystem as why:
        if os.environ.get("RINGFENCE_LIVE") == "required":
            pytest.fail(f"RINGFENCE_LIVE=required, but {why}")
        pytest.skip(str(why))
    yield made
    for _, process in made.values():
        process.kill()
        process.communicate()  # closes its pipes, also of a suite that no test took
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)  # noqa: S603, S607


@pytest.fixture(params=list(SUITES))
def system(
    request: pytest.FixtureRequest,
    systems: dict[str, tuple[Path, subprocess.Popen[str]]],
) -> Path:
    root, process = systems[request.param]
    _, complaint = process.communicate(timeout=300)
    if process.returncode != 0:
        reason = f"no {request.param} to be had here: {complaint[-500:]}"
        if os.environ.get("RINGFENCE_LIVE") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return root


class Installation:
    """The package on a machine, and strangers who try what it lets through."""

    def __init__(self, lab: Lab, machine: Machine) -> None:
        self.lab = lab
        self.machine = machine
        self._sent = 0

    def install(self, package: Path, *options: str) -> str:
        """Run `dpkg -i`; return what it said."""
        self.machine.path("/root/new.deb").write_bytes(package.read_bytes())
        text = self.machine.run("dpkg", *options, "-i", "/root/new.deb", timeout=120)
        self.machine.path("/root/new.deb").unlink()
        return text

    def configure(self, text: str) -> None:
        self.machine.path(CONFIG).write_text(text)

    def configuration(self) -> str:
        return self.machine.path(CONFIG).read_text()

    def journal(self) -> str:
        """Return all that systemd and the agent have written of it."""
        return self.machine.run("journalctl", "--no-pager", "-o", "cat", "-u", UNIT)

    def state(self) -> str:
        return self.machine.unit(UNIT, "ActiveState")

    def pid(self) -> int:
        """Return the agent's number as the machine knows it."""
        return int(self.machine.unit(UNIT, "MainPID"))

    def proc(self, name: str) -> str:
        """Read a file of the agent's in /proc."""
        return self.machine.run("cat", f"/proc/{self.pid()}/{name}")

    def wait(self, kind: str, count: int = 1, **fields: object) -> Event:
        """Wait until it has logged so many such events; return the last."""

        def events() -> list[Event]:
            return self.machine.events(UNIT, kind, **fields)

        wait_until(lambda: len(events()) >= count, 15, f"{count} {kind} {fields}")
        return events()[-1]

    def rules(self) -> str:
        """Return all of netfilter, as the machine's own nft sees it."""
        return self.machine.run("nft", "--stateless", "list", "ruleset")

    def banned(self) -> set[str]:
        """Name whom the kernel drops."""
        listing = self.machine.run("nft", "list", "set", "inet", "ringfence", "banned4")
        return set(re.findall(r"\d+\.\d+\.\d+\.\d+", listing))

    def passes(self, source: str) -> bool:
        """Tell whether a REGISTER of a new stranger's phone arrives at the PBX."""
        self._sent += 1
        name = f"stranger-{self._sent}"
        with self.lab.outside.udp(source, SIP_PORT) as phone:
            text = request("REGISTER", source, PBX, user=name, call_id=name)
            phone.sendto(text, (PBX, SIP_PORT))
        self.lab.settle()
        wire = self.lab.inside_wire
        return bool(wire.find(sent=False, src=source, has=name.encode()))

    def files(self) -> set[str]:
        """Name all files and folders, but those where the system has its own notes."""
        listing = self.machine.run(
            "find", "/", "-xdev", "-type", "d", "-printf", "%p/\\n", "-o", "-print"
        )
        return {line for line in listing.splitlines() if not line.startswith(VOLATILE)}


@pytest.fixture
def installation(lab: Lab, system: Path) -> Iterator[Installation]:
    with Machine(lab, system) as machine:
        machine.path("/root/others.nft").write_text(OTHERS)
        machine.run("nft", "-f", "/root/others.nft")
        rule = ("-A", "FORWARD", "-p", "tcp", "--dport", "9999", "-j", "DROP")
        machine.run("iptables-nft", "-t", "security", *rule)
        yield Installation(lab, machine)


def second(package: Path, folder: Path, version: str, configuration: str = "") -> Path:
    """Return the same package as a later version, with more in its configuration."""
    root = folder / version
    dpkg_deb("-R", package, root)
    module = root / "usr/lib/python3/dist-packages/ringfence/__init__.py"
    module.write_text(f'__version__ = "{version}"\n', encoding="utf-8")
    control = root / "DEBIAN/control"
    ours = f"Version: {stage.version()}\n"
    text = control.read_text(encoding="utf-8")
    assert ours in text
    control.write_text(text.replace(ours, f"Version: {version}\n"), encoding="utf-8")
    with (root / CONFIG[1:]).open("a", encoding="utf-8") as shipped:
        shipped.write(configuration)
    dpkg_deb("-b", root, folder / f"{version}.deb")
    return folder / f"{version}.deb"


def dpkg_deb(*words: str | Path) -> None:
    subprocess.run(["dpkg-deb", *words], check=True, capture_output=True)  # noqa: S603, S607


def test_life_of_an_installation(installation: Installation, tmp_path: Path) -> None:
    """Install, start, judge, reload, upgrade, remove, purge; each step needs the last."""
    it, machine = installation, installation.machine
    package = deb.build(tmp_path)
    files_before, rules_before = it.files(), it.rules()
    assert it.passes(PHONE_ABROAD)

    # Installed, it runs, and is to run at the next boot.
    it.install(package)
    assert it.state() == "active", it.journal()
    assert machine.run("systemctl", "is-enabled", UNIT) == "enabled\n"
    library = "python3-netfilterqueue" in SUITES[machine.root.name]
    assert it.wait("ready")["binding"] == ("netfilterqueue" if library else "python")
    it.wait("notice", notice="offload")
    assert_restricted(it)
    path = machine.unit(UNIT, "FragmentPath")
    assert machine.run("systemd-analyze", "--man=no", "verify", path) == ""
    machine.run("systemd-analyze", "security", f"--threshold={EXPOSURE}", UNIT)

    # The configuration is the administrator's, and a reload is enough.
    shipped = it.configuration()
    here = shipped.replace('#table = "/etc/ringfence', 'table = "/etc/ringfence')
    assert here != shipped
    machine.path("/etc/ringfence/countries.csv").write_text(COUNTRY_TABLE)
    it.configure(here)
    assert machine.try_run("systemctl", "reload", UNIT)[0] == 0, it.journal()
    it.wait("reload", ok=True)
    wait_until(lambda: not it.passes(PHONE_ABROAD), 10, "the new table is in force")
    assert it.passes(PHONE_JP)

    # With a flaw in it a reload tells, and everything goes on as before.
    it.configure(f"{here}\n[nonsense]\n")
    code, _ = machine.try_run("systemctl", "reload", UNIT)
    assert code != 0
    assert "nonsense" in it.journal()
    assert it.state() == "active"
    machine.run("systemctl", "kill", "--kill-whom=main", "-s", "HUP", UNIT)
    assert "nonsense" in it.wait("reload", ok=False)["problems"][0]
    assert not it.passes(PHONE_ABROAD)
    assert it.passes(PHONE_JP)

    # An upgrade in that condition puts no agent that cannot start in its place.
    first = it.pid()
    assert "not restarted" in it.install(second(package, tmp_path, "98"))
    assert it.pid() == first
    assert not it.passes(PHONE_ABROAD)

    # Mended, an upgrade restarts it; what was edited stays, and who is banned.
    it.configure(here)
    machine.run("ringfence", "ban", SCANNER_JP, "--for", "2h")
    assert not it.passes(SCANNER_JP)
    it.install(second(package, tmp_path, "99"))
    assert it.pid() != first
    assert it.state() == "active", it.journal()
    assert machine.run("ringfence", "--version") == "ringfence 99\n"
    assert it.configuration() == here
    assert it.banned() == {SCANNER_JP}
    assert not it.passes(SCANNER_JP)
    assert it.passes(PHONE_JP)

    # A configuration that is shipped anew is laid beside it.
    more = second(package, tmp_path, "100", "\n# Something new.\n")
    it.install(more, "--force-confdef", "--force-confold")
    assert it.configuration() == here
    assert "# Something new." in machine.path(f"{CONFIG}.dpkg-dist").read_text()
    assert it.state() == "active", it.journal()
    assert it.banned() == {SCANNER_JP}

    # Stopped, it is gone from the kernel, bans included; killed, a removal clears up.
    machine.run("systemctl", "stop", UNIT)
    assert it.rules() == rules_before
    assert machine.path("/var/lib/ringfence/state.json").exists()
    machine.run("systemctl", "start", UNIT)
    machine.run("systemctl", "kill", "--kill-whom=main", "-s", "KILL", UNIT)
    assert "table inet ringfence" in it.rules()
    machine.run("dpkg", "-r", "ringfence")
    assert it.rules() == rules_before
    assert it.passes(PHONE_ABROAD)
    assert not machine.path("/usr/bin/ringfence").exists()
    assert it.configuration() == here

    # Installed again over a configuration with a flaw: dpkg is content, it is not.
    it.configure(f"{here}\n[nonsense]\n")
    it.install(more, "--force-confold")
    assert it.state() == "failed"
    assert machine.unit(UNIT, "ExecMainStatus") == "2"
    assert machine.unit(UNIT, "NRestarts") == "0"
    assert it.rules() == rules_before

    # Purged, nothing is left but what somebody else has put there.
    machine.run("dpkg", "--purge", "ringfence")
    assert it.files() - files_before == {
        "/etc/ringfence/",
        "/etc/ringfence/countries.csv",
    }
    assert files_before - it.files() == set()
    assert it.rules() == rules_before


def assert_restricted(it: Installation) -> None:
    """Look at the running agent, not at what the unit says."""
    status = dict(
        line.split(":\t", 1) for line in it.proc("status").splitlines() if ":\t" in line
    )
    wanted = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Bnd")} == {wanted}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mounts = {
        line.split()[4]: line.split()[5] for line in it.proc("mountinfo").splitlines()
    }
    assert mounts["/"].startswith("ro,")
    assert mounts["/var/lib/ringfence"].startswith("rw,")
    assert mounts["/run/ringfence"].startswith("rw,")
    modes = it.machine.run("stat", "-c", "%a", "/run/ringfence", "/var/lib/ringfence")
    assert modes == "700\n700\n"
