"""Events out: whole lines, bounded in rate, and never in the way."""

import json
import os
import select
import threading
from collections.abc import Iterator

import pytest
from ringfence.eventlog import MAX_LINE, EventLog
from ringfence.packet import Instant


class Pipe:
    """A log that somebody may read."""

    def __init__(self, rate: int = 20) -> None:
        self.reader, self.writer = os.pipe()
        self.log = EventLog(self.writer, rate)

    def lines(self) -> list[bytes]:
        os.set_blocking(self.reader, False)
        data = b""
        while True:
            try:
                part = os.read(self.reader, 1 << 20)
            except BlockingIOError:
                break
            if not part:
                break
            data += part
        return data.splitlines(keepends=True)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]

    def fill(self) -> None:
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writer, True)

    def close(self) -> None:
        for end in (self.reader, self.writer):
            if end >= 0:
                os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def at(mono: float) -> Instant:
    return Instant(mono, 1_795_000_000.25 + mono)


def test_an_event_is_one_line_of_json(pipe: Pipe) -> None:
    pipe.log.event("notice", at(0.0), notice="wan", wan=["eth0"])
    pipe.log.event("decision", at(1.5), src="192.0.2.1", reason="a\nb", user="é\ud800")
    first, second = pipe.lines()
    assert json.loads(first) == {
        "type": "notice",
        "time": 1795000000.25,
        "notice": "wan",
        "wan": ["eth0"],
    }
    assert json.loads(second) == {
        "type": "decision",
        "time": 1795000001.75,
        "src": "192.0.2.1",
        "reason": "a\nb",
        "user": "é?",
    }


def test_times_are_exact_to_the_microsecond(pipe: Pipe) -> None:
    pipe.log.event("notice", Instant(0.0, 1_795_000_000.123456789))
    assert pipe.events()[0]["time"] == 1795000000.123457


def test_an_event_may_have_a_field_of_any_name(pipe: Pipe) -> None:
    pipe.log.event("decision", at(0.0), kind="request", now="then", self="me")
    assert pipe.events()[0]["kind"] == "request"


def test_a_full_pipe_is_never_waited_for(pipe: Pipe) -> None:
    pipe.fill()
    done = threading.Event()

    def write() -> None:
        for number in range(50):
            pipe.log.event("notice", at(0.0), number=number)
            decide(pipe.log, float(number), 1)
        done.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert done.wait(5), "a write waited for a reader"
    writer.join()
    assert pipe.log.unwritten == 100
    assert pipe.log.suppressed == 0
    pipe.lines()  # somebody reads again, and nothing half written was left
    pipe.log.event("notice", at(0.0))
    assert [event["type"] for event in pipe.events()] == ["notice"]
    assert pipe.log.unwritten == 100


def test_a_pipe_with_less_room_than_a_line_is_full(pipe: Pipe) -> None:
    pipe.fill()
    os.read(pipe.reader, 4095)
    pipe.log.event("notice", at(0.0))
    assert pipe.log.unwritten == 1


def test_a_reader_that_went_away_is_counted(pipe: Pipe) -> None:
    os.close(pipe.reader)
    pipe.reader = -1
    pipe.log.event("notice", at(0.0))
    decide(pipe.log, 0.0, 1)
    assert pipe.log.unwritten == 2


def test_a_line_at_the_limit_and_one_beyond(pipe: Pipe) -> None:
    empty = len(json.dumps({"type": "notice", "time": at(0.0).wall, "text": ""})) + 1
    pipe.log.event("notice", at(0.0), text="x" * (MAX_LINE - empty))
    pipe.log.event("notice", at(0.0), text="x" * (MAX_LINE - empty + 1))
    whole, cut = pipe.lines()
    assert len(whole) == MAX_LINE == select.PIPE_BUF
    assert json.loads(cut) == {"type": "notice", "time": at(0.0).wall, "cut": True}


def decide(log: EventLog, mono: float, times: int) -> None:
    for _ in range(times):
        if log.admits(at(mono)):
            log.event("decision", at(mono))


def test_a_burst_of_the_rate_passes_and_one_more_does_not() -> None:
    pipe = Pipe(rate=5)
    decide(pipe.log, 100.0, 5)
    assert pipe.log.suppressed == 0
    decide(pipe.log, 100.0, 1)
    assert pipe.log.suppressed == 1
    assert len(pipe.lines()) == 5
    pipe.close()


def test_allowance_grows_with_time_up_to_the_rate() -> None:
    pipe = Pipe(rate=5)
    decide(pipe.log, 100.0, 5)
    decide(pipe.log, 100.125, 1)
    assert pipe.log.suppressed == 1
    decide(pipe.log, 100.25, 1)  # a fifth of a second is one line
    assert pipe.log.suppressed == 1
    decide(pipe.log, 1000.0, 6)  # a quiet quarter of an hour is no more than a burst
    assert pipe.log.suppressed == 2
    pipe.close()


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    pipe = Pipe(rate=2)
    decide(pipe.log, 100.0, 2)
    decide(pipe.log, 100.0, 1)
    decide(pipe.log, 50.0, 1)
    assert pipe.log.suppressed == 2
    pipe.close()


def test_only_decisions_are_limited() -> None:
    pipe = Pipe(rate=1)
    for _ in range(10):
        pipe.log.event("notice", at(0.0))
    decide(pipe.log, 0.0, 1)
    assert len(pipe.lines()) == 11
    assert pipe.log.suppressed == 0
    pipe.close()


def test_the_rate_can_be_changed() -> None:
    pipe = Pipe(rate=1)
    pipe.log.limit(3)
    decide(pipe.log, 100.0, 4)
    assert pipe.log.suppressed == 1
    pipe.log.limit(1)
    decide(pipe.log, 200.0, 2)
    assert pipe.log.suppressed == 2
    pipe.close()


def test_a_file_is_always_ready(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "log")
    with open(path, "wb") as file:
        log = EventLog(file.fileno(), 20)
        log.event("ready", at(0.0))
    with open(path, "rb") as file:
        assert json.loads(file.read())["type"] == "ready"
