"""One notice: an event of the log as one line of JSON, and a sentence for people.

Knows the form alone. Numbers are masked as in the log, since it is the log's record.
"""

import json
import os
from typing import Final, NamedTuple

from ringfence.report import Record

MAX_NOTICE: Final = 8_192
"""Bytes of a notice. An incident's texts have 200 characters at most, and those of the
longest, each of four bytes, take 6,000."""

INCIDENTS: Final = ("incident.opened", "incident.closed")
EVENTS: Final = frozenset({*INCIDENTS, "budget", "test"})
"""What notices are of: the word that the command finds in its environment."""


class Notice(NamedTuple):
    """What is delivered, byte by byte the same to all."""

    event: str
    """One of `EVENTS`."""
    line: bytes
    """One line of JSON in UTF-8, with its end."""


def notice(record: Record, text: str) -> Notice:
    """Make a notice of what the log says, and of the same in a sentence.

    `text` is the name under which many chat services take what they show.
    """
    event = str(record["type"])
    if event == "incident":
        event += f".{record['event']}"
    host = os.uname().nodename
    text = f"ringfence on {host}: {text}"
    whole = {**record, "host": host, "text": text}
    line = json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    if len(line) > MAX_NOTICE:
        short = {"type": record["type"], "host": host, "text": text[:500]}
        line = json.dumps(short).encode() + b"\n"
    return Notice(event, line)


def trial(now: float) -> Notice:
    """Make a notice that nothing has happened; `now` is seconds since 1970."""
    text = "a test of notices; nothing has happened"
    return notice({"type": "test", "time": round(now, 3)}, text)


def read_notice(event: object, text: object) -> Notice | None:
    """Read a notice that was kept; None for anything else."""
    if not isinstance(text, str) or event not in EVENTS:
        return None
    line = text.encode("utf-8", "replace") + b"\n"
    if len(line) > MAX_NOTICE or not text.startswith("{") or "\n" in text:
        return None
    return Notice(str(event), line)
