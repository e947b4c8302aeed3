"""What `explain` says, in CONTRACT's keys and in words."""

import pytest
from builders import ABROAD, ABROAD6, INSIDE, JAPAN, NOWHERE, settings
from ringfence.explain import explain
from ringfence.report import Record

CONTRACT_NUMBER = [
    "input",
    "kind",
    "class",
    "number",
    "country",
    "verdict",
    "rule",
    "source",
    "readings",
]
CONTRACT_ADDRESS = [
    "input",
    "kind",
    "country",
    "home",
    "verdict",
    "rule",
    "source",
    "readings",
]


def told(what: str, toml: str = "") -> Record:
    return explain(what, settings(toml))


def test_the_example_of_the_contract() -> None:
    found = told("0033-010-232-76123456")
    assert {key: found[key] for key in CONTRACT_NUMBER} == {
        "input": "0033-010-232-76123456",
        "kind": "number",
        "class": "international",
        "number": "23276123456",
        "country": "SL",
        "verdict": "reject",
        "rule": "blocked-destination",
        "source": "bundle",
        "readings": ["carrier 0033", "idd 010"],
    }


def test_the_other_example_of_the_contract() -> None:
    found = told(NOWHERE)
    assert {key: found[key] for key in CONTRACT_ADDRESS} == {
        "input": NOWHERE,
        "kind": "address",
        "country": None,
        "home": False,
        "verdict": "drop",
        "rule": "foreign-registration",
        "source": "bundle",
        "readings": [],
    }


@pytest.mark.parametrize(
    ("what", "kind", "verdict", "source"),
    [
        ("119", "emergency", "accept", "builtin"),
        ("0-119", "emergency", "accept", "builtin"),
        ("urn:service:sos.fire", "emergency", "accept", "builtin"),
        ("104", "special", "accept", "builtin"),
        ("#9110", "special", "accept", "builtin"),
        ("03-1234-5678", "domestic", "accept", "default"),
        ("201", "extension", "accept", "default"),
        ("sip:alice@example.com", "non-numeric", "accept", "default"),
        ("+1 212 555 1234", "international", "accept", "default"),
        ("tel:+232-76-123456", "international", "reject", "bundle"),
        ("010-28-12345678", "unassigned", "reject", "bundle"),
        (
            "sip:+23276123456@itsp.example.jp;user=phone",
            "international",
            "reject",
            "bundle",
        ),
    ],
)
def test_classes_of_numbers(what: str, kind: str, verdict: str, source: str) -> None:
    found = told(what)
    assert (found["kind"], found["class"]) == ("number", kind)
    assert (found["verdict"], found["source"]) == (verdict, source)


@pytest.mark.parametrize(
    ("what", "toml", "verdict", "rule", "source"),
    [
        ("0101212555", '[numbers]\nblock = ["1"]\n', "reject", "local-block", "block"),
        ("+23276123456", '[numbers]\nallow = ["232"]\n', "accept", None, "allow"),
        (
            "+12125551234",
            '[numbers]\nprofile = "home"\n',
            "reject",
            "local-block",
            "block",
        ),
        (
            "+23276123456",
            '[numbers]\nprofile = "watch"\n',
            "accept",
            "blocked-destination",
            "bundle",
        ),
        ("119", '[numbers]\nprofile = "home"\n', "accept", None, "builtin"),
    ],
)
def test_the_site_has_its_word_on_numbers(
    what: str, toml: str, verdict: str, rule: str | None, source: str
) -> None:
    found = told(what, toml)
    assert (found["verdict"], found["rule"], found["source"]) == (verdict, rule, source)


@pytest.mark.parametrize(
    ("what", "country", "home", "verdict", "source", "side"),
    [
        (JAPAN, "JP", True, "accept", "default", "outside"),
        (ABROAD, "NL", False, "drop", "bundle", "outside"),
        (ABROAD6, "NL", False, "drop", "bundle", "outside"),
        (INSIDE, None, True, "accept", "default", "inside"),
        ("fe80::1", None, True, "accept", "default", "inside"),
        # The provider's side of a shared NAT: no stranger is far, but none is ours.
        ("100.64.0.1", None, True, "accept", "default", "outside"),
    ],
)
def test_addresses(
    what: str, country: str | None, home: bool, verdict: str, source: str, side: str
) -> None:
    found = told(what)
    assert (found["kind"], found["country"], found["home"]) == (
        "address",
        country,
        home,
    )
    assert (found["verdict"], found["source"]) == (verdict, source)
    assert found["side"] == side


@pytest.mark.parametrize(
    ("what", "toml", "verdict", "rule", "source"),
    [
        (ABROAD, '[origin]\nallow = ["192.0.2.0/24"]\n', "accept", None, "allow"),
        (ABROAD, '[origin]\nallow = ["NL"]\n', "accept", None, "allow"),
        (ABROAD, '[origin]\nhome = ["NL"]\n', "accept", None, "default"),
        (JAPAN, '[origin]\nblock = ["JP"]\n', "drop", "local-block", "block"),
        (JAPAN, '[origin]\nblock = ["JP"]\nallow = ["JP"]\n', "accept", None, "allow"),
    ],
)
def test_the_site_has_its_word_on_addresses(
    what: str, toml: str, verdict: str, rule: str | None, source: str
) -> None:
    found = told(what, toml)
    assert (found["verdict"], found["rule"], found["source"]) == (verdict, rule, source)


def test_a_rule_in_monitor_mode() -> None:
    found = told(ABROAD, '[rules.foreign-registration]\nmode = "monitor"\n')
    assert (found["verdict"], found["would"]) == ("accept", "drop")


def test_thresholds_that_the_site_has_set() -> None:
    toml = "[rules.password-guessing]\nover = 10\n"
    line = "password-guessing: 10 within 1m (configured; shipped 5 within 1m)"
    found = told(JAPAN, toml)
    assert isinstance(found["limits"], list)
    assert line in found["limits"]
    assert "request-flood: 1000 within 10s" in found["limits"]
    assert told(INSIDE, toml)["limits"] == []
    assert told(JAPAN, toml + f'[origin]\nallow = ["{JAPAN}"]\n')["limits"] == []


@pytest.mark.parametrize(
    "what", ["", " ", "?", "\ud800", "+" * 5000, "%" * 5000, "::1::"]
)
def test_anything_can_be_explained(what: str) -> None:
    assert told(what)["input"] == what
