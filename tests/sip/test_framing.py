"""Messages off a stream: whole, byte by byte, after noise, larger than we hold."""

from collections.abc import Iterable
from itertools import pairwise
from time import process_time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.errors import Malformed
from ringfence.sip.framing import MAX_BODY, Framed, next_message
from ringfence.sip.message import MAX_HEAD
from sip.examples import REQUEST, RESPONSE, almost_messages, read_all

LINE = b"INVITE sip:100@pbx SIP/2.0\r\n"
SMALL = LINE + b"Call-ID: small\r\n\r\n"


class Found(NamedTuple):
    """What a stream gave."""

    messages: list[bytes]
    anomalies: list[str | None]
    malformed: list[str]
    left: int
    """Bytes still held."""


def stream(chunks: Iterable[bytes]) -> Found:
    """Take messages off a stream as the engine does."""
    found = Found([], [], [], 0)
    data = bytearray()
    skip = 0
    for chunk in chunks:
        skipped = min(skip, len(chunk))
        skip -= skipped
        data += chunk[skipped:]
        while data:
            try:
                framed = next_message(data)
            except Malformed as error:
                found.malformed.append(error.reason)
                data.clear()
                break
            del data[: framed.used]
            skip = framed.skip
            if framed.message is None:
                break
            read_all(framed.message)
            found.messages.append(framed.message.raw)
            found.anomalies.append(framed.message.anomaly)
    return found._replace(left=len(data))


def singly(data: bytes) -> list[bytes]:
    return [bytes([octet]) for octet in data]


STREAMS = {
    "one": ([REQUEST], b""),
    "two": ([REQUEST, RESPONSE], b""),
    "keep-alives": ([b"\r\n\r\n", REQUEST, b"\r\n", RESPONSE, b"\r\n\r\n\r\n"], b""),
    "blanks": ([b" \0\t\r\n", REQUEST, b"\0", RESPONSE], b""),
    "no length": ([SMALL, SMALL, SMALL], b""),
    "LF": ([REQUEST.replace(b"\r\n", b"\n").replace(b": 13", b": 11"), SMALL], b""),
    "folds": ([LINE + b"To: <sip:a@b>\r\n ;tag=c\r\nl:\r\n 0\r\n\r\n", SMALL], b""),
    "folded line": ([SMALL.replace(b" ", b"\r\n "), SMALL], b""),
    "body like SIP": ([LINE + b"l: 40\r\n\r\n" + SMALL[:40], RESPONSE], b""),
    "unfinished head": ([REQUEST], RESPONSE[:-3]),
    "unfinished body": ([RESPONSE], REQUEST[:-3]),
}


@pytest.mark.parametrize(("parts", "rest"), STREAMS.values(), ids=STREAMS)
def test_the_same_however_it_comes(parts: list[bytes], rest: bytes) -> None:
    whole = b"".join(parts) + rest
    expected = [part for part in parts if part.strip(b"\r\n\t \0")]
    for chunks in (
        [whole],
        singly(whole),
        [*parts, rest],
        [whole[:50], whole[50:]],
        [whole[at : at + 7] for at in range(0, len(whole), 7)],
    ):
        found = stream(chunks)
        assert found.messages == expected
        assert found.malformed == []
        assert set(found.anomalies) <= {None}
        assert found.left == len(rest)


@pytest.mark.parametrize(("parts", "rest"), STREAMS.values(), ids=STREAMS)
def test_cut_in_two_anywhere(parts: list[bytes], rest: bytes) -> None:
    whole = b"".join(parts) + rest
    expected = stream([whole]).messages
    for at in range(len(whole)):
        assert stream([whole[:at], whole[at:]]).messages == expected


@given(st.data())
def test_cut_anywhere(data: st.DataObject) -> None:
    parts = data.draw(
        st.lists(st.sampled_from([REQUEST, RESPONSE, SMALL, b"\r\n\r\n"]))
    )
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=12)))
    edges = [0, *cuts, len(whole)]
    chunks = [whole[a:b] for a, b in pairwise(edges)]
    assert stream(chunks).messages == [part for part in parts if part.strip()]


# Bodies ---------------------------------------------------------------------------


def with_body(size: int) -> bytes:
    return LINE + f"Content-Length: {size}\r\n\r\n".encode() + b"b" * size


def test_body_waited_for() -> None:
    whole = with_body(MAX_BODY)
    assert next_message(whole[:-1]) == Framed(None, 0, 0)
    framed = next_message(whole)
    assert framed.message is not None
    assert framed.message.raw == whole
    assert (framed.used, framed.skip) == (len(whole), 0)


def test_a_larger_body_is_passed_over() -> None:
    size = MAX_BODY + 1
    whole = with_body(size)
    head = len(whole) - size
    framed = next_message(whole[: head + 10])
    assert framed.message is not None
    assert framed.message.method == "INVITE"
    assert framed.message.anomaly is None
    assert framed == Framed(framed.message, head + 10, size - 10)
    found = stream([whole[: head + 10], whole[head + 10 :] + SMALL])
    assert found.messages[1:] == [SMALL]
    # All of it in one chunk is no different.
    assert stream([whole + SMALL]).messages == [whole, SMALL]


@pytest.mark.parametrize(
    "claimed", ["x", "-1", "1000000000", "7\r\nContent-Length: 70"]
)
def test_a_length_that_nobody_knows_hides_no_message(claimed: str) -> None:
    """Each receiver believes another one: what follows is looked through."""
    head = LINE + f"Content-Length: {claimed}\r\n\r\n".encode()
    found = stream([head + b"v=0\r\ns=x\r\n" + SMALL])
    assert found.messages == [head, SMALL]
    assert found.anomalies[0] in ("sip.content-length", "sip.repeated-field")


# Heads ----------------------------------------------------------------------------


def test_head_waited_for() -> None:
    pad = LINE + b"X: "
    pad += b"x" * (MAX_HEAD - len(pad) - 4)
    assert next_message(pad + b"\r\n\r") == Framed(None, 0, 0)
    framed = next_message(pad + b"\r\n\r\n" + SMALL)
    assert framed.used == MAX_HEAD
    assert framed.message is not None
    assert framed.message.anomaly is None
    # One byte more: judged by what is there, and the rest is passed over.
    found = stream([pad + b"x\r\n\r\n" + SMALL])
    assert found.messages == [pad + b"x\r\n\r", SMALL]
    assert found.anomalies[0] == "sip.head-too-long"
    assert found.malformed == []


@pytest.mark.parametrize("chunk", [1, 1000, 100_000])
def test_a_head_without_end(chunk: int) -> None:
    whole = LINE + b"X: y\r\n" * 4000 + b"\r\n" + SMALL
    found = stream(whole[at : at + chunk] for at in range(0, len(whole), chunk))
    assert found.messages == [whole[:MAX_HEAD], SMALL]
    assert found.left == 0


# Noise ----------------------------------------------------------------------------

NOISE = [
    b"noise\r\n",
    b"noise\r\n\r\n",
    b"x\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<p>hi</p>\n",
    b"v=0\r\ns=a body whose length was not told\r\n",
    b"\x16\x03\x01\x02\x00 TLS \n",
    b"\xff\xfe\r\n",
    b"Via: SIP/2.0/UDP x\r\n\r\n",
    b"see sip:100@pbx for more\r\n",
    b"two\rlines\r",
]


@pytest.mark.parametrize("noise", NOISE)
def test_no_noise_hides_a_message(noise: bytes) -> None:
    whole = noise + SMALL + noise + noise + REQUEST
    for chunks in ([whole], singly(whole)):
        found = stream(chunks)
        assert found.messages == [SMALL, REQUEST]
        assert found.malformed == []
        assert found.left == 0
    assert stream([whole]).anomalies == ["sip.stray-bytes"] * 2


@pytest.mark.parametrize("noise", [b"noise\r\n", b"SIP/2.0 no\r\n\r\n", b"x\r"])
def test_after_noise_a_line_may_come_in_pieces(noise: bytes) -> None:
    """ "I", then "NVITE": the second byte is not the first of a method."""
    for at in range(1, len(SMALL)):
        found = stream([noise + SMALL[:at], SMALL[at:]])
        assert [raw.split()[0] for raw in found.messages] == [b"INVITE"]


@pytest.mark.parametrize("noise", NOISE)
def test_noise_is_silent(noise: bytes) -> None:
    for size in range(len(noise) + 1):
        found = stream([noise[:size]])
        assert (found.messages, found.malformed) == ([], [])
    assert stream([noise, b"\r\n"]).left == 0


def test_noise_without_a_line_end_is_bounded() -> None:
    assert stream([b"x" * (MAX_HEAD - 1)]).left == MAX_HEAD - 1
    assert stream([b"x" * MAX_HEAD]).left == 0


UNREADABLE = {
    b"SIP/2.0 OK\r\n\r\n": "sip.start-line",
    b"INV[ITE sip:pbx SIP/2.0\r\nl: 0\r\n\r\n": "sip.method",
    b"INVITE  SIP/2.0\r\n\r\n": "sip.request-uri",
}


@pytest.mark.parametrize("head", UNREADABLE)
def test_an_unreadable_head(head: bytes) -> None:
    assert stream([head]).malformed == [UNREADABLE[head]]
    assert stream(singly(head)).malformed == [UNREADABLE[head]]
    assert stream([head, SMALL]).messages == [SMALL]
    # It hides nothing that comes with it.
    found = stream([head + SMALL + head])
    assert found.messages == [SMALL]
    assert found.anomalies == ["sip.stray-bytes"]
    assert found.malformed == [UNREADABLE[head]]


# A capture that was cut -----------------------------------------------------------


def test_what_is_lost_is_not_waited_for() -> None:
    assert next_message(REQUEST[:-5]).message is None
    framed = next_message(REQUEST[:-5], cut=True)
    assert framed.message is not None
    assert framed.message.method == "INVITE"
    assert framed == Framed(framed.message, len(REQUEST) - 5, 5)

    framed = next_message(REQUEST[:300], cut=True)
    assert framed.message is not None
    assert framed.message.anomaly == "sip.no-blank-line"
    assert framed.used == 300
    assert next_message(b"noise", cut=True) == Framed(None, 5, 0)


# Whatever comes -------------------------------------------------------------------


@given(st.lists(st.one_of(st.binary(max_size=50), almost_messages()), max_size=6))
def test_any_bytes(chunks: list[bytes]) -> None:
    stream(chunks)


@given(st.lists(st.sampled_from([*NOISE, *UNREADABLE]), max_size=4), st.data())
def test_no_sequence_of_noise_hides_a_message(
    noise: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(noise) + SMALL
    at = data.draw(st.integers(0, len(whole)))
    assert stream([whole]).messages == [SMALL]
    assert SMALL in stream([whole[:at], whole[at:]]).messages


HOSTILE = {
    "LF": b"\n",
    "CR": b"\r",
    "blanks": b" ",
    "letters": b"x",
    "short lines": b"a\r\n",
    "nearly SIP": b"a sip:\r\n",
    "unreadable": b"SIP/2.0 x\r\n\r\n",
    "unreadable and unfinished": b"SIP/2.0 x\r\n",
    "folded": b"a\r\n ",
    "SIP": b"SIP/",
    "smallest": b"a a: SIP/\n\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_cost_grows_no_faster_than_the_stream(piece: bytes) -> None:
    """Four times the bytes may cost 10 times as much; 16 times would be quadratic."""

    def cost(size: int) -> float:
        data = piece * (size // len(piece))
        best = 9.0
        for _ in range(3):
            start = process_time()
            stream([data])
            best = min(best, process_time() - start)
        return best

    # Beyond a head's length, since up to there each start may look through all.
    assert cost(8 * MAX_HEAD) < 10 * cost(2 * MAX_HEAD) + 0.001
