"""Captures through the engine: records, order, time, and captures that break off."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import (
    ABROAD,
    ACK,
    COUNTRIES,
    INSIDE,
    JAPAN,
    LISTED,
    SYN,
    invite,
    register,
    response,
    settings,
    sip,
    tcp,
    udp,
)
from contract import MESSAGE_KEYS
from ringfence import replay as replaying
from ringfence.decision import Decision
from ringfence.engine import Engine, Settings
from ringfence.errors import CaptureError
from ringfence.packet import LINKTYPE_RAW, Instant, Packet
from ringfence.replay import replay
from wire.captures import pcap_header, pcap_record

START = 1_700_000_000

REPLAY_KEYS = ["type", "file", "frame", "time", *MESSAGE_KEYS]
SUMMARY_KEYS = [
    "type",
    "file",
    "packets",
    "messages",
    "malformed",
    "accepted",
    "dropped",
    "rejected",
    "bans",
    "rules",
]


def write(path: Path, *packets: Packet, step: float = 0.5, cut: int = 0) -> Path:
    """Write a capture, half a second between packets, and cut bytes off its end."""
    records = []
    for number, packet in enumerate(packets):
        micros = int(number * step * 1_000_000)
        seconds, fraction = divmod(micros, 1_000_000)
        records.append(
            pcap_record(packet.data, seconds=START + seconds, fraction=fraction)
        )
    data = pcap_header(link=LINKTYPE_RAW) + b"".join(records)
    path.write_bytes(data[: len(data) - cut])
    return path


def lines(
    *paths: Path, site: Settings | None = None, hits_only: bool = False
) -> tuple[list[dict[str, Any]], list[CaptureError]]:
    out = io.StringIO()
    errors = replay(paths, site or settings(), out, jsonl=True, hits_only=hits_only)
    return [json.loads(line) for line in out.getvalue().splitlines()], errors


def text(*paths: Path, toml: str = "", hits_only: bool = False) -> list[str]:
    out = io.StringIO()
    replay(paths, settings(toml), out, jsonl=False, hits_only=hits_only)
    return out.getvalue().splitlines()


def test_one_object_a_message_then_a_summary(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.pcap",
        udp(sip(), JAPAN),
        udp(b"\x80\x00" + bytes(160), JAPAN),  # RTP
        udp(register(), ABROAD),
        udp(b"REGISTER nonsense\r\n\r\n", ABROAD),
        udp(invite(LISTED), INSIDE),
        udp(response(), JAPAN),
    )
    records, errors = lines(path)
    assert errors == []
    assert [(r["type"], r.get("frame")) for r in records] == [
        ("message", 1),
        ("message", 3),
        ("malformed", 4),
        ("message", 5),
        ("message", 6),
        ("summary", None),
    ]
    first = records[0]
    assert list(first)[: len(REPLAY_KEYS)] == REPLAY_KEYS, "CONTRACT's order too"
    assert (first["file"], first["time"]) == (str(path), START)
    assert (records[1]["verdict"], records[1]["rule"], records[1]["time"]) == (
        "drop",
        "foreign-registration",
        START + 1,
    )
    assert records[2] == {
        "type": "malformed",
        "file": str(path),
        "frame": 4,
        "time": START + 1.5,
        "reason": "sip.start-line",
        "verdict": "accept",
    }
    assert records[3]["uri"] == f"sip:{LISTED}@203.0.113.1", "numbers are shown whole"
    summary = records[-1]
    assert set(SUMMARY_KEYS) <= set(summary)
    assert summary["packets"] == 6
    assert summary["messages"] == 4
    assert summary["malformed"] == 1
    assert (summary["accepted"], summary["dropped"], summary["rejected"]) == (2, 1, 1)
    assert summary["rules"] == {"blocked-destination": 1, "foreign-registration": 1}


def test_the_frame_is_the_one_that_completes_the_message(tmp_path: Path) -> None:
    whole = register() + sip()
    path = write(
        tmp_path / "tcp.pcap",
        tcp(b"", 9, SYN, JAPAN),
        tcp(whole[:100], 10, ACK, JAPAN),
        tcp(whole[100:], 110, ACK, JAPAN),
    )
    records, _ = lines(path)
    assert [(r["frame"], r["method"]) for r in records[:-1]] == [
        (3, "REGISTER"),
        (3, "OPTIONS"),
    ]


def test_only_hits(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.pcap",
        udp(sip(), JAPAN),
        udp(register(), ABROAD),
        udp(b"REGISTER nonsense\r\n\r\n", ABROAD),
        tcp(b"", 9, SYN, ABROAD),
        tcp(sip() + register() + sip(), 10, ACK, ABROAD),
    )
    records, _ = lines(path, hits_only=True)
    assert [(r["frame"], r["method"]) for r in records[:-1]] == [
        (2, "REGISTER"),
        (5, "REGISTER"),
    ]
    assert records[-1]["messages"] == 5, "the summary counts everything"
    watching = settings('mode = "monitor"\n[policy]\nmalformed = "drop"\n')
    records, _ = lines(path, site=watching, hits_only=True)
    assert [r["frame"] for r in records[:-1]] == [2, 5], "what would be stopped counts"


def test_each_file_starts_with_empty_state(tmp_path: Path) -> None:
    whole = register()
    first = write(tmp_path / "1.pcap", tcp(b"", 9, SYN, ABROAD), tcp(whole[:99], 10))
    second = write(tmp_path / "2.pcap", tcp(whole[99:], 109, ACK, ABROAD))
    records, _ = lines(first, second)
    assert [r["type"] for r in records] == ["summary", "summary"]
    assert [r["packets"] for r in records] == [2, 1]


def test_time_comes_from_the_packets_and_never_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Instant] = []

    class Watched(Engine):
        """An engine that notes what time it is told."""

        def inspect(self, packet: Packet, now: Instant) -> Decision:
            seen.append(now)
            return super().inspect(packet, now)

    monkeypatch.setattr(replaying, "Engine", Watched)
    data = udp(sip()).data
    stamps = [(START, 0), (START + 5, 250_000), (START + 2, 0), (START + 9, 0)]
    path = tmp_path / "x.pcap"
    path.write_bytes(
        pcap_header(link=LINKTYPE_RAW)
        + b"".join(pcap_record(data, seconds=s, fraction=f) for s, f in stamps)
    )
    lines(path)
    assert seen == [
        Instant(0.0, START),
        Instant(5.25, START + 5.25),
        Instant(5.25, START + 2),
        Instant(9.0, START + 9),
    ]


def test_a_capture_that_breaks_off_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.pcap", udp(sip()), udp(register(), ABROAD))
    broken = write(
        tmp_path / "broken.pcap", udp(sip()), udp(register(), ABROAD), cut=10
    )
    records, errors = lines(broken, whole)
    assert [r["type"] for r in records] == [
        *("message", "summary"),
        *("message", "message", "summary"),
    ]
    assert len(errors) == 1
    assert str(errors[0]).startswith(f"{broken}: byte ")
    assert str(errors[0]).endswith(
        "after 1 frames: the file ends inside a record; expected 10 bytes more"
    )


def test_a_file_with_nothing_to_read_says_so_and_the_next_is_read(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>", encoding="utf-8")
    good = write(tmp_path / "good.pcap", udp(sip()))
    records, errors = lines(tmp_path / "none.pcap", page, good)
    assert [r["file"] for r in records] == [str(good), str(good)]
    assert [str(error) for error in errors] == [
        f"{tmp_path}/none.pcap: cannot be read: No such file or directory; expected a "
        "pcap or pcapng file",
        f"{page}: not a capture but a text file; expected pcap or pcapng",
    ]


def test_the_table_for_people(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.pcap",
        udp(sip(), JAPAN),
        udp(b"REGISTER nonsense\r\n\r\n", ABROAD),
        udp(register(), ABROAD),
    )
    table = text(path)
    assert table[0] == str(path)
    assert table[1].split() == [
        *("frame", "time", "from", "to", "message", "caller", "called", "verdict")
    ]
    assert table[2].split() == [
        *("1", "0.000", f"{JAPAN}:5060", "203.0.113.1:5060"),
        *("OPTIONS", "201", "-", "accept"),
    ]
    assert table[3].split() == ["2", "0.500", "malformed:", "sip.start-line", "accept"]
    assert "drop  foreign-registration: REGISTER from abroad" in table[4]
    assert table[5:] == [
        "3 packets, 2 SIP messages, 1 malformed",
        "accepted 1, dropped 1, rejected 0",
        "  foreign-registration: 1",
        "",
    ]
    held = text(path, toml='mode = "monitor"\n', hits_only=True)
    assert held[2].endswith("(monitor only; would drop)")
    assert len(held) == 7


def test_json_is_utf8_and_not_escaped(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", udp(sip(fields={"User-Agent": "téléphone"})))
    out = io.StringIO()
    replay([path], settings(), out, jsonl=True)
    assert '"user_agent": "téléphone"' in out.getvalue()


def test_what_the_agent_remembers_is_left_alone(tmp_path: Path) -> None:
    state, table = tmp_path / "state.json", tmp_path / "ringfence.toml"
    path = write(tmp_path / "x.pcap", *[udp(register(), ABROAD)] * 5)
    table.write_text(
        f'[origin]\ntable = "{COUNTRIES}"\n[state]\nfile = "{state}"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "ringfence", "replay", "--config", str(table)]
    for text in (None, "{"):  # none there, and one that the agent could not use
        if text is not None:
            state.write_text(text)
        done = subprocess.run(  # noqa: S603 - our own command
            [*command, str(path)], check=True, capture_output=True, timeout=60
        )
        assert b"foreign-registration" in done.stdout
        assert not done.stderr
        assert (state.read_text() if state.exists() else None) == text
    assert {one.name for one in tmp_path.iterdir()} == {
        "state.json",
        "ringfence.toml",
        "x.pcap",
    }


def watched(tmp_path: Path, packets: int) -> str:
    """Replay a capture of so many kilobytes where a person watches standard error."""
    table = tmp_path / "ringfence.toml"
    table.write_text(f'[origin]\ntable = "{COUNTRIES}"\n', encoding="utf-8")
    path = write(tmp_path / "x.pcap", *[udp(bytes(1024 - 44))] * packets, step=0)
    command = [sys.executable, "-m", "ringfence", "replay", str(path)]
    terminal, theirs = os.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        subprocess.run(  # noqa: S603 - our own command
            [*command, "--config", str(table)],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.set_blocking(terminal, False)
        try:
            shown = screen.read() or b""
        finally:
            os.close(theirs)
    return shown.decode()


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    assert watched(tmp_path, 9 * 1024) == "\r 44 %\r 88 %\r     \r"


def test_no_progress_of_a_short_capture(tmp_path: Path) -> None:
    assert watched(tmp_path, 1024) == ""


def test_no_progress_where_nobody_watches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines(write(tmp_path / "x.pcap", *[udp(sip())] * 20_000))
    assert capsys.readouterr().err == ""
