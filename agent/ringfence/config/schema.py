"""Every key of the configuration: its default, and what it may hold.

Knows values, not files: a check takes what TOML gave and returns what the agent
uses, or raises `Unfit` with the expectation in words. One line in `KEYS` is all that
a new key needs.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar

from ringfence.calls.terms import DAY_MINUTES, Span
from ringfence.config import notify
from ringfence.config.unfit import Unfit
from ringfence.decision import Verdict
from ringfence.errors import ConfigError
from ringfence.facts.country import ISO_COUNTRIES, NetworkSet
from ringfence.facts.network import Network, parse_network
from ringfence.sip.answer import PHRASES

T = TypeVar("T")

MAX_PORTS: Final = 15
"""SIP ports at once: what one iptables multiport match holds."""

MAX_LIST: Final = 10_000
"""Entries of one list in the file; longer lists belong in a bundle."""


class Addresses(NamedTuple):
    """A list of networks and country codes, told apart."""

    networks: NetworkSet
    countries: frozenset[str]


class Limits(NamedTuple):
    """What the site says of a rule's threshold; None: what the rule says."""

    over: int | None = None
    within: float | None = None


class Config(NamedTuple):
    """The whole configuration, checked. Field names are the keys' paths with `_`."""

    mode: str
    network_wan: tuple[str, ...]
    """Interface names; empty for automatic."""
    network_inside: tuple[str, ...]
    network_sip_ports: frozenset[int]
    network_tls_ports: frozenset[int]
    origin_home: frozenset[str]
    origin_allow: Addresses
    origin_block: Addresses
    origin_table: str | None
    """Path of a country table to use in place of the built-in one."""
    numbers_dialplan: str
    numbers_profile: str
    numbers_allow: tuple[str, ...]
    numbers_block: tuple[str, ...]
    numbers_options: tuple[str, ...]
    """Options of the dial plan that are on."""
    numbers_outside_line: tuple[str, ...] | None
    """None for those of the dial plan."""
    numbers_idd: tuple[str, ...]
    numbers_area_code: str
    policy_malformed: Verdict
    policy_state_full: Verdict
    policy_internal_error: Verdict
    policy_no_listener: Verdict
    """For packets that ask while no agent runs."""
    policy_queue_full: Verdict
    """For packets that find the queue full."""
    policy_reject_status: int
    """What a refused caller inside hears; 0 for nothing."""
    offload_origin: bool
    """Drop foreign REGISTER over UDP in the kernel."""
    offload_tls_home_only: bool
    """Drop what comes to the TLS ports from abroad; nobody can read it."""
    offload_source_rate: int
    """SIP packets a second from one source; 0 for no limit."""
    offload_source_burst: int
    log_full_numbers: bool
    log_max_per_second: int
    kernel_queue: int
    kernel_queue_length: int
    kernel_mark: int
    kernel_binding: str
    """What the queue is read by: "auto", or a name of `netfilter.queue.BindingName`; a
    change takes a restart."""
    bundle_keys: str
    """Folder of the public keys that bundles must be signed with, by epoch."""
    bundle_store: str
    """Folder of the bundles that were installed, and of what is known of them."""
    bundle_factory: str
    """The bundle that came with the firmware; it may be missing."""
    bundle_channel: str
    """Which bundles are installed; those of another channel are refused."""
    bundle_trial: int
    """Seconds that a new bundle has to run well before it is kept."""
    budget_day: int
    """Whole units of the currency that calls abroad may cost in a day; 0: any."""
    budget_month: int
    budget_times_last_month: int
    """As many times what the month before has cost; 0: any."""
    budget_currency: str
    budget_rates: str | None
    """Path of a rate table to use in place of the shipped one."""
    hours_international: tuple[Span, ...] | None
    """When calls abroad are made; None: always."""
    hours_holidays: frozenset[int]
    notify_command: tuple[str, ...]
    """A program and its arguments that gets each notice; empty for none."""
    notify_webhook: str
    """URL that each notice is posted to, often with a secret in it; "" for none."""
    notify_ca: str | None
    """Path of the certificates to believe its server by; None: the system's."""
    notify_timeout: int
    """Seconds for one try."""
    state_file: str
    """What the agent remembers from start to start; a change takes a restart."""
    control_socket: str
    """Path of the socket that `status` and `unban` speak to the agent by; a change
    takes a restart."""
    rules: dict[str, str]
    """Mode by rule id, for the rules that the file names."""
    limits: dict[str, Limits]
    """Thresholds by rule id, for the rules that the file gives some."""


def _choice(*options: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, str) and value in options:
            return value
        raise Unfit("one of " + ", ".join(f'"{option}"' for option in options))

    return check


def _verdict(value: Any) -> Verdict:
    return Verdict[_choice("accept", "drop")(value).upper()]


def _status(value: Any) -> int:
    if type(value) is int and (value == 0 or value in PHRASES):
        return value
    raise Unfit(f"one of {', '.join(str(status) for status in PHRASES)}, or 0")


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


def _each(value: Any, of_what: str, read: Callable[[str], T]) -> list[T]:
    """Read every text of a list; raise `ConfigError` with all that do not fit."""
    found: list[T] = []
    problems: list[str] = []
    for index, text in enumerate(_texts(value, of_what)):
        try:
            found.append(read(text))
        except Unfit as unfit:
            problems.append(f'[{index}] = "{text}": expected {unfit}')
        except ConfigError as error:
            problems += [f"[{index}]{problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return found


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
            or "\0" in name
            or any(char.isspace() for char in name)
        ):
            raise Unfit('"auto", an interface name or a list of them')
    return tuple(names)


def _networks(value: Any) -> tuple[str, ...]:
    _each(value, "networks such as 192.0.2.0/24", lambda text: parse_network(text, ""))
    return tuple(value)


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
    raise Unfit('a two-letter country code of ISO 3166 such as "JP"')


def _countries(value: Any) -> frozenset[str]:
    codes = _each(value, "country codes", _country)
    if not codes:
        raise Unfit("at least one country code; nobody could register otherwise")
    return frozenset(codes)


def _address(text: str) -> Network | str:
    if "." in text or ":" in text:
        return parse_network(text, "")
    if len(text) == 2 and text.isalpha():
        return _country(text)
    raise Unfit("an address, a network or a country code")


def _addresses(value: Any) -> Addresses:
    found = _each(value, "addresses, networks or country codes", _address)
    return Addresses(
        NetworkSet(item for item in found if isinstance(item, Network)),
        frozenset(item for item in found if isinstance(item, str)),
    )


def _is_path(value: Any, start: str) -> bool:
    """Tell whether the kernel may be asked for it: a NUL raises no `OSError`."""
    return isinstance(value, str) and value.startswith(start) and "\0" not in value


def _path(value: Any) -> str | None:
    if value is None or (value and _is_path(value, "")):
        return None if value is None else str(value)
    raise Unfit("the path of a file")


def _prefix(text: str) -> str:
    digits = text.isascii() and text.isdigit()
    if not digits or text[0] == "0" or len(text) > 15:
        raise Unfit('a prefix of E.164 numbers without "+", such as "63" or "6327"')
    return text


def _prefixes(value: Any) -> tuple[str, ...]:
    return tuple(_each(value, "prefixes of E.164 numbers", _prefix))


def _few_digits(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise Unfit("one to five digits")
    return text


def _digits(value: Any) -> tuple[str, ...]:
    return tuple(_each(value, "digits", _few_digits))


def _outside_line(value: Any) -> tuple[str, ...] | None:
    if value == "plan":
        return None
    try:
        return _digits(value)
    except Unfit as unfit:
        raise Unfit(f'"plan", or {unfit}') from None


def _options(value: Any) -> tuple[str, ...]:
    return tuple(_each(value, "options of the dial plan", _option))


def _option(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise Unfit('an option of the dial plan such as "hikari"')
    return text


def _area_code(value: Any) -> str:
    if value == "":
        return ""
    try:
        return _few_digits(value if isinstance(value, str) else "?")
    except Unfit:
        raise Unfit('an area code such as "03", or ""') from None


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


def _folder(value: Any) -> str:
    if _is_path(value, "/"):
        return str(value)
    raise Unfit("the absolute path of a folder")


def _file(value: Any) -> str:
    if _is_path(value, "/") and value[-1:] != "/":
        return str(value)
    raise Unfit("the absolute path of a file")


def _certificates(value: Any) -> str | None:
    return None if value is None else _file(value)


def _channel(value: Any) -> str:
    if (
        isinstance(value, str)
        and 0 < len(value) <= 32
        and value[0].isalpha()
        and value.isascii()
        and value.replace("-", "").isalnum()
        and value == value.lower()
    ):
        return value
    raise Unfit('the name of a channel, such as "stable"')


def _socket(value: Any) -> str:
    # sun_path holds 108 bytes with its closing NUL (unix(7)).
    if _is_path(value, "/") and len(value.encode()) < 108:
        return str(value)
    raise Unfit("the absolute path of a socket, at most 107 bytes")


def _is_code(text: str) -> bool:
    return text.isascii() and text.isalpha() and text.isupper()


def _currency(value: Any) -> str:
    if isinstance(value, str) and len(value) == 3 and _is_code(value):
        return value
    raise Unfit('a currency of ISO 4217 such as "JPY"')


_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    fits = colon and len(hour) == 2 and len(minute) == 2
    if fits and (hour + minute).isascii() and (hour + minute).isdecimal():
        found = int(hour) * 60 + int(minute)
        if int(minute) < 60 and found <= DAY_MINUTES:
            return found
    return -1


def _span(text: str) -> Span:
    days, _, times = text.strip().lower().partition(" ")
    first, _, last = days.partition("-")
    begin, _, end = times.strip().partition("-")
    minutes = _minute(begin), _minute(end)
    if (
        first not in _WEEKDAYS
        or (last or first) not in _WEEKDAYS
        or not 0 <= minutes[0] < minutes[1]
    ):
        raise Unfit('days and times such as "mon-fri 08:00-20:00" or "sat 09:00-13:00"')
    at, until = _WEEKDAYS.index(first), _WEEKDAYS.index(last or first)
    length = (until - at) % len(_WEEKDAYS) + 1
    weekdays = frozenset((at + day) % len(_WEEKDAYS) for day in range(length))
    return Span(weekdays, *minutes)


def _spans(value: Any) -> tuple[Span, ...] | None:
    if value == "always":
        return None
    try:
        return tuple(_each(value, "days and times", _span))
    except Unfit as unfit:
        raise Unfit(f'"always", or {unfit}') from None


def _date(text: str) -> int:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Unfit('a date such as "2026-11-23"') from None
    return found.year * 10_000 + found.month * 100 + found.day


def _dates(value: Any) -> frozenset[int]:
    return frozenset(_each(value, "dates", _date))


class Key(NamedTuple):
    """One key: its default as TOML would give it, and its check."""

    default: Any
    check: Callable[[Any], Any]
    secret: bool = False
    """Its value is shown to nobody."""


KEYS: Final[dict[str, Key]] = {
    "mode": Key("enforce", _choice("enforce", "monitor")),
    "network.wan": Key("auto", _interfaces),
    "network.inside": Key([], _networks),
    "network.sip_ports": Key([5060], _ports),
    "network.tls_ports": Key([5061], _ports),
    "origin.home": Key(["JP"], _countries),
    "origin.allow": Key([], _addresses),
    "origin.block": Key([], _addresses),
    "origin.table": Key(None, _path),
    "numbers.dialplan": Key("jp", _name),
    "numbers.profile": Key("office", _choice("office", "home", "watch")),
    "numbers.allow": Key([], _prefixes),
    "numbers.block": Key([], _prefixes),
    "numbers.options": Key([], _options),
    "numbers.outside_line": Key("plan", _outside_line),
    "numbers.idd": Key([], _digits),
    "numbers.area_code": Key("", _area_code),
    "policy.malformed": Key("accept", _verdict),
    "policy.state_full": Key("accept", _verdict),
    "policy.internal_error": Key("accept", _verdict),
    "policy.no_listener": Key("accept", _verdict),
    "policy.queue_full": Key("accept", _verdict),
    "policy.reject_status": Key(403, _status),
    "offload.origin": Key(True, _flag),
    "offload.tls_home_only": Key(False, _flag),
    # 50 phones with four lines and twenty busy lamps each, all at once and each of
    # them challenged, are 2,400 packets; over the 32 s that a transaction may take
    # (RFC 3261 timer F) with every retransmission 4,400, of 12,600 allowed.
    "offload.source_rate": Key(300, _number(0, 100_000)),
    "offload.source_burst": Key(3_000, _number(1, 100_000)),
    "log.full_numbers": Key(False, _flag),
    "log.max_per_second": Key(20, _number(1, 10_000)),
    "kernel.queue": Key(5060, _number(0, 65535)),
    "kernel.queue_length": Key(4096, _number(16, 65535)),
    "kernel.mark": Key(0x0F000000, _mark),
    "kernel.binding": Key("auto", _choice("auto", "netfilterqueue", "python")),
    "bundle.keys": Key("/usr/share/ringfence/keys", _folder),
    "bundle.store": Key("/etc/ringfence/rules", _folder),
    "bundle.factory": Key("/usr/share/ringfence/base.tar", _file),
    "bundle.channel": Key("stable", _channel),
    "bundle.trial": Key(60, _number(1, 86_400)),
    # An office of ten spent 3,415 yen on its dearest day of twelve months and 9,009 in
    # its dearest month; a thief at full speed takes a minute for a day's budget.
    "budget.day": Key(5_000, _number(0, 1_000_000_000)),
    "budget.month": Key(30_000, _number(0, 1_000_000_000)),
    "budget.times_last_month": Key(3, _number(0, 1_000)),
    "budget.currency": Key("JPY", _currency),
    "budget.rates": Key(None, _path),
    "hours.international": Key("always", _spans),
    "hours.holidays": Key([], _dates),
    "notify.command": Key([], notify.command, secret=True),
    "notify.webhook": Key("", notify.webhook, secret=True),
    "notify.ca": Key(None, _certificates),
    "notify.timeout": Key(30, _number(1, 300)),
    "state.file": Key("/etc/ringfence/state.json", _file),
    "control.socket": Key("/run/ringfence/control.sock", _socket),
}
"""Path of every key, with `[rules.ID] mode` apart: its ids come from the bundle."""

RULE_MODES: Final = ("enforce", "monitor", "off")
