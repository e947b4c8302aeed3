import tomllib
from pathlib import Path

import pytest
from ringfence.facts.numbers import (
    Destinations,
    Dialplan,
    NumberPolicy,
    NumberReader,
)

REPO = Path(__file__).parents[3]
RULES = REPO / "rules"


@pytest.fixture(scope="session")
def jp_table() -> dict[str, object]:
    return tomllib.loads((RULES / "dialplans/jp.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def plan(jp_table: dict[str, object]) -> Dialplan:
    return Dialplan.from_table(jp_table, "rules/dialplans/jp.toml")


@pytest.fixture(scope="session")
def dests() -> Destinations:
    path = RULES / "destinations.csv"
    return Destinations.from_csv(path.read_text(encoding="utf-8"), path.name)


@pytest.fixture(scope="session")
def reader(plan: Dialplan, dests: Destinations) -> NumberReader:
    return NumberReader(plan, dests)


@pytest.fixture(scope="session")
def office() -> NumberPolicy:
    return NumberPolicy()
