"""Readings from files and programs; those of the kernel are in test_netfilter.py."""

import os
from pathlib import Path

import pytest
from bundles import CREATED, KEY, key_folder
from doctoring import settings
from ringfence.config import Config
from ringfence.doctor.gather import (
    Root,
    attempt,
    bound_ports,
    clock,
    disk,
    gather,
    keys,
    machine,
    memory,
    openings,
    read_configured,
    stored,
)
from ringfence.doctor.readings import Unread
from ringfence.errors import KernelError
from stores import Router, archive

UFW = "ufw/ufw.conf"

SHOWN = """firewall.@defaults[0]=defaults
firewall.@zone[1]=zone
firewall.@zone[1].name='wan'
firewall.@redirect[0]=redirect
firewall.@redirect[0].src='wan'
firewall.@redirect[0].src_dport='5060'
firewall.@redirect[0].dest_ip='192.168.1.5'
firewall.sip=rule
firewall.sip.src='wan'
firewall.sip.dest_port='5060-5065'
firewall.sip.target='ACCEPT'
firewall.@rule[3]=rule
firewall.@rule[3].src='wan'
firewall.@rule[3].dest_port='5060'
firewall.@rule[3].target='DROP'
firewall.@rule[4]=rule
firewall.@rule[4].src='lan'
firewall.@rule[4].dest_port='5060'
firewall.@rule[4].target='ACCEPT'
firewall.@rule[5]=rule
firewall.@rule[5].src='wan'
firewall.@rule[5].dest_port='5060'
firewall.@rule[5].target='ACCEPT'
firewall.@rule[5].enabled='0'
firewall.@rule[6]=rule
firewall.@rule[6].src='wan'
firewall.@rule[6].dest_port='53' '80'
firewall.@rule[6].target='ACCEPT'
"""


def configured(folder: Path, text: str = "") -> Config:
    return settings(
        f'{text}\n[bundle]\nstore = "{folder}/rules"\nkeys = "{folder}/keys"\n'
        f'factory = "{folder}/rom/base.tar"\n[control]\nsocket = "{folder}/run/s"\n'
    )


def test_whatever_goes_wrong_becomes_a_reason() -> None:
    def raises(error: Exception) -> None:
        raise error

    reasons = {
        "no such thing": KernelError("no such\nthing"),
        "/x: No such file": FileNotFoundError(2, "No such file", "/x"),
        "KeyError: 'y'": KeyError("y"),
        "it broke": OSError("it broke"),
    }
    for reason, error in reasons.items():
        assert attempt(lambda error=error: raises(error)) == Unread(reason)  # type: ignore[misc]
    assert attempt(lambda: 5) == 5


@pytest.mark.parametrize(
    ("files", "programs", "expected"),
    [
        (["openwrt_release"], ["opkg", "fw4"], ("openwrt", "opkg", "fw4")),
        (["openwrt_release"], ["apk", "fw4"], ("openwrt", "apk", "fw4")),
        (["debian_version", UFW], ["apt-get", "ufw"], ("debian", "apt", "ufw")),
        (["debian_version"], ["apt-get", "ufw"], ("debian", "apt", "")),
        (["debian_version"], ["firewall-cmd"], ("debian", "apt", "firewalld")),
        ([], ["apt-get"], ("other", "", "")),
    ],
)
def test_what_system_this_is(
    files: list[str],
    programs: list[str],
    expected: tuple[str, str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    etc, programs_in = tmp_path / "etc", tmp_path / "bin"
    programs_in.mkdir()
    for name in files:
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text("# on\nENABLED=yes\n")
    for name in programs:
        (programs_in / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs_in))
    assert machine(Root(etc=etc))[:3] == expected


def test_a_configuration_with_errors_is_read_with_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "ringfence.toml"
    path.write_text('mode = "enfroce"\n[network]\nsip_ports = [0]\n')
    path.chmod(0o666)
    found = read_configured(path)
    assert len(found.problems) == 2
    assert found.config == settings("")
    assert (found.path, found.mode) == (str(path), 0o666)
    missing = read_configured(tmp_path / "none.toml")
    assert "cannot be read" in missing.problems[0]


def test_a_floor_for_the_clock(tmp_path: Path) -> None:
    router = Router(tmp_path, factory=1)
    found = clock(configured(tmp_path))
    assert found.floor <= found.now
    newest = router.places.factory
    os.utime(newest, (found.now - 5, found.now - 5))
    assert clock(configured(tmp_path)).floor == int(found.now - 5)
    os.utime(newest, (found.now + 9_000, found.now + 9_000))
    assert clock(configured(tmp_path)).floor <= found.now, "it may be the file's clock"


def test_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(
        "MemTotal:  122880 kB\nMemFree: 5 kB\nMemAvailable:   81920 kB\nX: 3\n"
    )
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "status").write_text("Name:\tpython3\nRssAnon:\t  12288 kB\n")
    assert memory(tmp_path, 77) == (80 << 20, 120 << 20, 12 << 20)
    assert memory(tmp_path, 78) == (80 << 20, 120 << 20, None)
    assert memory(tmp_path, None).agent is None
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text("RssAnon:\t  1024 kB\n")
    assert memory(tmp_path, None).available == 81 << 20


def test_the_store_s_disk(tmp_path: Path) -> None:
    config = configured(tmp_path)
    found = disk(config)
    assert (found.folder, found.read_only) == (f"{tmp_path}/rules", False)
    assert found.free > 0
    assert found.largest == 0
    router = Router(tmp_path).settled(42)
    assert disk(config).largest == router.places.of("a").stat().st_size


def test_keys(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert keys(config).known == 0
    assert keys(config).problem is None
    folder = key_folder(tmp_path / "keys")
    assert keys(config) == (str(folder), 2, None, ())
    (folder / "1").chmod(0o777)
    assert keys(config).open_to_others == (str(folder / "1"),)
    (folder / "1" / KEY.number.hex()).write_text("no key")
    assert "expected a public key" in (keys(config).problem or "")


def test_the_store(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert stored(config) == ((), None, None, ())
    router = Router(tmp_path).settled(42)
    (bundle,) = stored(config).bundles
    assert (bundle.where, bundle.version) == ("a", "1.42")
    assert bundle.created == CREATED
    router.install(archive(43))
    found = stored(config)
    assert (found.used, found.trial) == ("b", "b, 3 starts left")
    router.places.of("a").write_bytes(b"no archive")
    assert stored(config).problems


def test_ports_that_others_can_reach(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    head = "  sl  local_address rem_address   st\n"
    udp = (
        "1: 00000000:13C4 00000000:0000 07\n"  # 5060
        "2: 0100007F:0035 00000000:0000 07\n"  # on loopback
        "2: 7F000001:0036 00000000:0000 07\n"  # of a big endian machine
        "3: 0101A8C0:D431 08080808:0035 01\n"  # connected
    )
    (tmp_path / "net/udp").write_text(head + udp)
    six = (
        f"1: {'0' * 32}:13C5 {'0' * 32}:0000 07\n"
        f"2: {'0' * 24}01000000:0035 {'0' * 32}:0000 07\n"
        f"2: {'0' * 31}1:0036 {'0' * 32}:0000 07\n"
    )
    (tmp_path / "net/udp6").write_text(head + six)
    assert bound_ports(tmp_path, "udp") == {5060, 5061}
    (tmp_path / "net/udp6").unlink()  # a kernel without IPv6
    assert bound_ports(tmp_path, "udp") == {5060}
    (tmp_path / "net/tcp").write_text(head + "1: 00000000:13C4 00000000:0000 0A\n")
    assert bound_ports(tmp_path, "tcp") == {5060}


def test_what_opens_the_port_on_openwrt() -> None:
    assert openings(SHOWN, frozenset({5060})) == (
        "firewall.@redirect[0]",
        "firewall.sip",
    )
    provider = SHOWN + "firewall.sip.src_ip='198.51.100.7'\n"
    assert openings(provider, frozenset({5060})) == ("firewall.@redirect[0]",)
    unsaid = SHOWN.replace("firewall.sip.target='ACCEPT'\n", "")
    assert openings(unsaid, frozenset({5060})) == ("firewall.@redirect[0]",)
    assert openings(SHOWN, frozenset({80})) == ("firewall.@rule[6]",)
    assert openings("", frozenset({5060})) == ()


def test_without_any_program_nothing_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = gather(tmp_path / "none.toml", Root(tmp_path, tmp_path))
    assert found.agent is None
    assert isinstance(found.nft, Unread)
    assert "not in PATH" in found.nft.why
    assert found.xtables is False
    assert isinstance(found.memory, Unread)
    assert isinstance(found.udp_ports, Unread)
