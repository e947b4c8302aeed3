"""What changes between two bundles, in words that a person can review.

Knows the kinds of files and what in them matters: not that a line was added to a list,
but which destination is now blocked. It must not know who signed what. Both bundles
have to be sound: what cannot be read cannot be compared.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from ringfence.bundle.checker import Bundle
from ringfence.bundle.embedded import (
    dialplan_names,
    load_destinations,
    load_rates,
    read_text,
    read_toml,
    rule_names,
)
from ringfence.bundle.layout import COUNTRIES, DIALPLANS, TOML, VECTORS
from ringfence.bundle.manifest import stamp
from ringfence.bundle.opening import Archived
from ringfence.bundle.packed import unpack
from ringfence.calls.rates import MILLI, Rate, RateTable
from ringfence.facts.country import CountryTable
from ringfence.facts.numbers import Destinations
from ringfence.facts.numbers.destinations import Destination

MOST_MOVES: Final = 20
"""Moves from one country to another that are written out, of each family."""

_SHOWN: Final = 80
_COUNTED: Final = {"auth-failure": "failures", "refusal": "refusals"}
_ABSENT: Final = object()
_FAMILIES: Final = ("IPv4 addresses", "IPv6 /64 networks")


class Change(NamedTuple):
    """One change."""

    part: str
    """`rule`, `destinations`, `rates`, `dial plan`, `country table`, `vectors` or `bundle`."""
    name: str
    """Which one, "" where there is only one."""
    text: str

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.part}{' ' * bool(self.name)}{self.name}: {self.text}"


def compare(old: Bundle, new: Bundle) -> list[Change]:
    """List what changes from one bundle to another, the weightiest first.

    Raises `BundleError` for a bundle whose files are not sound.
    """
    before, after = Archived(old, "old"), Archived(new, "new")
    return [
        *_heads(old, new),
        *_rules(before, after),
        *_destinations(load_destinations(before), load_destinations(after)),
        *_rates(load_rates(before), load_rates(after)),
        *_dialplans(before, after),
        *_countries(old.files[COUNTRIES], new.files[COUNTRIES]),
        *_vectors(before, after),
    ]


def _heads(old: Bundle, new: Bundle) -> Iterator[Change]:
    before, after = old.manifest, new.manifest
    pairs = {
        "channel": (before.channel, after.channel),
        "epoch": (before.epoch, after.epoch),
        "version": (before.version, after.version),
        "created": (stamp(before.created), stamp(after.created)),
        "expires": (stamp(before.expires), stamp(after.expires)),
        "min-agent": (before.min_agent, after.min_agent),
    }
    for key, (was, now) in pairs.items():
        if was != now:
            yield Change("bundle", "", f"{key} {was} → {now}")


# Rules -----------------------------------------------------------------------------


def _rules(before: Archived, after: Archived) -> Iterator[Change]:
    was, now = rule_names(before), rule_names(after)
    for name in sorted({*was, *now}):
        rule = name.removesuffix(TOML)
        if name not in was:
            table = read_toml(after, name)
            yield Change("rule", rule, f"new: {_docs(table)}")
        elif name not in now:
            yield Change("rule", rule, "gone")
        else:
            for text in _rule(read_toml(before, name), read_toml(after, name)):
                yield Change("rule", rule, text)


def _docs(table: dict[str, object]) -> str:
    docs = table.get("docs")
    return str(docs.get("what")) if isinstance(docs, dict) else ""


def _rule(was: dict[str, object], now: dict[str, object]) -> Iterator[str]:
    if was == now:
        return
    counted = _count(was), _count(now)
    found: list[str] = []
    if None not in counted and counted[0] != counted[1]:
        found.append(_threshold(*counted))
        for table in (was, now):
            _drop_threshold(table)
    found += _tree(was, now, "")
    if was.get("rev") == now.get("rev"):
        found.append(f"its revision is still {now.get('rev')}")
    yield from found


def _count(table: dict[str, object]) -> tuple[object, object, str] | None:
    """Return threshold, time and what is counted; None for a rule that counts not."""
    match = table.get("match")
    count = match.get("count") if isinstance(match, dict) else None
    if not isinstance(match, dict) or not isinstance(count, dict):
        return None
    distinct = count.get("distinct")
    noun = f"different values of {distinct}" if distinct else "messages"
    return (
        count.get("over"),
        count.get("within"),
        _COUNTED.get(str(match.get("on")), noun),
    )


def _threshold(
    was: tuple[object, object, str] | None, now: tuple[object, object, str] | None
) -> str:
    assert was is not None  # noqa: S101 - asked by the caller
    assert now is not None  # noqa: S101
    if was[1:] == now[1:]:
        return f"{was[0]} → {now[0]} {now[2]} in {now[1]}"
    return f"{was[0]} {was[2]} in {was[1]} → {now[0]} {now[2]} in {now[1]}"


def _drop_threshold(table: dict[str, object]) -> None:
    match = table["match"]
    if isinstance(match, dict) and isinstance(match.get("count"), dict):
        match["count"].pop("over", None)
        match["count"].pop("within", None)


# Trees of TOML ----------------------------------------------------------------------


def _tree(was: object, now: object, path: str) -> Iterator[str]:
    """Say what changes in a tree of tables, lists and values."""
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            below = f"{path}.{key}" if path else key
            yield from _tree(was.get(key, _ABSENT), now.get(key, _ABSENT), below)
    elif isinstance(was, list) and isinstance(now, list):
        yield from _lists(was, now, path)
    elif was is _ABSENT:
        yield f"{path}: now {_value(now)}"
    elif now is _ABSENT:
        yield f"{path}: no longer {_value(was)}"
    elif path.startswith("docs."):
        yield f"{path}: other words"
    else:
        yield f"{path}: {_value(was)} → {_value(now)}"


def _lists(was: list[object], now: list[object], path: str) -> Iterator[str]:
    """Compare by value; tables that have a name of their own, by that name."""
    for key in ("name", "detail"):
        mine, theirs = _named(was, key), _named(now, key)
        if mine is not None and theirs is not None:
            for name in [*mine, *(name for name in theirs if name not in mine)]:
                below = f"{path}[{_value(name)}]"
                yield from _tree(
                    mine.get(name, _ABSENT), theirs.get(name, _ABSENT), below
                )
            return
    gone = [item for item in was if item not in now]
    come = [item for item in now if item not in was]
    if gone:
        yield f"{path}: without {', '.join(map(_value, gone))}"
    if come:
        yield f"{path}: with {', '.join(map(_value, come))}"
    if not gone and not come:
        yield f"{path}: in another order"


def _named(items: list[object], key: str) -> dict[str, object] | None:
    """Index tables by a key that each has with another text; None if not so."""
    named: dict[str, object] = {}
    for item in items:
        name = item.get(key) if isinstance(item, dict) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = item
    return named


def _value(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# Rates ------------------------------------------------------------------------------


def _rates(was: RateTable | None, now: RateTable | None) -> Iterator[Change]:
    before = {rate.code: rate for rate in was or ()}
    after = {rate.code: rate for rate in now or ()}
    if not before or not after:
        if before or after:
            yield Change("rates", "", "gone" if before else "new")
        return
    for code in sorted({*before, *after}):
        if before.get(code) != after.get(code):
            pair = _rate(before.get(code)), _rate(after.get(code))
            yield Change("rates", code, " → ".join(pair))


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "none"
    return f"{rate.price / MILLI:g} a minute in units of {rate.unit_s} s"


# Destinations -----------------------------------------------------------------------


def _destinations(was: Destinations, now: Destinations) -> Iterator[Change]:
    """Say which numbers are judged otherwise, whichever rows that comes from."""
    quiet: Counter[str] = Counter()
    for code in sorted(was.codes() | now.codes()):
        before, after = was.find(code), now.find(code)
        text = _destination(code, before, after)
        if text:
            yield Change("destinations", "", text)
        elif code not in was.codes():
            quiet["more"] += 1
        elif code not in now.codes():
            quiet["less"] += 1
    if quiet:
        counts = " and ".join(f"{count} {word}" for word, count in quiet.items())
        yield Change("destinations", "", f"{counts} rows that change no tier")


def _destination(
    code: str, before: Destination | None, after: Destination | None
) -> str:
    known = after or before
    if known is None:
        return ""
    name = f"+{code} {known.name_en}"
    if before is None:
        return f"{name} now {known.tier} (was not listed)"
    if after is None:
        return f"{name} no longer listed (was {known.tier})"
    if before.tier != after.tier:
        return f"{name} now {after.tier} (was {before.tier}{_by(code, before)})"
    if (before.country, before.kind) != (after.country, after.kind):
        was = f"{before.name_en} ({before.kind})"
        return f"{name} ({after.kind}) and no longer {was}; still {after.tier}"
    return ""


def _by(code: str, row: Destination) -> str:
    return "" if row.code == code else f", by +{row.code}"


# Dial plans, vectors ----------------------------------------------------------------


def _dialplans(before: Archived, after: Archived) -> Iterator[Change]:
    was, now = dialplan_names(before), dialplan_names(after)
    for name in sorted({*was, *now}):
        if name not in was:
            yield Change("dial plan", name, "new")
        elif name not in now:
            yield Change("dial plan", name, "gone: sites that use it refuse the bundle")
        else:
            file = f"{DIALPLANS}{name}{TOML}"
            for text in _tree(read_toml(before, file), read_toml(after, file), ""):
                yield Change("dial plan", name, text)


def _vectors(before: Archived, after: Archived) -> Iterator[Change]:
    was = read_text(before, VECTORS).splitlines()
    now = read_text(after, VECTORS).splitlines()
    gone, come = len(set(was) - set(now)), len(set(now) - set(was))
    if gone or come:
        yield Change("vectors", "", f"{come} new, {gone} gone, {len(now)} in all")


# The country table ------------------------------------------------------------------


def _countries(was: bytes, now: bytes) -> Iterator[Change]:
    if was == now:
        return
    before = CountryTable.from_buffer(unpack(was, "old " + COUNTRIES))
    after = CountryTable.from_buffer(unpack(now, "new " + COUNTRIES))
    if (before.source, before.date) != (after.source, after.date):
        yield Change(
            "country table",
            "",
            f"{before.source} of {before.date} → {after.source} of {after.date}",
        )
    moves = _moves(before, after)
    for family in _FAMILIES:
        ours = [move for move in moves.most_common() if move[0][0] == family]
        for (_, src, dst), size in ours[:MOST_MOVES]:
            text = f"{size:,} {family} {src or 'nobody'} → {dst or 'nobody'}"
            yield Change("country table", "", text)
        if len(ours) > MOST_MOVES:
            text = f"{len(ours) - MOST_MOVES} smaller moves of {family}"
            yield Change("country table", "", text)


def _moves(
    before: CountryTable, after: CountryTable
) -> Counter[tuple[str, str | None, str | None]]:
    """Count what goes from one country to another: IPv4 addresses, IPv6 /64s.

    A /64 that is divided among countries counts as one of no country.
    """
    moves: Counter[tuple[str, str | None, str | None]] = Counter()
    old, new = before.columns, after.columns
    columns = (
        (32, (old.starts4, old.codes4), (new.starts4, new.codes4)),
        (64, (old.starts6, old.codes6), (new.starts6, new.codes6)),
    )
    for family, (bits, mine, theirs) in zip(_FAMILIES, columns, strict=True):
        i = j = at = 0
        while at < 1 << bits:
            end_i = mine[0][i + 1] if i + 1 < len(mine[0]) else 1 << bits
            end_j = theirs[0][j + 1] if j + 1 < len(theirs[0]) else 1 << bits
            end = min(end_i, end_j)
            src, dst = _name(old.names, mine[1][i]), _name(new.names, theirs[1][j])
            if src != dst:
                moves[family, src, dst] += end - at
            i, j, at = i + (end == end_i), j + (end == end_j), end
    return moves


def _name(names: tuple[str | None, ...], code: int) -> str | None:
    return names[code] if code < len(names) else None
