"""Which files a bundle holds."""

import pytest
from builders import RULES
from bundles import FILES
from ringfence.bundle.layout import KINDS, kind_of, lacking
from ringfence.bundle.source import Folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("scanner.toml", "rule"),
        ("dialplans/jp.toml", "dial plan"),
        ("destinations.csv", "destinations"),
        ("geo/country.tbl", "country table"),
        ("vectors.jsonl", "vectors"),
        ("rates.csv", "rates"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    found = kind_of(name)
    assert found is not None
    assert found.name == kind


@pytest.mark.parametrize(
    "name",
    [
        *("", ".toml", "README.md", "catalogue.py", "geo/rebuild.py", "MANIFEST"),
        *("dialplans/.toml", "dialplans/jp.csv", "geo/jp.toml", "dialplans/a/b.toml"),
        *("destinations", "other.csv", "x/destinations.csv", "country.tbl"),
    ],
)
def test_other_names(name: str) -> None:
    assert kind_of(name) is None


def test_what_a_bundle_needs() -> None:
    assert lacking(FILES) == []
    assert lacking([]) == [kind.name for kind in KINDS if kind.name != "rates"]
    assert lacking(FILES.keys() - {"geo/country.tbl"}) == ["country table"]


def test_the_embedded_rules_are_a_bundle_s() -> None:
    names = Folder(RULES).names()
    assert lacking(names) == []
    assert all((RULES / name).stat().st_size < kind_of(name).most for name in names)  # type: ignore[union-attr]
