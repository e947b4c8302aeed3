"""Dialled text to the digits a switch would see.

Knows how a number can be written: percent-encoding (nested too), visual separators,
digits of any script, invisible characters, pauses, and the parameters of RFC 3966.
It must not know any dial plan, and it never raises: text that spells no number comes
back with empty `digits`. What stands behind `MAX_TEXT` is unread and might lead the call
elsewhere, so such text is `overlong` even where it begins as an emergency number; no
phone writes 119 so. What is cut off or dropped never makes a number disappear:
`scattered` and `inner_global` keep what a sloppier reader would have dialled.
"""

from typing import NamedTuple

MAX_TEXT = 1024
"""Characters looked at. 64 full-width digits, percent-encoded twice over, fit."""
MAX_DIGITS = 64
"""Digits read. E.164 ends at 15; the rest is room for prefixes and padding, and more
than any known switch dials."""
MAX_DECODES = 8
"""Nested percent-decodings. A proxy decodes once; each further level would need
another proxy that decodes what its neighbour already did."""
MAX_PARAMS = 16
"""Parameters looked at for a context or routing number; phones send two or three."""

_HEX = frozenset(b"0123456789abcdefABCDEF")
_DIALLED = "0123456789*#+"
_PAUSES = frozenset(",pwxt")
_AFTER_PAUSE = frozenset("0123456789*#+,pwxt")

# Everything printed between digits is decoration (RFC 3966 section 5.1.1 names
# "-", ".", "(" and ")"; bills, phones and people use the rest). Letters stay: they
# decide whether this is a number at all. "," is a pause.
_ASCII = str.maketrans(
    {chr(c): None for c in range(128) if not chr(c).isalnum() and chr(c) not in "+*#,"}
    | {chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)}
)
_NOT_A_DIGIT = str.maketrans(dict.fromkeys("+*#,"))

# str.isdecimal() finds the digits of every script; these are digits by look only.
_LOOKALIKE = {
    **dict.fromkeys("\uff0b\ufe62\u207a\u208a\u2795", "+"),
    **dict.fromkeys("\uff0a\ufe61\u2217\u2731", "*"),
    **dict.fromkeys("\uff03\ufe5f\u266f", "#"),
    **dict.fromkeys("\uff0c\u3001\ufe50", ","),
    **dict.fromkeys("\uff1b\ufe54", ";"),
    **dict.fromkeys("\uff20\ufe6b", "@"),
    # KATAKANA-HIRAGANA PROLONGED SOUND MARK is a letter, and Japan's other hyphen.
    **dict.fromkeys("\u30fc\uff70", ""),
    **{c: str(d) for d, c in enumerate("〇一二三四五六七八九")},
    **{c: str(d) for d, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{c: str(d) for d, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{c: str(d) for d, c in enumerate("⓪①②③④⑤⑥⑦⑧⑨")},
    **{c: str(d) for d, c in enumerate("⓿❶❷❸❹❺❻❼❽❾")},
    **{c: str(d) for d, c in enumerate("🄋➀➁➂➃➄➅➆➇➈")},
    **{c: str(d) for d, c in enumerate("🄌➊➋➌➍➎➏➐➑➒")},
    **{c: str(d) for d, c in enumerate("⓵⓶⓷⓸⓹⓺⓻⓼⓽", 1)},
    **{c: str(d) for d, c in enumerate("⑴⑵⑶⑷⑸⑹⑺⑻⑼", 1)},
    **{c: str(d) for d, c in enumerate("⒈⒉⒊⒋⒌⒍⒎⒏⒐", 1)},
    "零": "0",
}


class Dialled(NamedTuple):
    """One dialled text, made plain."""

    digits: str
    """`0-9`, `*`, `#`, and a leading `+` for a global number; "" for no number."""
    text: str
    """What was written, decoded; at most `MAX_DIGITS` characters, for people."""
    inner_global: str = ""
    """The digits after a `+` that is not in front."""
    scattered: str = ""
    """All digits, and a leading `+`, where letters or pauses stand among them; ""
    where none do."""
    contexts: tuple[str, ...] = ()
    """Digits of each global phone-context (RFC 3966 section 5.1.5)."""
    routing: str = ""
    """The routing number `rn` (RFC 4694), as written; it says where the call goes."""
    overlong: bool = False
    """More than `MAX_DIGITS` digits or `MAX_TEXT` characters; the rest is unread."""


def percent_decode(text: str) -> str:
    """Undo percent-encoding (RFC 3986 section 2.1), nested up to `MAX_DECODES` deep.

    A `%` that starts no escape stays; bytes that are not UTF-8 become U+FFFD.
    """
    for _ in range(MAX_DECODES):
        head, *escapes = text.encode("utf-8", "replace").split(b"%")
        out = [head]
        for part in escapes:
            if len(part) >= 2 and part[0] in _HEX and part[1] in _HEX:
                out.append(bytes.fromhex(part[:2].decode("ascii")) + part[2:])
            else:
                out.append(b"%" + part)
        decoded = b"".join(out).decode("utf-8", "replace")
        if decoded == text or "%" not in decoded:
            return decoded
        text = decoded
    return text


def canonical(written: str) -> Dialled:
    """Read a bare number, a user part of `sip:` or what follows `tel:`."""
    digits = written.removeprefix("+")
    if digits.isdecimal() and digits.isascii() and len(written) <= MAX_DIGITS:
        return Dialled(written, written)  # most phones, most calls
    text = written[:MAX_TEXT]
    if "%" in text:
        text = percent_decode(text)
    if not text.isascii():
        text = "".join(map(_fold, text))
    shown = text[:MAX_DIGITS]
    text = text.partition("@")[0]
    contexts: tuple[str, ...] = ()
    routing = ""
    if ";" in text:
        text, *params = text.split(";", MAX_PARAMS + 1)
        contexts, routing = _params(params[:MAX_PARAMS])
    dialled = _digits(text.translate(_ASCII), shown, contexts, routing)
    if len(written) > MAX_TEXT:
        return dialled._replace(overlong=True)
    return dialled


def context_digits(value: str) -> str:
    """The digits of a global phone-context such as `+81-3`; "" for a domain name."""
    plain = value.translate(_ASCII).removeprefix("+")
    return plain[:MAX_DIGITS] if plain.isdecimal() else ""


def _params(params: list[str]) -> tuple[tuple[str, ...], str]:
    """Pick what changes where the call goes; isub, postd, ext, cic, npdi do not."""
    contexts: list[str] = []
    routing = ""
    for param in params:
        name, _, value = param.partition("=")
        name = name.strip().lower()
        if name == "phone-context":
            digits = context_digits(value)
            if digits:
                contexts.append(digits)
        elif name == "rn":
            routing = value.strip()
    return tuple(contexts), routing


def _digits(plain: str, shown: str, contexts: tuple[str, ...], routing: str) -> Dialled:
    """Sort out plus signs, pauses and letters in text that is otherwise plain."""
    is_global = plain.startswith("+")
    plain = plain.lstrip("+")
    rest = plain.lstrip(_DIALLED)
    head = plain[: len(plain) - len(rest)]
    scattered = ""
    if rest:
        # A pause needs digits before it and only DTMF after it; else it is a letter.
        if not (rest[0] in _PAUSES and head and _AFTER_PAUSE.issuperset(rest)):
            head = ""
        scattered = ("+" if is_global else "") + _only_digits(plain)
    inner_global = ""
    plus = plain.rfind("+")
    if plus >= 0:
        inner_global = _only_digits(plain[plus:])[:MAX_DIGITS]
        head = head.replace("+", "")
    if head[-1:] in ("#", "*"):
        head = head.rstrip("#*") or head  # the send key; "*8" and "#" are codes
    overlong = len(head) > MAX_DIGITS
    digits = head[:MAX_DIGITS]
    if is_global and digits:
        digits = "+" + digits
    return Dialled(
        digits,
        shown,
        inner_global,
        scattered[:MAX_DIGITS],
        contexts,
        routing,
        overlong,
    )


def _only_digits(plain: str) -> str:
    return "".join(c for c in plain.translate(_NOT_A_DIGIT) if c.isdecimal())


def _fold(char: str) -> str:
    """One character to the ASCII one it is dialled as, "" for decoration.

    Zero-width and other invisible characters are neither printable nor alphanumeric;
    combining marks, dashes and brackets of any script are not alphanumeric.
    """
    if char < "\x80":
        return char
    known = _LOOKALIKE.get(char)
    if known is not None:
        return known
    if char.isdecimal():
        return str(int(char))
    return "z" if char.isalnum() else ""
