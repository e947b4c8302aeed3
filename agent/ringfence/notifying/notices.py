"""Notices of the running agent: one queue for the program, one for the web service.

Told are incidents, at their opening and at their end, and shares of the budget. What
waits is a section of the state file, so that a stop or a power cut loses none:

- At a stop a try that is under way gets `STOP_WITHIN` seconds, and so does the first
  one of what was not tried yet. What waits then is in the file that is written last.
- A power cut may come before the file was written, within a second or a minute
  (`keeping.PRESSING`; `EVERY` for budgets): then the incident is forgotten with its
  notice, for it is in the same file. It begins anew, with a notice, when it is met
  again.
- A notice may be delivered twice if the power is cut after it was delivered and before
  the file without it was written. Its `id` and `event` are then the same.

Knows the two ways and the section. It must not know calls, or packets.
"""

import math
import time
from typing import Any, Final, NamedTuple

from ringfence.config import Config
from ringfence.notifying.notice import Notice, notice, read_notice, trial
from ringfence.notifying.way import Deliver, Fields, Way
from ringfence.packet import Instant
from ringfence.report import Record

EVERY: Final = 300.0
"""Seconds between two writes of the file for the sake of notices. One that is delivered
by then is never written."""

MAX_KEPT: Final = 65_536
"""Bytes of notices in the state file, where other scripts than ours take three times as
much; the oldest are left out if there are more."""

_APART: Final = 1e-6

MAX_AGE: Final = 10**9
"""Seconds of waiting that are believed of a record."""

STOP_WITHIN: Final = 2.0
"""Seconds that a stop waits for notices; procd and systemd give it 15 and 30 in all."""

WAYS: Final = ("command", "webhook")


class Wanted(NamedTuple):
    """What the configuration says of notices."""

    command: tuple[str, ...] = ()
    webhook: str = ""
    ca: str | None = None
    timeout: int = 30

    def deliver(self, way: str) -> Deliver | None:
        """Return what delivers one notice that way; None if it is not wanted."""
        if way == "command":
            return self._run if self.command else None
        return self._post if self.webhook else None

    def _run(self, notice: Notice) -> None:
        # Here and below: the processes that deliver need it, the agent does not.
        from ringfence.notifying.command import run_command

        run_command(self.command, notice, self.timeout)

    def _post(self, notice: Notice) -> None:
        from ringfence.notifying.webhook import post

        post(self.webhook, notice.line, self.ca, self.timeout)


def wanted(config: Config) -> Wanted:
    """Return what a configuration says of notices."""
    return Wanted(
        config.notify_command,
        config.notify_webhook,
        config.notify_ca,
        config.notify_timeout,
    )


class Notices:
    """All notices; a section of the state file."""

    name = "notices"
    version = 1
    every = EVERY
    pressing = False

    def __init__(self, wanted: Wanted) -> None:
        """Begin with nothing to tell."""
        self.ways = {name: Way(name) for name in WAYS}
        self._wanted: Wanted | None = None
        self._restored: list[tuple[Notice, int, tuple[str, ...]]] = []
        """Notice, seconds waited and ways, of a record, until somebody says what time it
        is."""
        self._latest = -math.inf
        self._kept: frozenset[tuple[str, float]] = frozenset()
        """What waited when the file was written last."""
        self.use(wanted)

    def use(self, wanted: Wanted) -> None:
        """Deliver as the configuration says from now on."""
        if wanted == self._wanted:
            return  # a reload of something else: what failed is not tried earlier
        self._wanted = wanted
        for name, way in self.ways.items():
            way.use(wanted.deliver(name), float(wanted.timeout))

    def add(self, record: Record, text: str, now: Instant) -> None:
        """Tell what the log is told by that record, and a person by that sentence."""
        if any(way.used for way in self.ways.values()):
            self._resume(now.mono)  # those are older
            made, since = notice(record, text), self._since(now.mono)
            for way in self.ways.values():
                way.add(made, since)

    def wait(self, mono: float) -> float:
        """Return the seconds until `tend` has something to do."""
        if self._restored:
            return 0.0
        return min(way.wait(mono) for way in self.ways.values())

    def tend(self, now: Instant) -> list[Fields]:
        """Begin what is due, look after what was begun; never waits.

        Returns what is to be logged.
        """
        self._resume(now.mono)
        return [said for way in self.ways.values() for said in way.tend(now.mono)]

    def close(self, now: Instant) -> list[Fields]:
        """Wait a little for what is under way or new; returns what is to be logged.

        To be called before the file is written for the last time, and when nobody
        waits for the agent any more.
        """
        self._resume(now.mono)
        until = time.monotonic() + STOP_WITHIN
        says: list[Fields] = []
        for way in self.ways.values():
            # Both begin before the first is waited for.
            if not way.tries and way.untried:
                says += way.tend(now.mono)
        for way in self.ways.values():
            says += way.close(now.mono, max(0.0, until - time.monotonic()))
        return says

    def test(self, now: Instant) -> Record:
        """Try every way once, soon; returns which there are."""
        made = trial(now.wall)
        return {"ways": [name for name, way in self.ways.items() if way.test(made)]}

    def tested(self) -> Record:
        """Return by way what became of the latest test: "" for success, None: nothing
        yet."""
        return {"tested": {name: way.tested for name, way in self.ways.items()}}

    def record(self, mono: float) -> Record:
        """Return what `status` shows, by way; None for one that is not used."""
        return {name: way.record(mono) for name, way in self.ways.items()}

    # From start to start: a section of `keeping`.

    @property
    def changed(self) -> bool:
        """Something waits that did not when the file was written, or the other way."""
        if not self._kept and not any(way.waits for way in self.ways.values()):
            return False  # as nearly always
        return self._ids() != self._kept

    @changed.setter
    def changed(self, changed: bool) -> None:
        if not changed:
            self._kept = self._ids()

    def dump(self, now: Instant) -> list[dict[str, Any]]:
        """Return what is to be kept, as JSON has it."""
        self._resume(now.mono)
        kept: dict[float, dict[str, Any]] = {}
        for name, way in self.ways.items():
            for (event, line), since in way:
                fields: dict[str, Any] = {
                    "event": event,
                    "line": line[:-1].decode("utf-8"),
                    "waited": int(max(0.0, now.mono - since)),
                    "ways": [],
                }
                kept.setdefault(since, fields)["ways"].append(name)
        room = MAX_KEPT
        newest: list[dict[str, Any]] = []
        for since in sorted(kept, reverse=True):
            room -= len(kept[since]["line"].encode())
            if room < 0:
                break
            newest.append(kept[since])
        return newest[::-1]

    def load(self, data: object) -> None:
        """Take what `dump` returned; `ValueError` for anything else, and no change.

        What makes no sense in a part of it is left out.
        """
        if not isinstance(data, list):
            raise ValueError("expected a list")
        for one in data:
            fields = one if isinstance(one, dict) else {}
            found = read_notice(fields.get("event"), fields.get("line"))
            waited, ways = fields.get("waited"), fields.get("ways")
            if (
                found is not None
                and type(waited) is int
                and 0 <= waited <= MAX_AGE
                and isinstance(ways, list)
            ):
                known = tuple(name for name in WAYS if name in ways)
                self._restored.append((found, waited, known))
        # What the file holds has other names here: once it is delivered, or left out,
        # the file has to be written without it.
        self._kept = frozenset({("", 0.0)} if data else ())

    def _resume(self, mono: float) -> None:
        restored, self._restored = self._restored, []
        for found, waited, ways in restored:
            since = self._since(mono - waited)
            for name in ways:
                self.ways[name].add(found, since)

    def _since(self, mono: float) -> float:
        """Return a time for a notice that no other has, so that it tells their order."""
        self._latest = max(mono, self._latest + _APART)
        return self._latest

    def _ids(self) -> frozenset[tuple[str, float]]:
        return frozenset(
            (name, since) for name, way in self.ways.items() for _, since in way
        )
