"""What a site knows of an address: home, allowed, blocked, abroad."""

import pytest
from builders import (
    ABROAD,
    ABROAD6,
    INSIDE,
    JAPAN,
    JAPAN6,
    NOWHERE,
    octets,
    settings,
)
from ringfence.facts import World
from ringfence.facts.network import NetworkSet
from ringfence.facts.world import INSIDE_ALWAYS, Origin


def world(toml: str = "") -> World:
    return settings(toml).world


MAPPED_ABROAD = f"::ffff:{ABROAD}"
SIX_TO_FOUR_ABROAD = "2002:c000:020a::1"
SIX_TO_FOUR_PRIVATE = "2002:0a00:0001::1"


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        (JAPAN, Origin("JP", True)),
        (JAPAN6, Origin("JP", True)),
        (ABROAD, Origin("NL", False)),
        (ABROAD6, Origin("NL", False)),
        (MAPPED_ABROAD, Origin("NL", False)),
        (SIX_TO_FOUR_ABROAD, Origin("NL", False)),
        (SIX_TO_FOUR_PRIVATE, Origin(None, False)),
        (NOWHERE, Origin(None, False)),
        ("8.8.8.8", Origin(None, False)),
        (INSIDE, Origin(None, True)),
        ("127.0.0.1", Origin(None, True)),
        ("100.64.0.1", Origin(None, True)),
        ("169.254.1.1", Origin(None, True)),
        ("fe80::1", Origin(None, True)),
        ("fd00::1", Origin(None, True)),
        ("0.0.0.0", Origin(None, False)),  # noqa: S104 - an address in a packet
        ("255.255.255.255", Origin(None, False)),
        ("224.0.1.75", Origin(None, False)),
    ],
)
def test_origin(address: str, origin: Origin) -> None:
    assert world().origin(octets(address)) == origin


def test_home_is_configured() -> None:
    abroad = world('[origin]\nhome = ["NL"]\n')
    assert abroad.origin(octets(ABROAD)) == Origin("NL", True)
    assert abroad.origin(octets(JAPAN)) == Origin("JP", False)
    both = world('[origin]\nhome = ["JP", "NL"]\n')
    assert both.origin(octets(ABROAD)).home
    assert both.origin(octets(JAPAN)).home


@pytest.mark.parametrize(
    ("allow", "address", "allowed"),
    [
        ("192.0.2.10", ABROAD, True),
        ("192.0.2.0/28", ABROAD, True),
        ("192.0.2.11", ABROAD, False),
        ("NL", ABROAD, True),
        ("NL", ABROAD6, True),
        ("NL", MAPPED_ABROAD, True),
        ("NL", NOWHERE, False),
        ("203.0.113.77", NOWHERE, True),
        ("2001:db8:31::/48", ABROAD6, True),
        ("KR", ABROAD, False),
    ],
)
def test_allow(allow: str, address: str, allowed: bool) -> None:
    site = world(f'[origin]\nallow = ["{allow}"]\n')
    assert site.allowed(octets(address)) is allowed
    assert site.origin(octets(address)).home is allowed
    known = address != NOWHERE
    assert site.abroad(octets(address)) is (known and not allowed)
    blocking = world(f'[origin]\nblock = ["{allow}"]\n')
    assert blocking.blocked(octets(address)) is allowed
    assert not blocking.allowed(octets(address))


def test_blocking_does_not_change_where_home_is() -> None:
    site = world('[origin]\nblock = ["JP"]\n')
    assert site.origin(octets(JAPAN)) == Origin("JP", True)
    assert site.blocked(octets(JAPAN))


@pytest.mark.parametrize(
    ("address", "abroad"),
    [
        (ABROAD, True),
        (ABROAD6, True),
        (MAPPED_ABROAD, True),
        (JAPAN, False),
        (INSIDE, False),
        (NOWHERE, False),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("100.64.0.1", False),
    ],
)
def test_abroad_is_only_what_is_known_to_be(address: str, abroad: bool) -> None:
    assert world().abroad(octets(address)) is abroad


def test_what_is_always_inside() -> None:
    inside = NetworkSet.parse(INSIDE_ALWAYS, "")
    for address in (
        INSIDE,
        "10.0.0.1",
        "172.31.255.255",
        "127.0.0.1",
        "::1",
        "fe80::1",
    ):
        assert octets(address) in inside
    for address in (
        "100.64.0.1",
        "172.32.0.1",
        JAPAN,
        "2001:db8::1",
        "::ffff:10.0.0.1",
    ):
        assert octets(address) not in inside
