"""From a configuration and a folder of rules to settings."""

import shutil
from pathlib import Path

import pytest
from builders import ABROAD, COUNTRIES, JAPAN, JAPAN6, RULES, octets
from ringfence.config import assemble, parse_config
from ringfence.decision import Verdict
from ringfence.engine import Policy, Settings
from ringfence.errors import BundleError, ConfigError

TABLE = f'[origin]\ntable = "{COUNTRIES}"\n'


ORDER = [
    "budget",
    "dial-plan-guess",
    "foreign-registration",
    "blocked-destination",
    "country-rotation",
    "country-rotation-first-week",
    "country-surge",
    "country-surge-watch",
    "distributed-guessing",
    "extension-enumeration",
    "host-sweep",
    "password-guessing",
    "stopped-calls",
    "unusual-source",
    "call-through",
    "dormant-international",
    "extension-sweep",
    "hours",
    "request-flood",
    "scanner",
    "sequential-destinations",
    "short-call-burst",
]
"""The embedded rules as they are asked."""


def made(text: str = TABLE, folder: Path = RULES, *inside: str) -> Settings:
    return assemble(parse_config(text, "f.toml"), folder, inside)


def problems(text: str, *inside: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        made(text, RULES, *inside)
    return wrong.value.problems


def test_defaults() -> None:
    settings = made()
    assert [rule.id for rule in settings.rules.rules] == ORDER
    assert not any(rule.monitor for rule in settings.rules.rules)
    assert settings.policy == Policy()
    assert settings.sip_ports == {5060}
    assert settings.monitor is False
    assert settings.world.home == {"JP"}


def test_without_a_folder_the_embedded_rules_are_taken() -> None:
    settings = assemble(parse_config(TABLE, "f.toml"))
    assert settings.rules.rules[0].id == made().rules.rules[0].id


def test_everything_arrives() -> None:
    settings = made(
        f"""
        mode = "monitor"
        [network]
        inside = ["198.51.100.0/24"]
        sip_ports = [5080]
        [origin]
        table = "{COUNTRIES}"
        home = ["NL"]
        allow = ["198.51.100.10", "KR"]
        block = ["192.0.2.66", "CN"]
        [numbers]
        allow = ["1"]
        block = ["44"]
        [policy]
        malformed = "drop"
        state_full = "drop"
        internal_error = "drop"
        """
    )
    world = settings.world
    assert settings.monitor is True
    assert settings.sip_ports == {5080}
    assert settings.policy == Policy(Verdict.DROP, Verdict.DROP, Verdict.DROP)
    assert octets(JAPAN) in world.inside
    assert octets("10.1.2.3") in world.inside, "the private networks always are"
    assert octets("100.64.0.1") not in world.inside, "the provider's side of its NAT"
    assert world.home == {"NL"}
    assert world.allow_countries == {"KR"}
    assert world.block_countries == {"CN"}
    assert world.allowed(octets(JAPAN))
    assert world.blocked(octets("192.0.2.66"))
    assert world.origin(octets(ABROAD)).home
    allowed = world.numbers.rule_on(world.reader.read_dialled("0101212555123"))
    assert allowed.source == "allow"
    blocked = world.numbers.rule_on(world.reader.read_dialled("010442079460123"))
    assert blocked.source == "block"


def test_networks_of_the_command_line_are_added() -> None:
    settings = made(TABLE, RULES, "2001:db8:81::/48", JAPAN)
    assert octets(JAPAN6) in settings.world.inside
    assert octets(JAPAN) in settings.world.inside
    assert octets(ABROAD) not in settings.world.inside


@pytest.mark.parametrize("mode", ["enforce", "monitor", "off"])
def test_modes_of_rules(mode: str) -> None:
    settings = made(f'{TABLE}[rules.scanner]\nmode = "{mode}"\n')
    found = {rule.id: rule.monitor for rule in settings.rules.rules}
    assert (
        found.get("scanner") == {"enforce": False, "monitor": True, "off": None}[mode]
    )
    assert found["blocked-destination"] is False
    assert len(found) == len(ORDER) - (mode == "off")


def test_thresholds_of_rules() -> None:
    text = f"{TABLE}[rules.password-guessing]\nover = 10\n"
    rules = {rule.id: rule for rule in made(text).rules.rules}
    rule = rules["password-guessing"]
    assert rule.count is not None
    assert rule.shipped is not None
    assert (rule.count.over, rule.count.within) == (10, 60.0)
    assert (rule.shipped.over, rule.shipped.within) == (5, 60.0)
    assert rules["request-flood"].shipped is None
    text = f'{TABLE}[rules.password-guessing]\nover = 5\nwithin = "60s"\n'
    assert all(rule.shipped is None for rule in made(text).rules.rules)


def test_thresholds_that_cannot_be() -> None:
    assert problems(
        f"{TABLE}[rules.scanner]\nover = 5\n[rules.extension-sweep]\nover = 257\n"
    ) == [
        "rules.extension-sweep.over = 257: expected a whole number from 1 to 256",
        "rules.scanner: expected no threshold; it counts nothing",
    ]


def test_all_errors_at_once(tmp_path: Path) -> None:
    table = tmp_path / "countries.csv"
    table.write_text("192.0.2.0/24,NL\n192.0.2.0/24;JP\n", encoding="utf-8")
    assert problems(
        f"""
        [origin]
        table = "{table}"
        [numbers]
        dialplan = "xx"
        allow = ["119"]
        [rules.scaner]
        mode = "off"
        [rules.zzzzzzzz]
        mode = "off"
        """,
        "10.0.0.0/8",
        "10.0.0.1/8",
    ) == [
        'rules.scaner: expected the id of a rule; did you mean "scanner"?',
        f"rules.zzzzzzzz: expected the id of a rule: {', '.join(ORDER)}",
        'numbers.dialplan = "xx": expected one of au, ca, de, fr, gb, jp, kr, sg, us',
        f'{table}:2 = "192.0.2.0/24;JP": expected network,CC with an ISO 3166-1 '
        "country code in capitals, such as 198.51.100.0/24,NL",
        f'{table}:2 = "192.0.2.0/24;JP": expected a length from 0 to 32 after "/"',
        '--inside[1] = "10.0.0.1/8": host bits are set; expected 10.0.0.0/8 for the '
        "network or 10.0.0.1 for the one address",
        "numbers.allow[0] = '119': expected an E.164 prefix; emergency and special "
        "numbers always pass",
    ]


def test_a_country_table_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    assert problems(f'[origin]\ntable = "{path}"\n') == [
        f'origin.table = "{path}": cannot be read: No such file or directory'
    ]


def test_a_folder_without_rules(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as refused:
        made(TABLE, tmp_path)
    assert str(refused.value) == f"{tmp_path}: holds no rule; expected *.toml files"
    assert refused.value.exit_code == 4


def test_a_folder_that_nobody_can_write_to(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder, ignore=shutil.ignore_patterns("geo", "*.py"))
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert len(made(TABLE, folder).rules) == len(ORDER)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
