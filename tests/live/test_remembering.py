"""What the agent remembers of who came from outside: restarted, killed, without a disk."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from lab import hasty_agent, peers
from lab.addresses import (
    PBX,
    PHONE_ABROAD,
    PHONE_INSIDE,
    PHONE_JP,
    SIP_PORT,
)
from lab.agent import Agent
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab

pytestmark = pytest.mark.netns

TRUNK_KEY = "c6336432"
EACH_ONE: dict[str, Any] = {"offload": {"origin": False}}
"""Every stranger comes to the agent, and none is counted by the kernel."""


def strange(lab: Lab, count: int) -> None:
    """Send REGISTERs from abroad."""
    with lab.outside.udp(PHONE_ABROAD, SIP_PORT) as sender:
        for number in range(count):
            call_id = f"strange-{time.monotonic_ns()}-{number}"
            text = request("REGISTER", PHONE_ABROAD, lab.registrar, call_id=call_id)
            sender.sendto(text, (lab.registrar, SIP_PORT))
    lab.settle()


def exposure(agent: Agent) -> dict[str, Any]:
    found: dict[str, Any] = agent.status()["agent"]["exposure"]
    return found


def kept(lab: Lab) -> dict[str, Any]:
    """Return what the file says."""
    tree = json.loads((lab.folder / "state.json").read_bytes())
    found: dict[str, Any] = tree["sections"]["exposure/1"]
    return found


def recent(moment: object) -> bool:
    return isinstance(moment, int) and abs(time.time() - moment) < 60  # noqa: TID251


def test_a_stop_and_a_start(nat_lab: Lab) -> None:
    peers.start_registrar(nat_lab)
    peers.start_trunk(nat_lab)
    with Agent(nat_lab, EACH_ONE) as agent:
        nothing = exposure(agent)
        strange(nat_lab, 5)
        assert recent(exposure(agent)["stranger_last"])
        assert exposure(agent)["honest_outside_last"] is None
        phone = peers.register(nat_lab, nat_lab.outside, PHONE_JP, nat_lab.registrar)
        called = peers.call(nat_lab, nat_lab.inside, PHONE_INSIDE, PBX, "0312345678")
        seen = exposure(agent)
        assert not (nat_lab.folder / "state.json").exists()
        agent.stop()
    assert phone.ok, phone.text
    assert called.ok, called.text
    assert nothing.pop("watching_since") is not None
    assert nothing == {
        "days_watched": 0,
        "stranger_last": None,
        "strangers_30d": 0,
        "honest_outside_last": None,
    }
    assert seen["strangers_30d"] == 5
    assert recent(seen["honest_outside_last"])
    assert TRUNK_KEY in kept(nat_lab)["peers"]

    with Agent(nat_lab) as agent:
        assert exposure(agent) == seen
        code, text = agent.command("status")
        agent.stop()
    assert code == 0
    assert "0 watched: 5 requests of strangers (last 20" in text


def test_what_the_kernel_drops_alone_is_counted_at_the_end(lab: Lab) -> None:
    with Agent(lab) as agent:
        agent.wait_offload()
        strange(lab, 40)
        kernel = agent.stop()["kernel"]
    assert kernel["foreign"] + kernel["sampled"] == 40
    assert kernel["foreign"] > 30
    assert [strangers for _, _, strangers in kept(lab)["days"]] == [40]
    # The next one does not count them again.
    with Agent(lab) as agent:
        assert exposure(agent)["strangers_30d"] == 40
        agent.stop()


def test_killed_it_forgets_no_more_than_since_the_last_write(lab: Lab) -> None:
    with Agent(lab, EACH_ONE, program=hasty_agent.PROGRAM) as agent:
        began = time.monotonic()
        strange(lab, 3)
        path = lab.folder / "state.json"
        wait_until(path.exists, hasty_agent.EVERY + 5, "the file is there")
        # No more than one write each time; the agent began before `began`.
        inode = path.stat().st_ino
        strange(lab, 4)
        wait_until(lambda: path.stat().st_ino != inode, hasty_agent.EVERY + 5, "anew")
        assert time.monotonic() - began > hasty_agent.EVERY
        strange(lab, 5)  # which nobody has time to write down
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
    with Agent(lab) as agent:
        remembered = exposure(agent)["strangers_30d"]
        agent.stop()
    assert 7 <= remembered <= 12


DISKS = {
    "read-only": "mount -t tmpfs -o ro tmpfs {folder}",
    "full": "mount -t tmpfs -o size=4k tmpfs {folder} && echo x > {folder}/filler",
}


@pytest.mark.parametrize("disk", DISKS)
def test_a_disk_that_takes_nothing(lab: Lab, disk: str) -> None:
    folder = lab.folder / "flash"
    folder.mkdir()
    script = f'{DISKS[disk].format(folder=folder)} && exec "$@"'
    agent = Agent(
        lab,
        {"state": {"file": str(folder / "state.json")}, **EACH_ONE},
        program=("unshare", "-m", "sh", "-c", script, "sh", *hasty_agent.PROGRAM),
    )
    with agent:
        strange(lab, 3)
        notice = agent.wait_event("notice", notice="state-unwritten", timeout=15)
        assert exposure(agent)["strangers_30d"] == 3
        time.sleep(2.5 * hasty_agent.EVERY)
        counters = agent.stop()
    assert str(folder / "state.json") in notice["error"]
    expected = "Read-only file system" if disk == "read-only" else "No space left"
    assert expected in notice["error"]
    assert len(agent.events("notice", notice="state-unwritten")) == 1
    assert counters["internal_errors"] == 0


def test_a_damaged_file_is_said_and_replaced(lab: Lab) -> None:
    path: Path = lab.folder / "state.json"
    path.write_text("{")
    path.chmod(0o600)
    with Agent(lab) as agent:
        notice = agent.wait_event("notice", notice="state-unusable")
        strange(lab, 1)
        agent.stop()
    assert f"{path}: is damaged" in notice["error"]
    assert path.with_name("state.json.bad").read_text() == "{"
    assert kept(lab)["stranger"] is not None
