"""Every key at its limits: what it takes, and what it says of the rest."""

from typing import Any

import pytest
from ringfence.calls.terms import Span
from ringfence.config.notify import MAX_URL, MAX_WORD, MAX_WORDS, host_of
from ringfence.config.schema import (
    KEYS,
    MAX_LIST,
    MAX_PORTS,
    RULE_MODES,
    Addresses,
    Config,
)
from ringfence.config.unfit import Unfit
from ringfence.decision import Verdict
from ringfence.errors import ConfigError
from ringfence.facts.network import NetworkSet

ONE_OF_TWO_VERDICTS = 'one of "accept", "drop"'
INTERFACE = '"auto", an interface name or a list of them'
COUNTRY = 'a two-letter country code of ISO 3166 such as "JP"'
PREFIX = 'a prefix of E.164 numbers without "+", such as "63" or "6327"'
MARK = "four neighbouring bits of the packet mark, such as 0x0f000000"
PORTS = "a list of 1 to 15 port numbers from 1 to 65535"
SOCKET = "the absolute path of a socket, at most 107 bytes"
STATUS = "one of 403, 480, 486, 488, 503, 603, or 0"
AREA = 'an area code such as "03", or ""'
DIALPLAN = 'the name of a dial plan, such as "jp"'

COMMAND = (
    "the absolute path of a program, or a list of it and its arguments such as "
    '["/usr/bin/logger", "-t", "phones"]; no shell reads it'
)
WEBHOOK = (
    "a URL that begins with https:// (http:// to a loopback address only), of at most "
    "2000 characters without spaces, quotes and backslashes"
)
CURRENCY = 'a currency of ISO 4217 such as "JPY"'
SPAN = 'days and times such as "mon-fri 08:00-20:00" or "sat 09:00-13:00"'

FITS: dict[str, list[tuple[Any, Any]]] = {
    "mode": [("enforce", "enforce"), ("monitor", "monitor")],
    "network.wan": [
        ("auto", ()),
        ("wan", ("wan",)),
        (["eth0", "pppoe-wan"], ("eth0", "pppoe-wan")),
        ("x", ("x",)),
        ("x" * 15, ("x" * 15,)),
    ],
    "network.inside": [
        ([], ()),
        (["192.0.2.0/24", "2001:db8::1"], ("192.0.2.0/24", "2001:db8::1")),
        (["0.0.0.0/0"], ("0.0.0.0/0",)),
    ],
    "network.sip_ports": [
        ([1], {1}),
        ([65535, 5060, 5060], {5060, 65535}),
        (list(range(1, MAX_PORTS + 1)), set(range(1, MAX_PORTS + 1))),
    ],
    "network.tls_ports": [([5061, 443], {5061, 443})],
    "origin.home": [(["JP"], {"JP"}), (["jp", "NL"], {"JP", "NL"})],
    "origin.allow": [
        ([], Addresses(NetworkSet(), frozenset())),
        (
            ["NL", "192.0.2.1", "de", "2001:db8::/32"],
            Addresses(
                NetworkSet.parse(["192.0.2.1/32", "2001:db8::/32"], ""),
                frozenset({"NL", "DE"}),
            ),
        ),
    ],
    "origin.block": [(["KP"], Addresses(NetworkSet(), frozenset({"KP"})))],
    "origin.table": [(None, None), ("countries.csv", "countries.csv")],
    "numbers.dialplan": [("jp", "jp"), ("jp-north_2", "jp-north_2")],
    "numbers.profile": [("office", "office"), ("home", "home"), ("watch", "watch")],
    "numbers.allow": [([], ()), (["1", "9" * 15], ("1", "9" * 15))],
    "numbers.block": [(["6327"], ("6327",))],
    "numbers.options": [([], ()), (["hikari"], ("hikari",))],
    "numbers.outside_line": [
        ("plan", None),
        ([], ()),
        (["0", "12345"], ("0", "12345")),
    ],
    "numbers.idd": [(["010"], ("010",))],
    "numbers.area_code": [("", ""), ("03", "03"), ("04992", "04992")],
    "policy.malformed": [("accept", Verdict.ACCEPT), ("drop", Verdict.DROP)],
    "policy.state_full": [("drop", Verdict.DROP)],
    "policy.internal_error": [("drop", Verdict.DROP)],
    "policy.no_listener": [("accept", Verdict.ACCEPT), ("drop", Verdict.DROP)],
    "policy.queue_full": [("accept", Verdict.ACCEPT), ("drop", Verdict.DROP)],
    "policy.reject_status": [
        (status, status) for status in (0, 403, 480, 486, 488, 503, 603)
    ],
    "offload.origin": [(True, True), (False, False)],
    "offload.tls_home_only": [(True, True), (False, False)],
    "offload.source_rate": [(0, 0), (100_000, 100_000)],
    "offload.source_burst": [(1, 1), (100_000, 100_000)],
    "bundle.keys": [("/etc/keys", "/etc/keys")],
    "bundle.store": [("/etc/rules", "/etc/rules")],
    "bundle.factory": [("/rom/base.tar", "/rom/base.tar")],
    "bundle.channel": [("stable", "stable"), ("a-1", "a-1"), ("x" * 32, "x" * 32)],
    "bundle.trial": [(1, 1), (86_400, 86_400)],
    "state.file": [("/data/state.json", "/data/state.json")],
    "control.socket": [("/run/x.sock", "/run/x.sock"), ("/" * 107, "/" * 107)],
    "log.full_numbers": [(True, True), (False, False)],
    "log.max_per_second": [(1, 1), (10_000, 10_000)],
    "kernel.queue": [(0, 0), (65_535, 65_535)],
    "kernel.queue_length": [(16, 16), (65_535, 65_535)],
    "kernel.mark": [
        (0xF, 0xF),
        (0x0F000000, 0x0F000000),
        (0x1E0, 0x1E0),
        (0xF0000000, 0xF0000000),
    ],
    "kernel.binding": [(name, name) for name in ("auto", "netfilterqueue", "python")],
    "budget.day": [(0, 0), (5_000, 5_000), (1_000_000_000, 1_000_000_000)],
    "budget.month": [(0, 0)],
    "budget.times_last_month": [(0, 0), (1_000, 1_000)],
    "budget.currency": [("JPY", "JPY"), ("EUR", "EUR")],
    "budget.rates": [(None, None), ("rates.csv", "rates.csv")],
    "hours.international": [
        ("always", None),
        ([], ()),
        (["mon-fri 08:00-20:00"], (Span(frozenset(range(5)), 480, 1_200),)),
        (["Sat 00:00-24:00"], (Span(frozenset({5}), 0, 1_440),)),
        (["fri-mon 23:59-24:00"], (Span(frozenset({4, 5, 6, 0}), 1_439, 1_440),)),
    ],
    "hours.holidays": [([], frozenset()), (["2026-11-23"], {20261123})],
    "notify.command": [
        ([], ()),
        ("/usr/bin/x y", ("/usr/bin/x y",)),
        (["/x", "", "$HOME"], ("/x", "", "$HOME")),
        (["/x"] * MAX_WORDS, ("/x",) * MAX_WORDS),
        (["/x", "y" * MAX_WORD], ("/x", "y" * MAX_WORD)),
    ],
    "notify.webhook": [
        (url, url)
        for url in (
            *("", "https://a", "https://user:word@hooks.example:8443/T0/B0?x=y#z"),
            *("https://[2001:db8::1]/x", "http://127.0.0.1:8080/x"),
            *("http://127.255.0.1", "http://[::1]:80/x", "http://localhost/x"),
            "https://" + "x" * (MAX_URL - 8),
        )
    ],
    "notify.ca": [(None, None), ("/etc/ca.pem", "/etc/ca.pem")],
    "notify.timeout": [(1, 1), (300, 300)],
}

_COMMANDS: list[Any] = [
    *("logger", "./x", "", "/bin/", "/a\0b", 1, None, {}),
    *(["logger", "/x"], ["/x", 1], [["/x"]], ["/x", "a\0b"]),
    *(["/x"] * (MAX_WORDS + 1), ["/x", "y" * (MAX_WORD + 1)]),
]

UNFIT: dict[str, list[tuple[Any, str]]] = {
    "mode": [
        ("off", 'one of "enforce", "monitor"'),
        (True, 'one of "enforce", "monitor"'),
    ],
    "network.wan": [
        ("", INTERFACE),
        ("x" * 16, INTERFACE),
        ("a/b", INTERFACE),
        ("a b", INTERFACE),
        ("a\0b", INTERFACE),
        ([], INTERFACE),
        (["wan", 1], INTERFACE),
        (5, INTERFACE),
    ],
    "network.inside": [
        ("192.0.2.0/24", "a list of networks such as 192.0.2.0/24, each in quotes"),
        ([1], "a list of networks such as 192.0.2.0/24, each in quotes"),
    ],
    "network.sip_ports": [
        ([], PORTS),
        ([0], PORTS),
        ([65_536], PORTS),
        (["5060"], PORTS),
        ([True], PORTS),
        (5060, PORTS),
        (list(range(1, MAX_PORTS + 2)), PORTS),
    ],
    "network.tls_ports": [([], PORTS), ([0], PORTS)],
    "origin.home": [
        ([], "at least one country code; nobody could register otherwise"),
        ("JP", "a list of country codes, each in quotes"),
    ],
    "origin.allow": [
        ("NL", "a list of addresses, networks or country codes, each in quotes"),
    ],
    "origin.block": [
        (
            ["NL"] * (MAX_LIST + 1),
            f"at most {MAX_LIST} entries, not {MAX_LIST + 1}",
        ),
    ],
    "origin.table": [(value, "the path of a file") for value in ("", "a\0b", 1)],
    "numbers.dialplan": [("", DIALPLAN), ("../jp", DIALPLAN), (81, DIALPLAN)],
    "numbers.profile": [("hotel", 'one of "office", "home", "watch"')],
    "numbers.allow": [
        ("63", "a list of prefixes of E.164 numbers, each in quotes"),
        ([63], "a list of prefixes of E.164 numbers, each in quotes"),
    ],
    "numbers.block": [
        ({"63": True}, "a list of prefixes of E.164 numbers, each in quotes"),
    ],
    "numbers.options": [
        ("hikari", "a list of options of the dial plan, each in quotes")
    ],
    "numbers.outside_line": [("0", '"plan", or a list of digits, each in quotes')],
    "numbers.idd": [([10], "a list of digits, each in quotes")],
    "numbers.area_code": [
        ("123456", AREA),
        ("o3", AREA),
        ("\uff10\uff13", AREA),
        (3, AREA),
    ],
    "policy.malformed": [
        ("reject", ONE_OF_TWO_VERDICTS),
        ("DROP", ONE_OF_TWO_VERDICTS),
        (0, ONE_OF_TWO_VERDICTS),
    ],
    "policy.state_full": [("pass", ONE_OF_TWO_VERDICTS)],
    "policy.internal_error": [([], ONE_OF_TWO_VERDICTS)],
    "policy.no_listener": [("reject", ONE_OF_TWO_VERDICTS)],
    "policy.queue_full": [(True, ONE_OF_TWO_VERDICTS)],
    "policy.reject_status": [(value, STATUS) for value in (True, 200, 404, "403", 0.0)],
    "offload.origin": [("on", "true or false")],
    "offload.tls_home_only": [(1, "true or false")],
    "offload.source_rate": [
        (-1, "a whole number from 0 to 100000"),
        (100_001, "a whole number from 0 to 100000"),
    ],
    "offload.source_burst": [
        (0, "a whole number from 1 to 100000"),
        (100_001, "a whole number from 1 to 100000"),
    ],
    "bundle.keys": [
        (value, "the absolute path of a folder")
        for value in ("keys", "", None, 1, "/a\0b")
    ],
    "bundle.store": [
        (value, "the absolute path of a folder")
        for value in ("rules", "", None, 1, "/a\0b")
    ],
    "bundle.factory": [
        (value, "the absolute path of a file")
        for value in ("a.tar", "", "/rom/", None, "/a\0b")
    ],
    "bundle.channel": [
        (value, 'the name of a channel, such as "stable"')
        for value in ("", "Stable", "1st", "a b", "ä", "x" * 33, None, 1)
    ],
    "bundle.trial": [
        (value, "a whole number from 1 to 86400") for value in (0, 86_401, True, "60s")
    ],
    "state.file": [
        (value, "the absolute path of a file")
        for value in ("a.json", "", "/a/", None, "/a\0b")
    ],
    "control.socket": [
        ("run/x.sock", SOCKET),
        ("/" * 108, SOCKET),
        ("/a\0b", SOCKET),
        ("", SOCKET),
        (None, SOCKET),
    ],
    "log.full_numbers": [("yes", "true or false"), (1, "true or false")],
    "log.max_per_second": [
        (0, "a whole number from 1 to 10000"),
        (10_001, "a whole number from 1 to 10000"),
        (1.0, "a whole number from 1 to 10000"),
        (True, "a whole number from 1 to 10000"),
    ],
    "kernel.queue": [
        (-1, "a whole number from 0 to 65535"),
        (65_536, "a whole number from 0 to 65535"),
    ],
    "kernel.queue_length": [
        (15, "a whole number from 16 to 65535"),
        (65_536, "a whole number from 16 to 65535"),
    ],
    "kernel.mark": [
        (0, MARK),
        (0x7, MARK),
        (0x1F, MARK),
        (0x0F0F0000, MARK),
        (0xF00000000, MARK),
        (-15, MARK),
        (True, MARK),
        ("0x0f000000", MARK),
    ],
    "kernel.binding": [
        ("c", 'one of "auto", "netfilterqueue", "python"'),
        (None, 'one of "auto", "netfilterqueue", "python"'),
    ],
    "budget.day": [
        (-1, "a whole number from 0 to 1000000000"),
        (1_000_000_001, "a whole number from 0 to 1000000000"),
        (1.5, "a whole number from 0 to 1000000000"),
    ],
    "budget.month": [(True, "a whole number from 0 to 1000000000")],
    "budget.times_last_month": [(1_001, "a whole number from 0 to 1000")],
    "budget.currency": [
        ("jpy", CURRENCY),
        ("YEN!", CURRENCY),
        (392, CURRENCY),
        ("円円円", CURRENCY),
    ],
    "budget.rates": [("", "the path of a file"), (1, "the path of a file")],
    "hours.international": [
        ("never", '"always", or a list of days and times, each in quotes')
    ],
    "hours.holidays": [("2026-11-23", "a list of dates, each in quotes")],
    "notify.command": [(value, COMMAND) for value in _COMMANDS],
    "notify.webhook": [
        (value, WEBHOOK)
        for value in (
            *("hooks.example/T0", "HTTPS://a", "ftp://a/", "https://", "https:///x"),
            *("http://hooks.example/", "http://127.0.0.1.example/", "http://1.2.3.4/"),
            *("http://127.0.0.1@hooks.example/", "http://hooks.example#@127.0.0.1/"),
            *("http://user@127.0.0.1/", "http://127.0.0.1\\@hooks.example/"),
            *("http://[::1", "http://[::1]x/", "https://:443/", "https://a b/"),
            *('https://a/"', "https://a/\n", "https://a/\u00fc", "https://a/\0"),
            *("https://" + "x" * (MAX_URL - 7), 1, None, ["https://a"]),
        )
    ],
    "notify.ca": [
        (value, "the absolute path of a file") for value in ("ca.pem", "", "/a/", 1)
    ],
    "notify.timeout": [
        (value, "a whole number from 1 to 300") for value in (0, 301, True, "30s")
    ],
}

ENTRIES: dict[str, list[tuple[list[str], list[str]]]] = {
    "network.inside": [
        (
            ["192.0.2.1/24", "10.0.0.0/8", "lan"],
            [
                '[0] = "192.0.2.1/24": host bits are set; expected 192.0.2.0/24 for the '
                "network or 192.0.2.1 for the one address",
                '[2] = "lan": expected an address or a network such as 192.0.2.0/24 or '
                "2001:db8::/32",
            ],
        ),
    ],
    "origin.home": [
        (
            ["XX", "JP", "Japan", ""],
            [
                f'[0] = "XX": expected {COUNTRY}',
                f'[2] = "Japan": expected {COUNTRY}',
                f'[3] = "": expected {COUNTRY}',
            ],
        ),
    ],
    "origin.allow": [
        (
            ["NL", "2001:db8::1/32", "UK", "Japan", "192.0.2.0/33"],
            [
                '[1] = "2001:db8::1/32": host bits are set; expected 2001:db8::/32 for '
                "the network or 2001:db8::1 for the one address",
                f'[2] = "UK": expected {COUNTRY}',
                '[3] = "Japan": expected an address, a network or a country code',
                '[4] = "192.0.2.0/33": expected a length from 0 to 32 after "/"',
            ],
        ),
    ],
    "origin.block": [(["QQ"], [f'[0] = "QQ": expected {COUNTRY}'])],
    "numbers.allow": [
        (
            ["63", "+63", "063", "1" * 16, ""],
            [
                f'[1] = "+63": expected {PREFIX}',
                f'[2] = "063": expected {PREFIX}',
                f'[3] = "{"1" * 16}": expected {PREFIX}',
                f'[4] = "": expected {PREFIX}',
            ],
        ),
    ],
    "numbers.block": [(["\uff16"], [f'[0] = "\uff16": expected {PREFIX}'])],
    "numbers.options": [
        (
            ["a b"],
            ['[0] = "a b": expected an option of the dial plan such as "hikari"'],
        ),
    ],
    "numbers.outside_line": [
        (
            ["0", "*9", "123456"],
            [
                '[1] = "*9": expected one to five digits',
                '[2] = "123456": expected one to five digits',
            ],
        ),
    ],
    "numbers.idd": [([""], ['[0] = "": expected one to five digits'])],
    "hours.international": [
        (
            ["mon 8:00-20:00", "mon 20:00-08:00", "day 08:00-20:00", "mon-fri", "x"],
            [
                f'[{at}] = "{text}": expected {SPAN}'
                for at, text in enumerate(
                    (
                        "mon 8:00-20:00",
                        "mon 20:00-08:00",
                        "day 08:00-20:00",
                        "mon-fri",
                        "x",
                    )
                )
            ],
        ),
        (
            ["mon 00:00-24:01", "mon 08:60-09:00"],
            [
                f'[0] = "mon 00:00-24:01": expected {SPAN}',
                f'[1] = "mon 08:60-09:00": expected {SPAN}',
            ],
        ),
    ],
    "hours.holidays": [
        (["2026-02-30"], ['[0] = "2026-02-30": expected a date such as "2026-11-23"'])
    ],
}


def cases(of: dict[str, list[tuple[Any, Any]]]) -> list[tuple[str, Any, Any]]:
    return [(path, *pair) for path, pairs in of.items() for pair in pairs]


def test_every_key_is_tested() -> None:
    assert set(FITS) == set(KEYS)
    assert set(UNFIT) == set(KEYS)


@pytest.mark.parametrize(("path", "value", "result"), cases(FITS))
def test_fits(path: str, value: object, result: object) -> None:
    assert KEYS[path].check(value) == result


@pytest.mark.parametrize(("path", "value", "expected"), cases(UNFIT))
def test_does_not_fit(path: str, value: object, expected: str) -> None:
    with pytest.raises(Unfit) as unfit:
        KEYS[path].check(value)
    assert str(unfit.value) == expected


@pytest.mark.parametrize(("path", "value", "problems"), cases(ENTRIES))
def test_every_unfit_entry_of_a_list_is_told(
    path: str, value: list[str], problems: list[str]
) -> None:
    with pytest.raises(ConfigError) as wrong:
        KEYS[path].check(value)
    assert wrong.value.problems == problems


def test_a_list_at_its_limit() -> None:
    assert len(KEYS["numbers.allow"].check(["63"] * MAX_LIST)) == MAX_LIST


@pytest.mark.parametrize("path", KEYS)
def test_the_default_of_every_key_fits(path: str) -> None:
    KEYS[path].check(KEYS[path].default)


def test_every_key_has_its_field() -> None:
    fields = {path.replace(".", "_") for path in KEYS} | {"rules", "limits"}
    assert set(Config._fields) == fields


def test_modes() -> None:
    assert RULE_MODES == ("enforce", "monitor", "off")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a/b", "a"),
        ("https://user:word@a:8443?x@y", "a:8443"),
        ("https://[::1]:8443#z", "[::1]:8443"),
    ],
)
def test_the_host_of_a_url_is_all_that_is_shown_of_it(url: str, host: str) -> None:
    assert host_of(url) == host
