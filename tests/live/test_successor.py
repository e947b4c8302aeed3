"""Ended for a successor, killed for good: what stays in the kernel of each."""

import signal
import socket

import pytest
from lab.addresses import SCANNER_JP
from lab.agent import Agent, command
from lab.network import Lab

pytestmark = pytest.mark.netns


def test_ended_for_a_successor_it_leaves_the_bans_and_nothing_else(lab: Lab) -> None:
    before = lab.router.ruleset()
    with Agent(lab) as agent:
        agent.wait_offload()
        assert agent.command("ban", SCANNER_JP, "--for", "2h")[0] == 0
        agent.process.signal(signal.SIGUSR1)
        assert agent.process.wait(5) == 0
    left = lab.router.ruleset()
    assert SCANNER_JP in left
    assert "chain enforce" not in left
    assert "NFQUEUE" not in left

    with Agent(lab) as successor:
        successor.wait_ready()
        assert [ban["address"] for ban in successor.status()["bans"]] == [SCANNER_JP]
        successor.stop()
    assert lab.router.ruleset() == before


def test_cleanup_after_a_killed_agent(lab: Lab) -> None:
    before = lab.router.ruleset()
    with Agent(lab) as agent:
        agent.wait_offload()
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
        assert lab.router.ruleset() != before
        cleanup = lab.start(lab.router, *command(), "cleanup")
        assert (cleanup.wait(20), cleanup.text()) == (0, "")
    assert lab.router.ruleset() == before


def test_systemd_is_told_when_it_protects(lab: Lab) -> None:
    path = lab.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind(str(path))
        with Agent(lab, environment={"NOTIFY_SOCKET": str(path)}) as agent:
            assert manager.recv(64) == b"READY=1"
            assert "table inet ringfence" in lab.router.ruleset()
            assert agent.events("ready")
            agent.stop()
