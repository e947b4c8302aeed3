"""What the agent tells the owner: from the rule that closes to what gets there."""

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from behaviour import COLOMBIA, HOUR, MINUTE, US, call, every
from builders import engine
from generate import Timed
from ringfence.engine import Engine
from ringfence.eventlog import EventLog
from ringfence.keeping import Keeping
from ringfence.netfilter.severing import Severing
from ringfence.notifying.notice import MAX_NOTICE, notice, read_notice, trial
from ringfence.notifying.notices import (
    EVERY,
    MAX_KEPT,
    STOP_WITHIN,
    Notices,
    Wanted,
    wanted,
)
from ringfence.notifying.way import FIRST_WAIT, MAX_WAITING
from ringfence.packet import Instant, Packet
from ringfence.status import _notices
from ringfence.verdicts import Verdicts
from webserver import Server, serving

WALL = 1_795_000_000.0
PATIENT = 100_000
"""Seconds for one try, where the clock of the test makes hours of none."""

HOST = os.uname().nodename


def at(mono: float) -> Instant:
    return Instant(mono, WALL + mono)


class Told:
    """A program that writes down what it is told, and fails while a file says so."""

    def __init__(self, folder: Path) -> None:
        self.file, self.down = folder / "told", folder / "down"
        self.program = folder / "told.sh"
        self.program.write_text(
            f"#!/bin/sh\n[ -e {self.down} ] && {{ cat {self.down} >&2; exit 1; }}\n"
            f'cat >> {self.file}\necho "$RINGFENCE_EVENT" >> {self.file}.events\n'
        )
        self.program.chmod(0o755)
        self.command = (str(self.program),)

    @property
    def got(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    @property
    def events(self) -> list[str]:
        path = Path(f"{self.file}.events")
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(None) as made:
        yield made


def settle(notices: Notices, mono: float) -> list[dict[str, object]]:
    """Go on until nothing is due at that moment."""
    says = notices.tend(at(mono))
    deadline = time.monotonic() + 20
    while any(way.tries for way in notices.ways.values()) or notices.wait(mono) == 0:
        assert time.monotonic() < deadline
        says += notices.tend(at(mono))
        time.sleep(0.002)
    return says


def incident(number: int, event: str = "opened") -> dict[str, object]:
    return {"type": "incident", "event": event, "id": f"{number}"}


def ids(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["id"], one["event"]) for one in told]


class Agent:
    """An engine with its verdicts and notices, as the daemon puts them together."""

    def __init__(self, toml: str, notices: Notices) -> None:
        self.engine: Engine = engine(toml)
        self.notices = notices
        self.mono = 0.0
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.verdicts = Verdicts(self.engine, EventLog(writer, 1000), Severing())
        self.verdicts.notify = notices.add

    def feed(self, timed: list[Timed]) -> None:
        for moment, frame in timed:
            while moment > self.mono + MINUTE:
                self.until(self.mono + MINUTE)
            self.mono = moment
            self.engine.inspect(Packet(frame, 1, len(frame)), at(moment))
            self.verdicts.tell_calls(at(moment))
            self.notices.tend(at(moment))

    def until(self, mono: float) -> None:
        self.mono = mono
        self.engine.tick(at(mono))
        self.verdicts.tell_calls(at(mono))
        settle(self.notices, mono)

    def logged(self, kind: str) -> list[dict[str, Any]]:
        lines = map(json.loads, os.read(self.reader, 1 << 20).splitlines())
        return [line for line in lines if line["type"] == kind]


def test_an_incident_is_told_of_twice_by_either_way(told: Told, server: Server) -> None:
    notices = Notices(Wanted(told.command, f"{server.url}/hook", None, PATIENT))
    agent = Agent("", notices)
    agent.feed(every(MINUTE, *[US] * 9, talked=20.0))
    agent.until(10 * MINUTE)
    agent.until(10 * HOUR)
    posted = [json.loads(body) for _, body in server.got]
    assert told.got == posted
    logged = agent.logged("incident")
    assert [{**one, "host": HOST} for one in logged] == [
        {name: value for name, value in one.items() if name != "text"} for one in posted
    ]
    opened, closed = posted
    assert (opened["event"], closed["event"]) == ("opened", "closed")
    assert opened["id"] == closed["id"]
    assert (opened["stopped"], closed["stopped"]) == (1, 6)
    assert opened["text"] == (
        f"ringfence on {HOST}: incident opened: country-surge: 4 calls within 30 min to "
        "US, where 0 a day are usual; ringfence allow US --for 2h"
    )
    assert told.events == ["incident.opened", "incident.closed"]
    assert {path for path, _ in server.got} == {"/hook"}


def test_what_only_watches_is_told_and_says_so(told: Told) -> None:
    notices = Notices(Wanted(told.command, timeout=PATIENT))
    agent = Agent('mode = "monitor"\n', notices)
    agent.feed(every(MINUTE, *[US] * 5, talked=20.0))
    agent.until(10 * MINUTE)
    (opened,) = told.got
    assert opened["monitor"] is True
    assert "incident opened (monitor only): " in opened["text"]


def test_each_share_of_a_budget_is_told_once(told: Told) -> None:
    agent = Agent("", Notices(Wanted(told.command, timeout=PATIENT)))
    agent.feed(call(0.0, COLOMBIA, 28 * MINUTE))
    agent.until(60 * MINUTE)
    shares = [(one["period"], one["share"]) for one in told.got if "share" in one]
    assert len(shares) == len(set(shares))
    assert [share for period, share in shares if period == "day"] == [50, 80, 100]
    assert "budget" in told.events
    first = next(one for one in told.got if one["type"] == "budget")
    assert first["text"].startswith(f"ringfence on {HOST}: budget: 50 % of the day's, ")


def test_calls_are_not_told_of(told: Told) -> None:
    agent = Agent("", Notices(Wanted(told.command, timeout=PATIENT)))
    agent.feed(call(0.0, US, 61.0))
    agent.until(10 * MINUTE)
    assert (told.got, len(agent.logged("call"))) == ([], 1)


def test_nobody_wants_them() -> None:
    notices = Notices(Wanted())
    notices.add(incident(1), "x", at(0.0))
    assert notices.wait(0.0) == float("inf")
    assert notices.tend(at(0.0)) == []
    assert not notices.changed
    assert notices.record(0.0) == {"command": None, "webhook": None}
    assert notices.test(at(0.0)) == {"ways": []}


def test_a_webhook_that_fails_has_no_command_run_twice(
    told: Told, server: Server
) -> None:
    server.answers = ["500", "503", "200"]
    notices = Notices(Wanted(told.command, server.url, None, 5))
    notices.add(incident(1), "x", at(0.0))
    mono, said = 0.0, settle(notices, 0.0)
    for _ in range(2):
        mono += notices.wait(mono)
        said += settle(notices, mono)
    assert mono == FIRST_WAIT * 3
    assert len(told.got) == 1
    assert len(server.got) == 3
    assert len({body for _, body in server.got}) == 1
    host = server.url.removeprefix("http://")
    assert said == [
        {
            "notice": "notify-failed",
            "way": "webhook",
            "error": f"{host}: the server answered 500",
            "tries": 1,
        },
        {
            "notice": "notify-failed",
            "way": "webhook",
            "error": f"{host}: the server answered 503",
            "tries": 2,
        },
        {"notice": "notify-again", "way": "webhook", "tries": 3},
    ]
    assert notices.wait(mono) == float("inf")


def test_a_command_that_fails_holds_no_webhook_up(told: Told, server: Server) -> None:
    told.down.write_text("no modem")
    notices = Notices(Wanted(told.command, server.url, None, 5))
    for number in range(3):
        notices.add(incident(number), "x", at(0.0))
    (said,) = settle(notices, 0.0)
    assert said["error"] == f"{told.program} ended with 1: no modem"
    assert len(server.got) == 3
    record = notices.record(0.0)
    assert _notices(record) == [
        "notices by command: 0 sent, 3 waiting, 1 tries failed, 0 given up, 0 lost, "
        "next try in 5 s",
        f"  ERROR: {told.program} ended with 1: no modem",
        "notices by webhook: 3 sent, 0 waiting, 0 tries failed, 0 given up, 0 lost",
    ]
    told.down.unlink()
    settle(notices, 5.0)
    assert [one["id"] for one in told.got] == ["0", "1", "2"]
    assert len(server.got) == 3


def test_a_webhook_that_hangs_keeps_nobody_waiting(told: Told, server: Server) -> None:
    server.answers = ["hangs"]
    notices = Notices(Wanted(told.command, server.url, None, PATIENT))
    agent = Agent("", notices)
    notices.add(incident(1), "x", at(0.0))
    begin = time.monotonic()
    agent.feed(every(MINUTE / 2, *[US] * 9, talked=20.0))
    assert notices.ways["webhook"].tries
    assert time.monotonic() - begin < 2
    begin = time.monotonic()
    notices.close(at(600.0))
    assert time.monotonic() - begin < STOP_WITHIN + 1.5
    assert len(server.got) == 1


def test_secrets_are_nowhere_to_be_read(
    told: Told, server: Server, tmp_path: Path
) -> None:
    server.answers = ["500"]
    hidden = "/T0KEN/B0TH3R?key=S3CRETS3CRET"
    notices = Notices(Wanted((*told.command, "PASSW0RD"), server.url + hidden, None, 5))
    told.down.write_text("PASSW0RD")
    notices.add(incident(1), "x", at(0.0))
    said = json.dumps([settle(notices, 0.0), notices.record(0.0)])
    path = tmp_path / "state.json"
    Keeping(path, [notices], at(0.0)).close(at(0.0))
    said += path.read_text()
    assert server.got[0][0] == hidden
    for word in ("T0KEN", "B0TH3R", "S3CRET", "PASSW0RD"):
        assert word not in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# From start to start.


def restarted(path: Path, notices: Notices, mono: float = 5.0) -> Keeping:
    """Begin as the agent does, some time after the last one."""
    kept = Keeping(path, [notices], at(mono))
    assert kept.problem is None
    return kept


def written(kept: Keeping, mono: float) -> None:
    kept.tend(at(mono))
    deadline = time.monotonic() + 10
    while kept._writing is not None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
        kept.tend(at(mono))


def test_what_waits_outlives_a_stop(told: Told, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    server.answers = ["500"]
    settings = Wanted(told.command, server.url, None, 5)
    first = Notices(settings)
    kept = restarted(path, first, 0.0)
    for number, event in ((1, "opened"), (1, "closed"), (2, "opened")):
        first.add(incident(number, event), "x", at(0.0))
    settle(first, 0.0)
    assert first.close(at(1.0)) == []
    assert kept.close(at(1.0)) is None
    assert (len(told.got), len(server.got)) == (3, 1)

    server.answers = ["200"]
    server.got.clear()
    second = Notices(settings)
    kept = restarted(path, second)
    assert second.wait(5.0) == 0
    settle(second, 5.0)
    assert len(told.got) == 3, "the command has had them"
    posted = [json.loads(body) for _, body in server.got]
    assert ids(posted) == [("1", "opened"), ("1", "closed"), ("2", "opened")]
    second.close(at(6.0))
    kept.close(at(6.0))

    third = Notices(settings)
    restarted(path, third)
    settle(third, 5.0)
    assert (len(told.got), len(server.got)) == (3, 3)


def test_at_a_stop_what_is_new_is_tried_once_more(told: Told, tmp_path: Path) -> None:
    notices = Notices(Wanted(told.command))
    notices.add(incident(1), "x", at(0.0))
    assert notices.close(at(0.0)) == []
    assert len(told.got) == 1
    assert not notices.ways["command"].waits


def test_at_a_stop_what_has_failed_is_not(told: Told) -> None:
    told.down.write_text("x")
    notices = Notices(Wanted(told.command))
    notices.add(incident(1), "x", at(0.0))
    settle(notices, 0.0)
    assert notices.close(at(100.0)) == []
    assert notices.ways["command"].failed == 1


def test_a_power_cut_after_the_file_was_written(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    told.down.write_text("x")
    first = Notices(Wanted(told.command))
    kept = restarted(path, first, 0.0)
    first.add(incident(1), "x", at(1.0))
    settle(first, 1.0)
    assert kept.wait(1.0) == EVERY - 1.0
    written(kept, EVERY)
    # Nothing is closed: that was it. The next agent has the other half of its luck.
    told.down.unlink()
    second = Notices(Wanted(told.command))
    kept = restarted(path, second)
    settle(second, 5.0)
    assert ids(told.got) == [("1", "opened")]
    assert second.changed
    # Cut again before the file without it was written: it is told twice, …
    third = Notices(Wanted(told.command))
    restarted(path, third)
    settle(third, 5.0)
    assert ids(told.got) == [("1", "opened")] * 2
    assert len({json.dumps(one) for one in told.got}) == 1
    # … and after that, never again.
    written(kept, 5.0 + EVERY)
    fourth = Notices(Wanted(told.command))
    restarted(path, fourth)
    settle(fourth, 5.0)
    assert len(told.got) == 2


def test_one_that_is_delivered_at_once_is_never_written(
    told: Told, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    notices = Notices(Wanted(told.command))
    kept = restarted(path, notices, 0.0)
    notices.add(incident(1), "x", at(1.0))
    assert notices.changed
    settle(notices, 1.0)
    assert not notices.changed
    assert kept.wait(1.0) == float("inf")


@pytest.mark.parametrize(
    "data",
    [
        [{}],
        [None, 1, "x"],
        [{"event": "x", "line": "{}", "waited": 0, "ways": ["command"]}],
        [{"event": "test", "line": "{}\n{}", "waited": 0, "ways": ["command"]}],
        [{"event": "test", "line": "x", "waited": 0, "ways": ["command"]}],
        [{"event": "test", "line": "{}", "waited": -1, "ways": ["command"]}],
        [{"event": "test", "line": "{}", "waited": True, "ways": ["command"]}],
        [{"event": "test", "line": "{}", "waited": 10**10, "ways": ["command"]}],
        [{"event": "test", "line": "{}", "waited": 0, "ways": "command"}],
        [{"event": "test", "line": "{}", "waited": 0, "ways": ["pigeon", 1]}],
        [
            {
                "event": "test",
                "line": "{" + "x" * MAX_NOTICE,
                "waited": 0,
                "ways": ["command"],
            }
        ],
    ],
)
def test_what_makes_no_sense_in_a_record_is_left_out(data: object, told: Told) -> None:
    notices = Notices(Wanted(told.command))
    notices.load(data)
    settle(notices, 0.0)
    assert told.got == []
    with pytest.raises(ValueError, match="expected a list"):
        notices.load({"x": data})


def test_a_record_of_more_than_there_is_room_for(told: Told) -> None:
    told.down.write_text("x")
    notices = Notices(Wanted(told.command))
    one = {"event": "test", "waited": 7, "ways": ["command"]}
    count = MAX_WAITING + 10
    notices.load([{**one, "line": f'{{"n": {n}}}'} for n in range(count)])
    notices.tend(at(100.0))
    waiting = list(notices.ways["command"])
    assert [one.notice.line for one in waiting] == [
        b'{"n": %d}\n' % n for n in range(10, count)
    ]
    assert waiting[0].since == pytest.approx(93.0, abs=0.01)
    notices.close(at(100.0))


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_record_has_a_limit(told: Told, beyond: int) -> None:
    told.down.write_text("x")
    notices = Notices(Wanted(told.command))
    size = 4_096
    empty = len(notice({**incident(0), "more": ""}, "x").line) - 1
    for number in range(MAX_KEPT // size):
        more = "x" * (size - empty + (beyond if number == 9 else 0))
        notices.add({**incident(number % 10), "more": more}, "x", at(0.0))
    kept = notices.dump(at(50.0))
    assert len(kept) == MAX_KEPT // size - beyond
    assert sum(len(one["line"]) for one in kept) <= MAX_KEPT
    assert json.loads(kept[0]["line"])["id"] == str(beyond), "the oldest is left out"
    assert {one["waited"] for one in kept} <= {49, 50}
    assert notices.ways["command"].waits


def test_both_ways_of_one_notice_are_one_record(told: Told) -> None:
    notices = Notices(Wanted(told.command, "https://localhost:1/", None, 5))
    notices.add(incident(1), "x", at(0.0))
    (one,) = notices.dump(at(0.0))
    assert one["ways"] == ["command", "webhook"]


# The test, and reloads.


def test_a_test_by_either_way(told: Told, server: Server) -> None:
    server.answers = ["404"]
    notices = Notices(Wanted(told.command, server.url, None, 5))
    assert notices.test(at(0.0)) == {"ways": ["command", "webhook"]}
    assert notices.tested() == {"tested": {"command": None, "webhook": None}}
    settle(notices, 0.0)
    host = server.url.removeprefix("http://")
    assert notices.tested() == {
        "tested": {"command": "", "webhook": f"{host}: the server answered 404"}
    }
    (got,) = told.got
    assert got == json.loads(trial(WALL).line)
    assert (got["type"], got["time"], told.events) == ("test", WALL, ["test"])
    assert notices.wait(0.0) == float("inf"), "it is tried once"


def test_a_reload(told: Told, tmp_path: Path) -> None:
    told.down.write_text("x")
    notices = Notices(Wanted(told.command))
    notices.add(incident(1), "x", at(0.0))
    settle(notices, 0.0)
    notices.use(Wanted(told.command))
    assert notices.wait(0.0) == FIRST_WAIT, "nothing has changed"
    (tmp_path / "other").mkdir()
    other = Told(tmp_path / "other")
    notices.use(Wanted(other.command))
    settle(notices, 0.0)
    assert ids(other.got) == [("1", "opened")]
    notices.use(wanted(engine_config("")))
    assert notices.record(0.0) == {"command": None, "webhook": None}


def engine_config(toml: str) -> Any:
    from ringfence.config import parse_config

    return parse_config(toml, "test")


def test_what_is_wanted() -> None:
    config = engine_config(
        '[notify]\ncommand = "/bin/x"\nwebhook = "https://a/b"\nca = "/c"\ntimeout = 9\n'
    )
    assert wanted(config) == Wanted(("/bin/x",), "https://a/b", "/c", 9)
    assert wanted(engine_config("")) == Wanted()


# The form.


def test_one_line_however_long_and_whatever_is_in_it() -> None:
    made = notice({**incident(1), "reason": "a\nb\u2028\ud800"}, "x\ny")
    assert made.line.count(b"\n") == 1
    assert made.line.endswith(b"}\n")
    assert json.loads(made.line)["text"] == f"ringfence on {HOST}: x\ny"
    assert read_notice(made.event, made.line[:-1].decode()) == made
    longest = "\U0001f600" * 200
    texts = dict.fromkeys(("id", "subject", "reason", "open_with"), longest)
    made = notice({**incident(1), **texts}, longest * 3)
    assert json.loads(made.line)["reason"] == longest
    cut = notice({**incident(1), "reason": "x" * MAX_NOTICE}, "y" * 1000)
    assert len(cut.line) < MAX_NOTICE
    assert json.loads(cut.line).keys() == {"type", "host", "text"}
