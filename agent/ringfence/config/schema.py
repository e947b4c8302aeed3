"""Every key of the configuration: its default, and what it may hold.

Knows values, not files: a check takes what TOML gave and returns what the agent
uses, or raises `Unfit` with the expectation in words. One line in `KEYS` is all that
a new key needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ringfence.decision import Verdict
from ringfence.facts.country import ISO_COUNTRIES, NetworkSet

MAX_PORTS: Final = 15
"""SIP ports at once: what one iptables multiport match holds."""

MAX_LIST: Final = 10_000
"""Entries of one list in the file; longer lists belong in a bundle."""


class Unfit(Exception):  # noqa: N818 - never leaves this package
    """A value that does not fit; the text says what was expected."""


class Addresses(NamedTuple):
    """A list of networks and country codes, told apart."""

    networks: NetworkSet
    countries: frozenset[str]


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, checked. Field names are the keys' paths with `_`."""

    mode: str
    network_wan: tuple[str, ...]
    """Interface names; empty for automatic."""
    network_inside: tuple[str, ...]
    network_sip_ports: frozenset[int]
    origin_home: frozenset[str]
    origin_allow: Addresses
    origin_block: Addresses
    origin_table: str | None
    """Path of a country table to use in place of the built-in one."""
    numbers_dialplan: str
    numbers_profile: str
    numbers_allow: tuple[str, ...]
    numbers_block: tuple[str, ...]
    numbers_outside_line: tuple[str, ...]
    numbers_idd: tuple[str, ...]
    numbers_area_code: str
    policy_malformed: Verdict
    policy_state_full: Verdict
    policy_internal_error: Verdict
    log_full_numbers: bool
    log_max_per_second: int
    kernel_queue: int
    kernel_queue_length: int
    kernel_mark: int
    rules: dict[str, str]
    """Mode by rule id, for the rules that the file names."""


def _choice(*options: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, str) and value in options:
            return value
        raise Unfit("one of " + ", ".join(f'"{option}"' for option in options))

    return check


def _verdict(value: Any) -> Verdict:
    return Verdict[_choice("accept", "drop")(value).upper()]


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit("true or false")


def _number(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise Unfit(f"a whole number from {low} to {high}")

    return check


def _texts(value: Any, of_what: str) -> list[str]:
    if not isinstance(value, list) or any(type(item) is not str for item in value):
        raise Unfit(f"a list of {of_what}, each in quotes")
    if len(value) > MAX_LIST:
        raise Unfit(f"at most {MAX_LIST} entries, not {len(value)}")
    return value


def _interfaces(value: Any) -> tuple[str, ...]:
    if value == "auto":
        return ()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        raise Unfit('"auto", an interface name or a list of them')
    for name in names:
        # IFNAMSIZ is 16 with the closing NUL; "/" and white space are never allowed.
        if (
            type(name) is not str
            or not 0 < len(name) < 16
            or "/" in name
            or any(char.isspace() for char in name)
        ):
            raise Unfit('"auto", an interface name or a list of them')
    return tuple(names)


def _networks(value: Any) -> tuple[str, ...]:
    texts = _texts(value, "networks such as 192.0.2.0/24")
    NetworkSet.parse(texts, "")
    return tuple(texts)


def _ports(value: Any) -> frozenset[int]:
    fits = (
        isinstance(value, list)
        and 0 < len(value) <= MAX_PORTS
        and all(type(port) is int and 0 < port < 65536 for port in value)
    )
    if not fits:
        raise Unfit(f"a list of 1 to {MAX_PORTS} port numbers from 1 to 65535")
    return frozenset(value)


def _country(code: str) -> str:
    if code.upper() in ISO_COUNTRIES:
        return code.upper()
    raise Unfit(
        f'two-letter country codes of ISO 3166 such as "JP"; "{code}" is not one'
    )


def _countries(value: Any) -> frozenset[str]:
    codes = _texts(value, "country codes")
    if not codes:
        raise Unfit("at least one country code; nobody could register otherwise")
    return frozenset(_country(code) for code in codes)


def _addresses(value: Any) -> Addresses:
    texts = _texts(value, "addresses, networks or country codes")
    codes = {text for text in texts if len(text) == 2 and text.isalpha()}
    networks = [text for text in texts if text not in codes]
    return Addresses(
        NetworkSet.parse(networks, ""), frozenset(_country(code) for code in codes)
    )


def _path(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise Unfit("the path of a file")


def _prefixes(value: Any) -> tuple[str, ...]:
    expected = 'prefixes of E.164 numbers without "+", such as "63" or "6327"'
    texts = _texts(value, expected)
    for text in texts:
        digits = text.isascii() and text.isdigit()
        if not digits or text[0] == "0" or len(text) > 15:
            raise Unfit(f'a list of {expected}; "{text}" is not one')
    return tuple(texts)


def _digits(value: Any) -> tuple[str, ...]:
    texts = _texts(value, "digits")
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) <= 6):
            raise Unfit(f'a list of one to six digits each; "{text}" is not')
    return tuple(texts)


def _area_code(value: Any) -> str:
    if value == "" or (isinstance(value, str) and value.isdigit() and len(value) < 6):
        return str(value)
    raise Unfit('an area code such as "03", or ""')


def _name(value: Any) -> str:
    if isinstance(value, str) and value.replace("-", "").replace("_", "").isalnum():
        return value
    raise Unfit('the name of a dial plan, such as "jp"')


def _mark(value: Any) -> int:
    if type(value) is int and 0 < value < 1 << 32:
        bits = value // (value & -value)
        if bits == 0xF:
            return value
    raise Unfit("four neighbouring bits of the packet mark, such as 0x0f000000")


class Key(NamedTuple):
    """One key: its default as TOML would give it, and its check."""

    default: Any
    check: Callable[[Any], Any]


KEYS: Final[dict[str, Key]] = {
    "mode": Key("enforce", _choice("enforce", "monitor")),
    "network.wan": Key("auto", _interfaces),
    "network.inside": Key([], _networks),
    "network.sip_ports": Key([5060], _ports),
    "origin.home": Key(["JP"], _countries),
    "origin.allow": Key([], _addresses),
    "origin.block": Key([], _addresses),
    "origin.table": Key(None, _path),
    "numbers.dialplan": Key("jp", _name),
    "numbers.profile": Key("office", _choice("office", "home", "watch")),
    "numbers.allow": Key([], _prefixes),
    "numbers.block": Key([], _prefixes),
    "numbers.outside_line": Key(["0", "9"], _digits),
    "numbers.idd": Key([], _digits),
    "numbers.area_code": Key("", _area_code),
    "policy.malformed": Key("accept", _verdict),
    "policy.state_full": Key("accept", _verdict),
    "policy.internal_error": Key("accept", _verdict),
    "log.full_numbers": Key(False, _flag),
    "log.max_per_second": Key(20, _number(1, 10_000)),
    "kernel.queue": Key(5060, _number(0, 65535)),
    "kernel.queue_length": Key(4096, _number(16, 65535)),
    "kernel.mark": Key(0x0F000000, _mark),
}
"""Path of every key, with `[rules.ID] mode` apart: its ids come from the bundle."""

RULE_MODES: Final = ("enforce", "monitor", "off")
