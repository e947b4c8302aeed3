"""Every message of every capture, against what tshark read there.

Each capture goes through the engine as `replay` would send it. All that tshark calls
SIP must be a message here, in the same frame and with the same fields, and nothing
else may be one. What differs is in `differences.toml`, with its reason.
"""

import csv
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from builders import engine
from ringfence.packet import Instant
from ringfence.pcap import open_capture
from ringfence.report import message_record

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason="no corpus beside the repository (../shared/corpus)"
    ),
]

FIELDS: Final = {
    "method": "sip.Method",
    "status": "sip.Status-Code",
    "uri": "sip.r-uri",
    "from_user": "sip.from.user",
    "to_user": "sip.to.user",
    "call_id": "sip.Call-ID",
    "cseq_method": "sip.CSeq.method",
    "user_agent": "sip.User-Agent",
    "auth_user": "sip.auth.username",
}
"""Key of a replay message → field of tshark."""

MALFORMED: Final = {("arkime-synthetic.pcap", 818): "udp.length"}
"""Frames that we call malformed: a UDP datagram on port 9999 that claims to have
length 0. tshark says "bad length" too, and sees no SIP there."""

FLAWED: Final = {
    # An ACK without its blank line, a BYE that ends inside its last field's name.
    "pcpp-sip_reqs.pcap": {"sip.no-blank-line": 2},
    # Two different To fields.
    "suri-sip_header_multi_val.pcap": {"sip.repeated-field": 1},
    # "Content-Length: bad" and "xyz", written to be wrong.
    "zeek-invalid-content-length.pcap": {"sip.content-length": 2},
}
"""Messages with a flaw. All others, wild attacks included, are well-formed."""


class Difference(NamedTuple):
    """One field of one frame that tshark reads otherwise."""

    capture: str
    frame: int
    field: str
    ours: str
    theirs: str


def captures() -> list[Path]:
    folders = [CORPUS / name for name in ("pcaps", "lab", "derived")]
    return sorted(path for folder in folders for path in folder.glob("*"))


def listed() -> dict[Difference, str]:
    table = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())
    return {
        Difference(**{key: entry[key] for key in Difference._fields}): entry["reason"]
        for entry in table["difference"]
    }


def truth(path: Path) -> dict[int, dict[str, str]]:
    """Read what tshark says of each frame that it calls SIP."""
    table = CORPUS / "truth" / f"{path.name}.tsv"
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    read = {
        int(row["frame.number"]): {key: row[name] for key, name in FIELDS.items()}
        for row in rows
    }
    for row in read.values():
        # tshark keeps the quotes here, and shows each of two credentials. Password
        # guessers send two for one user: that is no difference.
        users = [user.strip('"') for user in row["auth_user"].split("|")]
        row["auth_user"] = "|".join(dict.fromkeys(users))
    assert len(read) == len(rows)
    return read


class Replayed(NamedTuple):
    """What we read in a capture."""

    messages: dict[int, list[dict[str, str]]]
    malformed: dict[int, str]
    flaws: dict[str, int]


def replayed(path: Path) -> Replayed:
    judge = engine()
    found = Replayed({}, {}, {})
    with open_capture(path) as frames:
        for number, wall, packet in frames:
            decision = judge.inspect(packet, Instant(wall, wall))
            if decision.malformed is not None:
                found.malformed[number] = decision.malformed
            for finding in decision.findings:
                record = message_record(finding, full_numbers=True)
                texts = {
                    key: "" if record[key] is None else str(record[key])
                    for key in FIELDS
                }
                found.messages.setdefault(number, []).append(texts)
                if record["anomaly"] is not None:
                    flaw = str(record["anomaly"])
                    found.flaws[flaw] = found.flaws.get(flaw, 0) + 1
    return found


def name(message: dict[str, str]) -> str:
    return message["method"] or message["status"] or "?"


def differences(
    capture: str,
    ours: dict[int, list[dict[str, str]]],
    theirs: dict[int, dict[str, str]],
) -> list[Difference]:
    """Compare frame by frame; tshark has one row a frame, we one message or more."""
    found = []
    for frame in sorted(ours.keys() | theirs.keys()):
        mine = ours.get(frame, [])
        row = theirs.get(frame)
        if mine and row is not None:
            found += [
                Difference(capture, frame, field, mine[0][field], row[field])
                for field in FIELDS
                if mine[0][field] != row[field]
            ]
        elif row is not None:
            found.append(Difference(capture, frame, "message", "", name(row)))
        found += [
            Difference(capture, frame, "message", name(message), "")
            for message in mine[0 if row is None else 1 :]
        ]
    return found


@pytest.mark.parametrize("path", captures(), ids=lambda path: path.name)
def test_every_message_is_what_tshark_reads(path: Path) -> None:
    found = replayed(path)
    theirs = truth(path)
    known = {entry for entry in listed() if entry.capture == path.name}
    assert set(differences(path.name, found.messages, theirs)) == known
    expected = {
        frame: why for (file, frame), why in MALFORMED.items() if file == path.name
    }
    assert found.malformed == expected
    assert found.flaws == FLAWED.get(path.name, {})


def test_nothing_is_compared_with_nothing() -> None:
    """The corpus is there, and all of it is looked at."""
    paths = captures()
    assert len(paths) > 70
    messages = sum(len(truth(path)) for path in paths)
    assert messages > 13_000
    assert {path.name for path in paths} >= {entry.capture for entry in listed()}


def test_every_difference_has_a_reason() -> None:
    for entry, reason in listed().items():
        assert entry.ours != entry.theirs
        assert len(reason) > 20
        assert reason.endswith(".")


def test_a_difference_is_found() -> None:
    """Field by field, missing and additional messages."""
    row = dict.fromkeys(FIELDS, "") | {"method": "BYE"}
    other = row | {"to_user": "100"}
    assert differences("x", {1: [row]}, {1: row}) == []
    assert differences("x", {1: [row]}, {1: other}) == [
        Difference("x", 1, "to_user", "", "100")
    ]
    assert differences("x", {}, {1: row}) == [Difference("x", 1, "message", "", "BYE")]
    assert differences("x", {2: [row, other]}, {}) == [
        Difference("x", 2, "message", "BYE", ""),
        Difference("x", 2, "message", "BYE", ""),
    ]
    assert differences("x", {1: [row, row]}, {1: row}) == [
        Difference("x", 1, "message", "BYE", "")
    ]
