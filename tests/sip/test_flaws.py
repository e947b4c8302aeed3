"""Each name for bad input, given to at least one message."""

import pytest
from ringfence.errors import Malformed
from ringfence.sip.framing import next_message
from ringfence.sip.message import MAX_HEAD, MAX_LINES, MAX_START_LINE, Message
from ringfence.sip.reasons import ANOMALIES, REASONS

LINE = b"INVITE sip:100@pbx SIP/2.0\r\n"

UNREADABLE = {
    "sip.start-line": b"SIP/2.0 OK\r\n\r\n",
    "sip.method": b"INV[ITE sip:pbx SIP/2.0\r\n\r\n",
    "sip.request-uri": b"INVITE SIP/2.0\r\n\r\n",
}
FLAWED = {
    "sip.version": b"INVITE sip:100@pbx SIP/7.0\r\n\r\n",
    "sip.start-line-too-long": b"INVITE %s SIP/2.0\r\n\r\n" % (b"x" * MAX_START_LINE),
    "sip.head-too-long": LINE + b"X: %s\r\n\r\n" % (b"x" * MAX_HEAD),
    "sip.no-blank-line": LINE,
    "sip.lone-cr": LINE + b"X: y\rTo: z\r\n\r\n",
    "sip.too-many-lines": LINE + b"X:\r\n" * (MAX_LINES + 1) + b"\r\n",
    "sip.too-many-values": LINE + b"m: %s\r\n\r\n" % b",".join([b"*"] * 71),
    "sip.repeated-field": LINE + b"f: a\r\nf: b\r\n\r\n",
    "sip.content-length": LINE + b"l: 1\r\n\r\n",
    "sip.stray-bytes": b"noise\r\n" + LINE + b"\r\n",
}


def test_no_name_is_left_out() -> None:
    assert set(UNREADABLE) == set(REASONS)
    assert set(FLAWED) == set(ANOMALIES)


@pytest.mark.parametrize("reason", UNREADABLE)
def test_unreadable(reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        Message(UNREADABLE[reason])
    assert caught.value.reason == reason


@pytest.mark.parametrize("anomaly", FLAWED)
def test_flawed(anomaly: str) -> None:
    raw = FLAWED[anomaly]
    message: Message | None
    if anomaly == "sip.stray-bytes":  # a datagram is one message or none
        message = next_message(raw).message
    else:
        message = Message(raw)
        message.check_length(cut=False)
        message.values("contact")
    assert message is not None
    assert message.anomaly == anomaly
