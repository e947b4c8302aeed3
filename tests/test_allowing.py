"""`ringfence allow` as it is typed, with an agent at the other end of the socket."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from behaviour import MINUTE, US, every
from builders import engine
from ringfence.cli import main
from ringfence.controlsocket import ControlSocket
from ringfence.engine import Engine
from ringfence.eventlog import EventLog
from ringfence.packet import Instant, Packet
from ringfence.probes import Probes
from ringfence.replies import Replies
from ringfence.told import line_record

WALL = 1_795_000_000.0
NOW = Instant(600.0, WALL + 600.0)
Said = tuple[int, str, str]
"""Exit code, standard output, standard error."""
Allow = Callable[..., Said]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ringfence.toml"
    path.write_text(
        f'[control]\nsocket = "{tmp_path}/run/control.sock"\n'
        '[numbers]\nallow = ["6327"]\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def allow(config: Path, capsys: pytest.CaptureFixture[str]) -> Allow:
    def ringfence(*arguments: str) -> Said:
        code = main(["allow", *arguments, "--config", str(config)])
        return code, *capsys.readouterr()

    return ringfence


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Engine]:
    """An agent on whose line the calls to one country have surged."""
    judge = engine()
    for at, frame in every(MINUTE, *[US] * 5, talked=20.0):
        judge.inspect(Packet(frame, 1, len(frame)), Instant(at, WALL + at))
    sink = os.open(os.devnull, os.O_WRONLY)
    replies = Replies(
        judge,
        EventLog(sink, 20),
        Probes(),
        now=lambda: NOW,
        status=lambda: {"calls": line_record(judge.line, NOW)},
        reload=lambda: None,
        notify=lambda: {"ways": []},
        notified=lambda: {"tested": {}},
    )
    control = ControlSocket(str(tmp_path / "run" / "control.sock"), replies.answer)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([control], [], [], 0.05)[0]:
                control.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    yield judge
    stop.set()
    thread.join()
    control.close()
    os.close(sink)


def test_it_lists_opens_and_takes_back(agent: Engine, allow: Allow) -> None:
    (closure,) = agent.line.closures
    spent = "calls abroad, in JPY: 27.000 this day of 5000.000, 27.000 this month of "
    always = "  open but for the budget, by numbers.allow: 6327"
    code, out, err = allow()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{spent}30000.000; 0 running",
        "  closed: country US, 53 min left, 2 stopped: country-surge: 4 calls within "
        "30 min to US, where 0 a day are usual",
        "    ringfence allow US --for 2h",
        always,
    ]
    assert allow("us", "--for", "90m") == (
        0,
        f"open for 90m: US\nno longer closed: {closure.id}\n",
        "",
    )
    assert allow("0063") == (0, "open for 2h: 63\n", "")
    assert allow()[1].splitlines()[1:] == [
        "  open: US, 1 h 30 min left",
        "  open: 63, 2 h 0 min left",
        always,
    ]
    assert allow("US", "--end") == (0, "no longer open: US\n", "")
    assert allow("--end", "all") == (0, "no longer open: 63\n", "")
    assert allow("63", "--end") == (0, "was not open\n", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("XX",), "XX: expected a two-letter country code of ISO 3166"),
        (("JP",), "JP: calls at home are never closed"),
        (("210",), "210: no country has numbers that begin so"),
        (("063",), "063: expected the first digits of numbers such as 63"),
        (("63", "--for", "32d"), "expected at most 31d; numbers.allow is for longer"),
        (("63", "--for", "0"), "--for 0: expected a time such as 90s"),
        (("--end",), "--end: expected what to take back; all for all of it"),
    ],
)
def test_what_it_does_not_do(
    agent: Engine, allow: Allow, arguments: tuple[str, ...], complaint: str
) -> None:
    code, out, err = allow(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"ringfence: {complaint}")
    assert agent.line.closures.open_now(NOW.mono) == {}


@pytest.mark.parametrize("arguments", [(), ("63",), ("63", "--end")])
def test_without_an_agent(allow: Allow, arguments: tuple[str, ...]) -> None:
    assert allow(*arguments) == (
        2,
        "",
        "ringfence: no agent is running; nothing is closed\n",
    )
