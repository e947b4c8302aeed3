"""A flood of registrations from abroad, and phones that go on: what the kernel did.

How fast that is `make bench` says; here every packet is accounted for.
"""

import socket
import threading
import time

import pytest
from lab import peers
from lab.addresses import PHONE_JP, WAN
from lab.agent import Agent
from lab.messages import datagram, request
from lab.network import Lab
from lab.phones import Phone, Tried, at_once

pytestmark = pytest.mark.netns

SOURCES = 10_000
PACKETS = 20_000
CHUNK = 256
"""Sent between two pauses: the lab's wires hold 1,000 packets on their way."""
PHONES = 10
ROUNDS = 5


def test_phones_register_while_the_kernel_drops_a_flood_from_abroad(
    nat_lab: Lab,
) -> None:
    lab = nat_lab
    peers.start_registrar(lab)
    users = [str(user) for user in peers.OFFICE[:PHONES]]
    phones = [
        Phone(
            lab.udp(lab.outside, PHONE_JP, 20_000 + number),
            user,
            peers.password_of(user),
            lab.registrar,
        )
        for number, user in enumerate(users)
    ]
    flood = []
    for number in range(PACKETS):
        source = f"198.18.{number % SOURCES >> 8}.{number % SOURCES & 255}"
        text = request("REGISTER", source, WAN, call_id=f"flood-{number}")
        flood.append(datagram(source, WAN, text))
    tried: list[Tried] = []

    def register() -> None:
        for _ in range(ROUNDS):
            tried.extend(at_once(phones, Phone.register))
            time.sleep(0.1)

    with lab.outside.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw, Agent(lab) as agent:
        agent.wait_offload()
        registering = threading.Thread(target=register)
        registering.start()
        begin = time.monotonic()
        for number, packet in enumerate(flood):
            raw.sendto(packet, (WAN, 0))
            if number % CHUNK == 0:
                time.sleep(0.005)
        seconds = time.monotonic() - begin
        registering.join()
        lab.settle()
        status = agent.status()
        shown = agent.decisions(rule="foreign-registration")
        counters = agent.stop()

    assert [went.status for went in tried] == [200] * PHONES * ROUNDS
    kernel = counters["kernel"]
    assert kernel["foreign"] + kernel["sampled"] == PACKETS
    # User space saw one a second of it, and the phones.
    assert 1 <= kernel["sampled"] <= seconds + 1
    assert len(shown) == counters["dropped"] == kernel["sampled"]
    assert counters["messages"] == kernel["asked"] + kernel["sampled"]
    assert counters["messages"] - kernel["sampled"] == counters["accepted"]
    assert (counters["queue_full"], kernel["flooded"], kernel["bans"]) == (0, 0, 0)
    assert status["bans"] == []
    inside = {packet.src for packet in lab.inside_wire.packets() if not packet.sent}
    assert not [source for source in inside if source.startswith("198.18.")]
