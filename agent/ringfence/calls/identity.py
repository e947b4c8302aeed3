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
    at = value.rfind(b">")
    if at > value.rfind(b'"'):
        if value.startswith(b";tag=", at + 1):
            return value[at + 6 :].partition(b";")[0].strip()
        if not value[at + 1 :].strip():
            return b""
    return parse_name_addr(value.decode("utf-8", "replace")).tag.encode()


def sequence(message: Message) -> tuple[bytes, bytes]:
    """Return number and method of CSeq, each b"" when absent."""
    words = raw(message, "cseq").split(None, 1)
    return (words[0] if words else b""), (words[1].strip() if len(words) > 1 else b"")


def path_key(message: Message, number: bytes, client: bytes, server: bytes) -> int:
    """Return what an INVITE, its CANCEL and all its answers have in common.

    `number` is that of CSeq, `client` and `server` are networks (`network_key`).
    """
    whole = (_call_id(message), tag(message, "from"), number, _branch(message))
    return hash((*whole, client, server)) & _KEY_BITS


def dialog_key(message: Message) -> int:
    """Return what all messages of a dialog have in common, whoever sends them."""
    one, other = tag(message, "from"), tag(message, "to")
    if one > other:
        one, other = other, one
    return hash((_call_id(message), one, other)) & _KEY_BITS


def caller_key(message: Message, client: bytes) -> int:
    """Return what all INVITEs of a call have in common, with credentials or without."""
    return hash((_call_id(message), tag(message, "from"), client)) & _KEY_BITS


def _call_id(message: Message) -> bytes:
    return raw(message, "call-id").strip()


def _branch(message: Message) -> bytes:
    """Return the branch of the topmost Via, without the cookie that all have."""
    value = raw(message, "via")
    if b"," not in value and b'"' not in value:
        before, found, after = value.partition(_COOKIE)
        if found and b"branch" not in before:
            return after.partition(b";")[0].strip()
    return message.branch.removeprefix("z9hG4bK").encode()
