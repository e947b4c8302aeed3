"""Every documented way of writing a number abroad so that a filter may not know it.

A form takes E.164 digits and a source of chance, and gives what is dialled in Japan or
stands in a Request-URI. Where a form takes one of several codes, chance picks it.
"""

from collections.abc import Callable
from random import Random
from typing import Final

Form = Callable[[str, Random], str]

CALLER_ID: Final = ("184", "186")
CHAINS: Final = ("184", "186", "122", "0000", "122184", "0000186", "1840000", "186184")
JUNK: Final = ("900", "77", "5", "1010333", "4321", "12345678", "60", "824")
OTHER_DIGITS: Final = (
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19",  # full width
    "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",  # Arabic
    "\u0966\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e\u096f",  # Devanagari
    "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468",  # circled
    "\u3007\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d",  # Chinese
    "\u2070\xb9\xb2\xb3\u2074\u2075\u2076\u2077\u2078\u2079",  # superscript
)
SEPARATORS: Final = "-. ()/_~|:&!'\"[]{}^`\\<>\u2010\u2212\u30fb\u3000\u30fc\xb7"
INVISIBLE: Final = "\u200b\u200c\u200d\u2060\xad\u202a\u202c\ufeff\u0301\x00\x07\t"


def strewn(text: str, chars: str, chance: Random) -> str:
    """Put a character from a set behind some characters of a text, one at least."""
    at = chance.randrange(len(text))
    return "".join(
        char + (chance.choice(chars) if here == at or chance.random() < 0.3 else "")
        for here, char in enumerate(text)
    )


def escaped(text: str, chance: Random, levels: int = 1) -> str:
    """Percent-encode some characters, one at least; all over again for each level."""
    for _ in range(levels):
        at = chance.randrange(len(text))
        text = "".join(
            "".join(f"%{byte:02x}" for byte in char.encode())
            if here == at or chance.random() < 0.4
            else char
            for here, char in enumerate(text)
        )
    return text


def other_digits(text: str, chance: Random) -> str:
    """Write the digits in another script."""
    return text.translate(str.maketrans("0123456789", chance.choice(OTHER_DIGITS)))


def prefixes(carriers: tuple[str, ...]) -> dict[str, Form]:
    """Give what may stand in front of the country code; `carriers` are their codes."""
    unlisted = tuple(f"00{x}{y}" for x in "345678" for y in "0123456789")

    def carrier(chance: Random) -> str:
        return chance.choice(carriers)

    def added(chance: Random) -> str:
        digits = "".join(chance.choices("0123456789", k=chance.randint(1, 3)))
        return chance.choice(carriers) + digits

    return {
        "010": lambda n, c: "010" + n,
        "+": lambda n, c: "+" + n,
        "carrier 010": lambda n, c: carrier(c) + "010" + n,
        "any 00XY 010": lambda n, c: c.choice(unlisted) + "010" + n,
        "carrier and digits 010": lambda n, c: added(c) + "010" + n,
        "chain 010": lambda n, c: c.choice(CHAINS) + "010" + n,
        "chain carrier 010": lambda n, c: c.choice(CHAINS) + carrier(c) + "010" + n,
        "outside 0, 010": lambda n, c: "0010" + n,
        "outside 9, 010": lambda n, c: "9010" + n,
        "outside chain carrier 010": lambda n, c: (
            c.choice("09") + c.choice(CHAINS) + carrier(c) + "010" + n
        ),
        "010 zeros": lambda n, c: "010" + "0" * c.randint(1, 4) + n,
        "+010": lambda n, c: "+010" + n,
        "+81 010": lambda n, c: "+81010" + n,
        "+81 carrier 010": lambda n, c: "+81" + carrier(c) + "010" + n,
        "81 010": lambda n, c: "81010" + n,
        "0081 010": lambda n, c: "0081010" + n,
        "00": lambda n, c: "00" + n,
        "011": lambda n, c: "011" + n,
        "0011": lambda n, c: "0011" + n,
        "810": lambda n, c: "810" + n,
        "zeros": lambda n, c: "0" * c.randint(3, 9) + n,
        "+00": lambda n, c: "+00" + n,
        "outside 9, 00": lambda n, c: "900" + n,
        "outside 9, 011": lambda n, c: "9011" + n,
        "outside 9, 000": lambda n, c: "9000" + n,
        "outside and +": lambda n, c: c.choice("09") + "+" + n,
        "chain 00": lambda n, c: c.choice(CALLER_ID) + "00" + n,
        "chain +": lambda n, c: c.choice(CALLER_ID) + "+" + n,
        "no prefix": lambda n, c: n,
        "chain, no prefix": lambda n, c: c.choice(CALLER_ID) + n,
        "junk 010": lambda n, c: c.choice(JUNK) + "010" + n,
        "junk 011": lambda n, c: c.choice(JUNK) + "011" + n,
        "junk 810": lambda n, c: c.choice(JUNK) + "810" + n,
        "emergency 010": lambda n, c: c.choice(("110", "118", "119")) + "010" + n,
        "home 010": lambda n, c: "0312345678" + "010" + n,
        "toll-free 010": lambda n, c: "0120123456" + "010" + n,
    }


def disguises() -> dict[str, Form]:
    """Give what may be done to dialled text; the first argument is that text."""
    return {
        "separators": lambda t, c: strewn(t, SEPARATORS, c),
        "invisible characters": lambda t, c: strewn(t, INVISIBLE, c),
        "digits of another script": other_digits,
        "letters between": lambda t, c: strewn(t, "abcgzXY", c),
        "pauses between": lambda t, c: strewn(t, ",pw", c),
        "stars between": lambda t, c: strewn(t, "*#", c),
        "tones behind": lambda t, c: f"{t},,{c.randrange(1000)}#",
        "digits behind": lambda t, c: t + "0" * c.randint(1, 40),
        "send key": lambda t, c: t + "#",
        "star code": lambda t, c: f"*{c.randint(10, 99)}{t}",
        "star code, hash": lambda t, c: f"*{c.randint(10, 99)}#{t}",
        "router prefix": lambda t, c: c.choice(("9#", "##", "9#12", "1#")) + t,
        "sip": lambda t, c: f"sip:{t}@192.0.2.1",
        "sips in capitals": lambda t, c: f"SIPS:{t}@PBX.example;user=phone",
        "tel": lambda t, c: f"tel:{t}",
        "escapes": lambda t, c: f"sip:{escaped(t, c)}@h",
        "escapes twice": lambda t, c: f"sip:{escaped(t, c, 2)}@h",
        "escapes four times": lambda t, c: f"sip:{escaped(t, c, 4)}@h",
        "escapes of another script": lambda t, c: (
            f"sip:{escaped(other_digits(t, c), c)}@h"
        ),
        "isub": lambda t, c: f"tel:{t};isub=119",
        "postd": lambda t, c: f"sip:{t};postd=pp22@h;user=phone",
        "carrier parameter": lambda t, c: f"tel:{t};cic=+81-0077",
        "routed at home": lambda t, c: f"tel:{t};rn=+81312345678;npdi",
        "escaped parameter": lambda t, c: f"sip:{t}%3Bisub=1@h",
        "context of home": lambda t, c: f"tel:{t};phone-context=+81",
        "context elsewhere": lambda t, c: f"tel:{t};phone-context=+1-212",
        "context by name": lambda t, c: f"tel:{t};phone-context=pbx.example",
        "context behind the host": lambda t, c: f"sip:{t}@h;phone-context=+81",
        "password": lambda t, c: f"sip:{t}:119@h",
        "escaped at sign": lambda t, c: f"sip:{t}%40119@h",
    }


def contexts(codes: tuple[str, ...]) -> dict[str, Form]:
    """Give the ways in which the country code is in a phone-context; `codes` are all."""

    def split(number: str) -> tuple[str, str]:
        code = next(code for code in codes if number.startswith(code))
        return code, number[len(code) :]

    def written(form: str) -> Form:
        def write(number: str, chance: Random) -> str:
            code, rest = split(number)
            return form.format(code=code, rest=rest)

        return write

    return {
        "in context": written("tel:{rest};phone-context=+{code}"),
        "in context, sip": written("sip:{rest};phone-context=+{code}@h;user=phone"),
        "in context behind the host": written("sip:{rest}@h;phone-context=%2B{code}"),
        "in the second context": written(
            "tel:{rest};phone-context=+81;phone-context=+{code}"
        ),
        "routed abroad": written("sip:0312345678;rn=+{code}{rest}@h"),
    }
