"""Questions and answers, and everything that is no question."""

import contextlib
import json
import select
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ringfence import controlsocket
from ringfence.controlsocket import MAX_ANSWER, MAX_QUESTION, ControlSocket, Record, ask
from ringfence.errors import RingfenceError


def echo(question: Record) -> Record:
    return {"asked": question.get("ask")}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run" / "control.sock")


@pytest.fixture
def served(path: str) -> Iterator[ControlSocket]:
    made = ControlSocket(path, echo)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([made], [], [], 0.05)[0]:
                made.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    yield made
    stop.set()
    thread.join()
    made.close()


def raw(path: str, data: bytes) -> Record:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.bind("")
        client.sendto(data, path)
        return dict(json.loads(client.recv(MAX_ANSWER)))


def test_a_question_is_answered(served: ControlSocket, path: str) -> None:
    assert ask(path, {"ask": "status"}) == {"asked": "status"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * MAX_QUESTION],
    ids=["empty", "cut", "list", "null", "not-utf8", "nested"],
)
def test_what_is_no_question_gets_an_error(
    served: ControlSocket, path: str, data: bytes
) -> None:
    assert str(raw(path, data)["error"]).startswith("not a question")
    assert ask(path, {"ask": "status"}) == {"asked": "status"}


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_the_longest_question(
    served: ControlSocket, path: str, more: int, fits: bool
) -> None:
    text = json.dumps({"ask": "x" * (MAX_QUESTION - 11 + more)}).encode()
    assert len(text) == MAX_QUESTION + more
    assert ("asked" in raw(path, text)) is fits


def test_only_the_owner_can_reach_it(path: str) -> None:
    made = ControlSocket(path, echo)
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
    made.close()
    assert not Path(path).exists()


def test_a_dead_agents_socket_is_replaced_and_a_live_ones_is_not(path: str) -> None:
    dead = ControlSocket(path, echo)
    dead._socket.close()
    assert ask(path, {"ask": "status"}) is None, "nobody listens"
    live = ControlSocket(path, echo)
    with pytest.raises(OSError, match="another agent listens there"):
        ControlSocket(path, echo)
    assert Path(path).exists()
    live.close()


def test_nobody_there(path: str) -> None:
    assert ask(path, {"ask": "status"}) is None


def test_an_agent_that_does_not_answer_is_not_waited_for(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlsocket, "PATIENCE", 0.1)
    made = ControlSocket(path, echo)
    with pytest.raises(RingfenceError, match="the agent does not answer"):
        ask(path, {"ask": "status"})
    made.close()


def test_clients_that_do_not_read_never_stop_the_agent(path: str) -> None:
    made = ControlSocket(path, lambda question: {"long": "x" * 20_000})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind("")
        client.setblocking(False)
        for _ in range(100):
            with contextlib.suppress(BlockingIOError):
                client.sendto(b"{}", path)
            made.serve()
    made.serve()
    made.close()


def test_an_answer_too_long_is_said_so(path: str) -> None:
    made = ControlSocket(path, lambda question: {"long": "x" * MAX_ANSWER})
    assert made._reply(b"{}") == b'{"error": "answer too long"}'
    made.close()
