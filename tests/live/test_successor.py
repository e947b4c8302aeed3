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


def test_cleanup_after_a_killed_agent_and_not_before(lab: Lab) -> None:
    before = lab.router.ruleset()

    def cleanup() -> tuple[int, str]:
        words = (*command(), "cleanup", "--config", str(agent.config))
        process = lab.start(lab.router, *words)
        return process.wait(20), process.text()

    with Agent(lab) as agent:
        agent.wait_offload()
        running = lab.router.ruleset()
        code, said = cleanup()
        assert (code, "an agent is running" in said) == (2, True)
        assert lab.router.ruleset() == running
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
        assert cleanup() == (0, "")
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
