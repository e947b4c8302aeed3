"""What nobody can configure away: rules, tables and settings of any kind are tried."""

import json
import shutil
from pathlib import Path

import pytest
from builders import (
    ABROAD,
    INSIDE,
    JAPAN,
    RULES,
    engine,
    invite,
    rule,
    rule_table,
    settings,
    udp,
)
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from ringfence.bundle.embedded import load_destinations, load_dialplan
from ringfence.cli import main
from ringfence.config.invariants import (
    MAX_OF_A_FORM,
    always_passing,
    refuse_what_stops_help,
)
from ringfence.decision import Verdict
from ringfence.engine import Engine, Settings
from ringfence.errors import BundleError, ConfigError
from ringfence.facts.numbers import Destinations, NumberPolicy, NumberReader
from ringfence.facts.numbers.destinations import Destination
from ringfence.packet import Instant
from ringfence.rules import Rule, RuleSet

PLAN = load_dialplan(RULES, "jp")
DESTINATIONS = load_destinations(RULES)
DEFAULTS = settings()
NUMBERS = list(always_passing(PLAN))
EMERGENCY = ["110", "118", "119"]
NOW = Instant(0.0, 0.0)
WRITTEN = [
    *("{}", "%2B{}", "+{}", "+81{}", "{};isub=1", "{};phone-context=+81", "{}#"),
    *("184{}", "186{}", "0000{}", "122{}", "122184{}", "0000186{}", "*67#{}"),
]
"""Ways of dialling a number of this kind, besides the digits for an outside line."""


def refused(*rules: Rule) -> list[str]:
    with pytest.raises(BundleError) as wrong:
        refuse_what_stops_help(DEFAULTS.world, rules)
    return str(wrong.value).splitlines()


def stopped(made: Engine, number: str, source: str = INSIDE) -> bool:
    packet = udp(invite(number.replace("#", "%23")), source)
    return made.inspect(packet, NOW).verdict is not Verdict.ACCEPT


def test_the_numbers() -> None:
    assert NUMBERS[:3] == EMERGENCY
    assert {f"1{rest:02}" for rest in range(100)} <= set(NUMBERS)
    hashes = [number for number in NUMBERS if number.startswith("#")]
    assert 10 <= len(hashes) <= MAX_OF_A_FORM
    assert all(len(number) == 5 for number in hashes)


def test_the_embedded_rules_are_sound() -> None:
    refuse_what_stops_help(DEFAULTS.world, DEFAULTS.rules.rules)


@pytest.mark.parametrize(
    ("match", "number"),
    [
        ({"destination_class": "emergency"}, "110"),
        ({"destination_class": ["domestic", "special"]}, "100"),
        ({"destination_status": "exempt"}, "110"),
        ({"destination_number": "119"}, "119"),
        ({"called": "117"}, "117"),
        ({"called": "0118"}, "0118"),
        ({"to_user": {"prefix": "18"}}, "180"),
        ({"called": "sos"}, "sos"),
        ({"method": "INVITE", "side": "inside"}, "110"),
        ({"any": [{"name": "x", "called": "171"}]}, "171"),
    ],
)
def test_a_rule_that_would_stop_a_call_for_help_is_refused(
    match: dict[str, object], number: str
) -> None:
    (told,) = refused(rule(match, id="greedy"))
    assert told.startswith(f"rules.greedy: would stop INVITE of a call to {number};")


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "PRACK", "UPDATE", "BYE"])
def test_so_is_one_that_would_stop_what_belongs_to_such_a_call(method: str) -> None:
    (told,) = refused(rule({"method": method, "to_user": "118"}))
    assert told.startswith(f"rules.test-rule: would stop {method} of a call to 118;")


def test_every_rule_that_is_wrong_is_told() -> None:
    calls: dict[str, object] = {"method": "INVITE", "side": "inside"}
    told = refused(rule(calls, id="one"), rule({"called": "119"}, id="two"))
    assert [line.partition(":")[0] for line in told] == ["rules.one", "rules.two"]


@pytest.mark.parametrize(
    "match",
    [
        {"destination_status": "listed"},
        {"destination_class": "international"},
        {"method": "INVITE", "side": "outside"},
        {"method": ["REGISTER", "OPTIONS"], "side": "inside"},
        {"user_agent": {"prefix": "friendly-scanner"}},
    ],
)
def test_other_rules_are_not(match: dict[str, object]) -> None:
    refuse_what_stops_help(DEFAULTS.world, [rule(match)])


def test_a_reader_that_loses_a_number_is_refused() -> None:
    class Deaf(NumberPolicy):
        def rule_on(self, reading):  # type: ignore[no-untyped-def]
            found = super().rule_on(reading)
            return found._replace(status="listed") if reading.number == "171" else found

    world = DEFAULTS.world._replace(numbers=Deaf())
    with pytest.raises(BundleError, match="171 would not pass"):
        refuse_what_stops_help(world, [])


def test_a_folder_with_such_a_rule_does_not_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder, ignore=shutil.ignore_patterns("*.py"))
    table = rule_table({"destination_number": "118"}, id="coast")
    lines = [f"{key} = {json.dumps(table[key])}" for key in ("id", "rev", "severity")]
    lines += ['judges = "source"', '[match]\non = "request"']
    lines += ['destination_number = "118"', '[then]\nverdict = "drop"\nreason = "x"']
    lines += ['[docs]\nwhat = "x"\nwhy = "x"\nfalse_positives = "x"\nreferences=["x"]']
    (folder / "coast.toml").write_text("\n".join(lines), encoding="utf-8")
    assert main(["explain", "--bundle", str(folder), "118"]) == 4
    assert "rules.coast: would stop INVITE of a call to 118" in capsys.readouterr().err


# Whatever a site writes, within what the keys take; and what they do not take.
FEW_DIGITS = st.from_regex("[0-9]{1,5}", fullmatch=True) | st.sampled_from(
    ["1", "11", "110", "119", "0", "9", "18", "01", "011"]
)
PREFIX = st.from_regex("[1-9][0-9]{0,4}", fullmatch=True) | st.sampled_from(
    ["81", "8", "1", "11", "110", "119", "112", "911", "999", "12", "7119"]
)
CONFIG = st.fixed_dictionaries(
    {
        "profile": st.sampled_from(["office", "home", "watch"]),
        "allow": st.lists(PREFIX, max_size=3),
        "block": st.lists(PREFIX, max_size=4),
        "outside_line": st.lists(FEW_DIGITS, max_size=3),
        "idd": st.lists(FEW_DIGITS, max_size=3),
        "area_code": FEW_DIGITS | st.just(""),
    }
)


@effort(deadline=None)
@given(
    numbers=CONFIG,
    mode=st.sampled_from(["enforce", "monitor"]),
    malformed=st.sampled_from(["accept", "drop"]),
    block=st.lists(st.sampled_from([f"{INSIDE}/32", "JP", "0.0.0.0/0"]), max_size=2),
)
def test_no_configuration_stops_a_call_for_help(
    numbers: dict[str, object], mode: str, malformed: str, block: list[str]
) -> None:
    lines = [f'mode = "{mode}"', "[numbers]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in numbers.items()]
    lines += [f'[policy]\nmalformed = "{malformed}"', f"[origin]\n{block=}"]
    try:
        made = engine("\n".join(lines))
    except ConfigError as error:
        for problem in error.problems:
            assert problem.partition(" = ")[0].startswith(("numbers.", "origin."))
        return
    lines_out = ["", *(str(line) for line in numbers["outside_line"])]  # type: ignore[attr-defined]
    for line in lines_out:
        for number in EMERGENCY:
            assert not stopped(made, line + number), line + number
            assert not stopped(made, line + number, JAPAN), line + number
    for number in NUMBERS:
        assert not stopped(made, number), number
    for form in WRITTEN:
        for number in ("110", "119", "104"):
            assert not stopped(made, form.format(number)), form.format(number)


FACT = st.sampled_from(
    [
        *("side", "transport", "request_uri", "user_agent", "called", "to_user"),
        *("destination_status", "destination_class", "destination_number"),
        *("destination_country", "from_user", "contact_host"),
    ]
)
WANTED = st.sampled_from(
    ["inside", "udp", "exempt", "emergency", "special", "110", "119", "JP"]
) | st.sampled_from([{"prefix": "1"}, {"prefix": "sip:"}, {"prefix": ""}])
RULE = st.builds(
    lambda match, method, verdict, judges, severity: rule(
        {**match, **({"method": "INVITE"} if method else {})},
        verdict=verdict,
        judges=judges,
        severity=severity,
    ),
    st.dictionaries(FACT, WANTED, min_size=1, max_size=2),
    st.booleans(),
    st.sampled_from(["drop", "reject"]),
    st.sampled_from(["source", "destination"]),
    st.sampled_from(["critical", "low"]),
)
CODE = st.from_regex("[1-9][0-9]{0,4}", fullmatch=True) | st.sampled_from(
    ["1", "11", "110", "119", "81", "81119"]
)
ROW = st.builds(
    lambda kind, tier: Destination(
        "", "JP", kind, "block" if kind == "unassigned" else tier, "x", "x"
    ),
    st.sampled_from(["country", "premium", "unassigned", "satellite"]),
    st.sampled_from(["block", "watch"]),
)


@effort(deadline=None)
@given(
    rules=st.lists(RULE, max_size=3),
    table=st.dictionaries(CODE, ROW, min_size=1, max_size=8),
    profile=st.sampled_from(["office", "home"]),
)
def test_no_bundle_stops_a_call_for_help(
    rules: list[Rule], table: dict[str, Destination], profile: str
) -> None:
    """Not at load: refused with the number named. And not in the engine either."""
    rows = {code: row._replace(code=code) for code, row in table.items()}
    world = DEFAULTS.world._replace(
        reader=NumberReader(PLAN, Destinations(rows)),
        numbers=NumberPolicy(profile),
    )
    made: Settings = DEFAULTS._replace(world=world, rules=RuleSet(rules))
    bare = Engine(made)
    for number in (*EMERGENCY, "0119", "9110", "184118", "104", "#7119", "+81119"):
        assert not stopped(bare, number), number
    for number in EMERGENCY:
        assert not stopped(bare, number, ABROAD)
    try:
        refuse_what_stops_help(world, rules)
    except BundleError as error:
        for line in str(error).splitlines():
            assert line.startswith("rules.test-rule: would stop INVITE of a call to ")
