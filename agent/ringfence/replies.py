"""What the running agent says and does when the command line asks.

Knows the questions of the control socket. It must not know the loop: what only that
can do, such as a status and a reload, is given to it.
"""

from collections.abc import Callable
from typing import Final

from ringfence.calls.closures import ALL, readable
from ringfence.engine import Engine
from ringfence.eventlog import EventLog
from ringfence.facts.country import ISO_COUNTRIES
from ringfence.facts.network import parse_address
from ringfence.facts.numbers.reading import DOMESTIC, INTERNATIONAL
from ringfence.netfilter import bans
from ringfence.packet import Instant
from ringfence.probes import Probes

Record = dict[str, object]

MAX_OPEN: Final = 31 * 86_400
"""Seconds for which something is opened at most; `numbers.allow` is for longer."""


class Replies:
    """Answers one question at a time, between two packets."""

    def __init__(
        self,
        engine: Engine,
        log: EventLog,
        probes: Probes,
        *,
        now: Callable[[], Instant],
        status: Callable[[], Record],
        reload: Callable[[], None],
        notify: Callable[[], Record],
        notified: Callable[[], Record],
    ) -> None:
        """Take what is asked about, and the loop's part of it."""
        self._engine = engine
        self._log = log
        self._probes = probes
        self._now = now
        self._reload = reload
        self._asked: dict[str, Callable[[], Record]] = {
            "status": status,
            "notify": notify,
            "notified": notified,
        }

    def answer(self, question: Record) -> Record:
        """Do what is asked for; an answer with `error` says why not."""
        asked = question.get("ask")
        if isinstance(asked, str) and asked in self._asked:
            return self._asked[asked]()
        if asked == "reload":
            self._reload()
            return {}
        if asked == "allow":
            return self._allow(question.get("what"), question.get("for_s"))
        if asked == "take-back":
            return self._take_back(question.get("what"))
        if asked == "probe":
            expected = self._probes.expect(question.get("tokens"), self._now().mono)
            return {} if expected else {"error": "expected tokens of 128 bits"}
        if asked == "probed":
            tokens = question.get("tokens")
            seen = self._probes.seen(tokens if isinstance(tokens, list) else ())
            return {"seen": seen, "verdict": "drop"}
        address = parse_address(str(question.get("address")))
        if asked not in ("banned", "forget") or address is None:
            return {
                "error": "expected status, reload, allow, take-back, notify, notified, "
                "probe, probed, or banned or forget with an address"
            }
        text = bans.network_text(address)
        if asked == "banned":
            seconds = question.get("ban_s")
            self._log.event("ban", self._now(), address=text, ban_s=seconds, rule=None)
            return {}
        forgotten = self._engine.forget(address)
        self._log.event("unban", self._now(), address=text, forgotten=forgotten)
        return {"forgotten": forgotten}

    def _allow(self, what: object, seconds: object) -> Record:
        """Open calls abroad for a time."""
        name = readable(what)
        if name is None or type(seconds) is not int or not 0 < seconds <= MAX_OPEN:
            return {
                "error": "expected digits, a country, account@address or all, and up to "
                f"{MAX_OPEN} seconds"
            }
        wrong = self._leads_nowhere(name)
        if wrong is not None:
            return {"error": f"{name}: {wrong}"}
        now = self._now()
        over = self._engine.line.open(name, float(seconds), now)
        self._log.event("notice", now, notice="allowed", what=name, for_s=seconds)
        return {"what": name, "ended": [closure.id for closure in over]}

    def _take_back(self, what: object) -> Record:
        """Let what was opened be open no more."""
        name = readable(what)
        if name is None:
            return {"error": "expected digits, a country, account@address or all"}
        now = self._now()
        was = self._engine.line.closures.take_back(name, now.mono)
        if was:
            self._log.event("notice", now, notice="allow-ended", what=was)
        return {"what": name, "was_open": was}

    def _leads_nowhere(self, name: str) -> str | None:
        """Say why opening a country or a number would change nothing; None if it may.

        Up to two digits are the beginning of several countries' codes.
        """
        if name == ALL or "@" in name:
            return None
        reader = self._engine.settings.world.reader
        if name.isalpha():
            if name not in ISO_COUNTRIES:
                return 'expected a two-letter country code of ISO 3166 such as "PH"'
            home = reader.read_dialled(f"+{reader.plan.code}").country
            return _AT_HOME if name == home else None
        kind = reader.read_dialled(f"+{name}").kind
        if kind == DOMESTIC:
            return _AT_HOME
        if kind != INTERNATIONAL and len(name) > 2:
            return "no country has numbers that begin so"
        return None


_AT_HOME: Final = "calls at home are never closed"
