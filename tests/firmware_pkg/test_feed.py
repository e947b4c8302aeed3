"""The feed for OpenWrt's build system; its recipes are run, its macros are ours."""

import re
import shutil
import subprocess
from pathlib import Path

import feed
import openwrt
import pytest
import stage
from openwrtroot import unpack
from ringfence import __version__

MAKEFILES = sorted(feed.FOLDER.rglob("Makefile"))
AGENT = feed.FOLDER / "ringfence" / "Makefile"

RULES = "CP := cp -a\nPKG_BUILD_DIR := $(TOPDIR)/build\n"
PACKAGE = """
define BuildPackage
all:
	$$(call Build/Prepare)
	mkdir -p $(TOPDIR)/root
	$$(call Package/$(1)/install,$(TOPDIR)/root)
$(foreach name,conffiles postinst prerm postrm,
$(file >$(TOPDIR)/$(name),$(Package/$(1)/$(name))))
endef
"""
"""What the Makefile needs of OpenWrt's rules.mk and package.mk."""


def variables(path: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Z0-9_]+):=(.*)$", path.read_text(), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("path", MAKEFILES, ids=lambda path: path.parent.name)
def test_formalities(path: Path) -> None:
    text = path.read_text()
    assert "\r" not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    named = variables(path)
    assert named["PKG_RELEASE"] == "1"
    assert {"PKG_NAME", "PKG_LICENSE", "PKG_MAINTAINER", "PKG_VERSION"} <= set(named)
    # What is fetched is fetched by its sum.
    if "PYPI_NAME" in named:
        assert re.fullmatch("[0-9a-f]{64}", named["PKG_HASH"])
    # The last lines are evaluated, so a name in them must not be a variable.
    assert "PKG_NAME)" not in text[text.index("$(eval") :]
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("define "):
            inside = line.split("/")[-1]
        elif line == "endef":
            inside = ""
        elif inside in {"install", "Prepare", "Compile"}:
            assert line.startswith("\t"), f"{path}:{number}"
        elif inside == "conffiles":
            assert line.startswith("/"), f"{path}:{number}"


def test_it_says_what_the_ipk_says() -> None:
    assert variables(AGENT)["PKG_VERSION"] == __version__ == stage.version()
    assert f"{__version__}-r{variables(AGENT)['PKG_RELEASE']}" == openwrt.release()
    assert variables(AGENT)["PKG_LICENSE"] == openwrt.LICENSE
    (line,) = re.findall(r"^  DEPENDS:=(.*)$", AGENT.read_text(), re.MULTILINE)
    assert line.split() == ["+python3-light", *(f"+{one}" for one in openwrt.DEPENDS)]
    assert "PKGARCH:=all" in AGENT.read_text()


def built(folder: Path, tmp_path: Path) -> Path:
    """Run the recipes of a feed's package; return what they made."""
    top = tmp_path / "openwrt"
    top.mkdir()
    (top / "rules.mk").write_text(RULES)
    (top / "package.mk").write_text(PACKAGE)
    done = subprocess.run(  # noqa: S603
        ["make", "-C", str(folder), f"TOPDIR={top}", f"INCLUDE_DIR={top}"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return top


def commands(text: str) -> list[str]:
    """Return a script without comments, in one spelling of variables."""
    lines = text.replace("${", "$").replace("}", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("where", ["clone", "archive"])
def test_it_installs_what_the_ipk_installs(where: str, tmp_path: Path) -> None:
    folder = feed.FOLDER / "ringfence"
    if where == "archive":
        packed = feed.build(tmp_path)
        shutil.unpack_archive(packed, tmp_path, filter="data")
        folder = tmp_path / f"ringfence-feed-{__version__}" / "ringfence"
    top = built(folder, tmp_path)
    found = {
        path.relative_to(top / "root").as_posix(): path
        for path in (top / "root").rglob("*")
        if path.is_file()
    }
    assert set(found) == {entry.path for entry in openwrt.entries()}
    for entry in openwrt.entries():
        assert found[entry.path].read_bytes() == entry.data
        assert found[entry.path].stat().st_mode & 0o777 == entry.mode
    assert (top / "build" / "LICENSE").exists()
    assert (top / "conffiles").read_text().split() == openwrt.conffiles().split()
    for name, ours in (
        ("postinst", openwrt.POSTINST),
        ("prerm", openwrt.PRERM),
        ("postrm", openwrt.POSTRM),
    ):
        assert commands((top / name).read_text()) == commands(ours), name


def test_the_archive_is_the_same_twice_and_brings_no_more_than_it_needs(
    tmp_path: Path,
) -> None:
    packed = feed.build(tmp_path).read_bytes()
    assert feed.build(tmp_path).read_bytes() == packed
    members = unpack(packed)
    top = f"./ringfence-feed-{__version__}"
    for package in ("ringfence", "python-netfilterqueue"):
        assert f"{top}/{package}/Makefile" in members
    assert members[f"{top}/ringfence/test.sh"][0].mode & 0o111
    source = f"{top}/ringfence/src/"
    inside = {
        "/".join(name.removeprefix(source).split("/")[:2])
        for name, (member, _) in members.items()
        if name.startswith(source) and member.isfile()
    }
    assert {name.split("/")[0] for name in inside} == {
        *("agent", "rules", "firmware_pkg", "LICENSE"),
    }
    assert not [name for name in members if "__pycache__" in name or ".git" in name]


def test_what_lies_about_stays_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, caches and what editors leave: all of it in a clone that is worked in."""
    held = feed.entries("feed")
    clone = tmp_path / "clone"
    for name in ("agent/ringfence", "rules", "firmware_pkg"):
        shutil.copytree(
            stage.ROOT / name,
            clone / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(stage.ROOT / "LICENSE", clone)
    for name in (
        *("agent/ringfence/maker.sec", "agent/ringfence/__pycache__/cli.pyc"),
        *("rules/maker.sec", "rules/__pycache__/catalogue.toml", "rules/.x.toml.swp"),
        *("rules/.cache/rule.toml", "firmware_pkg/build/make.py~"),
        *("firmware_pkg/openwrt/.Makefile.swp", "firmware_pkg/files/.x.init.swp"),
    ):
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text("not for anybody")
    monkeypatch.setattr(stage, "ROOT", clone)
    monkeypatch.setattr(stage, "_AGENT", clone / "agent/ringfence")
    monkeypatch.setattr(stage, "_RULES", clone / "rules")
    monkeypatch.setattr(feed, "FOLDER", clone / "firmware_pkg/openwrt")
    assert feed.entries("feed") == held
    installed = [entry.path for entry in stage.code("lib")]
    assert not [path for path in installed if "cache" in path or ".sec" in path]
