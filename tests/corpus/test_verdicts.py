"""What the embedded rules do with captures of others: nothing to calls, much to attacks.

Everything is judged as a fresh installation would: home is Japan, the private networks
are inside. Why what passes in the attack captures passes, at this stage:

* Responses: they are counted, but an answer to what was stopped says nothing. What
  counting does by itself is in `test_stops.py`.
* `lbl-SIP-3700-…`: sipcli's ACKs. They carry none of its traits, and a call that was
  never let in is not set up by them.
* `lab-svwar-invite`: the INVITEs to 110, 118 and 119. Emergency calls pass whoever
  makes them.
* sipsak: an administrator's tool with no trait that honest clients lack.

What `foreign-registration` says there means little: addresses in `lbl-*` are anonymised
(all look-ups are of addresses that were never there), and those of `lab-*` are
documentation addresses, which have no country and so are not home. It is the more
severe rule and takes the REGISTERs first; so each attack is judged without it, too.
"""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ringfence.config import assemble, parse_config
from ringfence.engine import Settings
from ringfence.replay import replay

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = pytest.mark.corpus

Hits = dict[str, int]


class Attack(NamedTuple):
    """How often the rules hit in one capture."""

    requests: int
    hits: Hits
    without_origin: Hits
    """With `foreign-registration` off."""


def registers(number: int) -> Attack:
    """So many registrations, taken by their origin or, failing that, by their traits."""
    return Attack(number, {"foreign-registration": number}, {"scanner": number})


def scans(number: int, others: int = 0) -> Attack:
    """So many requests with a tool's traits, and others that have none."""
    return Attack(number + others, {"scanner": number}, {"scanner": number})


INVITES_3700 = {"dial-plan-guess": 2, "scanner": 9, "banned": 14}
"""Two visits, 200 minutes apart; a ban takes the ACKs too."""
SWEEP = {"extension-sweep": 1, "scanner": 10, "banned": 31}

ATTACKS = {
    "pcaps/lbl-BadUserAgent-sipvicious.pcap": scans(26),
    "pcaps/lbl-SIP-3700-unauthorized-401.pcap": Attack(34, INVITES_3700, INVITES_3700),
    "pcaps/lbl-SIP-Bruteforce-Single-IP.pcap": registers(1626),
    "derived/derived-vlan100-svwar-register.pcap": registers(77),
    "derived/derived-vlan200-lbl-3700.pcap": Attack(34, INVITES_3700, INVITES_3700),
    "lab/lab-nmap-sip-brute.pcap": registers(11),
    "lab/lab-nmap-sip-methods.pcap": scans(1),
    "lab/lab-nmap-sv-udp.pcap": scans(1),
    "lab/lab-sippts-exten-register-tcp.pcap": registers(76),
    "lab/lab-sippts-exten-register-udp.pcap": registers(76),
    "lab/lab-sippts-scan-invite-udp.pcap": scans(1),
    "lab/lab-sippts-scan-udp.pcap": scans(1),
    "lab/lab-sipsak-options.pcap": Attack(1, {}, {}),
    "lab/lab-sipsak-register-badpw.pcap": Attack(2, {"foreign-registration": 2}, {}),
    "lab/lab-sipsak-register-ok.pcap": Attack(2, {"foreign-registration": 2}, {}),
    "lab/lab-svcrack-101.pcap": registers(182),
    "lab/lab-svmap-invite.pcap": scans(1),
    "lab/lab-svmap-options.pcap": scans(1),
    "lab/lab-svwar-invite.pcap": scans(150, others=3),
    "lab/lab-svwar-options.pcap": Attack(42, SWEEP, SWEEP),
    "lab/lab-svwar-register-ipv4-fragments.pcap": registers(37),
    "lab/lab-svwar-register-ipv6.pcap": registers(47),
    "lab/lab-svwar-register.pcap": registers(77),
}

ELSEWHERE = {
    # Recorded in Mexico and Australia on the public side: registrations from abroad,
    # for a site in Japan.
    "pcaps/sipnab-SIP_CALL_RTP_G711.pcap": ("MX", 3),
    "pcaps/suri-sip-s0-cloudshark.pcap": ("MX", 1),
    "pcaps/suri-sip-pattern.pcap": ("AU", 1),
    "pcaps/suri-sip-tcp-pattern.pcap": ("AU", 1),
}


def captures() -> list[str]:
    return sorted(
        f"{folder}/{path.name}"
        for folder in ("pcaps", "lab", "derived")
        for path in (CORPUS / folder).glob("*.pcap*")
    )


CALLS = [name for name in captures() if name not in ATTACKS and name not in ELSEWHERE]

WITHOUT_ORIGIN = '[rules.foreign-registration]\nmode = "off"\n'


@pytest.fixture(scope="module")
def site() -> Settings:
    return assemble(parse_config("", "defaults"))


def judged(name: str, settings: Settings) -> list[dict[str, Any]]:
    """Replay one capture; give its messages and, last, its summary."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus is not at {CORPUS}")
    out = io.StringIO()
    assert replay([CORPUS / name], settings, out, jsonl=True) == []
    return [json.loads(line) for line in out.getvalue().splitlines()]


def stopped(records: list[dict[str, Any]]) -> Hits:
    verdicts = [r["rule"] for r in records if r["type"] == "message" and r["rule"]]
    assert all(
        (r["verdict"] == "accept") is (r["rule"] is None)
        for r in records
        if r["type"] == "message"
    )
    assert dict(Counter(verdicts)) == records[-1]["rules"]
    return dict(Counter(verdicts))


def test_the_corpus_is_sorted() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus is not at {CORPUS}")
    assert set(ATTACKS) | set(ELSEWHERE) <= set(captures())
    assert len(CALLS) >= 40


@pytest.mark.parametrize("name", CALLS or ["(no corpus)"])
def test_normal_calls_are_left_alone(name: str, site: Settings) -> None:
    records = judged(name, site)
    assert stopped(records) == {}
    summary = records[-1]
    assert (summary["dropped"], summary["rejected"], summary["held"]) == (0, 0, 0)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_normal_calls_of_other_countries(name: str, site: Settings) -> None:
    country, number = ELSEWHERE[name]
    assert stopped(judged(name, site)) == {"foreign-registration": number}
    there = assemble(parse_config(f'[origin]\nhome = ["{country}"]\n', "there"))
    assert stopped(judged(name, there)) == {}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(name: str, site: Settings) -> None:
    attack = ATTACKS[name]
    records = judged(name, site)
    kinds = Counter(r["kind"] for r in records if r["type"] == "message")
    assert kinds["request"] == attack.requests
    assert stopped(records) == attack.hits
    without = assemble(parse_config(WITHOUT_ORIGIN, "without"))
    assert stopped(judged(name, without)) == attack.without_origin


def passing(name: str, settings: Settings) -> list[dict[str, Any]]:
    """The requests of a capture that no rule stops."""
    return [
        r
        for r in judged(name, settings)
        if r["type"] == "message" and r["kind"] == "request" and r["rule"] is None
    ]


def test_what_passes_of_the_calls_of_sipcli(site: Settings) -> None:
    left = passing("pcaps/lbl-SIP-3700-unauthorized-401.pcap", site)
    assert Counter(r["method"] for r in left) == {"ACK": 9}


def test_what_passes_of_the_calls_of_svwar(site: Settings) -> None:
    left = passing("lab/lab-svwar-invite.pcap", site)
    assert [r["destination"]["class"] for r in left] == ["emergency"] * 3
    assert {r["to_user"] for r in left} == {"110", "118", "119"}


def test_where_the_calls_of_sipcli_lead() -> None:
    """To Israel, each by another carrier of America: 011, 9011, 1010222011, …

    Read as 010 and what follows, the carriers' codes spell Mauritania, France, Austria
    and Brazil, with numbers of 18 digits that nobody can have.
    """
    uncounted = '[rules.dial-plan-guess]\nmode = "off"\n'
    site = assemble(parse_config(uncounted, "uncounted"))
    records = judged("pcaps/lbl-SIP-3700-unauthorized-401.pcap", site)
    called = [r["destination"] for r in records if r.get("method") == "INVITE"]
    assert {(to["country"], len(to["number"])) for to in called} == {("IL", 12)}
    assert "blocked-destination" not in {r.get("rule") for r in records}


def test_which_signatures_hit_the_brute_force(site: Settings) -> None:
    without = assemble(parse_config(WITHOUT_ORIGIN, "without"))
    records = judged("pcaps/lbl-SIP-Bruteforce-Single-IP.pcap", without)
    reasons = Counter(r["reason"] for r in records if r.get("rule"))
    assert len(reasons) == 1
    assert "Cisco v11" in next(iter(reasons))
