"""Notices of a running agent, with no more powers than its packages give it."""

import json

import pytest
from lab.agent import Agent, command
from lab.network import Lab
from webserver import serving

pytestmark = pytest.mark.netns

CONFINED = (
    # As in firmware_pkg/files, ringfence.capabilities.json and ringfence.service.
    *("setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs"),
    *("--inh-caps=-all,+net_admin,+net_raw",),
)


def test_a_test_notice_by_a_confined_agent(lab: Lab) -> None:
    told = lab.folder / "told"
    script = lab.folder / "tell.sh"
    script.write_text(
        f"#!/bin/sh\ncat > {told}\ngrep CapBnd /proc/self/status > {told}.caps\n"
    )
    script.chmod(0o755)
    with lab.router.entered():
        hooks = serving(None)
        server = hooks.__enter__()
    try:
        settings = {"command": str(script), "webhook": f"{server.url}/T0KEN"}
        program = (*CONFINED, *command(), "run")
        with Agent(lab, {"notify": settings}, program=program) as agent:
            code, said = agent.command("notify", "--test")
            assert (code, said) == (
                0,
                "command: delivered (by the running agent)\n"
                "webhook: delivered (by the running agent)\n",
            )
            ways = agent.status()["agent"]["notices"]
            assert [ways[name]["waiting"] for name in ("command", "webhook")] == [0, 0]
            server.answers = ["404"]
            code, said = agent.command("notify", "--test")
            assert (code, "404" in said) == (1, True)
            assert "T0KEN" not in agent.process.text()
        ((path, body), _) = server.got
        assert path == "/T0KEN"
        assert json.loads(body)["type"] == "test"
        assert json.loads(told.read_bytes())["text"].endswith("nothing has happened")
        caps = (told.parent / "told.caps").read_text().split()[1]
        assert int(caps, 16) == 1 << 12 | 1 << 13  # CAP_NET_ADMIN, CAP_NET_RAW
    finally:
        hooks.__exit__(None, None, None)
