"""The .ipk: its form, and that everything in it is meant to be there."""

import re
import shutil
import subprocess
from pathlib import Path

import ipk
import openwrt
import pytest
import stage
from openwrtroot import OpenWrt, unpack
from ringfence import __version__

TIME = 1_700_000_000
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def package() -> bytes:
    return ipk.package(openwrt.entries(), TIME)


def fields(package: bytes) -> dict[str, str]:
    text = unpack(unpack(package)["./control.tar.gz"][1])["./control"][1].decode()
    return dict(line.split(": ", 1) for line in text.splitlines() if line[0] != " ")


def test_the_same_twice(package: bytes) -> None:
    assert ipk.package(openwrt.entries(), TIME) == package
    assert ipk.package(openwrt.entries(), TIME + 1) != package


def test_three_members_in_their_order(package: bytes) -> None:
    outer = unpack(package)
    assert list(outer) == ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]
    assert outer["./debian-binary"][1] == b"2.0\n"


def test_gzip_says_neither_name_nor_time(package: bytes) -> None:
    outer = unpack(package)
    for packed in (package, outer["./data.tar.gz"][1], outer["./control.tar.gz"][1]):
        assert packed[:4] == b"\x1f\x8b\x08\x00"  # flags: no name
        assert packed[4:8] == bytes(4)
        assert packed[8:10] == b"\x02\x03"  # Python 3.13's own header has another end


def test_everything_is_roots_and_writable_by_no_other(package: bytes) -> None:
    outer = unpack(package)
    for name in ("./data.tar.gz", "./control.tar.gz"):
        for member, _ in unpack(outer[name][1]).values():
            assert (member.uid, member.gid) == (0, 0), member.name
            assert member.mtime == TIME, member.name
            assert member.mode & 0o022 == 0, member.name
            assert member.name == "." or re.match(r"\./[a-z]", member.name)


def test_folders_come_before_what_they_hold(package: bytes) -> None:
    seen: set[str] = set()
    for name, (member, _) in unpack(unpack(package)["./data.tar.gz"][1]).items():
        assert name == "." or name.rpartition("/")[0] in seen
        if member.isdir():
            seen.add(name)
    assert "./CONTROL" not in seen


def test_what_is_executable(package: bytes) -> None:
    data = unpack(unpack(package)["./data.tar.gz"][1])
    found = {
        n for n, (member, _) in data.items() if member.isfile() and member.mode & 1
    }
    assert found == {"./usr/bin/ringfence", "./etc/init.d/ringfence"}
    control = unpack(unpack(package)["./control.tar.gz"][1])
    scripts = {n for n, (member, _) in control.items() if member.isfile()}
    assert {n for n in scripts if control[n][0].mode & 1} == scripts - {
        "./control",
        "./conffiles",
    }
    assert all(control[n][1].startswith(b"#!/bin/sh\n") for n in ("./postinst",))


def test_the_fields(package: bytes) -> None:
    found = fields(package)
    assert found["Package"] == "ringfence"
    assert found["Version"] == f"{__version__}-r1"
    assert found["Architecture"] == "all"
    # What the table of countries and the names in it are under, too.
    assert found["License"] == "Apache-2.0 AND CC-BY-SA-4.0 AND Unicode-3.0"
    assert found["Section"] == "net"
    depends = found["Depends"].split(", ")
    assert depends[0] == "python3-light (>= 3.11)"
    assert {"nftables-json", "kmod-nft-queue", "kmod-nfnetlink-queue"} < set(depends)
    # No feed has these, so no package may ask for them.
    assert not re.search("dpkt|tomli|pyroute2|netfilterqueue|nacl", found["Depends"])


def test_the_installed_size_is_true(package: bytes) -> None:
    data = unpack(unpack(package)["./data.tar.gz"][1])
    size = sum(len(content) for _, content in data.values())
    assert fields(package)["Installed-Size"] == str(size)


def test_conffiles_are_there(package: bytes) -> None:
    outer = unpack(package)
    text = unpack(outer["./control.tar.gz"][1])["./conffiles"][1].decode()
    data = unpack(outer["./data.tar.gz"][1])
    names = text.splitlines()
    assert names == ["/etc/config/ringfence", "/etc/ringfence/ringfence.toml"]
    assert all(data[f".{name}"][0].isfile() for name in names)


def test_the_agent_is_whole_and_nothing_else(package: bytes) -> None:
    data = unpack(unpack(package)["./data.tar.gz"][1])
    folder = f"./{openwrt.FOLDER}/ringfence"
    modules = {name for name in data if name.endswith(".py")}
    agent = stage.ROOT / "agent" / "ringfence"
    assert modules == {
        f"{folder}/{path.relative_to(agent).as_posix()}" for path in agent.rglob("*.py")
    }
    rules = {name for name in data if name.startswith(f"{folder}/_rules/")}
    assert f"{folder}/_rules/geo/country.tbl" in rules
    assert f"{folder}/_rules/vectors.jsonl" in rules
    # Generators, tests, caches and keys stay at home.
    assert not [n for n in data if re.search(r"__pycache__|\.pyc|/tests?/|\.sec$", n)]
    top = {name.split("/")[1] for name in data if name != "."}
    assert top == {"etc", "lib", "usr"}


def test_what_is_kept_through_a_firmware_update() -> None:
    kept = (stage.FILES / "ringfence.keep").read_text().splitlines()
    assert kept == ["/etc/config/ringfence", "/etc/ringfence/"]
    assert all(
        any(f"/{entry.path}".startswith(line) for line in kept)
        for entry in openwrt.entries()
        if entry.kept
    )


def test_opkg_takes_it(package: bytes, tmp_path: Path) -> None:
    """With the real one, where there is one: twice, over an edited file, and away."""
    program = shutil.which("opkg-cl") or shutil.which("opkg")
    if program is None:
        pytest.skip("needs opkg, which no Debian package brings")
    root = tmp_path / "root"
    for name in ("tmp", "usr/lib/opkg/info", "var/lock"):
        (root / name).mkdir(parents=True)
    file = tmp_path / "ringfence.ipk"

    def call(*words: str) -> None:
        options = ["-o", str(root), "--add-arch", "all:1", "--add-dest", "root:/"]
        subprocess.run(  # noqa: S603
            [program, *options, "--force-depends", *words], check=True, timeout=60
        )

    config = root / stage.CONFIG
    file.write_bytes(package)
    call("install", str(file))
    config.write_text('mode = "monitor"\n')
    newer = [
        entry._replace(data=entry.data + b"# new\n") if entry.kept else entry
        for entry in openwrt.entries()
    ]
    file.write_bytes(ipk.package(newer, TIME + 1))
    call("--force-reinstall", "install", str(file))
    assert config.read_text() == 'mode = "monitor"\n'
    call("remove", "ringfence")
    assert config.exists()
    assert not (root / "usr/bin/ringfence").exists()


# The control scripts, in a folder that passes for an OpenWrt.


@pytest.fixture
def router(tmp_path: Path, package: bytes) -> OpenWrt:
    router = OpenWrt(tmp_path)
    router.lay(package)
    return router


def uci(router: OpenWrt) -> list[str]:
    path = router.root / "uci"
    return path.read_text().splitlines() if path.exists() else []


INCLUDE = [
    "firewall.ringfence=include",
    "firewall.ringfence.type=script",
    "firewall.ringfence.path=/usr/share/ringfence/firewall.include",
]


def test_installing(router: OpenWrt) -> None:
    router.script("postinst")
    assert uci(router) == INCLUDE
    assert not (router.root / "etc/uci-defaults/80-ringfence").exists()
    trace = router.trace()
    # The include is in place before the firewall reads it, and the agent comes last.
    assert trace[:3] == ["uci commit firewall", "firewall reload", "open ringfence"]
    assert (router.root / "etc/rc.d/S21ringfence").is_symlink()


def test_building_an_image(router: OpenWrt) -> None:
    """On somebody's computer: links are made, nothing is run, nothing set."""
    done = router.run(
        *("/bin/sh", "-c"),
        "mkdir -p /image && for f in bin etc lib usr sbin; do ln -s /$f /image/$f; done;"
        " exec /bin/sh /usr/lib/opkg/info/ringfence.postinst",
        IPKG_INSTROOT="/image",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert router.trace() == []
    assert uci(router) == []
    assert (router.root / "etc/uci-defaults/80-ringfence").exists()
    assert (router.root / "etc/rc.d/S21ringfence").is_symlink()


def test_without_openwrts_functions_nothing_happens(router: OpenWrt) -> None:
    (router.root / "lib/functions.sh").unlink()
    router.script("postinst")
    router.script("prerm")
    assert router.trace() == []


def test_upgrading_leaves_what_was_edited(router: OpenWrt, package: bytes) -> None:
    router.script("postinst")
    config = router.root / stage.CONFIG
    config.write_text('mode = "monitor"\n')
    router.switches(enabled="1", keep_bans="1")
    router.write("var/run/ringfence/python/old.pyc", "of the version before")
    router.trace()
    router.script("prerm", PKG_UPGRADE="1")
    assert router.trace() == ["kill ringfence"]
    assert uci(router) == INCLUDE
    router.lay(package, keep=True)
    router.script("postinst", PKG_UPGRADE="1")
    assert uci(router) == INCLUDE  # once
    assert config.read_text() == 'mode = "monitor"\n'
    assert "procd_append_param command --keep-bans" in router.trace()
    assert not (router.root / "var/run/ringfence/python").exists()
    assert (router.root / "etc/rc.d/S21ringfence").is_symlink()


def test_upgrading_leaves_an_include_that_was_switched_off(
    router: OpenWrt, package: bytes
) -> None:
    router.script("postinst")
    router.run("/sbin/uci", "set", "firewall.ringfence.enabled=0")
    router.lay(package, keep=True)
    router.script("postinst", PKG_UPGRADE="1")
    assert uci(router) == [*INCLUDE, "firewall.ringfence.enabled=0"]


def test_removing(router: OpenWrt) -> None:
    router.script("postinst")
    config = router.root / stage.CONFIG
    router.trace()
    router.script("prerm")
    assert uci(router) == []
    assert not (router.root / "etc/rc.d/S21ringfence").is_symlink()
    router.script("postrm")
    assert router.trace() == [
        "uci commit firewall",
        # Bans that outlive a restart have to go, and the agent with them.
        *("kill ringfence", "ringfence cleanup"),
        "kill ringfence",
        "firewall reload",
    ]
    assert config.exists()
    assert not (router.root / "var/run/ringfence").exists()
