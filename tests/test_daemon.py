"""One verdict a packet, whatever fails on the way to it.

The live tests run whole agents; here single stages are made to fail. Only the queue's
packet is an imitation: a real one cannot be made without a kernel.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import (
    ABROAD,
    COUNTRIES,
    INSIDE,
    LISTED,
    invite,
    register,
    sip,
    tcp,
    udp,
)
from bundles import KEY, STRANGER, bundle, key_folder
from ringfence import daemon as running
from ringfence import intake, report
from ringfence.daemon import Daemon
from ringfence.decode import Decoder
from ringfence.decode.stream import Streams
from ringfence.errors import BundleError, ConfigError, KernelError
from ringfence.eventlog import EventLog
from ringfence.facts import Facts, World
from ringfence.netfilter.control import Control
from ringfence.netfilter.marks import Code
from ringfence.netfilter.nft import Home, Plan
from ringfence.packet import Instant, Packet
from ringfence.refusals import Refused
from ringfence.rules import RuleSet

MARK = 0x0F000000
OTHERS = 0x00FF3F01
"""Bits of the packet mark that other programs use."""


class Queued:
    """What the queue's library hands over, as far as the agent uses it."""

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.indev = packet.indev
        self.mark = Plan(0, frozenset()).bits(Code.ASKED) | OTHERS
        self.calls: list[str] = []

    def get_payload(self) -> bytes:
        return self.packet.data

    def get_mark(self) -> int:
        return self.mark

    def set_mark(self, mark: int) -> None:
        self.calls.append("mark")
        self.mark = mark

    def accept(self) -> None:
        self.calls.append("accept")

    @property
    def code(self) -> Code:
        """The verdict in the mark, given once and with nobody else's bit touched."""
        assert self.calls == ["mark", "accept"]
        assert self.mark & ~MARK == OTHERS
        return Code((self.mark & MARK) // (MARK & -MARK))


class FullQueue:
    """What a reload tells the queue."""

    binding = "python"

    def configure(self, length: int, *, fail_open: bool) -> None:
        self.told = length, fail_open


class Agent:
    """A daemon that has no kernel, and what it logs."""

    def __init__(self, folder: Path, toml: str) -> None:
        self.config = folder / "ringfence.toml"
        self.configure(toml)
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.daemon = Daemon(self.config, None)
        self.daemon._log = EventLog(self.writer, 1000)
        self.daemon._verdicts.log = self.daemon._log
        self.daemon._verdicts.full_numbers = self.daemon._config.log_full_numbers
        self.daemon._queue = FullQueue()  # type: ignore[assignment]
        self.daemon._verdicts.speak(Plan(5060, frozenset({5060}), MARK))

    def configure(self, toml: str) -> None:
        table = f'table = "{COUNTRIES}"\n'
        before, origin, after = toml.partition("[origin]\n")
        text = (
            f"{before}[origin]\n{table}{after}"
            if origin
            else f"{toml}\n[origin]\n{table}"
        )
        self.config.write_text(text, encoding="utf-8")

    def give(self, packet: Packet) -> Queued:
        queued = Queued(packet)
        self.daemon._packet(queued)
        return queued

    def events(self) -> list[dict[str, object]]:
        try:
            data = os.read(self.reader, 1 << 20)
        except BlockingIOError:
            return []
        return [json.loads(line) for line in data.splitlines()]

    def close(self) -> None:
        self.daemon._refilling.close()
        self.daemon._verdicts.close()
        os.close(self.reader)
        os.close(self.writer)


Start = Callable[[str], Agent]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start agents without privileges, without nft and without the kernel's sets."""
    nft = tmp_path / "nft"
    nft.write_text("#!/bin/sh\ncat > /dev/null\n", encoding="utf-8")
    nft.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(running, "require_privilege", lambda: None)
    monkeypatch.setattr(Control, "home", lambda _: None)
    monkeypatch.setattr(Control, "_put_home", lambda *_: Home(1, "filling"))
    agents: list[Agent] = []

    def begin(toml: str = "") -> Agent:
        agents.append(Agent(tmp_path, toml))
        return agents[-1]

    yield begin
    for agent in agents:
        agent.close()


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (udp(sip()), Code.PASS),
        (udp(register(), ABROAD), Code.DROP),
        (udp(invite(LISTED), INSIDE), Code.REJECT),
        (udp(b"\r\n\r\n"), Code.PASS),
        (Packet(b""), Code.PASS),
    ],
)
def test_verdicts_go_into_the_mark(start: Start, packet: Packet, code: Code) -> None:
    assert start("").give(packet).code is code


def test_decisions_are_logged_with_numbers_masked(start: Start) -> None:
    agent = start("")
    agent.give(udp(sip()))
    agent.give(udp(invite(LISTED)))
    agent.give(udp(register(), ABROAD))
    first, second = agent.events()
    assert (first["type"], first["rule"]) == ("decision", "blocked-destination")
    assert first["uri"] == "sip:0102327612xxxx@203.0.113.1"
    assert (second["type"], second["rule"]) == ("decision", "foreign-registration")


def test_numbers_are_whole_in_the_log_when_asked_for(start: Start) -> None:
    agent = start("[log]\nfull_numbers = true\n")
    agent.give(udp(invite(LISTED)))
    assert agent.events()[0]["uri"] == f"sip:{LISTED}@203.0.113.1"


def test_packets_dropped_without_a_message_are_logged_ever_more_rarely(
    start: Start,
) -> None:
    agent = start('[policy]\nmalformed = "drop"\n')
    for _ in range(9):
        assert agent.give(Packet(b"\x45")).code is Code.DROP
    events = agent.events()
    assert {(event["notice"], event["reason"]) for event in events} == {
        ("packet-dropped", "ip.short")
    }
    assert [event["count"] for event in events] == [1, 2, 4, 8]


class Answers:
    """Notes what would be sent; the real sockets are tried in the live tests."""

    answered = failed = held = 0

    def __init__(self) -> None:
        self.refused: list[tuple[str | None, int, int | None]] = []
        self.resets = 0

    def refuse(
        self,
        refused: Refused,
        data: bytes,
        indev: int,
        status: int,
        now: Instant,
        *,
        next_back: int | None,
    ) -> None:
        self.refused.append((refused.facts.message.call_id, status, next_back))

    def reset(self, data: bytes, indev: int, now: Instant) -> None:
        self.resets += 1

    def close(self) -> None:
        pass


def answers_of(agent: Agent) -> Answers:
    agent.daemon.engine.outside_interfaces = frozenset({3})
    answers = Answers()
    agent.daemon._verdicts.answering = answers  # type: ignore[assignment]
    return answers


CALL_ID = "a84b4c76e66710@example.com"


@pytest.mark.parametrize("indev", [0, 2])
def test_refused_calls_from_inside_are_answered(start: Start, indev: int) -> None:
    agent = start("[policy]\nreject_status = 486\n")
    answers = answers_of(agent)
    assert agent.give(udp(invite(LISTED), indev=indev)).code is Code.REJECT
    assert agent.give(udp(sip("ACK"), indev=indev)).code is Code.DROP
    assert agent.give(tcp(invite(LISTED), indev=indev)).code is Code.REJECT
    again = tcp(b"ACK ", 1 + len(invite(LISTED)), indev=indev)
    assert agent.give(again).code is Code.DROP
    assert answers.refused == [(CALL_ID, 486, None), (CALL_ID, 486, 0)]
    assert answers.resets == 1


def test_nothing_is_sent_to_where_strangers_are(start: Start) -> None:
    agent = start("")
    answers = answers_of(agent)
    for indev in (3, -1):
        assert agent.give(udp(invite(LISTED), indev=indev)).code is Code.REJECT
        sport = 40_000 + indev
        agent.give(tcp(invite(LISTED), sport=sport, indev=indev))
        again = tcp(b"x", 1 + len(invite(LISTED)), sport=sport, indev=indev)
        assert agent.give(again).code is Code.DROP
    assert (answers.refused, answers.resets) == ([], 0)


def test_the_ack_of_a_refusal_is_not_logged(start: Start) -> None:
    agent = start("")
    answers_of(agent)
    agent.give(udp(invite(LISTED), indev=2))
    assert agent.give(udp(sip("ACK"), indev=2)).code is Code.DROP
    assert [event["method"] for event in agent.events()] == ["INVITE"]
    assert agent.daemon._verdicts.answers()["acks_absorbed"] == 1


def test_a_failing_answer_changes_no_verdict(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start("")
    answers = answers_of(agent)
    monkeypatch.setattr(answers, "refuse", fail)
    assert agent.give(udp(invite(LISTED), indev=2)).code is Code.REJECT
    assert agent.daemon._verdicts.internal_errors == 1


def test_monitoring_logs_and_passes(start: Start) -> None:
    agent = start('mode = "monitor"\n')
    assert agent.give(udp(register(), ABROAD)).code is Code.PASS
    assert agent.events()[0]["would"] == "drop"


# Every stage fails once -----------------------------------------------------------


class OurBugError(Exception):
    """What no stage should ever raise."""


def fail(*_: object, **__: object) -> None:
    raise OurBugError


def _payload(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(Queued, "get_payload", fail)


def _inspect(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(agent.daemon.engine, "inspect", fail)


def _decode(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(Decoder, "decode", fail)


def _streams(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(Streams, "find", fail)


def _framing(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(intake, "next_message", fail)


def _side(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(agent.daemon.engine, "side", fail)


def _origin(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(World, "origin", fail)


def _facts(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(Facts, "value", fail)


def _rules(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(RuleSet, "candidates", fail)


BEFORE_THE_VERDICT = [
    _payload,
    _inspect,
    _decode,
    _streams,
    _framing,
    _side,
    _origin,
    _facts,
    _rules,
]

Break = Callable[[pytest.MonkeyPatch, Agent], None]


@pytest.mark.parametrize("stage", BEFORE_THE_VERDICT)
@pytest.mark.parametrize(
    ("policy", "code"), [("accept", Code.PASS), ("drop", Code.DROP)]
)
def test_a_stage_that_raises_leaves_one_verdict_by_policy(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    stage: Break,
    policy: str,
    code: Code,
) -> None:
    agent = start(f'[policy]\ninternal_error = "{policy}"\n')
    stage(monkeypatch, agent)
    # Over TCP from abroad, so that every stage is on the way.
    assert agent.give(tcp(register(), src=ABROAD)).code is code
    (notice,) = agent.events()
    assert (notice["type"], notice["notice"]) == ("notice", "internal-error")
    assert str(notice["error"]).startswith("OurBugError at test_daemon.py:")
    assert (notice["count"], notice["verdict"]) == (1, policy)


def _record(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(report, "message_record", fail)


def _rate(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> None:
    monkeypatch.setattr(agent.daemon._log, "admits", fail)


@pytest.mark.parametrize("stage", [_record, _rate])
def test_logging_that_raises_does_not_change_the_verdict(
    start: Start, monkeypatch: pytest.MonkeyPatch, stage: Break
) -> None:
    agent = start("")
    stage(monkeypatch, agent)
    assert agent.give(udp(register(), ABROAD)).code is Code.DROP
    assert agent.events()[0]["notice"] == "internal-error"


def test_even_telling_of_the_error_may_fail(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start("")
    _inspect(monkeypatch, agent)
    monkeypatch.setattr(agent.daemon._log, "event", fail)
    queued = Queued(udp(sip()))
    with pytest.raises(OurBugError):
        agent.daemon._packet(queued)
    assert queued.code is Code.PASS


def test_an_interrupt_leaves_a_verdict_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start('[policy]\ninternal_error = "drop"\n')

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(agent.daemon.engine, "inspect", interrupt)
    queued = Queued(udp(sip()))
    with pytest.raises(KeyboardInterrupt):
        agent.daemon._packet(queued)
    assert queued.code is Code.DROP


def test_a_flood_of_errors_is_told_ever_more_rarely(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start("")
    _inspect(monkeypatch, agent)
    for _ in range(20):
        agent.give(udp(sip()))
    assert [event["count"] for event in agent.events()] == [1, 2, 4, 8, 16]


# Reloading ------------------------------------------------------------------------


def test_a_reload_takes_everything_or_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start("")
    agent.configure('[origin]\nhome = ["NL"]\n[kernel]\nmark = 0xf00\n')

    def refuse(plan: Plan) -> None:
        raise KernelError("nft did not take the ruleset: busy")

    with monkeypatch.context() as patch:
        patch.setattr(agent.daemon._control, "refill", refuse)
        agent.daemon._reconfigure()
        agent.daemon._refilling.turn()
    (event,) = agent.events()
    assert (event["type"], event["ok"]) == ("reload", False)
    assert event["problems"] == ["nft did not take the ruleset: busy"]
    assert agent.give(udp(register(), ABROAD)).code is Code.DROP, "all as it was"
    agent.events()
    agent.daemon._reconfigure()
    still = agent.give(udp(register(), ABROAD))
    assert still.code is Code.DROP, "until the kernel has taken it"
    agent.events()
    agent.daemon._refilling.turn()
    *_, reloaded = agent.events()
    assert (reloaded["type"], reloaded["ok"], reloaded["home"]) == (
        "reload",
        True,
        ["NL"],
    )
    queued = Queued(udp(register(), ABROAD))
    agent.daemon._packet(queued)
    assert queued.mark & 0xF00 == Plan(0, frozenset(), 0xF00).bits(Code.PASS)


def test_an_offload_that_failed_is_begun_again_if_asked_for_meanwhile(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table was put back while it was filled: what filled it has given up."""
    agent = start("")

    def refuse(plan: Plan) -> None:
        raise KernelError("another process has put its ruleset in meanwhile")

    with monkeypatch.context() as patch:
        patch.setattr(agent.daemon._control, "refill", refuse)
        agent.daemon._begin_offload()
    agent.daemon._begin_offload()
    agent.daemon._refilling.turn()
    assert [event["notice"] for event in agent.events()] == ["no-offload"]
    agent.daemon._refilling.turn()
    assert [event["notice"] for event in agent.events()] == ["wan", "offload"]
    assert not agent.daemon._refilling.busy, "and not a third time"


def test_a_reload_takes_whom_to_notify(start: Start) -> None:
    agent = start("")
    daemon = agent.daemon
    assert daemon._notices.record(0.0) == {"command": None, "webhook": None}
    agent.configure('[notify]\ncommand = "/bin/true"\n')
    daemon._reconfigure()
    assert not daemon._notices.ways["command"].used
    daemon._refilling.turn()
    assert daemon._notices.ways["command"].used
    assert daemon._verdicts.notify == daemon._notices.add


def test_without_a_process_to_be_had_all_stays_as_it_was(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full table of processes, or no memory: the agent must not end over it."""
    agent = start("")
    agent.configure('[origin]\nhome = ["NL"]\n')

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", refuse)
        agent.daemon._reconfigure()
        agent.daemon._begin_offload()
    reload, offload = agent.events()
    assert (reload["type"], reload["ok"]) == ("reload", False)
    assert reload["problems"] == ["cannot fork: Resource temporarily unavailable"]
    assert offload["notice"] == "no-offload"
    agent.daemon._reconfigure()
    agent.daemon._refilling.turn()
    *_, reloaded = agent.events()
    assert (reloaded["type"], reloaded["ok"]) == ("reload", True)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('mode = "off"', 'mode = "off": expected one of "enforce", "monitor"'),
        ("mode = ", "not valid TOML: "),
        ("[kernel]\nqueue = 1", "kernel.queue can only be changed by a restart"),
        (
            '[kernel]\nbinding = "python"',
            "kernel.binding can only be changed by a restart",
        ),
        ('[rules.x]\nmode = "off"', "rules.x: expected the id of a rule"),
    ],
)
def test_a_bad_reload_keeps_the_old_configuration(
    start: Start, toml: str, problem: str
) -> None:
    agent = start("")
    before = agent.daemon.engine.settings
    agent.configure(toml)
    agent.daemon._reconfigure()
    (event,) = agent.events()
    assert (event["type"], event["ok"]) == ("reload", False)
    assert problem in str(event["problems"])
    assert agent.daemon.engine.settings is before


def test_a_table_that_cannot_be_put_back_is_tried_again_and_told_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start("")
    tried = []

    def install(plan: Plan) -> None:
        tried.append(plan)
        if len(tried) < 3:
            raise KernelError("busy")

    monkeypatch.setattr(agent.daemon._control, "install", install)
    assert [agent.daemon._reinstall() for _ in range(3)] == [False, False, True]
    notices = [event["notice"] for event in agent.events()]
    assert notices == ["table-lost", "table-reinstalled"]


def test_state_survives_a_reload(start: Start) -> None:
    agent = start("")
    whole = register()
    agent.give(tcp(whole[:99], 1, src=ABROAD))
    agent.daemon._reconfigure()
    assert agent.give(tcp(whole[99:], 100, src=ABROAD)).code is Code.DROP


def test_nothing_is_done_with_a_bad_configuration(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        start("[kernel]\nqueue = -1\n")
    assert not list(tmp_path.glob("*.tmp"))


# Privileges and imports -----------------------------------------------------------


def test_the_agent_runs_on_a_bundle_that_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "require_privilege", lambda: None)
    keys = key_folder(tmp_path / "keys", (1, KEY))
    config = tmp_path / "ringfence.toml"
    config.write_text(f'[bundle]\nkeys = "{keys}"\n', encoding="utf-8")
    archive = tmp_path / "rules.tar"
    archive.write_bytes(bundle(min_agent="0.0.1"))
    rules = Daemon(config, archive).engine.settings.rules.rules
    assert {rule.id for rule in rules} == {"blocked-destination", "password-guessing"}
    archive.write_bytes(bundle(min_agent="0.0.1", key=STRANGER))
    with pytest.raises(BundleError, match=r"\[signature\.key\]"):
        Daemon(config, archive)


def loaded(module: str) -> set[str]:
    """Import one module in a new interpreter; name everything that came with it."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_what_the_agent_does_not_pay_for() -> None:
    heavy = {
        "dpkt",
        "netfilterqueue",
        "tomli",
        "pyroute2",
        "asyncio",
        "logging",
        "ssl",
        "hashlib",
        "nacl",
        "ringfence.bundle.checker",
        "urllib.request",
    }
    assert loaded("ringfence.daemon") & heavy == set()


def test_the_command_line_imports_only_what_a_command_needs() -> None:
    modules = loaded("ringfence.cli")
    assert "netfilterqueue" not in modules
    assert {name for name in modules if name.startswith("ringfence")} <= {
        "ringfence",
        "ringfence.cli",
        "ringfence.errors",
    }


def test_time() -> None:
    first, second = running._now(), running._now()
    assert isinstance(first, Instant)
    assert second.mono >= first.mono
