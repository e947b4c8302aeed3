"""Notices to programs: what they get, and how the bad ones are ended."""

import json
import time
from pathlib import Path

import pytest
from ringfence.errors import RingfenceError
from ringfence.notifying.command import PATH, run_command
from ringfence.notifying.notice import Notice

NOTICE = Notice("incident.opened", '{"text": "テスト $(id)"}\n'.encode())


def sh(folder: Path, text: str) -> str:
    path = folder / "told.sh"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def failing(words: tuple[str, ...], timeout: float = 5.0) -> str:
    with pytest.raises(RingfenceError) as raised:
        run_command(words, NOTICE, timeout)
    return str(raised.value)


def test_what_it_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_LIKE", "must not get there")
    program = sh(
        tmp_path,
        f"cat > {tmp_path}/stdin; env > {tmp_path}/env; "
        f'for word; do echo "$word"; done > {tmp_path}/words',
    )
    run_command((program, "a b", "$HOME", "*"), NOTICE, 5)
    assert (tmp_path / "stdin").read_bytes() == NOTICE.line
    assert json.loads((tmp_path / "stdin").read_bytes())["text"] == "テスト $(id)"
    assert (tmp_path / "words").read_text().splitlines() == ["a b", "$HOME", "*"]
    found = set((tmp_path / "env").read_text().splitlines())
    ours = {f"PATH={PATH}", "RINGFENCE_EVENT=incident.opened"}
    assert ours <= found
    assert {line.partition("=")[0] for line in found - ours} <= {"PWD", "_", "SHLVL"}


def test_one_that_reads_nothing(tmp_path: Path) -> None:
    run_command((sh(tmp_path, "exit 0"),), NOTICE, 5)


def test_one_that_fails(tmp_path: Path) -> None:
    program = sh(tmp_path, 'echo first >&2; echo "no route, $1" >&2; exit 7')
    assert failing((program, "abc")) == f"{program} ended with 7: no route, abc"
    # A password as an argument, and a program that repeats it.
    assert failing((program, "pass")) == f"{program} ended with 7"


def test_one_that_is_killed(tmp_path: Path) -> None:
    program = sh(tmp_path, "kill -15 $$")
    assert failing((program,)) == f"{program} ended with -15"


def test_one_that_hangs_whatever_it_is_told(tmp_path: Path) -> None:
    program = sh(tmp_path, "trap '' TERM INT HUP; while :; do sleep 1; done")
    begin = time.monotonic()
    assert failing((program,), 0.5) == f"{program}: not at its end after 0.5 s"
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("where", ["", ">&2"])
def test_one_without_an_end_to_what_it_says(tmp_path: Path, where: str) -> None:
    program = sh(tmp_path, f"while :; do echo 0123456789; done {where}")
    begin = time.monotonic()
    assert failing((program,), 0.5) == f"{program}: not at its end after 0.5 s"
    assert time.monotonic() - begin < 3


def test_one_that_is_not_there_or_no_program(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert failing((gone,)) == f"{gone}: No such file or directory"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "Permission denied" in failing((str(tmp_path / "file"),))
    (tmp_path / "file").chmod(0o755)
    assert "Exec format error" in failing((str(tmp_path / "file"),))
