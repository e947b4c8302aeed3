"""SIP requests that the tests send themselves, where no real program sends them.

Each is complete and honest in form; what the test is about is a parameter.
"""

from collections.abc import Sequence

from lab.addresses import SIP_PORT


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def request(
    method: str,
    src: str,
    dst: str,
    *,
    number: str = "",
    user: str = "201",
    call_id: str = "lab",
    transport: str = "UDP",
    body: bytes = b"",
    port: int = SIP_PORT,
    branch: str = "",
    cseq: int = 1,
    to_tag: str = "",
    headers: Sequence[str] = (),
) -> bytes:
    """Build a request from a phone at `src` to the PBX at `dst`.

    `number` is the user part of the Request-URI and To; empty for none. `headers` are
    whole lines that are put in as they are.
    """
    uri = f"sip:{number}@{_host(dst)}" if number else f"sip:{_host(dst)}"
    to = uri if number else f"sip:{user}@{_host(dst)}"
    here = f"{_host(src)}:{port}"
    branch = branch or f"z9hG4bK-{call_id}-{method}"
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {here};branch={branch};rport",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{_host(dst)}>;tag=t-{call_id}",
        f"To: <{to}>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:{user}@{here}>",
        "User-Agent: Lab phone",
        *headers,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def body_of(size: int) -> bytes:
    """Build a session description of exactly `size` bytes, for large requests."""
    start = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    line = b"a=x-filler:" + b"x" * 60 + b"\r\n"
    filler = line * ((size - len(start)) // len(line) + 1)
    return (start + filler)[: size - 2] + b"\r\n"


def datagram(src: str, dst: str, payload: bytes) -> bytes:
    """Build the IPv4 packet that carries a payload between SIP ports, without UDP's
    checksum (RFC 768 allows that): from any source, for raw and packet sockets.
    """
    header = bytearray(20)
    header[0:4] = b"\x45\0" + (28 + len(payload)).to_bytes(2)
    header[8:10] = bytes((64, 17))
    header[12:20] = bytes(map(int, f"{src}.{dst}".split(".")))
    total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2)
    udp = SIP_PORT.to_bytes(2) * 2 + (8 + len(payload)).to_bytes(2) + b"\0\0"
    return bytes(header) + udp + payload
