"""What `firmware_pkg/README.md` says of sizes is true of the package of today."""

import re

import ipk
import openwrt
import pytest
import stage

README = (stage.ROOT / "firmware_pkg" / "README.md").read_text(encoding="utf-8")
MB = 1_000_000


def size(end: str = "") -> int:
    found = [entry for entry in openwrt.entries() if entry.path.endswith(end)]
    return sum(len(entry.data) for entry in found)


def said(pattern: str) -> float:
    (found,) = re.findall(pattern.replace("N", r"(\d+\.\d+) MB"), README)
    return float(found) * MB


def test_sizes() -> None:
    package = len(ipk.package(openwrt.entries(), 0))
    assert said("`.ipk`: N") == pytest.approx(package, rel=0.05)
    assert said("Installed: N") == pytest.approx(size(), rel=0.05)
    assert said("N of it code") == pytest.approx(size(".py"), rel=0.05)
    assert said("N the country table, p") == pytest.approx(size(".tbl"), rel=0.05)
