"""Password guessing by a real tool, against a real registrar, from within Japan.

The rule that knows svcrack by its traits is off: only counting can stop it.
"""

import pytest
from lab import peers
from lab.addresses import PHONE_JP, SCANNER_JP
from lab.agent import Agent
from lab.network import Lab

pytestmark = pytest.mark.netns

TRIED_BEFORE = 30
"""Wrong passwords in the list ahead of the right one."""
ALLOWED = 5
"""What `password-guessing` lets through before it bans."""

CREDENTIALS = b"Authorization: Digest"


def crack(lab: Lab) -> peers.Result:
    words = lab.folder / "words"
    wrong = [f"wrong-{number}" for number in range(TRIED_BEFORE)]
    words.write_text("\n".join([*wrong, peers.PASSWORDS["201"]]) + "\n")
    return peers.svcrack(lab, SCANNER_JP, lab.registrar, words)


def passwords_at_the_registrar(lab: Lab) -> int:
    lab.settle()
    return len(lab.inside_wire.find(sent=False, src=SCANNER_JP, has=CREDENTIALS))


def test_svcrack_finds_the_password_without_the_agent(nat_lab: Lab) -> None:
    """The test below would also pass if the tool were broken."""
    peers.start_registrar(nat_lab)

    crack(nat_lab)

    assert passwords_at_the_registrar(nat_lab) > TRIED_BEFORE


def test_svcrack_gets_five_tries_and_a_ban(nat_lab: Lab) -> None:
    peers.start_registrar(nat_lab)
    with Agent(nat_lab, {"rules.scanner": {"mode": "off"}}) as agent:
        cracked = crack(nat_lab)
        tried = passwords_at_the_registrar(nat_lab)
        (ban,) = agent.status()["bans"]
        honest = peers.register(
            nat_lab, nat_lab.outside, PHONE_JP, nat_lab.registrar, timeout=5
        )
        counters = agent.stop()

    assert not cracked.ok, cracked.text
    assert 0 < tried <= ALLOWED
    assert (ban["address"], ban["length_s"]) == (SCANNER_JP, 300)
    assert counters["rules"]["password-guessing"] >= 1
    assert counters["kernel"]["banned"] > 0
    assert honest.ok, honest.text
