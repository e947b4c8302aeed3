"""Log lines come back as the events they were, and nobody else's do."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ringfence.errors import RingfenceError
from ringfence.logged import (
    MAX_LINE,
    MAX_TIME,
    STANDARD_INPUT,
    SYSTEM_LOG,
    Logs,
    country_of,
    event_of,
    moment,
    time_of,
    unnamed,
)

EVENT = {"type": "ready", "time": 1.5}
JSON = json.dumps(EVENT)


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "   ",
        "ringfence[812]: ",
        "Mon Nov 24 09:00:00 2025 daemon.info ringfence[812]: ",
        "Nov 24 09:00:00 router ringfence[812]: ",
        "Nov  4 09:00:00 router ringfence: ",
        "2025-11-24T09:00:00.123456+09:00 router ringfence[1]: ",
        "/var/log/messages.1:Nov 24 09:00:00 router ringfence[812]: ",
    ],
)
def test_system_logs_may_write_a_stamp_in_front(stamp: str) -> None:
    assert event_of(f"{stamp}{JSON}\n") == EVENT


@pytest.mark.parametrize(
    "stamp",
    [
        "Nov 24 09:00:00 router sshd[812]: Invalid user ",
        "Nov 24 09:00:00 router sshd[812]: ",
        "Nov 24 09:00:00 router sshd[812]: Invalid user x ringfence[812]: ",
        "Nov 24 09:00:00 router ringfence[812]: said: ",
        "Nov 24 09:00:00 router ringfenced[812]: ",
        "Nov 24 09:00:00 router notringfence[812]: ",
        "ringfence[x]: ",
        "x ringfence[1]:",
    ],
)
def test_what_other_programs_wrote_is_no_event(stamp: str) -> None:
    assert event_of(f"{stamp}{JSON}\n") is None


@pytest.mark.parametrize(
    "line",
    ["", "\n", "no event", "{", "[1]", "{" * 100_000, '{"a": ' * 50_000, JSON + "x"],
)
def test_other_lines_are_none(line: str) -> None:
    assert event_of(line) is None


@pytest.mark.parametrize(
    "value", [None, "1", True, -1, float("nan"), float("inf"), MAX_TIME, 10**400, []]
)
def test_no_moment(value: object) -> None:
    assert moment(value) is None
    assert time_of({"time": value}) is None


def test_moments() -> None:
    assert (moment(0), moment(MAX_TIME - 1)) == (0.0, MAX_TIME - 1)
    assert time_of({}) is None


@pytest.mark.parametrize("value", [None, "", "jp", "JPN", "J1", "ＪＰ", 12, "<A"])  # noqa: RUF001
def test_no_country(value: object) -> None:
    assert country_of(value) == ""


def test_a_country() -> None:
    assert country_of("JP") == "JP"


def test_files_come_in_the_order_given(tmp_path: Path) -> None:
    for name, text in (("a", "1\n2"), ("b", "3\n")):
        (tmp_path / name).write_text(text)
    logs = Logs([str(tmp_path / "b"), str(tmp_path / "a")], again=False)
    assert list(logs.lines()) == ["3\n", "1\n", "2\n"]
    assert list(logs.lines()) == ["3\n", "1\n", "2\n"]


def test_a_long_line_is_cut_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for size in (MAX_LINE - 1, MAX_LINE, 3 * MAX_LINE):
        path.write_text("x" * size + f"\n{JSON}\n")
        first, second = Logs([str(path)], again=False).lines()
        assert len(first) == min(size, MAX_LINE) + 1
        assert event_of(second) == EVENT


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe\x00\n" + JSON.encode())
    assert [event_of(line) for line in Logs([str(path)], again=False).lines()] == [
        None,
        EVENT,
    ]


@pytest.mark.parametrize("again", [False, True])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"1\n2"))
    monkeypatch.setattr(sys, "stdin", given)
    with Logs(["-"], again=again) as logs:
        assert list(logs.lines()) == ["1\n", "2\n"]
        assert list(logs.lines()) == (["1\n", "2\n"] if again else [])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    logs = Logs([str(tmp_path / "missing")], again=False)
    with pytest.raises(RingfenceError, match="missing: cannot be read: No such file"):
        list(logs.lines())


def test_without_a_name_what_is_piped_in_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_text("")
    ends = os.pipe()
    for given, expected in (
        (path, STANDARD_INPUT),
        (ends[0], STANDARD_INPUT),
        (os.devnull, SYSTEM_LOG),
        (tmp_path, SYSTEM_LOG),
    ):
        if given is tmp_path:
            monkeypatch.setattr(sys, "stdin", None)
            assert unnamed() == expected
            continue
        with open(given, encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            assert unnamed() == expected
    os.close(ends[1])


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Programs that say something, and nothing else on the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    def has(name: str, says: str, code: int = 0) -> None:
        path = programs / name
        path.write_text(f"#!/bin/sh\necho '{says}'\necho \"$*\"\nexit {code}\n")
        path.chmod(0o755)

    return has


def system_lines(*, again: bool = False) -> list[str]:
    with Logs([SYSTEM_LOG], again=again) as logs:
        first = list(logs.lines())
        if again:
            assert list(logs.lines()) == first
        return first


@pytest.mark.parametrize("again", [False, True])
def test_the_system_keeps_the_log(system: Callable[..., None], again: bool) -> None:
    system("logread", JSON)
    assert system_lines(again=again) == [f"{JSON}\n", "-e ringfence\n"]
    system("journalctl", JSON)
    event, options = system_lines(again=again)
    assert event_of(event) == EVENT
    assert "--unit=ringfence" in options


def test_a_system_without_a_log(system: Callable[..., None]) -> None:
    with pytest.raises(RingfenceError, match="neither journalctl nor logread is there"):
        system_lines()
    system("journalctl", "no", 1)
    with pytest.raises(RingfenceError, match=r"journalctl .*exit code 1.*name a LOG"):
        system_lines()
