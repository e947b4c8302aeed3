"""`ringfence notify`: a test notice by every way that is configured, and what came of it.

By the running agent, if there is one: what holds it back, such as the unit's limits,
holds a real notice back, too. Else by this process.
"""

import sys
import time
from pathlib import Path
from typing import Final

from ringfence.config import Config, read_config
from ringfence.controlsocket import ask
from ringfence.errors import RingfenceError
from ringfence.notifying.notice import trial
from ringfence.notifying.notices import WAYS, Wanted, wanted
from ringfence.notifying.way import GRACE

A_LOOK: Final = 0.1
"""Seconds between two questions to the agent."""

Results = dict[str, str]
"""By way what went wrong, "" for nothing."""


def try_out(path: Path | None) -> int:
    """Send a test notice; 1 if it did not get everywhere."""
    config = read_config(path)
    by = "the running agent"
    found = by_agent(config)
    if found is None:
        by, found = "this command; no agent runs", by_ourselves(wanted(config))
    if not found:
        raise RingfenceError(
            f"no notices are configured ({by}): expected notify.command or "
            "notify.webhook, and a reload"
        )
    for way, error in found.items():
        sys.stdout.write(f"{way}: {error or 'delivered'} (by {by})\n")
    return 1 if any(found.values()) else 0


def by_agent(config: Config) -> Results | None:
    """Have the running agent send it; None when there is none."""
    path = config.control_socket
    answer = ask(path, {"ask": "notify"})
    if answer is None:
        return None
    ways = answer.get("ways")
    if not isinstance(ways, list):
        raise RingfenceError(f"{path}: {answer.get('error')}")
    # Another try may be under way, which may take as long.
    until = time.monotonic() + 2 * (config.notify_timeout + 2 * GRACE)
    found: Results = {}
    while len(found) < len(ways) and time.monotonic() < until:
        time.sleep(A_LOOK)
        tested = (ask(path, {"ask": "notified"}) or {}).get("tested")
        if not isinstance(tested, dict):
            raise RingfenceError(f"{path}: the agent has ended meanwhile")
        found = {way: str(tested[way]) for way in ways if tested.get(way) is not None}
    return {way: found.get(way, "not known yet; see the log") for way in ways}


def by_ourselves(wanted: Wanted) -> Results:
    """Send it from here."""
    made = trial(time.time())  # noqa: TID251 - a moment to be shown, no more
    found: Results = {}
    for way in WAYS:
        deliver = wanted.deliver(way)
        if deliver is None:
            continue
        try:
            deliver(made)
            found[way] = ""
        except RingfenceError as error:
            found[way] = str(error)
    return found
