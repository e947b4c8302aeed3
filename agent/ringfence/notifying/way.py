"""One way that notices go, to the program or to the web service: what waits, and when.

Each way has its own queue and its own failures, so that a web service that is down has
no program run twice. One notice at a time, the oldest first, so that an incident is
opened before it is closed; each try is a process of its own (`forked.py`), which no
packet waits for. Knows neither of the two ways, nor what is in a notice.
"""

import math
import signal
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from ringfence.errors import RingfenceError
from ringfence.forked import Forked
from ringfence.notifying.notice import Notice

MAX_WAITING: Final = 64
"""Notices that wait; the oldest is lost if there are more. An attack that closes
twenty countries one after the other makes forty."""

FIRST_WAIT: Final = 5.0
"""Seconds from the first try that failed to the next; each is twice the one before."""

LONGEST_WAIT: Final = 3_600.0

GIVEN_UP_AFTER: Final = 86_400.0
"""Seconds of waiting after which a try that fails is a notice's last: some 34 tries."""

GRACE: Final = 5.0
"""Seconds beyond its time limit that a try may take to end."""

AT_LAST: Final = 1.0
"""The same at the end of the agent."""

MAX_ERROR: Final = 200
"""Characters of an error that are kept."""

Deliver = Callable[[Notice], None]
"""Delivers one notice, or raises `RingfenceError` or `OSError`; runs in a process of
its own."""

Fields = dict[str, object]
"""Of a notice for the log."""


class Interrupted(RingfenceError):  # noqa: N818 - it is asked for
    """A try was asked to end."""


class Waiting(NamedTuple):
    """A notice that waits."""

    notice: Notice
    since: float
    """On the monotonic clock."""


class _UnderWay(NamedTuple):
    """A try, and until when it may take."""

    work: Forked
    waiting: Waiting | None
    """None for a test."""
    until: float
    asked: bool = False
    """It was asked to end."""


class Way:
    """One queue, and the process that empties it."""

    def __init__(self, name: str) -> None:
        """Begin with nothing waiting, and nowhere to deliver to."""
        self.name = name
        self._deliver: Deliver | None = None
        self._limit = 0.0
        self._waiting: deque[Waiting] = deque()
        self._under_way: _UnderWay | None = None
        self._due = -math.inf
        """When the next try may begin, on the monotonic clock."""
        self._failures = 0
        """Tries that failed since the last that did not."""
        self._test: Notice | None = None
        self._tested: str | None = None
        """What became of the latest test, "" for success; None: nothing yet."""
        self._says: list[Fields] = []
        self.sent = 0
        self.failed = 0
        """Tries that failed."""
        self.given_up = 0
        self.lost = 0
        """Notices for which there was no room."""
        self.error = ""
        """What the latest failure was; "" once a try did not fail."""

    def use(self, deliver: Deliver | None, limit: float) -> None:
        """Deliver by this from the next try on, which may take `limit` seconds.

        None: not any more; what waits is forgotten.
        """
        self._deliver, self._limit = deliver, limit
        if deliver is None:
            self._waiting.clear()
            self._test, self._failures, self.error = None, 0, ""
        self._due = -math.inf

    @property
    def used(self) -> bool:
        """Notices are delivered this way."""
        return self._deliver is not None

    def __iter__(self) -> Iterator[Waiting]:
        """Give what waits, oldest first; what is being tried, too."""
        return iter(self._waiting)

    def add(self, notice: Notice, since: float) -> None:
        """Let a notice wait its turn; `since` is on the monotonic clock."""
        if self._deliver is None:
            return
        self._waiting.append(Waiting(notice, since))
        if len(self._waiting) > MAX_WAITING:
            tried = self._under_way is not None and self._under_way.waiting is not None
            del self._waiting[1 if tried else 0]
            self.lost += 1
            if self.lost & (self.lost - 1) == 0:  # 1, 2, 4, 8, …
                self._say("notify-lost", count=self.lost)

    def test(self, notice: Notice) -> bool:
        """Try a notice soon and once, whatever waits; False if there is no such way."""
        if self._deliver is None:
            return False
        self._test, self._tested = notice, None
        return True

    @property
    def tested(self) -> str | None:
        """What became of the latest test: "" for success, None while nothing has."""
        return self._tested

    def wait(self, mono: float) -> float:
        """Return the seconds until `tend` has something to do."""
        if self._under_way is not None:
            # The end of a process wakes the agent.
            return max(0.0, self._under_way.until - mono)
        if self._test is not None or self._says:
            return 0.0
        return max(0.0, self._due - mono) if self._waiting else math.inf

    def tend(self, mono: float) -> list[Fields]:
        """Look after a try, begin the next if one is due; never waits.

        Returns what is to be logged.
        """
        if self._under_way is not None:
            self._look(mono)
        if self._under_way is None:
            self._begin(mono)
        says, self._says = self._says, []
        return says

    def close(self, mono: float, seconds: float) -> list[Fields]:
        """Wait for a try that is under way, so many seconds at most; begin none.

        One that takes longer is ended, and its notice still waits.
        """
        if self._under_way is not None:
            work = self._under_way.work
            if not work.ended(seconds):
                work.stop()
                if not work.ended(AT_LAST):
                    work.stop(hard=True)
            self._over(mono)
        says, self._says = self._says, []
        return says

    @property
    def waits(self) -> bool:
        """Something waits."""
        return bool(self._waiting)

    @property
    def tries(self) -> bool:
        """A try is under way."""
        return self._under_way is not None

    @property
    def untried(self) -> bool:
        """Something waits, and nothing says that a try would fail."""
        return bool(self._waiting) and not self._failures

    def record(self, mono: float) -> dict[str, object] | None:
        """Return what `status` shows; None for a way that is not used."""
        if self._deliver is None:
            return None
        waits = self._failures and self._waiting and self._under_way is None
        return {
            "waiting": len(self._waiting),
            "sent": self.sent,
            "failed": self.failed,
            "given_up": self.given_up,
            "lost": self.lost,
            "error": self.error or None,
            "next_s": math.ceil(max(0.0, self._due - mono)) if waits else None,
        }

    def _begin(self, mono: float) -> None:
        waiting: Waiting | None = None
        if self._test is not None:
            notice, self._test = self._test, None
        elif self._waiting and mono >= self._due:
            waiting = self._waiting[0]
            notice = waiting.notice
        else:
            return
        deliver = self._deliver
        assert deliver is not None  # noqa: S101 - else nothing waits
        try:
            work = Forked(lambda: _try(deliver, notice), "its process met a flaw")
        except OSError as error:
            self._ended(waiting, f"cannot fork: {error.strerror}", mono)
        else:
            self._under_way = _UnderWay(work, waiting, mono + self._limit + GRACE)

    def _look(self, mono: float) -> None:
        assert self._under_way is not None  # noqa: S101 - tells the type checker
        work, waiting, until, asked = self._under_way
        if work.ended():
            self._over(mono)
        elif mono >= until:
            work.stop(hard=asked)  # only asked it ends what it has started
            self._under_way = _UnderWay(work, waiting, mono + GRACE, True)

    def _over(self, mono: float) -> None:
        assert self._under_way is not None  # noqa: S101 - tells the type checker
        (work, waiting, _, _), self._under_way = self._under_way, None
        self._ended(waiting, work.complaint(), mono)

    def _ended(self, waiting: Waiting | None, complaint: str, mono: float) -> None:
        """Learn how a try went."""
        complaint = complaint[:MAX_ERROR]
        if waiting is None:
            self._tested = complaint
            if not complaint:
                self._due = -math.inf  # what waits goes, too
            return
        # By a reload it may be gone meanwhile.
        waits = bool(self._waiting) and self._waiting[0] is waiting
        if not complaint:
            self.sent += 1
            if self._failures:
                self._say("notify-again", tries=self._failures + 1)
            self._failures, self.error = 0, ""
            self._due = -math.inf
            if waits:
                self._waiting.popleft()
            return
        self.failed += 1
        self._failures += 1
        self.error = complaint
        doubled = FIRST_WAIT * 2 ** min(self._failures - 1, 30)
        self._due = mono + min(LONGEST_WAIT, doubled)
        if self._failures & (self._failures - 1) == 0:  # 1, 2, 4, 8, …
            self._say("notify-failed", error=complaint, tries=self._failures)
        if waits and mono - waiting.since >= GIVEN_UP_AFTER:
            self._waiting.popleft()
            self.given_up += 1
            self._say("notify-given-up", error=complaint, count=self.given_up)

    def _say(self, what: str, **fields: object) -> None:
        self._says.append({"notice": what, "way": self.name, **fields})


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted("it was interrupted")


def _try(deliver: Deliver, notice: Notice) -> None:
    """Deliver; asked to end, have what was started ended, too."""
    signal.signal(signal.SIGTERM, _interrupt)
    deliver(notice)
