"""What systemd is told, at a socket of our own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ringfence import supervision


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(5)
        yield made


def test_by_a_path(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "notify")
    manager.bind(path)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    supervision.tell(supervision.READY)
    assert manager.recv(64) == b"READY=1"


def test_by_an_abstract_name(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.bind("")  # the kernel finds a free name
    name = manager.getsockname()
    assert name[:1] == b"\0"
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
    supervision.tell(supervision.READY)
    assert manager.recv(64) == b"READY=1"


@pytest.mark.parametrize("name", [None, "", "vsock:2:1234", "/nowhere/notify", "/dev"])
def test_nobody_who_listens_is_no_reason_to_end(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if name is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", name)
    supervision.tell(supervision.READY)
