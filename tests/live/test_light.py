"""The agent on a Python that has no more than OpenWrt's python3-light."""

from pathlib import Path

import light
import pytest
from lab.addresses import PHONE_INSIDE, PHONE_JP, SIP_PORT
from lab.agent import Agent, command
from lab.messages import request
from lab.network import Lab

pytestmark = pytest.mark.netns

AGENT = Path(__file__).parents[2] / "agent"
SIERRA_LEONE = "01023276123456"


def call(lab: Lab, call_id: str) -> None:
    text = request(
        "INVITE", PHONE_INSIDE, "198.51.100.50", number=SIERRA_LEONE, call_id=call_id
    )
    with lab.inside.udp(PHONE_INSIDE, SIP_PORT) as sender:
        sender.sendto(text, ("198.51.100.50", SIP_PORT))
    lab.settle()


def test_start_to_end(lab: Lab, tmp_path: Path) -> None:
    poor = light.environment(tmp_path, AGENT)

    def ringfence(*words: str) -> tuple[int, str]:
        process = lab.start(
            lab.router,
            *(*command(), *words, "--config", str(agent.config)),
            environment=poor,
        )
        return process.wait(20), process.text()

    with Agent(lab, environment=poor) as agent:
        assert agent.status()["agent"]["binding"] == "python"
        call(lab, "first")
        agent.wait_event("decision", verdict="reject", rule="blocked-destination")
        agent.reload()
        agent.wait_event("reload", ok=True)
        call(lab, "second")
        agent.wait_event("decision", verdict="reject", count=2)
        assert ringfence("ban", PHONE_JP, "--for", "5m") == (
            0,
            f"banned {PHONE_JP} for 300 s\n",
        )
        code, text = ringfence("status")
        assert (code, PHONE_JP in text) == (0, True)
        assert ringfence("unban", PHONE_JP) == (0, f"unbanned {PHONE_JP}\n")
        assert agent.sentences() == []
        agent.stop()
