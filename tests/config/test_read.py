"""A whole file: all that is wrong with it, each with path, value, expectation."""

from pathlib import Path

import pytest
from ringfence.config import parse_config, read_config
from ringfence.config import read as reading
from ringfence.decision import Verdict
from ringfence.errors import ConfigError


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        parse_config(text, "f.toml")
    assert wrong.value.exit_code == 2
    assert str(wrong.value) == "\n".join(wrong.value.problems)
    assert all(problem.startswith("f.toml: ") for problem in wrong.value.problems)
    return [problem.removeprefix("f.toml: ") for problem in wrong.value.problems]


def test_nothing_is_every_default() -> None:
    config = parse_config("", "nothing")
    assert config.mode == "enforce"
    assert config.origin_home == {"JP"}
    assert config.network_sip_ports == {5060}
    assert config.policy_malformed is Verdict.ACCEPT
    assert config.kernel_mark == 0x0F000000
    assert (config.kernel_queue, config.kernel_queue_length) == (5060, 4096)
    assert config.log_full_numbers is False
    assert config.log_max_per_second == 20
    assert config.rules == {}


def test_what_is_given_is_taken() -> None:
    config = parse_config(
        """
        mode = "monitor"
        [network]
        sip_ports = [5060, 5080]
        [policy]
        malformed = "drop"
        [kernel]
        mark = 0xf00
        [rules.scanner]
        mode = "off"
        [rules.other]
        """,
        "f.toml",
    )
    assert config.mode == "monitor"
    assert config.network_sip_ports == {5060, 5080}
    assert config.policy_malformed is Verdict.DROP
    assert config.policy_state_full is Verdict.ACCEPT
    assert config.kernel_mark == 0xF00
    assert config.rules == {"scanner": "off"}


def test_all_errors_at_once() -> None:
    assert problems(
        """
        mode = "enforc"
        netwrok = 1
        [network]
        inside = ["10.0.0.1/8"]
        sip_port = [5060]
        [origin]
        home = ["XX"]
        [log]
        full_numbers = "yes"
        [rules.scanner]
        mode = "silent"
        """
    ) == [
        'rules.scanner.mode = "silent": expected one of "enforce", "monitor", "off"',
        'netwrok = 1: expected a known key; did you mean "network"?',
        "network.sip_port = [5060]: expected a known key; did you mean "
        '"network.sip_ports"?',
        'mode = "enforc": expected one of "enforce", "monitor"',
        'network.inside[0] = "10.0.0.1/8": host bits are set; expected 10.0.0.0/8 for '
        "the network or 10.0.0.1 for the one address",
        'origin.home[0] = "XX": expected a two-letter country code of ISO 3166 such as '
        '"JP"',
        'log.full_numbers = "yes": expected true or false',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'home = ["JP"]',
            'home = ["JP"]: expected a known key; did you mean "origin.home"?',
        ),
        (
            '[numbers]\nhome = ["JP"]',
            'numbers.home = ["JP"]: expected a known key; did you mean "origin.home"?',
        ),
        (
            "[orgin]\nhome = []",
            'orgin = {"home": []}: expected a known key; did you mean "origin"?',
        ),
        (
            "[origin]\nhom = []",
            'origin.hom = []: expected a known key; did you mean "origin.home"?',
        ),
        ("[kernel]\nzzz = 1", "kernel.zzz = 1: expected a known key"),
        ("qqqqq = true", "qqqqq = true: expected a known key"),
        ("network = 5", "network = 5: expected a table, [network]"),
        ("[[policy]]", "policy = [{}]: expected a table, [policy]"),
        ('rules = "off"', 'rules = "off": expected tables, [rules.ID]'),
        (
            "[rules]\nscanner = false",
            "rules.scanner = false: expected a table, [rules.scanner]",
        ),
        (
            "[rules.scanner]\nmode = true",
            'rules.scanner.mode = true: expected one of "enforce", "monitor", "off"',
        ),
        (
            "[rules.scanner]\nmode = []",
            'rules.scanner.mode = []: expected one of "enforce", "monitor", "off"',
        ),
        (
            "[rules.scanner]\nunder = 5",
            "rules.scanner.under = 5: expected a known key: mode, over, within",
        ),
        (
            "[rules.scanner]\nover = 0",
            "rules.scanner.over = 0: expected a whole number from 1 to 100000",
        ),
        (
            "[rules.scanner]\nwithin = 60",
            "rules.scanner.within = 60: expected a duration from 1s to 24h, such as "
            "90s, 5m or 2h",
        ),
        (
            "[log]\nfull_numbers = 2026-11-21",
            'log.full_numbers = "2026-11-21": expected true or false',
        ),
        ('mode = "é"', 'mode = "é": expected one of "enforce", "monitor"'),
        (
            f'mode = "{"x" * 78}"',
            f'mode = "{"x" * 78}": expected one of "enforce", "monitor"',
        ),
        (
            f'mode = "{"x" * 79}"',
            f'mode = "{"x" * 76}...: expected one of "enforce", "monitor"',
        ),
    ],
)
def test_one_error(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("mode = ?", "at line 1, column 8"),
        ('mode = "enforce"\nmode = "monitor"\n', "at line 2, column 17"),
        ("[network", "at end of document"),
        ("mode = " + "[" * 5_000, "recursion"),
    ],
)
def test_what_is_no_toml(text: str, where: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith("not valid TOML: ")
    assert where in found[0]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "ringfence.toml"
    path.write_text('mode = "monitor"\n', encoding="utf-8")
    assert read_config(path).mode == "monitor"
    with pytest.raises(ConfigError) as missing:
        read_config(tmp_path / "none.toml")
    assert missing.value.problems == [
        f"{tmp_path}/none.toml: cannot be read: No such file or directory"
    ]
    with pytest.raises(ConfigError) as folder:
        read_config(tmp_path)
    assert folder.value.problems == [f"{tmp_path}: cannot be read: Is a directory"]
    path.write_bytes(b'mode = "\xff"\n')
    with pytest.raises(ConfigError) as latin:
        read_config(path)
    assert latin.value.problems == [f"{path}: byte 8 is not UTF-8: expected TOML text"]


def test_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ringfence.toml"
    monkeypatch.setattr(reading, "DEFAULT_PATH", path)
    assert read_config(None).mode == "enforce", "need not be there"
    path.write_text('mode = "monitor"\n', encoding="utf-8")
    assert read_config(None).mode == "monitor"
    path.write_text("mode = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="mode = 1: expected one of"):
        read_config(None)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        read_config(None)


@pytest.mark.parametrize(
    "text",
    [
        '[notify]\nwebhook = "hooks.example/services/T0KEN"\n',
        '[notify]\nwebhook = "http://hooks.example/T0KEN"\n',
        '[notify]\nwebhok = "https://hooks.example/T0KEN"\n',
        '[notify]\nwebhook = ["T0KEN"]\n',
        '[notify]\ncommand = ["curl", "T0KEN"]\n',
        '[notfy]\nwebhook = "https://user:T0KEN@hooks.example/"\n',
        '[network]\nwebhook = "T0KEN"\n',
        'webhook = "T0KEN"\n',
        'notify = "https://hooks.example/T0KEN"\n',
        '[origin]\ntable = 1\nnotify = "https://hooks.example/T0KEN"\n',
    ],
)
def test_secrets_are_not_repeated(text: str) -> None:
    """What is wrong with a configuration goes to the log when it is reloaded."""
    said = " ".join(problems(text))
    assert "expected" in said
    assert "T0KEN" not in said
