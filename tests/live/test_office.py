"""Sixty honest phones behind one address, as an office behind its own router has them.

They register all at once, mistype, and lose their PBX; a real registrar answers. Each
phone is a socket of its own at the one address, with the timers of RFC 3261.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from lab import peers
from lab.addresses import PHONE_JP, SCANNER_JP
from lab.agent import Agent
from lab.fast_agent import PROGRAM, SPEED
from lab.guesser import Guesser, Style
from lab.namespaces import Process
from lab.network import Lab
from lab.phones import GIVE_UP, Phone, Tried, at_once

pytestmark = pytest.mark.netns

FIRST_PORT = 20_000
ROUNDS = 3

AWAY = 300.0
"""Seconds that the PBX is away, by the agent's clock and that of the phones."""

RETRY = 30.0
"""Seconds after which a phone tries again when nobody answered (RFC 5626 section 4.5
begins with 30)."""

UNHINDERED = {"banned", "flooded", "dropped", "rejected", "bans", "foreign"}
"""Counters of the kernel that stay at zero when nobody is hindered."""


def office(lab: Lab, *, speed: float = 1.0) -> list[Phone]:
    """Make sixty phones behind the address of one."""
    return [
        Phone(
            lab.udp(lab.outside, PHONE_JP, FIRST_PORT + number),
            str(user),
            peers.password_of(str(user)),
            lab.registrar,
            speed=speed,
        )
        for number, user in enumerate(peers.OFFICE)
    ]


def hindered(agent: Agent) -> dict[str, int]:
    kernel = agent.status()["kernel"]
    return {name: kernel[name] for name in UNHINDERED if kernel[name]}


@pytest.mark.parametrize("unasked", [False, True], ids=["challenged", "nonce-kept"])
def test_sixty_phones_register_at_the_same_moment_three_times(
    nat_lab: Lab, unasked: bool
) -> None:
    peers.start_registrar(nat_lab)
    phones = office(nat_lab)
    with Agent(nat_lab) as agent:
        agent.wait_offload()
        for _ in range(ROUNDS):
            tried = at_once(phones, lambda phone: phone.register(unasked=unasked))
            assert [went.status for went in tried] == [200] * len(phones)

        status = agent.status()
        assert status["bans"] == []
        assert hindered(agent) == {}
        assert (status["no_listener"], status["queue_full"]) == (0, 0)
        assert agent.decisions() == []
        requests = sum(ROUNDS * (1 if unasked else 2) for _ in phones)
        assert agent.stop()["messages"] >= 2 * requests


def test_a_phone_with_a_mistyped_password_gets_in_at_the_third_try(
    nat_lab: Lab,
) -> None:
    peers.start_registrar(nat_lab)
    phone, *others = office(nat_lab)
    with Agent(nat_lab) as agent:
        tried = [phone.register(password=word) for word in ("wrong", "worng", None)]
        assert [went.status for went in tried] == [401, 401, 200]
        # And does not use up what the others may mistype.
        again = [others[0].register(password=word) for word in ("a", "b", None)]
        assert [went.status for went in again] == [401, 401, 200]

        assert agent.status()["bans"] == []
        assert hindered(agent) == {}


@contextlib.contextmanager
def killed(lab: Lab, pbx: Process) -> Iterator[None]:
    """Nobody listens: the PBX's host says so (ICMP); it comes back with new nonces."""
    pbx.stop()
    yield
    peers.start_registrar(lab)


@contextlib.contextmanager
def hung(lab: Lab, pbx: Process) -> Iterator[None]:
    """It hangs, and answers what has piled up when it goes on."""
    pbx.signal_all(signal.SIGSTOP)
    try:
        yield
    finally:
        pbx.signal_all(signal.SIGCONT)


Outage = Callable[[Lab, Process], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize("outage", [killed, hung])
def test_a_pbx_away_for_five_minutes_bans_nobody_but_a_guesser(
    nat_lab: Lab, outage: Outage
) -> None:
    """Five minutes in 15 s: the agent's clock and the timers of the phones run 20
    times as fast (T1, T2, timer F, time to the next try). Kernel and PBX keep the
    world's time, which nothing here depends on.
    """
    lab = nat_lab
    pbx = peers.start_registrar(lab)
    phones = office(lab, speed=SPEED)
    back = threading.Event()
    missed: list[Tried] = []

    def insist(phone: Phone) -> Tried:
        """Try until it works: half of them with the challenge that they know."""
        unasked = int(phone.user) % 2 == 0
        while not (went := phone.register(unasked=unasked)).ok:
            missed.append(went)
            if went.status is None and not back.is_set():
                back.wait(RETRY / SPEED)
            elif back.is_set():
                time.sleep(1 / SPEED)
        return went

    with Agent(lab, program=PROGRAM) as agent:
        first = at_once(phones, Phone.register)
        assert all(went.ok for went in first)

        begin = time.monotonic()
        with outage(lab, pbx):
            insisting = threading.Thread(
                target=lambda: done.extend(at_once(phones, insist))
            )
            done: list[Tried] = []
            insisting.start()
            time.sleep(AWAY / SPEED)
        back.set()
        insisting.join(60)
        assert not insisting.is_alive(), "a phone never got through again"
        lasted = (time.monotonic() - begin) * SPEED

        assert len(done) == len(phones)
        assert lasted >= AWAY
        # They did try: each of them several times, and repeated each try.
        assert len(missed) >= len(phones) * (AWAY / (GIVE_UP + RETRY) - 1)
        assert max(went.sent for went in missed) >= 5
        last = at_once(phones, Phone.register)
        assert all(went.ok for went in last)
        assert agent.status()["bans"] == []
        assert hindered(agent) == {}
        assert agent.decisions() == []

        # Under the same clock, after the same outage: who guesses is banned.
        words = [f"wrong-{number}" for number in range(20)]
        words.append(peers.password_of("301"))
        guesser = Guesser(lab.outside, [SCANNER_JP], lab.registrar, "301", Style())
        assert not guesser.run(words)
        (ban,) = agent.status()["bans"]
        assert ban["address"] == SCANNER_JP
        assert phones[1].register().ok
