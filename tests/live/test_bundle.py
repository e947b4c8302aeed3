"""Bundles exchanged under traffic: old rules before, new rules after, nothing between."""

import json
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from builders import RULES
from bundles import CREATED, EXPIRES, KEY, key_folder
from lab.addresses import PHONE_INSIDE, SCANNER_JP, SIP_PORT
from lab.agent import Agent
from lab.messages import request
from lab.namespaces import wait_until
from lab.network import Lab
from ringfence.bundle import build

pytestmark = pytest.mark.netns

TONGA = "01067612345678"
"""A number that version 1 lets pass and version 2 blocks."""
PACE = 500
"""Requests a second."""


def packed(folder: Path, version: int, *, tonga: str, broken: str = "") -> Path:
    """Build and sign a bundle of the default rules, with Tonga's tier changed."""
    rules = folder / f"rules-{version}"
    shutil.copytree(RULES, rules)
    listing = rules / "destinations.csv"
    lines = [
        line.replace(",watch,", f",{tonga},") if line.startswith("676,") else line
        for line in listing.read_text(encoding="utf-8").splitlines()
    ]
    assert any(f",{tonga}," in line for line in lines if line.startswith("676,"))
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    vectors = rules / "vectors.jsonl"
    kept = [line for line in vectors.read_text().splitlines() if "676" not in line]
    vectors.write_text("\n".join([*kept, *([broken] if broken else [])]) + "\n")
    head = build.Head("stable", 1, version, CREATED, EXPIRES, "0.1.0")
    path = folder / f"rules-{version}.tar"
    path.write_bytes(build.sign(build.build(build.collect(rules), head), KEY))
    return path


class Router:
    """The lab's router with a store, and an agent that uses it."""

    def __init__(self, lab: Lab, trial: int = 60) -> None:
        folder = lab.folder
        key_folder(folder / "keys")
        self.config: dict[str, Any] = {
            "bundle": {
                "keys": str(folder / "keys"),
                "store": str(folder / "store"),
                "factory": str(folder / "rom.tar"),
                "trial": trial,
            },
        }
        self._lab = lab
        self.folder = folder

    def agent(self) -> Agent:
        return Agent(self._lab, self.config)


@pytest.fixture
def router(lab: Lab) -> Router:
    made = Router(lab, trial=3)
    shutil.copy(packed(lab.folder, 1, tonga="watch"), lab.folder / "rom.tar")
    return made


def rules_of(agent: Agent) -> dict[str, Any]:
    found: dict[str, Any] = agent.status()["agent"]["rules_from"]
    return found


class Calls:
    """A phone inside that calls Tonga at a steady pace; each call is counted."""

    def __init__(self, lab: Lab) -> None:
        self._sender = lab.udp(lab.inside, PHONE_INSIDE, SIP_PORT)
        self._to = "198.51.100.50"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def __enter__(self) -> "Calls":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        begin = time.monotonic()
        while not self._stop.is_set():
            text = request(
                "INVITE", PHONE_INSIDE, self._to, number=TONGA, call_id=f"t{self.sent}"
            )
            self._sender.sendto(text, (self._to, SIP_PORT))
            self.sent += 1
            self._stop.wait(max(0.0, begin + self.sent / PACE - time.monotonic()))


def arrived(lab: Lab) -> list[int]:
    """Return the numbers of the calls that came out on the other side, in order."""
    found = lab.outside_wire.find(sent=False, src=PHONE_INSIDE, start=b"INVITE ")
    numbers = []
    for packet in found:
        _, _, rest = packet.payload.partition(b"Call-ID: t")
        numbers.append(int(rest.split()[0]))
    return numbers


def test_a_swap_under_traffic(lab: Lab, router: Router) -> None:
    """Packets sent are packets judged; the ban from before is still there."""
    second = packed(lab.folder, 2, tonga="block")
    with router.agent() as agent:
        agent.wait_offload()
        assert rules_of(agent)["source"] == "factory"
        code, text = agent.command("ban", SCANNER_JP, "--for", "1h")
        assert code == 0, text
        before = agent.status()["agent"]
        with Calls(lab) as calls:
            wait_until(lambda: calls.sent > PACE // 2, 5, "half a second of calls")
            code, text = agent.command("bundle", "install", str(second))
            assert code == 0, text
            assert "the agent uses it now" in text
            goal = calls.sent + PACE // 2
            wait_until(lambda: calls.sent > goal, 5, "half a second more")
        lab.settle()
        after = agent.status()

        # Every packet was judged once: those of the phone, and settle's one.
        judged = after["agent"]["messages"] - before["messages"]
        assert judged == calls.sent + 1
        assert after["no_listener"] == after["queue_full"] == 0
        passed = arrived(lab)
        refused = after["agent"]["rejected"] - before["rejected"]
        # The old rule up to a call, the new one from the next on, and no gap.
        assert passed == list(range(len(passed)))
        assert 0 < len(passed) < calls.sent
        assert refused == calls.sent - len(passed)
        assert after["agent"]["rules_from"]["version"] == 2
        assert after["agent"]["rules_from"]["trial"] is True
        assert [entry["address"] for entry in after["bans"]] == [SCANNER_JP]

        agent.wait_event("notice", notice="bundle-confirmed", timeout=6)
        assert rules_of(agent)["trial"] is False
        # Going back is as smooth.
        code, text = agent.command("bundle", "rollback")
        assert code == 0, text
        assert rules_of(agent)["version"] == 1
        assert [entry["address"] for entry in agent.status()["bans"]] == [SCANNER_JP]
        code, text = agent.command("bundle", "install", str(second))
        assert (code, "[bad.known]" in text) == (4, True)
        assert agent.stop()["internal_errors"] == 0


def test_a_bundle_that_fails_its_test_changes_nothing(lab: Lab, router: Router) -> None:
    wrong = json.dumps({"what": "0312345678", "verdict": "reject"})
    third = packed(lab.folder, 3, tonga="block", broken=wrong)
    with router.agent() as agent:
        code, text = agent.command("bundle", "install", str(third))
        assert code == 4
        assert "vectors.jsonl:" in text
        assert "0312345678" in text
        assert rules_of(agent)["version"] == 1
        assert not agent.events("reload")
        agent.stop()


def test_an_agent_that_dies_on_trial_goes_back(lab: Lab, router: Router) -> None:
    router.config["bundle"]["trial"] = 600
    second = packed(lab.folder, 2, tonga="block")
    with router.agent() as agent:
        code, text = agent.command("bundle", "install", str(second))
        assert code == 0, text
        agent.process.signal(signal.SIGKILL)
        agent.process.wait(5)
    versions = []
    for _ in range(3):
        with router.agent() as agent:
            versions.append(rules_of(agent)["version"])
            agent.process.signal(signal.SIGKILL)
            agent.process.wait(5)
    # One start was the swap itself.
    assert versions == [2, 2, 1]
