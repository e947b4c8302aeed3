"""What a URI or a dial string says whom to call.

Knows how numbers are written in SIP and by people, and which of several written
numbers counts. How plain digits are read is `walk`'s business; what is allowed is
policy's, and must not be known here. Any text gives a Reading, never an exception, at
a bounded cost.
"""

from ringfence.errors import ConfigError
from ringfence.facts.numbers.canonical import (
    MAX_DIGITS,
    Dialled,
    canonical,
    context_digits,
    percent_decode,
)
from ringfence.facts.numbers.destinations import Destinations
from ringfence.facts.numbers.dialplan import Dialplan
from ringfence.facts.numbers.emergency import ANYWHERE, is_sos_service
from ringfence.facts.numbers.guess import MIN_GUESS
from ringfence.facts.numbers.reading import (
    EMERGENCY,
    EXTENSION,
    NON_NUMERIC,
    SPECIAL,
    UNASSIGNED,
    Reading,
)
from ringfence.facts.numbers.walk import (
    ABROAD,
    BUILT_IN,
    GLOBAL,
    HOME,
    NOWHERE,
    START,
    UNREAD,
    YIELDING,
    Ranked,
    Walker,
)
from ringfence.sip.uri import parse_uri

MAX_URI = 8192
"""Characters of a URI. A Request-URI names somebody; one that is longer than many
whole messages names nobody."""
MAX_CODE_DIGITS = 3
"""Digits of a feature code behind its star or hash, as in `*67` or `9#12`."""
MIN_SEGMENT = 7
"""Digits ahead of a star or hash that are worth reading as a number by themselves."""
MAX_SETTING = 5
"""Digits of an outside-line code, international prefix or area code; Japan's longest
area codes have five."""

_PLAIN = Dialled("", "")[2:]


class NumberReader:
    """Reads numbers as one PBX on one trunk in one country dials them."""

    def __init__(
        self,
        plan: Dialplan,
        dests: Destinations,
        outside_line: tuple[str, ...] = ("0", "9"),
        idd: tuple[str, ...] = (),
        area_code: str = "",
    ) -> None:
        """Set up for a PBX.

        `outside_line` are the digits that fetch a line; `idd` the international
        prefixes that the trunk takes besides the plan's own; `area_code` the local one,
        trunk prefix included (`03`), "" for unknown. Raises ConfigError with every
        setting that is not made of 1 to `MAX_SETTING` digits.
        """
        area = (area_code,) if area_code else ()
        settings = (("outside_line", outside_line), ("idd", idd), ("area_code", area))
        problems = [
            f"numbers.{key} = {value!r}: expected 1 to {MAX_SETTING} digits"
            for key, values in settings
            for value in values
            if not (value.isascii() and value.isdecimal() and len(value) <= MAX_SETTING)
        ]
        if problems:
            raise ConfigError(problems)
        self.plan = plan
        self.outside_line = outside_line
        self._builtin = plan.builtin
        self._walker = Walker(plan, dests, outside_line, idd, area_code)

    def read_uri(self, uri_text: str) -> Reading:
        """Read a Request-URI, or any URI that says whom to call."""
        if len(uri_text) > MAX_URI:
            return _overlong(uri_text)
        uri = parse_uri(uri_text)
        user = uri.user
        if is_sos_service(uri.scheme, user):
            whole = f"urn:{user}".lower() if uri.scheme == "urn" else user
            return Reading(EMERGENCY, whole, None, None, (), "emergency")
        if uri.scheme == "urn":
            return _no_number(uri_text)
        if not user and _is_bare_number(uri.host):
            user = uri.host
        contexts: tuple[str, ...] = ()
        if uri.params and ("%" in uri.params or "context" in uri.params.lower()):
            contexts = _uri_contexts(uri.params)
        return self._read(canonical(user), contexts)

    def read_dialled(self, text: str) -> Reading:
        """Read a bare dial string, as a person types or prints it."""
        return self._read(canonical(text), ())

    def _read(self, dialled: Dialled, contexts: tuple[str, ...]) -> Reading:
        """Read what is written, and what a sloppier reader would make of it."""
        digits = dialled.digits
        plain = dialled[2:] == _PLAIN and not contexts
        if digits:
            quick = self._walker.quick(digits) if plain else None
            if quick:
                return quick
            best = self._dialled(digits)
        else:
            best = Ranked(UNREAD, _no_number(dialled.text))
        if plain:
            return best.reading
        best = self._as_scattered(dialled, best)
        contexts = (*dialled.contexts, *contexts)
        if contexts and digits and not digits.startswith("+"):
            best = self._in_contexts(digits, contexts, best)
        if dialled.overlong and not best.listed:
            best = Ranked(ABROAD, _overlong(digits or dialled.text))
        if dialled.routing:
            best = self._routed(dialled.routing, best)
        return best.reading

    def _dialled(self, digits: str) -> Ranked:
        """Read canonical digits: global, with feature codes, or plain."""
        if digits.startswith("+"):
            number = digits[1:]
            if "*" in number or "#" in number:
                return self._coded_global(number).behind("+")
            # "+119" comes from phones that put a plus before everything.
            short = self._builtin.find(number) or number in ANYWHERE
            mode = START if short or number.startswith("0") else GLOBAL
            best = self._walker.read(number, mode)
            if number.startswith("00") and best.rank > ABROAD and not best.listed:
                # "+00232…": 00 for abroad, whatever it means to this country.
                bare = self._walker.read(number.lstrip("0"), GLOBAL)
                best = bare.behind("extra zeros") if bare.listed else best
            return best.behind("+")
        if "*" in digits or "#" in digits:
            return self._coded(digits)
        return self._walker.read(digits)

    def _coded_global(self, number: str) -> Ranked:
        """Read what has a plus in front and stars within.

        All digits, or those to the first star, if behind it stand but tones.
        """
        walker = self._walker
        whole = walker.read(number.replace("#", "").replace("*", ""), GLOBAL)
        head = number.replace("#", "*").partition("*")[0]
        if whole.listed or len(head) < MIN_SEGMENT:
            return whole
        return walker.read(head, GLOBAL)

    def _coded(self, digits: str) -> Ranked:
        """Read past star and hash codes: `*67#…`, `*67…`, `9#…`, `##…`.

        What stands before a code is read too, as a switch may stop at the star; and
        all digits together, as another may drop it.
        """
        walker = self._walker
        for found in walker.walk(digits)[0]:
            if found.rank == BUILT_IN:  # "#7119", "0#7119"
                return found
        *heads, tail = digits.replace("#", "*").split("*")
        code = len(digits) - len(tail)
        best = walker.read(tail) if tail else Ranked(UNREAD, _no_number(digits))
        for skip in range(1, min(MAX_CODE_DIGITS, len(tail) - 1) + 1):
            if _is_meant(best):
                break
            found = walker.read(tail[skip:])
            if _is_meant(found):
                best, code = found, len(digits) - len(tail) + skip
        if best.rank == UNREAD:
            best = Ranked(UNREAD, Reading(EXTENSION, digits, detail="feature_code"))
        else:
            best = best.behind(f"code {digits[:code]}")
        for head in heads:
            if len(head) >= MIN_SEGMENT and not best.listed:
                found = walker.read(head)
                if found.listed or found.rank == ABROAD:
                    best = found
        if best.rank <= HOME and best.reading.e164:
            return best
        return self._sterner(digits.replace("#", "").replace("*", ""), START, best)

    def _as_scattered(self, dialled: Dialled, best: Ranked) -> Ranked:
        """Where letters, pauses or a late plus hide a listed number, take that one.

        A plus says that a whole number abroad follows, whatever the digits before it
        make of it (`0+298…`, `*12#+36…`). Letters and pauses say less: they do not turn
        a call at home or for help into another one, but 184 and a pause is no call.
        """
        if best.rank == BUILT_IN and best.reading.kind == EMERGENCY:
            return best
        inner = dialled.inner_global
        if len(inner) >= MIN_GUESS and not best.listed:
            found = self._walker.read(inner, GLOBAL)
            if found.rank <= ABROAD and (found.listed or inner[0] != "0"):
                best = found.behind("+")
                before = dialled.digits.removesuffix(inner)
                if "*" in before or "#" in before:
                    best = best.behind(f"code {before}")
        if best.rank <= HOME and best.reading.kind != SPECIAL:
            return best
        if dialled.scattered:
            number = dialled.scattered.removeprefix("+")
            mode = START if number is dialled.scattered else GLOBAL
            best = self._sterner(number, mode, best)
        return best

    def _sterner(self, digits: str, mode: int, best: Ranked) -> Ranked:
        """Prefer a listed reading of other digits, if the trunk understands it.

        Guesses do not count: digits strewn in a name spell a country code too often.
        Nor do a few digits, which are no whole number abroad.
        """
        if best.listed or len(digits) < MIN_GUESS:
            return best
        found = self._walker.walk(digits, mode)[0]
        if any(one.rank <= HOME for one in found):
            return best
        return next((one for one in found if one.rank == ABROAD and one.listed), best)

    def _in_contexts(
        self, digits: str, contexts: tuple[str, ...], plain: Ranked
    ) -> Ranked:
        """Read a local number in its phone-context (RFC 3966 section 5.1.5).

        A trunk may also ignore the context, so a listed reading without it counts,
        unless the one context makes the number a domestic one. An emergency number is
        one in any context: followed by three digits no country code leads anywhere.
        """
        if plain.rank == BUILT_IN or digits in ANYWHERE:
            return plain
        best = plain if plain.rank == ABROAD and plain.listed else None
        for context in contexts:
            inside = self._walker.read(context + digits, GLOBAL)
            inside = inside.behind(f"context +{context}")
            if inside.rank <= HOME and len(contexts) == 1:
                return inside
            if best is None or (inside.listed and not best.listed):
                best = inside if inside.rank <= NOWHERE else best
        return best or plain

    def _routed(self, routing: str, best: Ranked) -> Ranked:
        """Let a routing number (RFC 4694) that leads abroad count.

        Not even an emergency number is one if it is sent to a listed destination.
        """
        digits = canonical(routing).digits
        if not digits:
            return best
        target = self._dialled(digits).behind("rn")
        if target.listed and not best.listed:
            return target
        goes_abroad = target.reading.abroad and not best.reading.abroad
        return target if goes_abroad and best.rank > BUILT_IN else best


def _is_meant(found: Ranked) -> bool:
    """Say whether digits behind a code are a number, so that no other is looked for."""
    if found.rank == YIELDING:  # *67 and toll-free 0078…, not +670
        return not found.reading.abroad
    return found.rank <= ABROAD


def _no_number(text: str) -> Reading:
    return Reading(NON_NUMERIC, text[:MAX_DIGITS], detail="non_numeric")


def _overlong(text: str) -> Reading:
    """Nobody has a number or name that long, so nobody is kept from being called."""
    return Reading(UNASSIGNED, text[:MAX_DIGITS], None, "block", (), "overlong")


def _is_bare_number(host: str) -> bool:
    """Say whether a URI without a user has a number for a host, as people type it."""
    return host.removeprefix("+").isdecimal()


def _uri_contexts(params: str) -> tuple[str, ...]:
    """Find a phone-context that stands behind the host instead of the number."""
    found = []
    for param in percent_decode(params).replace("?", ";").split(";", 16):
        name, _, value = param.partition("=")
        if name.strip().lower() == "phone-context":
            found.append(context_digits(value))
    return tuple(context for context in found if context)
