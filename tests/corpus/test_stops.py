"""The message at which counting alone stops each attack of the corpus.

Origin and traits are switched off, so that nothing but how often somebody fails or
asks can tell an attack from honest use. No network is named as inside: what a capture
of strangers shows has to be enough.
"""

from pathlib import Path
from typing import NamedTuple

import pytest
from ringfence.config import assemble, parse_config
from ringfence.engine import Engine
from ringfence.packet import Instant
from ringfence.pcap import open_capture

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = pytest.mark.corpus

COUNTING = '[rules.foreign-registration]\nmode = "off"\n[rules.scanner]\nmode = "off"\n'
DEFAULT = ""


class Stop(NamedTuple):
    """Where a ban begins."""

    frame: int
    rule: str
    whom: str
    """Which address of that frame is banned."""
    seconds: int


GUESS, ENUMERATE = "password-guessing", "extension-enumeration"

COUNTED = {
    # Fifth 403 to a wrong password; the tool would have found the right one at 364.
    "lab/lab-svcrack-101.pcap": [Stop(20, GUESS, "dst", 300)],
    # Fifth extension that does not exist.
    "lab/lab-svwar-register.pcap": [Stop(10, ENUMERATE, "dst", 300)],
    "lab/lab-svwar-register-ipv6.pcap": [Stop(12, ENUMERATE, "dst", 300)],
    "lab/lab-svwar-register-ipv4-fragments.pcap": [Stop(15, ENUMERATE, "dst", 300)],
    "derived/derived-vlan100-svwar-register.pcap": [Stop(10, ENUMERATE, "dst", 300)],
    "lab/lab-svwar-invite.pcap": [Stop(13, ENUMERATE, "dst", 300)],
    # Eleventh extension asked for; this PBX answers 200 for all of them.
    "lab/lab-svwar-options.pcap": [Stop(21, "extension-sweep", "src", 300)],
    "lab/lab-sippts-exten-register-udp.pcap": [Stop(10, ENUMERATE, "dst", 300)],
    "lab/lab-sippts-exten-register-tcp.pcap": [Stop(61, ENUMERATE, "dst", 300)],
    # Five accounts within 9 s. It comes back after each ban.
    "pcaps/lbl-SIP-Bruteforce-Single-IP.pcap": [
        Stop(21, ENUMERATE, "dst", 300),
        Stop(96, ENUMERATE, "dst", 1800),
        Stop(421, GUESS, "dst", 7200),
        Stop(1012, GUESS, "dst", 43_200),
    ],
    # Fourth prefix in front of one number; the second visit is 200 minutes later.
    "pcaps/lbl-SIP-3700-unauthorized-401.pcap": [
        Stop(10, "dial-plan-guess", "src", 1800),
        Stop(35, "dial-plan-guess", "src", 7200),
    ],
    "derived/derived-vlan200-lbl-3700.pcap": [
        Stop(10, "dial-plan-guess", "src", 1800),
        Stop(35, "dial-plan-guess", "src", 7200),
    ],
    # One question or two: nothing that could be counted.
    "lab/lab-sippts-scan-udp.pcap": [],
    "lab/lab-sippts-scan-invite-udp.pcap": [],
    # Four of its accounts do not exist, and it tries no password.
    "lab/lab-nmap-sip-brute.pcap": [],
    # One wrong password, and one right.
    "lab/lab-sipsak-register-badpw.pcap": [],
    "lab/lab-sipsak-register-ok.pcap": [],
}

FIRST = {
    # With all rules on, those that need no counting come first.
    "lab/lab-svcrack-101.pcap": (1, "foreign-registration"),
    "lab/lab-svwar-register.pcap": (1, "foreign-registration"),
    "lab/lab-svwar-register-ipv6.pcap": (3, "foreign-registration"),
    "lab/lab-svwar-register-ipv4-fragments.pcap": (2, "foreign-registration"),
    "lab/lab-svwar-invite.pcap": (1, "scanner"),
    "lab/lab-svwar-options.pcap": (1, "scanner"),
    "lab/lab-sippts-exten-register-udp.pcap": (1, "foreign-registration"),
    "lab/lab-sippts-exten-register-tcp.pcap": (10, "foreign-registration"),
    "lab/lab-sippts-scan-udp.pcap": (2, "scanner"),
    "lab/lab-sippts-scan-invite-udp.pcap": (1, "scanner"),
    "pcaps/lbl-SIP-Bruteforce-Single-IP.pcap": (1, "foreign-registration"),
    "pcaps/lbl-SIP-3700-unauthorized-401.pcap": (1, "scanner"),
}


def stops(name: str, toml: str) -> tuple[list[Stop], tuple[int, str | None] | None]:
    """Judge a capture; give the bans, and the first message that a rule stopped."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus is not at {CORPUS}")
    judge = Engine(assemble(parse_config(toml, "test")))
    found: list[Stop] = []
    first: tuple[int, str | None] | None = None
    with open_capture(CORPUS / name) as frames:
        for frame, wall, packet in frames:
            decision = judge.inspect(packet, Instant(wall, wall))
            for finding in decision.findings:
                if finding.ruling.stops and first is None:
                    first = frame, finding.ruling.rule
                if finding.ruling.ban_s and decision.ban is not None:
                    rule = finding.ruling.rule or ""
                    found.append(Stop(frame, rule, decision.ban, decision.ban_s))
    assert judge.counters.bans == len(found)
    return found, first


@pytest.mark.parametrize("name", COUNTED)
def test_where_counting_stops_an_attack(name: str) -> None:
    assert stops(name, COUNTING)[0] == COUNTED[name]


@pytest.mark.parametrize("name", FIRST)
def test_where_all_rules_together_stop_it(name: str) -> None:
    assert stops(name, DEFAULT)[1] == FIRST[name]


def others() -> list[str]:
    return sorted(
        f"{folder}/{path.name}"
        for folder in ("pcaps", "lab", "derived")
        for path in (CORPUS / folder).glob("*.pcap*")
        if f"{folder}/{path.name}" not in COUNTED
    )


@pytest.mark.parametrize("name", others() or ["(no corpus)"])
def test_counting_leaves_everything_else_alone(name: str) -> None:
    assert stops(name, COUNTING) == ([], None)
