"""`ringfence notify --test`: with an agent, and without."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import engine
from ringfence.cli import main
from ringfence.controlsocket import ControlSocket
from ringfence.eventlog import EventLog
from ringfence.notifying.notices import Notices, Wanted
from ringfence.packet import Instant
from ringfence.probes import Probes
from ringfence.replies import Replies
from webserver import Server, serving

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ringfence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(toml: str, *words: str) -> tuple[int, str, str]:
        path = tmp_path / "ringfence.toml"
        socket = f'[control]\nsocket = "{tmp_path}/run/x.sock"\n'
        path.write_text(f"[notify]\n{toml}\n{socket}", encoding="utf-8")
        try:
            code = main(["notify", *words, "--config", str(path)])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(None) as made:
        yield made


def script(folder: Path, text: str) -> str:
    path = folder / "told.sh"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@contextmanager
def agent(folder: Path, wanted: Wanted) -> Iterator[Notices]:
    """What of an agent answers: its control socket, and its notices."""
    notices, done = Notices(wanted), threading.Event()

    def now() -> Instant:
        return Instant(time.monotonic(), 1_795_000_000.0)

    replies = Replies(
        engine(),
        EventLog(1, 1),
        Probes(),
        now=now,
        status=dict,
        reload=lambda: None,
        notify=lambda: notices.test(now()),
        notified=notices.tested,
    )
    (folder / "run").mkdir()
    socket = ControlSocket(str(folder / "run" / "x.sock"), replies.answer)

    def live() -> None:
        while not done.wait(0.01):
            socket.serve()
            notices.tend(now())

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield notices
    finally:
        done.set()
        thread.join()
        socket.close()
        notices.close(now())


def test_without_an_agent(ringfence: Run, tmp_path: Path, server: Server) -> None:
    told = script(tmp_path, f"cat > {tmp_path}/told")
    toml = f'command = "{told}"\nwebhook = "{server.url}/T0KEN"\n'
    code, out, err = ringfence(toml, "--test")
    assert (code, err) == (0, "")
    assert out == (
        "command: delivered (by this command; no agent runs)\n"
        "webhook: delivered (by this command; no agent runs)\n"
    )
    ((path, body),) = server.got
    assert path == "/T0KEN"
    assert json.loads(body)["type"] == "test"
    assert "a test of notices" in json.loads(body)["text"]
    assert (tmp_path / "told").read_bytes() == body
    server.answers = ["403"]
    code, out, _ = ringfence(toml, "--test")
    assert code == 1
    host = server.url.removeprefix("http://")
    assert out.splitlines()[1].startswith(f"webhook: {host}: the server answered 403 (")


def test_by_the_agent(ringfence: Run, tmp_path: Path, server: Server) -> None:
    told = script(tmp_path, "echo no modem >&2; exit 3")
    with agent(tmp_path, Wanted((told,), f"{server.url}/T0KEN", None, 5)):
        # What the file says has not been reloaded yet.
        code, out, err = ringfence("", "--test")
    assert (code, err) == (1, "")
    assert out == (
        f"command: {told} ended with 3: no modem (by the running agent)\n"
        "webhook: delivered (by the running agent)\n"
    )
    assert [path for path, _ in server.got] == ["/T0KEN"]


def test_nobody_to_tell(ringfence: Run, tmp_path: Path) -> None:
    code, out, err = ringfence("", "--test")
    assert (code, out) == (2, "")
    assert "no notices are configured (this command; no agent runs)" in err
    with agent(tmp_path, Wanted()):
        code, out, err = ringfence('command = "/bin/true"', "--test")
    assert (code, out) == (2, "")
    assert "no notices are configured (the running agent)" in err


def test_it_wants_to_be_told_to_test(ringfence: Run) -> None:
    code, out, err = ringfence("")
    assert (code, out) == (2, "")
    assert "--test" in err
