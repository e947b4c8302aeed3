"""The whole agent with each dial plan: check, explain, replay."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import COUNTRIES, INSIDE, RULES, invite, settings, udp
from ringfence.bundle.embedded import dialplan_names
from ringfence.cli import main
from ringfence.errors import ConfigError
from ringfence.explain import explain
from ringfence.packet import LINKTYPE_RAW
from wire.captures import pcap_header, pcap_record

Run = Callable[..., str]

# By plan: an emergency number, a number at home, Sierra Leone, Cuba behind an outside
# line.
DIALLED = {
    "au": ("000", "0298765432", "001123276123456", "0001153-52345678"),
    "ca": ("911", "14165550123", "01123276123456", "901153-52345678"),
    "de": ("110", "0228123456", "0023276123456", "90053-52345678"),
    "fr": ("15", "0123456789", "0023276123456", "00053-52345678"),
    "gb": ("999", "02079460123", "0023276123456", "90053-52345678"),
    "jp": ("119", "0312345678", "01023276123456", "001053-52345678"),
    "kr": ("112", "0223123456", "00123276123456", "900153-52345678"),
    "sg": ("995", "61234567", "00123276123456", "900153-52345678"),
    "us": ("911", "2125550123", "01123276123456", "901153-52345678"),
}
PASS, STOP = "accept", "reject"
VERDICTS = (PASS, PASS, STOP, STOP)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; give what it prints."""

    def ringfence(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    return ringfence


@pytest.fixture(params=DIALLED)
def plan(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(plan: str, tmp_path: Path) -> Path:
    """A configuration for a site in the plan's country."""
    path = tmp_path / "ringfence.toml"
    path.write_text(
        f'[origin]\nhome = ["{plan.upper()}"]\ntable = "{COUNTRIES}"\n'
        f'[numbers]\ndialplan = "{plan}"\n',
        encoding="utf-8",
    )
    return path


def test_every_plan_is_here() -> None:
    assert set(DIALLED) == set(dialplan_names(RULES))


def test_check(run: Run, plan: str, config: Path) -> None:
    assert f"home {plan.upper()}" in run("check", "--config", config)


def test_explain(run: Run, plan: str, config: Path) -> None:
    told = [
        json.loads(run("explain", "--config", config, "--json", text))
        for text in DIALLED[plan]
    ]
    assert tuple(record["verdict"] for record in told) == VERDICTS
    assert [record["class"] for record in told] == [
        "emergency",
        "domestic",
        "international",
        "international",
    ]
    assert [record["country"] for record in told] == [plan.upper()] * 2 + ["SL", "CU"]


def test_replay(run: Run, plan: str, config: Path, tmp_path: Path) -> None:
    capture = tmp_path / "calls.pcap"
    numbers = [number.replace("-", "") for number in DIALLED[plan]]
    records = b"".join(
        pcap_record(udp(invite(number), INSIDE).data) for number in numbers
    )
    capture.write_bytes(pcap_header(link=LINKTYPE_RAW) + records)
    out = run("replay", "--config", config, "--format", "jsonl", capture)
    told = [json.loads(line) for line in out.splitlines()]
    messages = [record for record in told if record["type"] == "message"]
    assert len(messages) == len(numbers)
    assert tuple(message["verdict"] for message in messages) == VERDICTS


def test_a_site_may_say_what_fetches_a_line() -> None:
    ours = '[numbers]\ndialplan = "de"\noutside_line = ["0"]\n'
    by_plan = '[numbers]\ndialplan = "de"\n'
    text = "0-0228-90123456"  # Bonn, or 00 228 90123456, Togo
    assert explain(text, settings(ours))["class"] == "domestic"
    assert explain(text, settings(by_plan))["verdict"] == STOP
    assert explain("9-110", settings(by_plan))["class"] == "emergency"
    assert explain("9-110", settings(ours))["class"] == "domestic"


def test_an_area_code_completes_a_local_number() -> None:
    us = settings('[numbers]\ndialplan = "us"\narea_code = "212"\n')
    assert explain("9-555-0123", us)["number"] == "12125550123"


def test_an_option_of_the_dial_plan() -> None:
    text = "0037-129-123-456"  # toll-free, which Hikari Denwa does not connect
    assert explain(text, settings())["class"] == "domestic"
    hikari = settings('[numbers]\noptions = ["hikari"]\n')
    assert explain(text, hikari)["country"] == "LV"
    with pytest.raises(ConfigError, match=r"numbers\.options = 'hikari': expected"):
        settings('[numbers]\ndialplan = "gb"\noptions = ["hikari"]\n')
