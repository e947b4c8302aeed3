"""Bans by hand: what is taken, and what is refused before the kernel is asked."""

import pytest
from ringfence.banning import ban, parse_duration, unban
from ringfence.config import Config, parse_config
from ringfence.errors import RingfenceError
from ringfence.netfilter.bans import network_text


@pytest.fixture
def config() -> Config:
    return parse_config(
        '[network]\ninside = ["203.0.113.0/24"]\n'
        '[origin]\nallow = ["198.51.100.0/24", "2001:db8:1::1", "NL"]\n',
        "test",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("5m", 300), ("1h", 3600), ("365d", 31_536_000)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "5", "m", "-5m", "1.5h", "366d", "1w", "1h ", "9" * 10 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(RingfenceError, match="expected a time such as 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.168.1.1", "on our side"),
        ("203.0.113.9", "on our side"),
        ("fe80::1", "on our side"),
        ("198.51.100.9", "on origin.allow"),
        ("2001:db8:1::1", "on origin.allow"),
        ("145.1.1.1", "on origin.allow"),  # a Dutch university network
        ("192.0.2.0/24", "expected an IPv4 or IPv6 address"),
        ("example.net", "expected an IPv4 or IPv6 address"),
    ],
)
def test_refused(address: str, why: str, config: Config) -> None:
    with pytest.raises(RingfenceError, match=why) as refused:
        ban(address, 300, config)
    assert refused.value.exit_code == 2


def test_unban_of_what_is_no_address(config: Config) -> None:
    with pytest.raises(RingfenceError, match="expected an IPv4 or IPv6 address"):
        unban("nobody", config)


def test_a_ban_covers_an_address_or_its_64() -> None:
    assert network_text(bytes([192, 0, 2, 1])) == "192.0.2.1"
    assert network_text(bytes.fromhex("20010db8000100020003000400050006")) == (
        "2001:db8:1:2::/64"
    )
