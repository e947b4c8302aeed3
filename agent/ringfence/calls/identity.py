"""What a message shows of the call it belongs to, as numbers that can be looked up.

Knows where Call-ID, tags, CSeq and branch stand. Keys are hashes of 60 bits, not the
texts: a stranger decides how long those are. It must not know calls.
"""

from typing import Final

from ringfence.sip.address import parse_name_addr
from ringfence.sip.message import Message

_KEY_BITS: Final = (1 << 60) - 1
"""What is kept of a hash: an int of 60 bits takes 32 bytes, a longer one 48."""

_COOKIE: Final = b";branch=z9hG4bK"


def raw(message: Message, name: str) -> bytes:
    """Return the first field of a name as it stands, b"" for none."""
    values = message.raw_values(name)
    return values[0] if values else b""


def tag(message: Message, name: str) -> bytes:
    """Return the tag of From or To, b"" when there is none."""
    value = raw(message, name)
    uri, bracket, params = value.partition(b">")
    if bracket and uri.rfind(b"<") > uri.rfind(b'"'):
        if params.startswith(b";tag=") and params.find(b'"') < 0:
            end = params.find(b";", 5)
            return (params[5:] if end < 0 else params[5:end]).strip()
        if not params.strip():
            return b""
    return parse_name_addr(value.decode("utf-8", "replace")).tag.encode()


def asker(message: Message) -> tuple[bytes, bytes]:
    """Return Call-ID and From tag: what the other keys have in common."""
    return raw(message, "call-id").strip(), tag(message, "from")


def sequence(message: Message) -> tuple[bytes, bytes]:
    """Return number and method of CSeq, each b"" when absent."""
    words = raw(message, "cseq").split(None, 1)
    return (words[0] if words else b""), (words[1].strip() if len(words) > 1 else b"")


def path_key(
    whose: tuple[bytes, bytes],
    message: Message,
    number: bytes,
    client: bytes,
    server: bytes,
) -> int:
    """Return what an INVITE, its CANCEL and all its answers have in common.

    `whose` is their `asker`, `number` that of CSeq; `client` and `server` are networks
    (`network_key`).
    """
    return hash((whose, number, _branch(message), client, server)) & _KEY_BITS


def dialog_key(whose: tuple[bytes, bytes], message: Message) -> int:
    """Return what all messages of a dialog have in common, whoever sends them."""
    call_id, one = whose
    other = tag(message, "to")
    if one > other:
        one, other = other, one
    return hash((call_id, one, other)) & _KEY_BITS


def caller_key(whose: tuple[bytes, bytes], client: bytes) -> int:
    """Return what all INVITEs of a call have in common, with credentials or without."""
    return hash((whose, client)) & _KEY_BITS


def _branch(message: Message) -> bytes:
    """Return the branch of the topmost Via, without the cookie that all have."""
    value = raw(message, "via")
    at = value.find(_COOKIE)
    if at >= 0 and value.find(b",") < 0 and value.find(b'"') < 0:
        start = at + len(_COOKIE)
        if value.find(b"branch") == at + 1:
            end = value.find(b";", start)
            return (value[start:] if end < 0 else value[start:end]).rstrip()
    return message.branch.removeprefix("z9hG4bK").encode()
