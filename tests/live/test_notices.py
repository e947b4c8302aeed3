"""What the owner is told of a surge, through the real queue: once when a country is
closed, once when it is open again, and nobody's call waits for it.
"""

import contextlib
import json
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.addresses import PBX, PHONE_JP, SIP_PORT, TRUNK
from lab.agent import Agent
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab
from lab.talks import out, poland, refused, start_carrier
from webserver import Server, serving

pytestmark = pytest.mark.netns

SLOW = 1.0
"""Seconds that no packet takes, even on a busy machine; a try takes longer."""

LOADED = 0.02
"""Seconds by which the machine may be slower from one half second to the next."""


@contextlib.contextmanager
def hook(lab: Lab) -> Iterator[Server]:
    """Serve over TLS on the router itself, the only place that needs no route."""
    with contextlib.ExitStack() as stack:
        with lab.router.entered():
            server = stack.enter_context(serving(lab.folder))
        yield server


def program(folder: Path) -> tuple[str, Path]:
    """Write a program that keeps what it is told; return it, and where that is."""
    path, told = folder / "tell", folder / "told"
    path.write_text(f'#!/bin/sh\necho "$RINGFENCE_EVENT $(cat)" >> {told}\n')
    path.chmod(0o755)
    return str(path), told


def surge(lab: Lab) -> list[str]:
    """Call Poland until one more call would close it; return further numbers."""
    *first, more, another = poland(12, 22, 32, 42, 52)
    talks = [out(lab, number) for number in first]
    for talk in talks:
        assert talk.wait(), talk.text
    return [more, another]


def test_a_command_and_a_webhook_hear_of_an_incident_twice_each(nat_lab: Lab) -> None:
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    command, told = program(lab.folder)
    with hook(lab) as server:
        config = {
            "notify": {"command": command, "webhook": server.url, "ca": server.ca}
        }
        with Agent(lab, config) as agent:
            for number in surge(lab):
                assert refused(lab, number)
            assert agent.command("allow", "PL", "--for", "1h")[0] == 0
            wait_until(
                lambda: len(server.got) >= 2 and told.read_text().count("\n") >= 2,
                10,
                "both have heard of both",
            )
            assert out(lab, poland(62)[0]).wait()
            logged = agent.events("incident")
            agent.stop()

    lines = [line.partition(" ") for line in told.read_text().splitlines()]
    assert [event for event, _, _ in lines] == ["incident.opened", "incident.closed"]
    by_command = [json.loads(text) for _, _, text in lines]
    by_webhook = [json.loads(body) for _, body in server.got]
    assert by_command == by_webhook
    opened, closed = by_webhook
    assert opened["id"] == closed["id"]
    assert (opened["stopped"], opened["passed"]) == (1, 3)
    assert (closed["stopped"], closed["passed"]) == (2, 3)
    assert "ringfence allow PL --for 2h" in opened["text"]
    assert [one["event"] for one in logged] == ["opened", "closed"]


class Pinging(threading.Thread):
    """OPTIONS through the queue, one after the other, each timed."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self._inside = lab.udp(lab.inside, PBX, SIP_PORT)
        self._outside = lab.udp(lab.outside, PHONE_JP, SIP_PORT)
        self._over = threading.Event()
        self.taken: list[float] = []
        """Seconds from request to answer, through the agent twice."""

    def run(self) -> None:
        number = 0
        while not self._over.wait(0.005):
            number += 1
            text = request("OPTIONS", PBX, PHONE_JP, call_id=f"ping-{number}")
            began = time.monotonic()
            self._inside.sendto(text, (PHONE_JP, SIP_PORT))
            got, seen_as = self._outside.recvfrom(2_000)
            _, _, rest = got.partition(b"\r\n")
            self._outside.sendto(b"SIP/2.0 200 OK\r\n" + rest, seen_as)
            self._inside.recv(2_000)
            self.taken.append(time.monotonic() - began)

    def stop(self) -> None:
        self._over.set()
        self.join(10)


def test_a_webhook_that_hangs_keeps_nobody_waiting(nat_lab: Lab) -> None:
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    with hook(lab) as server:
        server.answers = ["hangs"]
        config = {"notify": {"webhook": server.url, "ca": server.ca}}
        with Agent(lab, config) as agent:
            numbers = surge(lab)
            pinging = Pinging(lab)
            pinging.start()
            time.sleep(0.5)
            before = len(pinging.taken)
            for number in numbers:
                assert refused(lab, number)
            wait_until(lambda: bool(server.got), 5, "it is asked")
            time.sleep(0.5)
            pinging.stop()
            status = agent.status()["agent"]["notices"]["webhook"]
            agent.process.signal(signal.SIGKILL)  # a stop would wait a little for it

    usual, meanwhile = pinging.taken[:before], pinging.taken[before:]
    assert min(len(usual), len(meanwhile)) > 5
    assert max(meanwhile) < SLOW
    assert statistics.median(meanwhile) < 4 * statistics.median(usual) + LOADED
    assert (status["sent"], status["waiting"]) == (0, 1)
    assert len(server.got) == 1
