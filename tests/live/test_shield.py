"""What the kernel drops by itself, what it lets pass, and what happens at its limits."""

import signal
import socket
import time

import pytest
from lab.addresses import (
    PBX,
    PBX6,
    PHONE_ABROAD,
    PHONE_ABROAD6,
    PHONE_JP,
    SIP_PORT,
    TRUNK,
)
from lab.agent import Agent, Config
from lab.messages import request
from lab.namespaces import LabError, wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

RECEIVE_BUFFER = 16 << 20
"""Room for a whole burst, so that only the router can lose a packet."""


def burst(
    lab: Lab, method: str, src: str, count: int, *, call_id: str = "burst"
) -> None:
    """Send `count` requests as fast as possible, from ever new ports."""
    dst = PBX6 if ":" in src else PBX
    with lab.outside.udp(src) as sender:
        for number in range(count):
            text = request(method, src, dst, call_id=f"{call_id}-{number}")
            sender.sendto(text, (dst, SIP_PORT))


def arrived(lab: Lab, src: str, *, has: bytes = b" sip:") -> int:
    return len(lab.inside_wire.find(sent=False, src=src, has=has))


@pytest.mark.parametrize("src", [PHONE_ABROAD, PHONE_ABROAD6], ids=["v4", "v6"])
def test_foreign_registrations_end_in_the_kernel_but_for_one_a_second(
    lab: Lab, src: str
) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        begin = time.monotonic()
        for _ in range(5):
            burst(lab, "REGISTER", src, 100)
            time.sleep(0.5)
        seconds = time.monotonic() - begin
        lab.settle()

        assert arrived(lab, src) == 0
        shown = len(agent.decisions(src=src))
        assert 2 <= shown <= seconds + 1
        assert agent.decisions()[0]["rule"] == "foreign-registration"
        counters = agent.stop()
    assert counters["kernel"]["sampled"] == shown
    assert counters["kernel"]["foreign"] == 500 - shown
    assert counters["messages"] == shown + 1, "and the request of `settle`"


@pytest.mark.parametrize(
    "config",
    [
        {"mode": "monitor"},
        {"offload": {"origin": False}},
        {"origin": {"home": ["JP", "NL"]}},
        {"origin": {"allow": ["NL"]}},
        {"origin": {"allow": ["192.0.2.0/25"]}},
    ],
    ids=["monitor", "switched-off", "home", "allowed-country", "allowed-network"],
)
def test_what_is_not_foreign_or_not_to_be_dropped_goes_to_the_agent(
    lab: Lab, config: Config
) -> None:
    with Agent(lab, config) as agent:
        if "mode" not in config and "offload" not in config:
            agent.wait_offload()
        burst(lab, "REGISTER", PHONE_ABROAD, 10)
        lab.settle()

        assert arrived(lab, PHONE_ABROAD) == (0 if "offload" in config else 10)
        counters = agent.stop()
    assert counters["messages"] == 11
    assert counters["kernel"]["foreign"] == 0


def test_a_rule_only_watched_is_not_enforced_by_the_kernel(lab: Lab) -> None:
    countries = lab.write_countries()
    config = (
        f'[origin]\ntable = "{countries}"\n[control]\nsocket = "{lab.folder}/c"\n'
        '[rules.foreign-registration]\nmode = "monitor"\n'
    )
    with Agent(lab, config) as agent:
        burst(lab, "REGISTER", PHONE_ABROAD, 10)
        lab.settle()
        assert arrived(lab, PHONE_ABROAD) == 10
        assert agent.stop()["kernel"]["foreign"] == 0


def test_fifty_phones_behind_one_address_are_not_limited(lab: Lab) -> None:
    """Four lines and twenty busy lamps each, all at once and each request twice."""
    phones, lines, lamps = 50, 4, 20
    sent = phones * 2 * (lines + lamps)
    with Agent(lab, {"kernel": {"queue_length": 65_535}}) as agent:
        for phone in range(phones):
            for method, count in (("REGISTER", lines), ("SUBSCRIBE", lamps)):
                burst(lab, method, PHONE_JP, 2 * count, call_id=f"phone-{phone}")
            time.sleep(0.01)  # the lab's wires hold 1,000 packets on their way
        # The probe of `settle` may come by another processor and be faster.
        seen = lab.inside_wire.wait(sent, sent=False, src=PHONE_JP, has=b" sip:")
        counters = agent.stop()
    assert (counters["kernel"]["flooded"], counters["queue_full"]) == (0, 0)
    assert len(seen) == counters["kernel"]["passed"] == sent


def test_a_source_that_sends_more_than_its_share_is_limited_and_nobody_else(
    lab: Lab,
) -> None:
    config = {"offload": {"source_rate": 10, "source_burst": 50}}
    with Agent(lab, config) as agent:
        agent.wait_offload()
        begin = time.monotonic()
        burst(lab, "OPTIONS", PHONE_JP, 500)
        seconds = time.monotonic() - begin
        burst(lab, "OPTIONS", TRUNK, 40)
        lab.settle()

        counters = agent.stop()
    assert arrived(lab, TRUNK) == 40
    passed = arrived(lab, PHONE_JP)
    assert 50 <= passed <= 51 + 10 * seconds
    assert counters["kernel"]["flooded"] == 500 - passed


def test_our_own_side_and_the_allow_list_have_no_limit(lab: Lab) -> None:
    config: Config = {
        "offload": {"source_rate": 1, "source_burst": 1},
        "origin": {"allow": [PHONE_JP]},
    }
    with Agent(lab, config) as agent:
        burst(lab, "OPTIONS", PHONE_JP, 100)
        with lab.inside.udp(PBX, SIP_PORT) as pbx:
            for number in range(100):
                text = request("OPTIONS", PBX, TRUNK, call_id=f"out-{number}")
                pbx.sendto(text, (TRUNK, SIP_PORT))
        lab.outside_wire.wait(100, sent=False, dst=TRUNK, has=b"out-")
        lab.settle()
        assert agent.stop()["kernel"]["flooded"] == 0
    assert arrived(lab, PHONE_JP) == 100
    assert len(lab.outside_wire.find(sent=False, dst=TRUNK, has=b"out-")) == 100


@pytest.mark.parametrize("only_home", [True, False])
def test_tls_from_abroad(lab: Lab, only_home: bool) -> None:
    listener = lab.inside.bound(socket.AF_INET, socket.SOCK_STREAM, PBX, 5061)
    listener.listen()

    def reaches(src: str) -> bool:
        with lab.outside.bound(socket.AF_INET, socket.SOCK_STREAM, src, 0) as caller:
            caller.settimeout(0.5)
            try:
                caller.connect((PBX, 5061))
            except TimeoutError:
                return False
        return True

    with Agent(lab, {"offload": {"tls_home_only": only_home}}) as agent:
        agent.wait_offload()
        assert reaches(PHONE_JP)
        assert reaches(PHONE_ABROAD) is not only_home
        assert (agent.stop()["kernel"]["foreign_tls"] > 0) is only_home
    listener.close()


@pytest.mark.parametrize("policy", ["accept", "drop"])
def test_no_listener(lab: Lab, policy: str) -> None:
    with Agent(lab, {"policy": {"no_listener": policy}}) as agent:
        lab.settle()
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
    burst(lab, "OPTIONS", PHONE_JP, 10)
    if policy == "accept":
        lab.settle()
    else:
        with pytest.raises(LabError):
            lab.settle()
    assert arrived(lab, PHONE_JP) == (10 if policy == "accept" else 0)
    status = agent.status()
    assert (status["running"], status["policy"]["no_listener"]) == (False, policy)
    assert status["no_listener"] == 11

    with Agent(lab, {"policy": {"no_listener": policy}}) as agent:
        lab.settle()
        counters = agent.stop()
    assert (counters["no_listener"], counters["queue_full"]) == (11, 0)


@both_bindings
@pytest.mark.parametrize("policy", ["accept", "drop"])
def test_full_queue(lab: Lab, policy: str) -> None:
    config: Config = {"policy": {"queue_full": policy}, "kernel": {"queue_length": 16}}
    receiver = lab.udp(lab.inside, PBX, SIP_PORT)
    receiver.setsockopt(socket.SOL_SOCKET, 33, RECEIVE_BUFFER)
    with Agent(lab, config) as agent:
        lab.settle()
        agent.wait_offload()
        agent.process.signal(signal.SIGSTOP)
        burst(lab, "OPTIONS", PHONE_JP, 100)
        wait_until(
            lambda: len(lab.outside_wire.find(sent=True, src=PHONE_JP)) == 100,
            5,
            "sent",
        )
        time.sleep(0.2)
        agent.process.signal(signal.SIGCONT)
        agent.status()  # it answers when it has read the queue
        lab.settle()
        status = agent.status()
        counters = agent.stop()
    assert arrived(lab, PHONE_JP) == (100 if policy == "accept" else 16)
    assert counters["queue_full"] == status["queue_full"] == 84
    assert status["policy"]["queue_full"] == policy
    assert counters["no_listener"] == 0


def test_queue_full_is_changed_by_a_reload(lab: Lab) -> None:
    config = {"kernel": {"queue_length": 16}}
    with Agent(lab, config) as agent:
        text = agent.config.read_text()
        agent.config.write_text(text + '[policy]\nqueue_full = "drop"\n')
        agent.reload()
        agent.wait_event("reload", ok=True)
        agent.process.signal(signal.SIGSTOP)
        burst(lab, "OPTIONS", PHONE_JP, 100)
        time.sleep(0.2)
        agent.process.signal(signal.SIGCONT)
        agent.status()
        lab.settle()
        assert agent.stop()["queue_full"] == 84
    assert arrived(lab, PHONE_JP) == 16


def test_the_interfaces_to_strangers_are_kept_up_to_date(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        lab.router.ip("route del default", "route del default via 2001:db8::fe")
        agent.wait_event("notice", notice="wan", wan=[])
        wait_until(
            lambda: '"wan"' not in lab.router.run("nft", "list set inet ringfence wan"),
            5,
            "the set is empty",
        )
        lab.router.ip("route add default via 203.0.113.254")
        agent.wait_event("notice", notice="wan", wan=["wan"], count=2)
        wait_until(
            lambda: '"wan"' in lab.router.run("nft", "list set inet ringfence wan"),
            5,
            "the set names it again",
        )
