"""New rules on the router: they are installed, or the power is cut meanwhile.

Imports little. The installer needs the room that a router has, and what this test takes
of it would not be taken there.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Final

from router.guest import agent, said
from router.guest.said import NotShownError, expect, wait_for

STORE: Final = "/var/lib/ringfence/rules"
_IN_MODIFY, _IN_CREATE = 0x2, 0x100


def installs_bundle(version: int, patience: float) -> dict[str, object]:
    """Install a signed bundle by the command, and see the running agent use it."""
    begin = time.monotonic()
    agent.run("ringfence", "bundle", "install", f"/test/bundles/{version}.tar")
    took = time.monotonic() - begin
    used = agent.ask("status")["rules_from"]
    expect(used.get("version") == version, f"the agent uses {used}")
    wait_for(
        lambda: not agent.ask("status")["rules_from"]["trial"],
        *(patience, f"version {version} has stood its trial"),
    )
    return {"version": version, "slot": used["source"], "install_s": round(took, 1)}


def uses_one_of(versions: tuple[int, ...]) -> dict[str, object]:
    """Tell what the agent runs on; must be one of these versions, and sound."""
    used = agent.ask("status")["rules_from"]
    if used.get("version") not in versions:
        raise NotShownError(f"the agent uses {used}, expected one of {versions}")
    listed = json.loads(
        agent.run("ringfence", "bundle", "status", "--json", fails=True)
    )
    expect(listed["used"] == used["source"], f"bundle status says {listed}")
    slot = Path(f"{STORE}/{used['source']}.tar")
    agent.run("ringfence", "bundle", "verify", str(slot))
    return {
        "version": used["version"],
        "slot": used["source"],
        "problems": listed["problems"],
    }


def loses_power(version: int, trigger: str) -> None:
    """Install a bundle and tell the host when to cut the power; does not return.

    `trigger` is `began`, or `writing` for when the store's folder first changes.
    """
    import ctypes  # only for this

    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_CLOEXEC)
    libc.inotify_add_watch(watch, STORE.encode(), _IN_CREATE | _IN_MODIFY)
    installing = subprocess.Popen(  # noqa: S603 - our own command
        ["ringfence", "bundle", "install", f"/test/bundles/{version}.tar"],  # noqa: S607
        stdout=subprocess.DEVNULL,
    )
    if trigger == "writing":
        os.read(watch, 4096)
    said.say(cut=trigger)
    installing.wait()
    said.say(cut="over")
    time.sleep(600)
