"""Bans: from the mark into the kernel's set, and by hand."""

import signal
import socket
import time
from collections.abc import Iterator

import pytest
from lab.addresses import PBX, PBX6, PHONE_JP, PHONE_JP6, SCANNER_JP, SIP_PORT, TRUNK
from lab.agent import Agent
from lab.banning_agent import PROGRAM
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns


def send(lab: Lab, src: str, call_id: str, count: int = 1) -> None:
    """Send requests from outside; their order at the agent is that of sending."""
    dst = PBX6 if ":" in src else PBX
    with lab.outside.udp(src, SIP_PORT) as sender:
        for _ in range(count):
            text = request("OPTIONS", src, dst, call_id=call_id)
            sender.sendto(text, (dst, SIP_PORT))
    lab.settle()


def arrived(lab: Lab, src: str, call_id: str) -> int:
    return len(
        lab.inside_wire.find(sent=False, src=src, has=f"Call-ID: {call_id}".encode())
    )


@pytest.fixture
def banning(lab: Lab) -> Iterator[Agent]:
    with Agent(lab, program=PROGRAM) as agent:
        yield agent


def only_ban(agent: Agent) -> tuple[str, int]:
    (entry,) = agent.status()["bans"]
    assert entry["length_s"] - 15 <= entry["left_s"] <= entry["length_s"]
    return entry["address"], entry["length_s"]


@pytest.mark.parametrize("seconds", [300, 1800, 7200, 43_200, 86_400])
def test_a_marked_packet_bans_its_source_for_its_time(
    lab: Lab, banning: Agent, seconds: int
) -> None:
    send(lab, SCANNER_JP, f"ban-src-{seconds}-x")

    assert only_ban(banning) == (SCANNER_JP, seconds)
    assert arrived(lab, SCANNER_JP, "ban-src") == 0
    said = banning.wait_event("ban")
    assert (said["address"], said["ban_s"], said["rule"]) == (
        SCANNER_JP,
        seconds,
        "made-up",
    )


@pytest.mark.parametrize(
    ("src", "covers"),
    [(SCANNER_JP, SCANNER_JP), (PHONE_JP6, "2001:db8:81::/64")],
    ids=["v4", "v6"],
)
def test_nothing_of_a_banned_source_reaches_the_queue(
    lab: Lab, banning: Agent, src: str, covers: str
) -> None:
    send(lab, src, "ban-src-300-x")
    asked = banning.status()["kernel"]["asked"]

    send(lab, src, "later", 50)

    status = banning.status()
    assert arrived(lab, src, "later") == 0
    assert status["kernel"]["banned"] == 50
    assert status["kernel"]["asked"] == asked + 1, "only the request of `settle`"
    assert [entry["address"] for entry in status["bans"]] == [covers]
    assert status["kernel"]["bans"] == status["agent"]["bans"] == 1


def test_an_answer_that_passes_bans_whom_it_goes_to(lab: Lab, banning: Agent) -> None:
    with lab.inside.udp(PBX, SIP_PORT) as pbx:
        text = request("OPTIONS", PBX, SCANNER_JP, call_id="ban-dst-1800-x")
        pbx.sendto(text, (SCANNER_JP, SIP_PORT))
        seen = lab.outside_wire.wait(sent=False, dst=SCANNER_JP, has=b"ban-dst-1800")
    assert len(seen) == 1

    assert only_ban(banning) == (SCANNER_JP, 1800)
    send(lab, SCANNER_JP, "later", 3)
    assert arrived(lab, SCANNER_JP, "later") == 0


def test_a_mark_does_not_shorten_a_ban_by_hand(lab: Lab, banning: Agent) -> None:
    assert banning.command("ban", SCANNER_JP, "--for", "2d")[0] == 0
    with lab.inside.udp(PBX, SIP_PORT) as pbx:
        text = request("OPTIONS", PBX, SCANNER_JP, call_id="ban-dst-300-x")
        pbx.sendto(text, (SCANNER_JP, SIP_PORT))
        lab.outside_wire.wait(sent=False, dst=SCANNER_JP, has=b"ban-dst-300")

    assert only_ban(banning) == (SCANNER_JP, 2 * 86_400)


@pytest.mark.parametrize("whom", ["allowed", "inside"])
def test_allow_list_and_inside_cannot_be_banned(lab: Lab, whom: str) -> None:
    config = {"origin": {"allow": [SCANNER_JP]}}
    with Agent(lab, config, program=PROGRAM) as agent:
        if whom == "allowed":
            send(lab, SCANNER_JP, "ban-src-300-x")
        else:
            with lab.inside.udp(PBX, SIP_PORT) as pbx:
                text = request("OPTIONS", PBX, TRUNK, call_id="ban-src-300-x")
                pbx.sendto(text, (TRUNK, SIP_PORT))
            agent.wait_event("ban")

        status = agent.status()
        assert status["bans"] == []
        assert status["kernel"]["dropped"] == 1
        address = SCANNER_JP if whom == "allowed" else PBX
        code, said = agent.command("ban", address)
        assert code == 2
        assert "cannot be banned" in said
        assert agent.status()["bans"] == []


def test_an_established_connection_of_a_banned_source_ends(nat_lab: Lab) -> None:
    lab = nat_lab
    listener = lab.inside.bound(socket.AF_INET, socket.SOCK_STREAM, PBX, SIP_PORT)
    listener.listen()
    with Agent(lab, program=PROGRAM) as agent:
        caller = lab.outside.bound(socket.AF_INET, socket.SOCK_STREAM, SCANNER_JP, 0)
        caller.connect((lab.registrar, SIP_PORT))
        callee, _ = listener.accept()
        callee.settimeout(1)
        hello = request("OPTIONS", SCANNER_JP, PBX, call_id="hello", transport="TCP")
        caller.sendall(hello)
        assert callee.recv(4096) == hello

        def tracked() -> str:
            listed: str = lab.router.run("conntrack", "-L", "-s", SCANNER_JP)
            return listed

        assert "ESTABLISHED" in tracked()
        caller.sendall(
            request(
                "OPTIONS", SCANNER_JP, PBX, call_id="ban-src-300-x", transport="TCP"
            )
        )
        agent.wait_event("ban", address=SCANNER_JP)
        wait_until(lambda: "ESTABLISHED" not in tracked(), 10, "conntrack forgets it")

        caller.sendall(hello)
        with pytest.raises(TimeoutError):
            callee.recv(4096)
        severing = agent.status()["agent"]["severing"]
        assert (severing["runs"], severing["failures"]) == (1, 0)
    for made in (caller, callee, listener):
        made.close()


def test_ban_and_unban_by_hand(lab: Lab) -> None:
    with Agent(lab) as agent:
        send(lab, PHONE_JP, "first", 2)
        assert agent.command("ban", PHONE_JP, "--for", "5m") == (
            0,
            f"banned {PHONE_JP} for 300 s\n",
        )
        send(lab, PHONE_JP, "second", 2)
        assert only_ban(agent) == (PHONE_JP, 300)
        assert agent.command("ban", PHONE_JP, "--for", "90s")[0] == 0
        assert only_ban(agent) == (PHONE_JP, 90), "the last word of a person counts"

        assert agent.command("unban", PHONE_JP) == (0, f"unbanned {PHONE_JP}\n")
        send(lab, PHONE_JP, "third", 2)
        again = agent.command("unban", PHONE_JP)

        assert again == (0, f"was not banned: {PHONE_JP}\n")
        assert agent.status()["bans"] == []
        agent.wait_event("ban", address=PHONE_JP, ban_s=300)
        agent.wait_event("unban", address=PHONE_JP)
    counts = [arrived(lab, PHONE_JP, name) for name in ("first", "second", "third")]
    assert counts == [2, 0, 2]


def test_bans_survive_a_reload(lab: Lab, banning: Agent) -> None:
    send(lab, SCANNER_JP, "ban-src-7200-x")
    for count in (1, 2):
        banning.reload()
        banning.wait_event("reload", ok=True, count=count)
    assert only_ban(banning) == (SCANNER_JP, 7200)
    send(lab, SCANNER_JP, "later")
    assert arrived(lab, SCANNER_JP, "later") == 0


def test_bans_outlive_a_killed_agent_and_the_next_one_takes_them_over(
    lab: Lab,
) -> None:
    before = lab.router.ruleset()
    with Agent(lab, program=PROGRAM) as agent:
        send(lab, SCANNER_JP, "ban-src-7200-x")
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
    send(lab, SCANNER_JP, "dead", 3)
    send(lab, PHONE_JP, "dead", 3)
    assert (arrived(lab, SCANNER_JP, "dead"), arrived(lab, PHONE_JP, "dead")) == (0, 3)
    assert agent.status()["running"] is False

    with Agent(lab, program=PROGRAM) as agent:
        assert only_ban(agent) == (SCANNER_JP, 7200)
        send(lab, SCANNER_JP, "reborn", 3)
        assert arrived(lab, SCANNER_JP, "reborn") == 0
        agent.stop()
    assert lab.router.ruleset() == before


def test_keep_bans_leaves_the_bans_and_nothing_else(lab: Lab) -> None:
    before = lab.router.ruleset()
    with Agent(lab, program=PROGRAM, options=["--keep-bans"]) as agent:
        agent.wait_offload()
        send(lab, SCANNER_JP, "ban-src-7200-x")
        agent.stop()

    left = lab.router.ruleset()
    assert "RINGFENCE" not in left
    assert "meta mark" not in left
    assert left.count("type filter hook") - before.count("type filter hook") == 1
    send(lab, SCANNER_JP, "left", 3)
    send(lab, PHONE_JP, "left", 3)
    assert (arrived(lab, SCANNER_JP, "left"), arrived(lab, PHONE_JP, "left")) == (0, 3)
    code, said = agent.command("unban", SCANNER_JP)
    assert code == 0
    assert f"unbanned {SCANNER_JP}" in said
    assert "no history" in said

    with Agent(lab) as agent:
        agent.stop()
    assert lab.router.ruleset() == before


def test_without_an_agent_there_is_nothing_to_ban_with(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.stop()
    code, said = agent.command("ban", SCANNER_JP)
    assert (code, said.splitlines()) == (
        3,
        [
            "ringfence: there is no ban set in the kernel; start the agent "
            "(`ringfence run`)"
        ],
    )
    code, said = agent.command("status")
    assert code == 1
    assert said.startswith("agent: not running\n")


def test_many_bans_at_once_share_a_program(lab: Lab, banning: Agent) -> None:
    for number in range(20):
        lab.outside.ip(f"address add 198.51.100.{100 + number}/32 dev lo")
    for number in range(20):
        send(lab, f"198.51.100.{100 + number}", "ban-src-300-x")
    wait_until(
        lambda: banning.status()["agent"]["severing"]["runs"] >= 2, 10, "programs ran"
    )
    time.sleep(1)
    status = banning.status()
    assert len(status["bans"]) == 20
    assert status["agent"]["severing"]["runs"] < 20
    assert status["agent"]["severing"]["failures"] == 0
