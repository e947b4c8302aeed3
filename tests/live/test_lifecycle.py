"""Start, reload, stop and death of the agent, under traffic that is counted."""

import contextlib
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from lab.addresses import PBX, PHONE_ABROAD, PHONE_JP, SIP_PORT
from lab.agent import Agent, to_toml
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

RECEIVE_BUFFER = 16 << 20
"""Room for a whole stream, so that only the router can lose a packet."""


def send(lab: Lab, method: str, src: str, count: int) -> None:
    """Send `count` different requests from outside to the PBX."""
    with lab.outside.udp(src, SIP_PORT) as sender:
        for number in range(count):
            call_id = f"{method}-{time.monotonic_ns()}-{number}"
            sender.sendto(request(method, src, PBX, call_id=call_id), (PBX, SIP_PORT))
    lab.settle()


def arrived(lab: Lab, method: str, src: str) -> int:
    return len(lab.inside_wire.find(sent=False, src=src, start=f"{method} ".encode()))


class Stream:
    """A phone in Japan that sends 1,000 requests a second, each one counted."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._sender = lab.udp(lab.outside, PHONE_JP, SIP_PORT)
        self._receiver = lab.udp(lab.inside, PBX, SIP_PORT)
        # SO_RCVBUFFORCE (33): past net.core.rmem_max, as root may.
        self._receiver.setsockopt(socket.SOL_SOCKET, 33, RECEIVE_BUFFER)

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def missing(self) -> list[int]:
        """Return the numbers of the requests that did not arrive, or arrived twice."""
        self._receiver.setblocking(False)
        arrivals = [0] * self.sent
        with contextlib.suppress(BlockingIOError):
            while True:
                _, mark, rest = self._receiver.recv(4096).partition(b"Call-ID: stream-")
                if mark:
                    arrivals[int(rest.split()[0])] += 1
        return [number for number, times in enumerate(arrivals) if times != 1]

    def _send(self) -> None:
        begin = time.monotonic()
        while not self._stop.is_set():
            text = request("OPTIONS", PHONE_JP, PBX, call_id=f"stream-{self.sent}")
            self._sender.sendto(text, (PBX, SIP_PORT))
            self.sent += 1
            self._stop.wait(begin + self.sent / 1000 - time.monotonic())


def test_agent_sees_what_it_lets_pass(lab: Lab) -> None:
    with Agent(lab) as agent:
        send(lab, "REGISTER", PHONE_JP, 20)

        assert arrived(lab, "REGISTER", PHONE_JP) == 20
        # 20 and the harmless request of `settle`.
        assert agent.stop()["messages"] == 21


@both_bindings
def test_packets_pass_while_the_agent_is_dead_and_a_new_one_takes_over(
    lab: Lab,
) -> None:
    before = lab.router.ruleset()
    with Agent(lab) as agent:
        agent.wait_offload()
        send(lab, "REGISTER", PHONE_ABROAD, 5)
        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)

    assert "ringfence" in lab.router.ruleset()
    send(lab, "REGISTER", PHONE_JP, 7)
    assert arrived(lab, "REGISTER", PHONE_JP) == 7
    # What needs no agent is dropped on, the sample for its log included.
    time.sleep(1.1)
    send(lab, "REGISTER", PHONE_ABROAD, 7)
    assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0

    with Agent(lab) as agent:
        send(lab, "REGISTER", PHONE_ABROAD, 5)
        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0
        counters = agent.stop()
        kernel = counters["kernel"]
        # 7 REGISTER and two requests of `settle` met no agent and passed.
        assert (counters["no_listener"], counters["queue_full"]) == (9, 0)
        assert kernel["foreign"] + kernel["unsampled"] + kernel["dropped"] == 17
        assert kernel["unsampled"] == 1
    assert lab.router.ruleset() == before


@both_bindings
@pytest.mark.parametrize("killed", [False, True], ids=["first", "successor"])
def test_a_start_under_traffic_loses_nothing(lab: Lab, killed: bool) -> None:
    """What comes while the ruleset goes in waits for the agent, or passes."""
    if killed:
        with Agent(lab) as agent:
            agent.process.signal(signal.SIGKILL)
            agent.process.wait(5)
    with Stream(lab) as stream:
        for _ in range(3):
            with Agent(lab) as agent:
                goal = stream.sent + 100
                wait_until(lambda goal=goal: stream.sent > goal, 5, "100 more")  # type: ignore[misc]
                agent.stop()
    lab.settle()

    assert stream.missing() == []


@both_bindings
def test_a_kill_under_traffic_loses_what_waited_and_says_so(lab: Lab) -> None:
    most = 0
    with Stream(lab) as stream:
        for delay in (0.0, 0.003, 0.007):
            with Agent(lab) as agent:
                goal = stream.sent + 100
                wait_until(lambda goal=goal: stream.sent > goal, 5, "100 more")  # type: ignore[misc]
                time.sleep(delay)
                queue = Path(f"/proc/{agent.process.pid}/net/netfilter/nfnetlink_queue")
                before, waiting = stream.sent, int(queue.read_text().split()[2])
                agent.process.signal(signal.SIGKILL)
                agent.process.wait(5)
                most += waiting + stream.sent - before + 1
            goal = stream.sent + 100
            wait_until(lambda goal=goal: stream.sent > goal, 5, "100 more")  # type: ignore[misc]
    lab.settle()  # what is under way while the next one looks back counts as lost
    with Agent(lab) as agent:
        lost = agent.stop()["lost_before"]

    assert len(stream.missing()) == lost
    assert lost <= most, "no more than waited, or came, at three kills"


def test_sigterm_leaves_the_kernel_as_it_was(nat_lab: Lab) -> None:
    before = nat_lab.router.ruleset()
    agent = Agent(nat_lab)
    agent.wait_ready()
    assert nat_lab.router.ruleset() != before

    agent.stop()

    assert nat_lab.router.ruleset() == before


@both_bindings
def test_sigterm_under_traffic_loses_nothing(lab: Lab) -> None:
    agent = Agent(lab)
    agent.wait_ready()
    with Stream(lab) as stream:
        wait_until(lambda: stream.sent > 300, 5, "300 requests sent")
        agent.stop()
        passed_on = stream.sent + 200
        wait_until(lambda: stream.sent > passed_on, 5, "200 more without the agent")
    lab.settle()

    assert stream.missing() == []


@both_bindings
def test_reload_under_traffic_loses_nothing(lab: Lab) -> None:
    agent = Agent(lab)
    agent.wait_ready()
    with Stream(lab) as stream:
        for count in range(1, 6):
            seen = stream.sent
            agent.reload()
            agent.wait_event("reload", count=count, ok=True)
            goal = seen + 100
            wait_until(lambda goal=goal: stream.sent > goal, 5, "100 more")  # type: ignore[misc]
    lab.settle()

    assert stream.missing() == []
    # Every one of them was judged, or passed by a full queue where a busy machine let
    # the agent wait; none slipped by while the ruleset was refilled.
    counters = agent.stop()
    assert counters["kernel"]["asked"] == stream.sent + 1
    assert counters["messages"] + counters["queue_full"] == stream.sent + 1


def test_reload_takes_the_new_settings(lab: Lab) -> None:
    with Agent(lab) as agent:
        send(lab, "REGISTER", PHONE_ABROAD, 3)
        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0

        countries = str(lab.write_countries())
        agent.config.write_text(
            to_toml({"origin": {"table": countries, "home": ["JP", "NL"]}})
        )
        agent.reload()
        agent.wait_event("reload", ok=True)
        send(lab, "REGISTER", PHONE_ABROAD, 3)

        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 3


def test_reload_with_a_flaw_keeps_the_old_settings(lab: Lab) -> None:
    # A limit would show who sent something of late.
    with Agent(lab, {"offload": {"source_rate": 0}}) as agent:
        agent.wait_offload()
        ruleset = lab.router.ruleset()
        agent.config.write_text('mode = "enfroce"\n[origin]\nhome = ["XX"]\n')
        agent.reload()

        reload = agent.wait_event("reload", ok=False)
        send(lab, "REGISTER", PHONE_ABROAD, 3)

        problems = "\n".join(reload["problems"])
        assert "mode" in problems
        assert "origin.home" in problems
        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0
        assert lab.router.ruleset() == ruleset
        kernel = agent.stop()["kernel"]
        assert kernel["foreign"] + kernel["dropped"] == 3


def test_a_deleted_table_comes_back(lab: Lab) -> None:
    """`fw4 stop` deletes every table, ours too."""
    with Agent(lab) as agent:
        lab.router.run("nft", "delete table inet ringfence")
        agent.wait_event("notice", notice="table-reinstalled")
        send(lab, "REGISTER", PHONE_ABROAD, 3)

        assert arrived(lab, "REGISTER", PHONE_ABROAD) == 0
