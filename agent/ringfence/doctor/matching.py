"""Expressions of nft's JSON: what they compare, and what they make of the mark.

Pure. `None` always means that it cannot be told from the packet's ports alone.
"""

from typing import Any, Final

ALL: Final = 0xFFFFFFFF
"""Every bit of a mark."""

_TRANSPORTS: Final = {"tcp": 6, "udp": 17}


def mask_of(side: Any, which: str) -> int | None:
    """Return which bits of the mark an expression looks at; None for no mark."""
    if not isinstance(side, dict):
        return None
    if isinstance(side.get(which), dict) and side[which].get("key") == "mark":
        return ALL
    both = side.get("&")
    if isinstance(both, list) and len(both) == 2 and isinstance(both[1], int):
        inner = mask_of(both[0], which)
        return None if inner is None else inner & both[1]
    return None


def compared(mask: int, right: Any) -> tuple[int, int]:
    """Return (mask, value) of a comparison of the mark.

    nft writes a mask that begins with ones as the length of a prefix.
    """
    if isinstance(right, int):
        return mask, right
    prefix = right.get("prefix") if isinstance(right, dict) else None
    if isinstance(prefix, dict) and isinstance(prefix.get("len"), int):
        first, address = prefix["len"], prefix.get("addr")
        ones = ALL ^ ALL >> first
        return mask & ones, address if isinstance(address, int) else ones
    return mask, mask


def written(value: Any, which: str) -> tuple[int, int]:
    """Return (bits that may change, bits that may be set) of a new mark."""
    if isinstance(value, int):
        return ALL, value
    if isinstance(value, dict):
        for operator in ("|", "^", "&"):
            both = value.get(operator)
            if not (isinstance(both, list) and len(both) == 2):
                continue
            rest, number = both
            if not isinstance(number, int):
                return ALL, ALL
            changed, set_bits = (
                (0, 0) if mask_of(rest, which) == ALL else written(rest, which)
            )
            if operator == "&":
                return changed | ALL ^ number, set_bits & number
            return changed | number, set_bits | number
    return ALL, ALL


def fits(match: Any, transport: str, sport: int, dport: int) -> bool | None:
    """Tell whether a packet passes one comparison; None where nobody can tell."""
    if not isinstance(match, dict):
        return None
    left, right = match.get("left"), match.get("right")
    if not isinstance(left, dict):
        return None
    payload, meta = left.get("payload"), left.get("meta")
    got: bool | None = None
    if isinstance(payload, dict):
        protocol, field = payload.get("protocol"), payload.get("field")
        if protocol in _TRANSPORTS and protocol != transport:
            return False
        if protocol in (*_TRANSPORTS, "th") and field in ("sport", "dport"):
            got = _within(sport if field == "sport" else dport, right)
        elif (protocol, field) in (("ip", "protocol"), ("ip6", "nexthdr")):
            got = _protocol(transport, right)
    elif isinstance(meta, dict) and meta.get("key") == "l4proto":
        got = _protocol(transport, right)
    elif left.get("ct") == {"key": "status"} and right == "confirmed":
        got = True  # all but the first packet of a connection, before it was let in
    if got is None:
        return None
    return not got if match.get("op") == "!=" else got


def _protocol(transport: str, right: Any) -> bool | None:
    named = _within(transport, right)
    numbered = _within(_TRANSPORTS[transport], right)
    return None if named is None else named or numbered


def _within(value: int | str, right: Any) -> bool | None:
    """Tell whether a value is in a number, range or set; None for a set by name."""
    if isinstance(right, dict):
        if isinstance(right.get("range"), list):
            low, high = right["range"]
            if (
                isinstance(low, int)
                and isinstance(high, int)
                and isinstance(value, int)
            ):
                return low <= value <= high
            return False
        prefix = right.get("prefix")
        if isinstance(prefix, dict) and isinstance(value, int):
            rest = 16 - prefix["len"]
            return bool(value >> rest == prefix["addr"] >> rest)
        if isinstance(right.get("set"), list | str | int | dict):
            right = right["set"]
    if isinstance(right, list):
        return any(_within(value, item) for item in right)
    if isinstance(right, str) and right.startswith("@"):
        return None
    return bool(value == right)
