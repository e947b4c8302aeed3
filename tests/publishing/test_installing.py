"""`ringfence bundle install`, `rollback` and `status`, as they are typed."""

import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import FILES, KEY, STRANGER, bundle, key_folder
from ringfence.cli import main
from ringfence.controlsocket import ControlSocket
from ringfence.publishing import installing

Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    keys = key_folder(tmp_path / "keys", (1, KEY))
    path = tmp_path / "ringfence.toml"
    path.write_text(
        f'[bundle]\nkeys = "{keys}"\nstore = "{tmp_path}/rules"\n'
        f'factory = "{tmp_path}/base.tar"\n'
        f'[control]\nsocket = "{tmp_path}/run/control.sock"\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(installing, "now", lambda: WHEN)
    monkeypatch.setattr(installing, "_note", NOTED.append)
    NOTED.clear()

    def ringfence(*arguments: str) -> Result:
        code = main(["bundle", *arguments, "--config", str(config)])
        return code, *capsys.readouterr()

    return ringfence


WHEN = 1_795_003_600
NOTED: list[str] = []


def made(path: Path, version: int, **changes: object) -> str:
    path.write_bytes(bundle(FILES, version=version, min_agent="0.0.1", **changes))  # type: ignore[arg-type]
    return str(path)


def test_from_nothing_to_two_and_back(run: Run, tmp_path: Path) -> None:
    code, out, err = run("install", made(tmp_path / "1.tar", 1))
    assert (code, err) == (0, "")
    assert out == (
        f"{tmp_path}/1.tar: version 1 of epoch 1 is in slot a, on trial\n"
        "no agent is running: it is used when one starts\n"
    )
    assert run("install", made(tmp_path / "2.tar", 2))[0] == 0
    code, out, err = run("status")
    assert out.splitlines() == [
        "a: version 1 of epoch 1",
        "b: version 2 of epoch 1 (used, on trial)",
    ]
    code, out, _ = run("rollback")
    assert out.splitlines()[0] == (
        "given up: version 2 of epoch 1; now version 1 of epoch 1, a"
    )
    record = json.loads(run("status", "--json")[1])
    assert record["used"] == "a"
    assert [one["bad"] for one in record["bundles"]] == [False, True]
    code, out, _ = run("rollback")
    assert out.splitlines()[0].endswith("now the embedded rules")
    code, _, err = run("rollback")
    assert (code, "expected a bundle to go back from" in err) == (4, True)
    assert list((tmp_path / "run").glob("stage*")) == []


def test_what_is_refused_changes_nothing(run: Run, tmp_path: Path) -> None:
    run("install", made(tmp_path / "5.tar", 5))
    before = {path: path.read_bytes() for path in (tmp_path / "rules").iterdir()}
    refused = {
        "[signature.key]": made(tmp_path / "k.tar", 6, key=STRANGER),
        "[version.older]": made(tmp_path / "o.tar", 4),
        "[version.same]": made(tmp_path / "s.tar", 5),
        "[channel.other]": made(tmp_path / "c.tar", 6, channel="beta"),
        "[time.expired]": made(tmp_path / "e.tar", 6, expires=WHEN),
        "cannot be read": str(tmp_path / "nowhere.tar"),
    }
    vectors = b'{"what": "119", "verdict": "drop"}\n'
    path = tmp_path / "v.tar"
    files = {**FILES, "vectors.jsonl": vectors}
    path.write_bytes(bundle(files, version=6, min_agent="0.0.1"))
    refused["self-test: vectors.jsonl:1: 119: verdict"] = str(path)
    for reason, file in refused.items():
        code, out, err = run("install", file)
        assert (code, out) == (4, "")
        assert reason in err
    after = {path: path.read_bytes() for path in (tmp_path / "rules").iterdir()}
    assert after == before


def test_from_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(made(tmp_path / "1.tar", 1))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert run("install", "-")[0] == 0
    with open("/dev/zero", "rb") as endless:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(endless))
        code, _, err = run("install", "-")
    assert (code, "[archive.size]" in err) == (4, True)


def test_going_back_on_purpose_is_noted(run: Run, tmp_path: Path) -> None:
    run("install", made(tmp_path / "5.tar", 5))
    older = made(tmp_path / "4.tar", 4)
    assert run("install", older)[0] == 4
    assert NOTED == []
    assert run("install", "--allow-downgrade", older)[0] == 0
    assert NOTED == ["bundle install --allow-downgrade: version 4 of epoch 1"]
    assert "(used, on trial)" in run("status")[1].splitlines()[1]


def test_only_root_goes_back_on_purpose(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, _, err = run("install", "--allow-downgrade", made(tmp_path / "4.tar", 4))
    assert (code, "is for root" in err) == (3, True)


def test_nothing_can_be_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(b"x")
    code, out, err = run("status")
    assert (code, out) == (1, "no bundle can be used: the embedded rules are\n")
    assert "[archive." in err


def test_only_https(run: Run) -> None:
    code, _, err = run("install", "http://example.net/rules.tar")
    assert (code, "begins with https://" in err) == (2, True)


def test_whether_the_clock_is_right() -> None:
    assert installing._synced() in (True, False)


def test_whether_the_clock_is_right_where_nobody_can_ask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As with OpenWrt's python3-light: there is no ctypes.
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.setattr(installing, "_CLOCK_WAS_SET", tmp_path / "dnsmasqsec")
    assert not installing._synced()
    (tmp_path / "dnsmasqsec").touch()
    assert installing._synced()


def test_what_is_installed_is_what_other_commands_ask(
    run: Run, tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The small bundle has two rules; the embedded ones are more."""
    said = []
    for _ in range(2):
        assert main(["check", "--config", str(config)]) == 0
        said.append(capsys.readouterr().out.partition(",")[0])
        run("install", made(tmp_path / "1.tar", 1))
    assert said[1] == "configuration is fine: 2 rules"
    assert said[0] != said[1]


# The thread is ours, and does nothing that a fork could come in between of.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_an_agent_that_was_given_its_rules_stays_there(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    answers: dict[str, dict[str, object]] = {
        "status": {"rules_from": {"source": "/root/mine.tar"}},
        "reload": {},
    }
    socket = ControlSocket(
        f"{tmp_path}/run/control.sock", lambda asked: answers[str(asked["ask"])]
    )
    done = threading.Event()

    def serve() -> None:
        while not done.wait(0.01):
            socket.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        code, _, err = run("install", made(tmp_path / "1.tar", 1))
    finally:
        done.set()
        thread.join()
        socket.close()
    assert (code, "started with --bundle /root/mine.tar" in err) == (1, True)
