"""Rules, dial plans and destinations from a folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import RULES
from ringfence.bundle.embedded import (
    MOST_NESTED,
    dialplan_names,
    load_destinations,
    load_dialplan,
    load_rules,
    read_text,
    read_toml,
)
from ringfence.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the embedded rules, to be damaged."""
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy, ignore=shutil.ignore_patterns("geo", "*.py"))
    return copy


def refusal(load: Callable[[], object]) -> list[str]:
    with pytest.raises(BundleError) as refused:
        load()
    assert refused.value.exit_code == 4
    return str(refused.value).splitlines()


def test_the_embedded_rules() -> None:
    rules = load_rules(RULES)
    assert {rule.id for rule in rules.rules} == {
        path.stem for path in RULES.glob("*.toml")
    }
    names = ["au", "ca", "de", "fr", "gb", "jp", "kr", "sg", "us"]
    assert dialplan_names(RULES) == names
    assert [load_dialplan(RULES, name).country.lower() for name in names] == names
    destination = load_destinations(RULES).find("23276123456")
    assert destination is not None
    assert (destination.country, destination.tier) == ("SL", "block")


def test_all_problems_of_all_files_at_once(folder: Path) -> None:
    (folder / "scanner.toml").write_text("id = \n", encoding="utf-8")
    (folder / "binary.toml").write_bytes(b"\xff")
    blocked = folder / "blocked-destination.toml"
    text = blocked.read_text(encoding="utf-8")
    blocked.write_text(text.replace('severity = "high"', 'severity = "higher"'))
    foreign = folder / "foreign-registration.toml"
    foreign.rename(folder / "abroad.toml")
    assert refusal(lambda: load_rules(folder)) == [
        "abroad.toml: id = 'foreign-registration': expected 'abroad'",
        f"{folder}/binary.toml: byte 0 is not UTF-8: expected text",
        "blocked-destination.toml: severity = 'higher': expected one of critical, high, "
        "medium, low",
        f"{folder}/scanner.toml: not valid TOML: Invalid value (at line 1, column 6)",
    ]


def test_a_folder_with_nothing_in_it(tmp_path: Path) -> None:
    expected = [f"{tmp_path}: holds no rule; expected *.toml files"]
    assert refusal(lambda: load_rules(tmp_path)) == expected
    assert dialplan_names(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    expected = [f"{missing}: holds no rule; expected *.toml files"]
    assert refusal(lambda: load_rules(missing)) == expected


def test_files_that_cannot_be_read(folder: Path) -> None:
    destinations = folder / "destinations.csv"
    destinations.unlink()
    assert refusal(lambda: load_destinations(folder)) == [
        f"{destinations}: cannot be read: No such file or directory"
    ]
    plan = folder / "dialplans" / "jp.toml"
    plan.unlink()
    plan.mkdir()
    assert refusal(lambda: load_dialplan(folder, "jp")) == [
        f"{plan}: cannot be read: Is a directory"
    ]


def test_damaged_tables_are_named(folder: Path) -> None:
    plan = folder / "dialplans" / "jp.toml"
    plan.write_text('country = "JP"\nidd = ["11"]\n', encoding="utf-8")
    problems = refusal(lambda: load_dialplan(folder, "jp"))
    assert all(problem.startswith("jp.toml: ") for problem in problems)
    destinations = folder / "destinations.csv"
    destinations.write_text("nonsense\n", encoding="utf-8")
    problems = refusal(lambda: load_destinations(folder))
    assert all(problem.startswith("destinations.csv:") for problem in problems)


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('text = "é"\n', encoding="utf-8")
    assert read_text(tmp_path, "a.toml") == 'text = "é"\n'
    assert read_toml(tmp_path, "a.toml") == {"text": "é"}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 30_000 + "]" * 30_000,
        "a = " + "{a = " * 10_000 + "1" + "}" * 10_000,
        ".".join(["a"] * 30_000) + " = 1",
        "a = " + "[" * MOST_NESTED + "1" + "]" * MOST_NESTED,
    ],
    ids=["lists", "tables", "keys", "one too many"],
)
def test_what_is_nested_too_deeply(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert refusal(lambda: read_toml(tmp_path, "a.toml"))[0].startswith(
        f"{tmp_path}/a.toml: "
    )


def test_as_deep_as_may_be(tmp_path: Path) -> None:
    depth = MOST_NESTED - 1
    text = "a = " + "[" * depth + "1" + "]" * depth
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert read_toml(tmp_path, "a.toml")
