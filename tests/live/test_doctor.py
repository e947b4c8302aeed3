"""`ringfence doctor` beside a running agent, and when something is taken from it."""

import json
import signal
import sys
from typing import Any

import pytest
from lab.addresses import PBX, PHONE_ABROAD, SIP_PORT
from lab.agent import Agent
from lab.messages import request
from lab.namespaces import LabError, wait_until
from lab.network import Lab
from ringfence.doctor import tunnel
from ringfence.doctor.probing import probe
from ringfence.doctor.readings import Probe

pytestmark = pytest.mark.netns

Said = dict[str, list[dict[str, Any]]]


def examined(agent: Agent, *options: str) -> tuple[int, Said]:
    """Run the doctor; return its exit code and what it found, by check."""
    code, text = agent.command("doctor", "--json", *options)
    found: Said = {}
    *findings, last = map(json.loads, text.splitlines())
    for finding in findings:
        found.setdefault(finding["id"], []).append(finding)
    assert last["type"] == "doctor"
    return code, found


def worst(said: Said, check: str) -> str:
    return str(said[check][0]["state"])


def test_all_is_well_beside_a_running_agent(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        before = lab.router.ruleset()
        code, said = examined(agent)

        for check in (
            "agent",
            "table",
            "order",
            "marks",
            "queues",
            "probe",
            "exposure",
        ):
            assert worst(said, check) == "fine", said[check]
        assert code == 0
        proven = said["probe"][0]["what"]
        for way in ("sends", "comes in to", "forwards"):
            assert way in proven
        assert "not proven" not in proven
        # Nothing was logged of it, counted as a message, nor let out or left behind.
        assert agent.events("decision") == []
        assert lab.router.ruleset() == before
        assert "rf-probe" not in lab.router.run("ip", "-o", "link")
        assert lab.outside_wire.find(sent=False, has=b"192.0.2.251") == []
        counted = agent.stop()
        assert (counted["messages"], counted["probes"]) == (0, 3)


def test_a_stranger_s_packets_are_judged_while_a_probe_is_awaited(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        examined(agent)
        with lab.outside.udp(PHONE_ABROAD, SIP_PORT) as sender:
            text = request("REGISTER", PHONE_ABROAD, PBX)
            sender.sendto(text, (PBX, SIP_PORT))
        lab.settle()
        (exposure,) = examined(agent)[1]["exposure"]
        assert exposure["state"] == "note", "it has watched for no month yet"
        assert "1 request of strangers" in exposure["what"]
        assert lab.inside_wire.find(sent=False, start=b"REGISTER") == []
        assert agent.stop()["messages"] == 2


def test_no_probe_where_none_is_wanted(lab: Lab) -> None:
    with Agent(lab) as agent:
        _, said = examined(agent, "--no-probe")
        assert worst(said, "probe") == "unknown"
        assert agent.stop()["probes"] == 0


def test_a_machine_that_forwards_nothing_proves_the_rest(lab: Lab) -> None:
    lab.router.write_sysctl("ipv4/ip_forward", 0)
    with Agent(lab) as agent:
        _, said = examined(agent)
        assert worst(said, "probe") == "fine"
        assert "not proven: what this machine forwards" in said["probe"][0]["what"]


def test_a_firewall_ahead_of_us_hides_what_comes_in(lab: Lab) -> None:
    lab.router.run(
        "nft",
        "table inet fw { chain input { type filter hook input priority 0; policy drop; "
        "} ; }",
    )
    with Agent(lab) as agent:
        code, said = examined(agent)
        assert "not proven: what comes in to this machine" in said["probe"][0]["what"]
        assert "what this machine sends" in said["probe"][0]["what"]
        assert code == 0


def test_rules_that_were_emptied_are_found_by_looking_and_by_trying(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        for hook in ("input", "forward", "output"):
            lab.router.run("nft", f"flush chain inet ringfence inspect_{hook}")
        code, said = examined(agent)

        assert code == 1
        assert worst(said, "table") == "problem"
        assert worst(said, "probe") == "problem"
        assert "never saw it" in said["probe"][0]["what"]


def test_verdicts_that_are_not_carried_out_are_found(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        lab.router.run("nft", "flush chain inet ringfence enforce_forward")
        _, said = examined(agent)

        assert worst(said, "probe") == "problem"
        assert "its verdict was not carried out" in said["probe"][0]["what"]


def test_a_killed_agent(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
        code, said = examined(agent)

        assert code == 1
        assert worst(said, "agent") == "problem"
        assert worst(said, "unheard") in ("note", "warning")
        assert worst(said, "probe") == "unknown"
        # Its rules are whole, and nobody has its queue.
        assert worst(said, "table") == "fine"
        lab.router.run("nft", "delete table inet ringfence")
        assert worst(examined(agent)[1], "table") == "note"


def test_another_program_has_the_queue(lab: Lab) -> None:
    program = (
        "import time, netfilterqueue\n"
        "q = netfilterqueue.NetfilterQueue()\n"
        "q.bind(5060, lambda packet: packet.accept())\n"
        "print('bound', flush=True)\ntime.sleep(60)\n"
    )
    other = lab.start(lab.router, sys.executable, "-c", program)
    wait_until(lambda: "bound" in other.text(), 10, "the queue is bound")
    agent = Agent(lab)
    assert agent.process.wait(10) == 3
    code, said = examined(agent)
    assert code == 1
    problems = [one["what"] for one in said["queues"] if one["state"] == "problem"]
    assert any(f"pid {other.pid}" in what for what in problems)


def test_others_who_queue_and_mark(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        lab.router.run("iptables", "-A", "FORWARD", "-p", "udp", "-j", "NFQUEUE")
        lab.router.ip("rule add fwmark 0x1000000/0x1000000 lookup 100")
        code, said = examined(agent)

        assert code == 1
        assert worst(said, "queues") == "warning"
        assert worst(said, "marks") == "problem"


def test_without_an_interface_of_its_own_what_is_sent_gets_as_far_as_the_first_hop(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "DEVICE", "/nonexistent/tun")
    with Agent(lab) as agent:
        agent.wait_offload()
        path = str(lab.folder / "control.sock")
        with lab.router.entered():
            proven = probe(path, SIP_PORT)
            assert isinstance(proven, Probe)
            assert proven.proven == ("output",)
            assert "kmod-tun" in proven.lost["input"]
            assert lab.outside_wire.find(sent=False, start=b"INVITE") == []

            lab.router.run("nft", "flush chain inet ringfence inspect_output")
            unseen = probe(path, SIP_PORT)
        assert isinstance(unseen, Probe)
        assert (unseen.proven, unseen.passed) == ((), ())
        assert "never saw it" in unseen.lost["output"]


def test_monitoring_is_told(lab: Lab) -> None:
    with Agent(lab, {"mode": "monitor"}) as agent:
        code, said = examined(agent)
        assert worst(said, "mode") == "note"
        assert worst(said, "probe") == "fine"
        assert code == 0


def test_a_flow_table_is_a_warning(lab: Lab) -> None:
    text = (
        "table inet fw4 {\nflowtable ft { hook ingress priority 0; devices = { wan, lan }"
        "; }\nchain forward { type filter hook forward priority 0\n"
        "meta l4proto { tcp, udp } flow add @ft\n}\n}"
    )
    try:
        lab.router.run("nft", "-f", "-", stdin=text)
    except LabError as error:
        if "No such file" not in str(error):
            raise
        pytest.skip(f"this kernel has no flow tables ({str(error).splitlines()[0]})")
    with Agent(lab) as agent:
        assert worst(examined(agent)[1], "offload") == "warning"
