"""Captures of others, frame by frame against what tshark read in them.

Every file opens, every frame decodes or is `Malformed`, and for every message in
`truth/` the addresses, ports and time are those of the same frame here.
"""

import csv
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from ringfence.decode import LINK_TYPES, Decoder
from ringfence.errors import Malformed
from ringfence.packet import Datagram, Instant, Segment
from ringfence.pcap import open_capture

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = pytest.mark.corpus

MALFORMED = {
    # Zero in the UDP length over IPv4; tshark calls it "bogus, must be >= 8".
    ("arkime-synthetic.pcap", 818): "udp.length",
}

NOT_SIP = {
    # HTTP to port 5060, which tshark reads as SIP because of the port.
    "ndpi-http_on_sip_port.pcap": 2,
}


class Listed(NamedTuple):
    """One capture as the corpus's index has it."""

    path: Path
    packets: int
    messages: int
    """Frames with SIP in them, as tshark counts."""


def listed() -> list[Listed]:
    """Read the index; empty where the corpus is absent."""
    if not (CORPUS / "index.csv").exists():
        return []
    with (CORPUS / "index.csv").open(newline="") as lines:
        return [
            Listed(CORPUS / row["file"], int(row["packets"]), int(row["sip_frames"]))
            for row in csv.DictReader(lines)
        ]


def truth(path: Path) -> list[dict[str, str]]:
    table = CORPUS / "truth" / f"{path.name}.tsv"
    with table.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def innermost(row: dict[str, str], v4: str, v6: str) -> str:
    """Return the last of a field's values: the packet inside the tunnels."""
    return (row[v4] or row[v6]).split("|")[-1]


def packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def starts_like_sip(payload: bytes) -> bool:
    line = payload.lstrip(b"\r\n").partition(b"\n")[0]
    return line.startswith(b"SIP/2.0 ") or b" SIP/2.0" in line


@pytest.mark.skipif(not listed(), reason="no corpus beside the repository")
@pytest.mark.parametrize("capture", listed(), ids=lambda capture: capture.path.name)
def test_frame_by_frame(capture: Listed) -> None:
    name = capture.path.name
    decoder = Decoder()
    decoded: dict[int, tuple[float, Datagram | Segment]] = {}
    frames = 0
    with open_capture(capture.path) as opened:
        for number, wall, packet in opened:
            frames = number
            assert packet.link in LINK_TYPES
            try:
                carried = decoder.decode(packet, Instant(wall, wall))
            except Malformed as error:
                assert MALFORMED[name, number] == error.reason  # noqa: PT017
            else:
                if carried is not None:
                    assert not carried.cut
                    decoded[number] = (wall, carried)
    assert frames == capture.packets
    for row in truth(capture.path):
        wall, carried = decoded[int(row["frame.number"])]
        assert abs(wall - float(row["frame.time_epoch"])) < 1e-6
        assert isinstance(carried, Datagram) == bool(row["udp.srcport"])
        assert (carried.src, carried.dst, carried.sport, carried.dport) == (
            packed(innermost(row, "ip.src", "ipv6.src")),
            packed(innermost(row, "ip.dst", "ipv6.dst")),
            int(innermost(row, "udp.srcport", "tcp.srcport")),
            int(innermost(row, "udp.dstport", "tcp.dstport")),
        )
    sip = sum(starts_like_sip(carried.payload) for _, carried in decoded.values())
    assert sip == capture.messages - NOT_SIP.get(name, 0)


@pytest.mark.skipif(not listed(), reason="no corpus beside the repository")
def test_every_capture_has_its_truth() -> None:
    assert len(listed()) > 70
    for capture in listed():
        assert len(truth(capture.path)) == capture.messages
