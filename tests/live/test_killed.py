"""The agent killed by SIGKILL at its worst moments, among real peers.

Whatever it was doing: what needs no agent is dropped on by the kernel, registrations
and calls pass, and the next agent begins as if nothing had been.
"""

import re
import signal
import threading
import time
from pathlib import Path

import pytest
from lab import peers
from lab.addresses import PHONE_ABROAD, PHONE_JP, SCANNER_JP, SIP_PORT
from lab.agent import Agent
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab
from lab.phones import Phone, Tried, at_once

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

DURING_RELOAD = (0.0, 0.003, 0.01, 0.02, 0.04, 0.08)
DURING_START = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""Seconds from the signal, or from exec, to the kill."""
AFTER_READY = (0.0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03)
"""Seconds from `ready` to the kill: the home networks are looked at, or put in."""


def phone(lab: Lab, port: int = SIP_PORT, user: str = "300") -> Phone:
    line = lab.udp(lab.outside, PHONE_JP, port)
    return Phone(line, user, peers.password_of(user), lab.registrar)


@pytest.fixture
def office(nat_lab: Lab) -> Lab:
    peers.start_registrar(nat_lab)
    peers.start_trunk(nat_lab)
    return nat_lab


def rules(lab: Lab) -> str:
    """Return the ruleset without counts, bans and the memory of rates."""
    dynamic = re.compile(
        r"(set (?:banned|rate)[46] \{[^{}]*?)\n\s*elements = \{[^{}]*\}"
    )
    return dynamic.sub(r"\1", lab.router.ruleset())


def fresh_rules(lab: Lab) -> str:
    """Return what an agent puts into a kernel that has nothing of ours."""
    with Agent(lab) as agent:
        agent.wait_offload()
        found = rules(lab)
        agent.stop()
    return found


def ban(agent: Agent) -> None:
    agent.wait_offload()
    assert agent.command("ban", SCANNER_JP, "--for", "2h")[0] == 0


def kill(agent: Agent) -> None:
    """Kill it alone: what it has started lives on."""
    agent.process.signal(signal.SIGKILL)
    agent.process.wait(5)


def arrived(lab: Lab, source: str) -> int:
    return len(lab.inside_wire.find(sent=False, src=source, has=b" sip:"))


def hold_without_agent(lab: Lab, honest: Phone, *, shielded: bool = True) -> None:
    """Check what holds while nobody listens."""
    assert honest.register().ok
    assert honest.call("0312345678").ok
    if shielded:
        hold_off_strangers(lab)


def hold_off_strangers(lab: Lab) -> None:
    """Check that the kernel drops what needs no agent, from this moment on."""
    before = [arrived(lab, source) for source in (SCANNER_JP, PHONE_ABROAD)]
    for source in (SCANNER_JP, PHONE_ABROAD):
        with lab.outside.udp(source) as stranger:
            for number in range(5):
                text = request("REGISTER", source, lab.registrar, call_id=f"d-{number}")
                stranger.sendto(text, (lab.registrar, SIP_PORT))
    lab.settle()
    assert [arrived(lab, source) for source in (SCANNER_JP, PHONE_ABROAD)] == before


def begin_again(lab: Lab, honest: Phone, fresh: str, *, banned: bool = True) -> Agent:
    """Check that a new agent takes over as if nothing had been."""
    agent = Agent(lab)
    agent.wait_ready()
    agent.wait_offload()
    assert rules(lab) == fresh
    bans = [entry["address"] for entry in agent.status()["bans"]]
    assert bans == ([SCANNER_JP] if banned else [])
    hold_without_agent(lab, honest, shielded=banned)  # and so it is with one
    assert agent.status()["agent"]["messages"] > 0
    return agent


@both_bindings
def test_killed_while_packets_wait_for_their_verdict(office: Lab) -> None:
    lab, before = office, office.router.ruleset()
    fresh = fresh_rules(lab)
    honest = phone(lab)
    many = [phone(lab, 20_000 + number, str(300 + number)) for number in range(40)]
    agent = Agent(lab)
    agent.wait_ready()
    ban(agent)
    queue = Path(f"/proc/{agent.process.pid}/net/netfilter/nfnetlink_queue")
    tried: list[Tried] = []
    flood = threading.Thread(target=lambda: tried.extend(at_once(many, Phone.register)))

    agent.process.signal(signal.SIGSTOP)
    flood.start()
    wait_until(
        lambda: int(queue.read_text().split()[2]) >= len(many), 5, "all of them wait"
    )
    kill(agent)
    flood.join(30)

    # What waited is lost; each phone says it again after half a second, and gets in.
    assert [went.status for went in tried] == [200] * len(many)
    assert max(went.seconds for went in tried) < 3
    hold_without_agent(lab, honest)
    agent = begin_again(lab, honest, fresh)
    lost = agent.stop()["lost_before"]
    assert len(many) <= lost <= 2 * len(many)
    assert lab.router.ruleset() == before


def test_killed_during_a_reload(office: Lab) -> None:
    lab, before = office, office.router.ruleset()
    fresh = fresh_rules(lab)
    honest = phone(lab)
    agent = Agent(lab)
    agent.wait_ready()
    ban(agent)
    for delay in DURING_RELOAD:
        agent.reload()
        time.sleep(delay)
        kill(agent)
        hold_without_agent(lab, honest)
        agent = begin_again(lab, honest, fresh)
    agent.stop()
    assert lab.router.ruleset() == before


@pytest.mark.parametrize("successor", [False, True], ids=["first", "successor"])
def test_killed_during_its_start(office: Lab, successor: bool) -> None:
    """The first agent in a kernel without rules, or the next after a killed one."""
    lab, before = office, office.router.ruleset()
    fresh = fresh_rules(lab)
    honest = phone(lab)
    if successor:
        agent = Agent(lab)
        agent.wait_ready()
        ban(agent)
        kill(agent)
    unready = 0
    for delay in DURING_START:
        agent = Agent(lab)
        time.sleep(delay)
        kill(agent)
        unready += not agent.events("ready")
        hold_without_agent(lab, honest, shielded=successor)
    assert unready >= 2, "some of them had not come to `ready`"
    agent = begin_again(lab, honest, fresh, banned=successor)
    agent.stop()
    assert lab.router.ruleset() == before


def test_killed_while_it_looks_at_the_home_networks(office: Lab) -> None:
    """They are there, so at no moment are they taken away to be put in again."""
    lab, before = office, office.router.ruleset()
    fresh = fresh_rules(lab)
    honest = phone(lab)
    agent = Agent(lab)
    agent.wait_ready()
    ban(agent)
    kill(agent)
    unfinished = 0
    for delay in AFTER_READY:
        agent = Agent(lab)
        agent.wait_ready()
        time.sleep(delay)
        kill(agent)
        hold_off_strangers(lab)  # before all else, in the few milliseconds it takes
        unfinished += not agent.events("notice", notice="offload")
        hold_without_agent(lab, honest)
    assert unfinished >= 2, "some of them had not come to `offload`"
    agent = begin_again(lab, honest, fresh)
    agent.stop()
    assert lab.router.ruleset() == before


def test_killed_while_it_exchanges_the_home_networks(office: Lab) -> None:
    """What it has begun and the next agent's work end in what the next one wants.

    Meanwhile a REGISTER from abroad may pass: of other networks the kernel has no room
    for two sets at once.
    """
    lab, before = office, office.router.ruleset()
    fresh = fresh_rules(lab)
    honest = phone(lab)
    agent = Agent(lab)
    agent.wait_ready()
    ban(agent)
    kill(agent)
    for delay in AFTER_READY:
        agent = Agent(lab, {"origin": {"home": ["JP", "NL"]}})
        agent.wait_ready()
        time.sleep(delay)
        kill(agent)
        assert honest.register().ok
        agent = begin_again(lab, honest, fresh)
        kill(agent)
    agent = begin_again(lab, honest, fresh)
    agent.stop()
    assert lab.router.ruleset() == before
