"""The live agent: the queue in, verdicts out, the kernel left as it was found.

The only module that reads clocks and the only one that issues verdicts; both happen
in `_packet`, once for each packet, whatever goes wrong in between. Everything it
knows of SIP is the engine.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from ringfence import report, supervision
from ringfence.calls.remembering import Remembered
from ringfence.config import (
    fails_open,
    first_plan,
    kernel_plan,
    read_config,
)
from ringfence.controlsocket import ControlSocket
from ringfence.engine import Engine
from ringfence.errors import KernelError, RingfenceError
from ringfence.eventlog import EventLog
from ringfence.facts.dating import BUILT
from ringfence.keeping import Keeping, Section
from ringfence.netfilter import bans, notices
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.privilege import require_privilege
from ringfence.netfilter.queue import Queue, QueuedPacket, losses
from ringfence.netfilter.severing import Severing
from ringfence.notifying.notices import Notices, wanted
from ringfence.packet import Instant
from ringfence.refilling import OFFLOAD, RELOAD, Filling, NoProcessError, Refilling
from ringfence.replies import Replies
from ringfence.stock import Notice, Stock
from ringfence.told import line_record
from ringfence.verdicts import Verdicts

COUNTERS_EVERY: Final = 300.0
"""Seconds between two `counters` events; each costs a line in the router's log."""

DRAIN: Final = 1.0
"""Seconds that packets still in the queue get to be judged when the agent stops."""


def _now() -> Instant:
    return Instant(time.monotonic(), time.time())  # noqa: TID251 - the one clock


def _kernel_counters() -> dict[str, int]:
    """Read the counters, or have none: figures must not end the agent."""
    try:
        return bans.counters() or {}
    except KernelError:
        return {}


class Daemon:
    """One running agent."""

    def __init__(
        self,
        config_path: Path | None,
        rules_dir: Path | None,
        *,
        keep_bans: bool = False,
    ) -> None:
        """Read and check everything; nothing is in the kernel yet.

        `rules_dir` is a folder of rules or a signed bundle; None: the best bundle of
        the store, or the embedded rules.
        `keep_bans` leaves the bans in force when the agent stops.
        """
        self._config_path = config_path
        self._stock = Stock(rules_dir)
        self._keep_bans = keep_bans
        self._config = read_config(config_path)
        require_privilege()
        self._control = Control()
        self.engine = Engine(self._stock.load(self._config))
        self._log = EventLog(sys.stdout.fileno(), self._config.log_max_per_second)
        self._stop = False
        self._reload = False
        self._began = time.monotonic()
        self._unheard_before = 0
        self._lost_before = 0
        self._wan: list[str] = []
        self._severing = Severing()
        self._verdicts = Verdicts(self.engine, self._log, self._severing)
        self._notices = Notices(wanted(self._config))
        self._verdicts.notify = self._notices.add
        self._keeping: Keeping
        self._socket: ControlSocket | None = None
        self._refilling = Refilling(self._control, self._filled, self._unfilled)
        self._table_lost = False
        self._queue: Queue

    def run(self) -> None:
        """Protect until a signal ends it; raises `KernelError` if it cannot begin.

        SIGTERM and SIGINT end it for good, SIGUSR1 for a successor: bans stay.
        """
        config = self._config
        self._verdicts.full_numbers = config.log_full_numbers
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        ends = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        for number in (*ends, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._signalled)

        links = notices.LinkNotices()
        tables = notices.TableWatch()
        self._look_back()
        self._remember()
        self._queue = Queue(
            config.kernel_queue,
            config.kernel_queue_length,
            self._packet,
            fail_open=fails_open(config),
            binding=config.kernel_binding,
        )
        self._find_wan()
        plan = self._plan()
        self._verdicts.speak(plan)
        try:
            home = self._control.home()
            self._control.install(first_plan(plan, self.engine.settings, home))
        except KernelError:
            self._queue.close()
            raise
        tables.remember()
        self._verdicts.open_answering(_now())
        self._adopt()
        self._ready("ready")
        self._listen()
        self._begin_offload()
        supervision.tell(supervision.READY)
        try:
            self._loop(wake, links, tables)
        finally:
            self._leave()
            links.close()
            tables.close()

    def _loop(
        self, wake: int, links: notices.LinkNotices, tables: notices.TableWatch
    ) -> None:
        poll = select.poll()
        for source in (wake, self._queue, links):
            poll.register(source, select.POLLIN)
        asked = -1
        if self._socket is not None:
            asked = self._socket.fileno()
            poll.register(asked, select.POLLIN)
        refilled = -1
        due = time.monotonic() + COUNTERS_EVERY
        while not self._stop:
            if self._refilling.busy and refilled < 0:
                refilled = self._refilling.fileno()
                poll.register(refilled, select.POLLIN)
            mono = time.monotonic()
            wait = min(
                *(due - mono, self._stock.wait(mono), tables.wait(mono)),
                *(self._keeping.wait(_now().mono), self.engine.line.wait(mono)),
                self._notices.wait(mono),
            )
            wait = max(0.0, wait)
            if self._severing.busy:
                wait = min(wait, 1.0)
            ready = {fd for fd, _ in poll.poll(wait * 1000)}
            if wake in ready:
                os.read(wake, 4096)
            if self._queue.fileno() in ready:
                self._queue.read()
            if not self.engine.line.wait(time.monotonic()):
                self.engine.tick(_now())
            self._verdicts.tell_calls(_now())
            if links.fileno() in ready:
                links.drain()
                self._watch_links()
            if tables.lost(time.monotonic()) and self._reinstall():
                tables.remember()
            if self._socket is not None and asked in ready:
                self._socket.serve()
            if refilled >= 0 and refilled in ready:
                poll.unregister(refilled)
                refilled = -1
                self._refilling.turn()
            if self._severing.busy:
                self._severing.turn(time.monotonic())
            self._notice(
                self._stock.tend(time.monotonic(), self._verdicts.internal_errors)
            )
            self._say(*self._notices.tend(_now()))
            self._say(self._keeping.tend(_now()))
            if self._reload and not self._refilling.busy:
                self._reload = False
                self._reconfigure()
            if time.monotonic() >= due:
                due += COUNTERS_EVERY
                self.engine.exposure.turn(_now())
                self._counters(_kernel_counters())

    def _packet(self, packet: QueuedPacket) -> None:
        self._verdicts.give(packet, _now())

    def _plan(self) -> Plan:
        return kernel_plan(self._config, self.engine.settings, tuple(self._wan))

    def _find_wan(self) -> bool:
        """Learn again which interfaces face strangers; True when that changed."""
        names = list(self._config.network_wan) or notices.default_route_interfaces()
        self.engine.outside_interfaces = notices.interface_indexes(names)
        changed = names != self._wan
        if changed:
            self._wan = names
            self._log.event("notice", _now(), notice="wan", wan=names)
        return changed

    def _watch_links(self) -> None:
        if self._find_wan():
            self._control.face(tuple(self._wan))

    def _reinstall(self) -> bool:
        """Put the ruleset back after somebody deleted it (`fw4 stop` deletes all).

        False when it could not be: then it is tried again, and told once.
        """
        try:
            plan = self._plan()
            self._control.install(first_plan(plan, self.engine.settings))
        except KernelError as error:
            if not self._table_lost:
                self._log.event("notice", _now(), notice="table-lost", error=str(error))
            self._table_lost = True
            return False
        self._table_lost = False
        self._log.event("notice", _now(), notice="table-reinstalled")
        self._begin_offload()
        return True

    def _begin_offload(self) -> None:
        """Have the home networks put in, for what the kernel can judge alone."""
        self._refilling.offload(
            lambda: Filling(self._plan(), self._config, self.engine.settings, OFFLOAD)
        )

    def _reconfigure(self) -> None:
        """Take the configuration anew; keep the old one when it has a flaw."""
        try:
            config = read_config(self._config_path)
            if config.kernel_queue != self._config.kernel_queue:
                raise KernelError("kernel.queue can only be changed by a restart")
            if config.kernel_binding != self._config.kernel_binding:
                raise KernelError("kernel.binding can only be changed by a restart")
            settings = self._stock.load(config)
        except RingfenceError as error:
            self._reload_failed(error)
            return
        wan = config.network_wan or tuple(self._wan)
        plan = kernel_plan(config, settings, wan)
        self._refilling.begin(Filling(plan, config, settings, RELOAD))

    def _adopt(self) -> None:
        """Say that the rules that were loaded are in force."""
        exposure = self.engine.exposure
        exposure.seeing = self.engine.settings.rules.wants_responses
        exposure.dating.floor = max(BUILT, self._stock.floor())
        self._notice(
            self._stock.adopt(time.monotonic(), self._verdicts.internal_errors)
        )

    def _notice(self, notice: Notice | None) -> None:
        if notice is not None:
            self._log.event("notice", _now(), **notice.fields)
            self._reload |= notice.reload

    def _unfilled(self, asked: Filling, error: KernelError) -> None:
        """Stay with the old."""
        if asked.why == RELOAD:
            if not isinstance(error, NoProcessError):
                self._stock.refuse()
            self._reload_failed(error)
        else:
            self._log.event("notice", _now(), notice="no-offload", error=str(error))

    def _filled(self, done: Filling) -> None:
        """Go on with what the kernel has taken."""
        if done.why == RELOAD:
            self._verdicts.speak(done.plan)
            self.engine.settings = done.settings
            self._config = done.config
            self._log.limit(done.config.log_max_per_second)
            self._verdicts.full_numbers = done.config.log_full_numbers
            self._notices.use(wanted(done.config))
            self._queue.configure(
                done.config.kernel_queue_length, fail_open=fails_open(done.config)
            )
            self._verdicts.open_answering(_now())
            self._adopt()
        self._find_wan()
        if tuple(self._wan) != done.plan.wan:
            self._control.face(tuple(self._wan))
        if done.why == RELOAD:
            self._ready("reload", ok=True)
        else:
            self._log.event("notice", _now(), notice="offload")

    def _reload_failed(self, error: RingfenceError) -> None:
        problems = str(error).splitlines()
        self._log.event("reload", _now(), ok=False, problems=problems)

    def _ready(self, kind: str, **fields: object) -> None:
        settings = self.engine.settings
        self._log.event(
            kind,
            _now(),
            **fields,
            mode=self._config.mode,
            queue=self._config.kernel_queue,
            binding=self._queue.binding,
            statement=self._control.statement,
            wan=self._wan,
            home=sorted(settings.world.home),
            rules=[rule.id for rule in settings.rules.rules],
            bundle=self._stock.brief(),
        )

    def _say(self, *said: dict[str, object] | None) -> None:
        for notice in said:
            if notice is not None:
                self._log.event("notice", _now(), **notice)

    def _counters(self, kernel: dict[str, int]) -> None:
        self.engine.exposure.foreign(kernel.get("foreign"), _now().mono)
        own = self._figures()
        self._log.event("counters", _now(), **own, **bans.lost(kernel, own))

    def _figures(self) -> dict[str, object]:
        """Return what we counted ourselves; asks nobody, so it takes no time."""
        return {
            **report.summary_record(self.engine.counters),
            "bans": self._verdicts.bans,
            "internal_errors": self._verdicts.internal_errors,
            **self._verdicts.answers(),
            "probes": self._verdicts.probes.caught,
            "log_suppressed": self._log.suppressed,
            "log_unwritten": self._log.unwritten,
            "queue_overruns": self._queue.overruns,
            "unheard_before": self._unheard_before,
            "lost_before": self._lost_before,
            "severing": {
                "runs": self._severing.runs,
                "failures": self._severing.failures,
                "skipped": self._severing.skipped,
            },
            "kernel_queue": losses(self._queue.number),
        }

    def _look_back(self) -> None:
        """Read what went by before we listened: all of it had no listener.

        What a killed agent's full queue let pass is counted there as well.
        """
        kernel = _kernel_counters()
        self._unheard_before = kernel.get("unheard", 0)
        self._lost_before = bans.unanswered(kernel)
        self.engine.exposure.foreign(kernel.get("foreign", 0), _now().mono)

    def _remember(self) -> None:
        """Read what earlier runs have left; see `keeping`."""
        path = Path(self._config.state_file)
        sections: list[Section] = [self.engine.exposure, Remembered(self.engine.line)]
        sections.append(self._notices)
        self._keeping = Keeping(path, sections, _now())
        problem = self._keeping.problem
        if problem is not None:
            self._say({"notice": "state-unusable", "error": problem})

    def _listen(self) -> None:
        """Open the control socket; the agent protects without it too."""
        path = self._config.control_socket
        replies = Replies(
            self.engine,
            self._log,
            self._verdicts.probes,
            now=_now,
            status=self._status,
            reload=self._reload_soon,
            notify=lambda: self._notices.test(_now()),
            notified=self._notices.tested,
        )
        try:
            self._socket = ControlSocket(path, replies.answer)
        except OSError as error:
            self._log.event(
                "notice", _now(), notice="no-control-socket", error=str(error)
            )

    def _status(self) -> dict[str, object]:
        """Return what `ringfence status` shows of the agent."""
        return {
            "mode": self._config.mode,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began),
            "statement": self._control.statement,
            "binding": self._queue.binding,
            "wan": self._wan,
            "no_listener_policy": self._config.policy_no_listener.word,
            "queue_full_policy": self._config.policy_queue_full.word,
            "rules_from": self._stock.record(_now().wall),
            "exposure": self.engine.exposure.record(_now()),
            "calls": line_record(self.engine.line, _now()),
            "notices": self._notices.record(time.monotonic()),
            **self._figures(),
        }

    def _reload_soon(self) -> None:
        self._reload = True

    def _leave(self) -> None:
        """Judge what still waits, then take everything out of the kernel."""
        if self._socket is not None:
            self._socket.close()
        self._refilling.close()  # it would put back what is taken out here
        self._control.quiet()
        poll = select.poll()
        poll.register(self._queue, select.POLLIN)
        until = time.monotonic() + DRAIN
        while time.monotonic() < until and poll.poll(0):
            self._queue.read()
        self._verdicts.tell_calls(_now())
        self._counters(_kernel_counters())
        self._control.remove(keep_bans=self._keep_bans)
        self._queue.close()
        self._severing.close()
        self._verdicts.close()
        # Last, since these wait: for what is to be told, and for the disk.
        self._say(*self._notices.close(_now()))
        self._say(self._keeping.close(_now()))

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        elif number != signal.SIGCHLD:  # that one only has to wake the loop
            self._keep_bans |= number == signal.SIGUSR1  # a successor is to come
            self._stop = True
