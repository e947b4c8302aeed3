"""The documented theft, a slow one, and a year of nobody's: what each costs the line."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from builders import COUNTRIES, REPOSITORY
from office_line import judge
from ringfence.cli import main
from ringfence.config import assemble, parse_config
from ringfence.engine import Engine
from theft_figures import THEFT, acquaint, figures, in_japan, run, site
from theft_sweep import worst

import theft  # isort: skip
from incident import INCIDENT, SLOW, Scenario, Traffic, calls, capture  # isort: skip
from office_days import YEAR, day_of  # isort: skip

SHIPPED = REPOSITORY / "firmware_pkg/files/ringfence.toml"

FIVE_MINUTES = 850_000
"""Thousandths of a yen for five minutes to a country of the dear kind."""
DEFAULT_DAY = 5_000_000
"""Thousandths of a yen a day that are allowed by default."""


def test_the_list_stops_the_documented_theft_before_its_first_call(
    tmp_path: Path,
) -> None:
    found = figures(site(tmp_path), INCIDENT, range(THEFT[18], THEFT[21]))
    assert found.let_through == found.cost == 0
    assert found.stopped > 2_000
    assert found.hindered == []
    assert found.opened == ["stopped-calls"], "the owner hears of it"


@pytest.fixture(scope="module")
def unlisted(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with in_japan():
        return run(
            "the same, the thief in the PBX itself", tmp_path_factory.mktemp("site")
        )


def test_without_any_list_behaviour_stops_it_within_five_calls(unlisted) -> None:  # type: ignore[no-untyped-def]
    assert unlisted.let_through <= 5
    assert unlisted.cost <= 1_000_000
    assert unlisted.let_through + unlisted.stopped > 14_000
    assert unlisted.hindered == []


def test_it_is_one_incident_told_of_twice(unlisted) -> None:  # type: ignore[no-untyped-def]
    assert unlisted.opened == ["country-surge"]
    assert unlisted.closed == 1


def test_every_call_is_told_of_once(unlisted) -> None:  # type: ignore[no-untyped-def]
    ends = Counter(one.end for one in unlisted.told)
    assert ends["stopped"] == unlisted.stopped
    paid = sum(one.cost or 0 for one in unlisted.told if one.country == "SL")
    assert paid == unlisted.cost


def test_a_slow_theft_by_way_of_ten_countries_costs_less_than_a_day(
    tmp_path: Path,
) -> None:
    with in_japan():
        found = run("slow, ten countries in turn, no list", tmp_path, THEFT[18:])
    assert 0 < found.cost <= DEFAULT_DAY
    assert found.let_through <= 4
    assert found.stopped > 470
    assert found.hindered == []
    assert found.opened == ["country-rotation"]


def test_twelve_months_without_theft_close_nothing(tmp_path: Path) -> None:
    with in_japan():
        found = run("twelve months without theft", tmp_path)
    assert found.opened == []
    assert found.hindered == []
    assert found.stopped == 0
    assert 0 < found.shares < 12, "half of a month's budget now and then"
    abroad = [one for one in found.told if one.abroad and one.direction == "out"]
    assert len(abroad) > 300
    assert sum(one.country == "VN" for one in abroad) >= 15, "the busy week"
    assert len(YEAR) == 365


def test_what_is_learnt_of_the_office_before(tmp_path: Path) -> None:
    engine = site(tmp_path)
    acquaint(engine)
    baseline = engine.line.baseline
    assert [
        country for country in ("US", "PH", "DE", "VN", "SL") if baseline.knows(country)
    ] == [
        *("US", "PH", "DE", "VN"),
    ]
    assert 0.3 < baseline.usual("US").calls < 1.5
    assert baseline.days_watched == pytest.approx(day_of(2026, 11, 1))


@pytest.mark.parametrize("scenario", [INCIDENT, SLOW], ids=["fast", "slow"])
def test_replay_of_a_capture_says_the_same(
    scenario: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the rules and the configuration that are shipped, by way of the command."""
    scenario = scenario._replace(entry=theft.UNSEEN)
    until = theft.FIRST_S + 4 * 3_600
    days = range(theft.FIRST_DAY, theft.FIRST_DAY + 2)
    made = [call for call in calls(scenario, days) if call.begin < until]
    path = tmp_path / "evening.pcap"
    packets = ((one.time, one.packet) for one in Traffic.of(made))
    path.write_bytes(b"".join(capture(packets)))
    config = SHIPPED.read_text("utf-8").replace("#table = ", f'table = "{COUNTRIES}" #')
    (tmp_path / "ringfence.toml").write_text(config, "utf-8")

    with in_japan():
        options = ["--config", str(tmp_path / "ringfence.toml"), str(path)]
        assert main(["replay", "--format", "jsonl", *options]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        engine = Engine(assemble(parse_config(config, "shipped")))
        outcome = judge(engine, Traffic.of(made))

    abroad = [one for one in told if one["type"] == "call" and one["abroad"]]
    stopped = [one for one in abroad if one["end"] == "stopped"]
    assert len(stopped) == len(outcome.stopped) > 10
    assert outcome.hindered() == []
    through = [one for one in abroad if one["end"] != "stopped"]
    rates = engine.settings.terms.rates
    paid = [call for call in outcome.passed if call.country not in ("JP", "")]
    assert sum(Decimal(one["cost"]) for one in through) * 1000 == sum(
        rates.find(call.number.lstrip("+")).cost(call.duration)
        for call in paid
        if call.direction == "out" and call.answered is not None
    )
    rules = {one["rule"] for one in told if one["type"] == "incident"}
    # A line of which nothing is known yet: to call new countries is no wonder.
    assert rules == {"stopped-calls" if scenario.name == "incident" else "budget"}


@pytest.mark.parametrize(
    ("way", "rule"),
    [
        ("6 calls an hour", "country-surge"),
        ("30 at once", "country-surge"),
        ("3 countries", "budget"),
        ("20 at once, 20 countries", "country-rotation"),
        ("numbers of the Philippines at extra cost", "country-surge"),
    ],
)
def test_what_a_thief_may_vary_costs_no_more_than_a_day(
    way: str, rule: str, tmp_path: Path
) -> None:
    """Besides the calls that run while the budget is used up: they are left alone."""
    with in_japan():
        most, made, passed, rules = worst(way, tmp_path)
    assert rule in rules
    assert 0 < passed < made / 3
    assert 0 < most * 1000 <= DEFAULT_DAY + 3 * FIVE_MINUTES
