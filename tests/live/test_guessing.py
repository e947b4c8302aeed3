"""Password guessing against a real registrar, from within Japan.

By sipvicious, whose traits the rules know (that rule is off here, so that only counting
can stop it), and by a tool of our own that shows none and takes a new port for each
try. What arrived is counted on the wire inside, what the kernel still handed to the
queue by a rule of our own in the router.
"""

import itertools
import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from lab import peers
from lab.addresses import PBX6, PHONE_JP, PHONE_JP6, SCANNER_JP
from lab.agent import Agent
from lab.guesser import Guesser, Style, digests
from lab.namespaces import LabError, Namespace, wait_until
from lab.network import Lab
from lab.phones import Phone

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

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


@both_bindings
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


# A new port for each try. All guessers share one lab: each has an address, or a /64,
# and an account of its own.

WITNESS = """
table inet witness {
    counter past {}
    chain forward {
        type filter hook forward priority 100
        ip saddr 198.51.100.128/25 counter name past
        ip6 saddr 2001:db8:81:a000::/52 counter name past
    }
}
"""
"""Counts what of the guessers' packets the shield let by: between the chain that marks
for the queue (10) and the queue (150)."""

BANNED = "ringfence", "banned"
ADDRESSES = 8
"""Addresses of one /64 that an IPv6 guesser uses in turn: they are one source."""


class Attack(NamedTuple):
    family: int
    style: Style

    @property
    def name(self) -> str:
        words = [f"{self.style.transport.lower()}{self.family}"]
        if self.style.transport == "TCP":
            words.append("one" if self.style.one_connection else "each")
        words += ["same"] * self.style.same + ["pipelined"] * self.style.pipelined
        return "-".join(words)

    @property
    def sources(self) -> list[str]:
        number = ATTACKS.index(self)
        if self.family == 4:
            return [f"198.51.100.{128 + number}"]
        return [f"2001:db8:81:a{number:03x}::{host + 1}" for host in range(ADDRESSES)]

    @property
    def banned(self) -> tuple[str, str]:
        """The ban set and what must be in it."""
        first = self.sources[0]
        if self.family == 4:
            return "banned4", first
        return "banned6", first.removesuffix("1")

    @property
    def user(self) -> str:
        return str(peers.OFFICE[ATTACKS.index(self)])

    @property
    def words(self) -> list[str]:
        wrong = [f"wrong-{number}" for number in range(TRIED_BEFORE)]
        return [*wrong, peers.password_of(self.user)]


ATTACKS = [
    Attack(family, Style(transport, one_connection, same, pipelined))
    for family, transport, one_connection, same, pipelined in itertools.product(
        (4, 6), ("UDP", "TCP"), (False, True), (False, True), (False, True)
    )
    if transport == "TCP" or not one_connection
    if (family, transport, same) != (6, "TCP", True)
]
attacks = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


def furnished() -> Iterator[Lab]:
    with Lab(nat=True) as lab:
        lab.router.run("nft", "-f", "-", stdin=WITNESS)
        for attack in ATTACKS:
            for source in attack.sources:
                bits = 32 if attack.family == 4 else 128
                lab.outside.ip(f"address add {source}/{bits} dev lo nodad")
        peers.start_registrar(lab)
        yield lab


@pytest.fixture(scope="module")
def unguarded(live: None) -> Iterator[Lab]:
    yield from furnished()


@pytest.fixture(scope="module")
def guarded(live: None) -> Iterator[Lab]:
    for lab in furnished():
        with Agent(lab):
            yield lab


def guess(lab: Lab, attack: Attack) -> tuple[bool, Guesser]:
    registrar = PBX6 if attack.family == 6 else lab.registrar
    guesser = Guesser(lab.outside, attack.sources, registrar, attack.user, attack.style)
    return guesser.run(attack.words), guesser


def reached(lab: Lab, guesser: Guesser, attack: Attack) -> set[str]:
    """Return the passwords that arrived at the registrar."""
    lab.settle()
    seen = [
        packet.payload
        for packet in lab.inside_wire.packets()
        if not packet.sent and packet.src in attack.sources
    ]
    return {
        guesser.passwords[proof]
        for proof in digests(seen)
        if proof in guesser.passwords
    }


def counter(lab: Lab, table: str, name: str) -> int:
    text = lab.router.run("nft", "-j", "list", "counter", "inet", table, name)
    return int(json.loads(text)["nftables"][1]["counter"]["packets"])


class Counted(NamedTuple):
    """What became of the packets of all guessers in a lab."""

    sent: int
    past: int
    banned: int


def count(lab: Lab) -> Counted:
    """Count when every packet that was sent has met its fate."""
    ours = {source for attack in ATTACKS for source in attack.sources}
    counted: list[Counted] = []

    def even() -> bool:
        past, banned = counter(lab, "witness", "past"), counter(lab, *BANNED)
        packets = lab.outside_wire.packets()
        sent = sum(packet.sent and packet.src in ours for packet in packets)
        counted.append(Counted(sent, past, banned))
        return sent == past + banned

    wait_until(even, 5, "every packet is past the shield or dropped by it")
    return counted[-1]


def in_set(namespace: Namespace, name: str, address: str) -> bool:
    try:
        namespace.run("nft", f"get element inet ringfence {name} {{ {address} }}")
    except LabError:
        return False
    return True


@attacks
def test_the_guesser_finds_the_password_without_the_agent(
    unguarded: Lab, attack: Attack
) -> None:
    """The test below would also pass if the tool were broken."""
    found, guesser = guess(unguarded, attack)

    assert found
    assert reached(unguarded, guesser, attack) == set(attack.words)
    if not attack.style.one_connection:
        assert len(guesser.ports) > TRIED_BEFORE / 2, "ports may repeat, by chance"


@attacks
def test_the_guesser_gets_five_tries_and_a_ban(guarded: Lab, attack: Attack) -> None:
    lab = guarded
    found, guesser = guess(lab, attack)

    assert not found
    tried = reached(lab, guesser, attack)
    assert 0 < len(tried) <= ALLOWED
    assert peers.password_of(attack.user) not in tried
    assert in_set(lab.router, *attack.banned)

    # Nothing more of it comes as far as the queue: all of it ends in the shield.
    before = count(lab)
    found, again = guess(lab, attack)
    after = count(lab)
    assert not found
    assert after.past == before.past
    least = 1 if attack.style.one_connection else len(attack.words)
    assert after.banned - before.banned >= least
    assert reached(lab, again, attack) == set()

    # The same account from elsewhere goes on.
    home = PHONE_JP if attack.family == 4 else PHONE_JP6
    registrar = lab.registrar if attack.family == 4 else PBX6
    with lab.outside.udp(home) as line:
        phone = Phone(line, attack.user, peers.password_of(attack.user), registrar)
        assert phone.register().ok


@pytest.mark.parametrize("binding", ["python"])
def test_a_queue_without_a_library_stops_the_guesser_too(nat_lab: Lab) -> None:
    attack = ATTACKS[0]
    for source in attack.sources:
        nat_lab.outside.ip(f"address add {source}/32 dev lo")
    peers.start_registrar(nat_lab)
    with Agent(nat_lab) as agent:
        found, guesser = guess(nat_lab, attack)
        tried = reached(nat_lab, guesser, attack)
        assert agent.events("ready")[0]["binding"] == "python"
        assert agent.status()["agent"]["binding"] == "python"
        (ban,) = agent.status()["bans"]
        agent.stop()
    assert not found
    assert 0 < len(tried) <= ALLOWED
    assert [ban["address"]] == attack.sources
