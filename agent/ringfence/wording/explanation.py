"""A record of `explain` in sentences: how a number was read, on whose word, what to do.

Knows the records' keys, the rules in force and the words of a language. It must not
decide: what passes is in the record. The shape of both languages is the same, a line
for each question that an installer has.
"""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from ringfence.bundle.notes import Notes, Row
from ringfence.engine import Settings
from ringfence.facts.numbers import Reading, Ruling
from ringfence.facts.numbers.reading import EMERGENCY, EXTENSION, SPECIAL, UNASSIGNED
from ringfence.report import Record
from ringfence.rules import Rule
from ringfence.rules.durations import duration

MAX_OTHERS: Final = 3
"""Other readings that are told; more of them say nothing new."""

LISTED_RULE: Final = "blocked-destination"
"""The rule that stops what the destination list lists."""

_ENTRY: Final = re.compile(r"numbers\.(?:allow|block) has (\d+)")
"""How a ruling names the entry of a list that decided."""

_ABOUT: Final = frozenset({"extension", "domestic", "non-numeric"})
"""Classes of numbers about which the bundle's lists say nothing."""


class Explanation:
    """Writes records in one language, under the same settings."""

    def __init__(self, settings: Settings, notes: Notes, language: str) -> None:
        """Take the words; `language` is one of `wording.LANGUAGES`."""
        table = import_module(f"ringfence.wording.{language}")
        self._words: dict[str, str] = table.WORDS
        self._rule_words: dict[str, str] = table.RULES
        self._sources: dict[str, str] = {**notes.sources, **table.SOURCES}
        self._name: Callable[[Row], str] = (
            (lambda row: row.name_ja) if language == "ja" else (lambda row: row.name_en)
        )
        self._settings = settings
        self._notes = notes
        self._rules: dict[str, Rule] = {rule.id: rule for rule in settings.rules.rules}
        self._limits = [rule for rule in settings.rules.rules if rule.shipped]

    def text(self, record: Record, reading: Reading | None = None) -> str:
        """Write one record, a line for the verdict and indented ones below it.

        `reading` is that of the number; without it the number is read once more.
        """
        verdict = f"verdict.{record['verdict']}"
        if record["would"] is not None:
            verdict = f"verdict.would.{record['would']}"
        head = self._say("head", input=record["input"], verdict=self._words[verdict])
        if record["kind"] == "address":
            lines = self._address(record)
        else:
            lines = self._number(record, reading)
        return _printable("\n".join([head, *lines]))

    def _say(self, key: str, /, **words: object) -> str:
        return self._words[key].format_map(words)

    # Numbers --------------------------------------------------------------------------

    def _number(self, record: Record, reading: Reading | None) -> Iterator[str]:
        world = self._settings.world
        if reading is None:
            reading = world.reader.read_uri(str(record["input"]))
        ruling = world.numbers.rule_on(reading)
        decides = self._deciding(reading, ruling)
        row = self._row(decides)
        yield self._say("line.number", text=self._what(decides, row))
        yield self._say("line.read", text=self._read(decides, row))
        yield from self._others(reading, decides, ruling)
        yield self._say("line.by", text=self._whose(record, decides, ruling))
        why = self._why(record, decides, ruling, row)
        if why:
            yield self._say("line.why", text=why)
        change = self._change(record, decides, ruling, row)
        if change:
            yield self._say("line.change", text=change)

    def _deciding(self, reading: Reading, ruling: Ruling) -> Reading:
        """Find the reading that a ruling is about: of several the listed one."""
        if reading.alternatives and reading.abroad:
            policy = self._settings.world.numbers
            alone = reading._replace(alternatives=())
            if policy.rule_on(alone) != ruling:
                for other in reading.alternatives:
                    if policy.rule_on(other) == ruling:
                        return other
        return reading

    def _row(self, reading: Reading) -> Row | None:
        """Find where a number abroad leads."""
        if reading.abroad and reading.detail != "overlong":
            return self._notes.destination(reading.e164)
        return None

    def _what(self, reading: Reading, row: Row | None) -> str:
        """Say what a number is, and where it leads."""
        words = self._words
        overlong = reading.detail == "overlong"
        abroad = reading.abroad and not overlong
        number = f"+{reading.number}" if abroad else reading.number
        what = words[f"class.{reading.kind}"]
        detail = words.get(f"detail.{reading.detail}", reading.detail)
        finer = [] if overlong else [what]
        if detail and detail not in (what, words["detail.international"]):
            finer.append(detail)
        if row is not None and reading.kind != UNASSIGNED:
            finer.insert(0, self._name(row))
        return self._say("named", what=number, name=words["join"].join(finer))

    def _read(self, reading: Reading, row: Row | None) -> str:
        """Say step by step how a number was read."""
        parts = [self._step(step) for step in reading.steps]
        if row is not None:
            parts.append(f"{row.code} {self._name(row)}")
        elif reading.abroad and reading.detail != "overlong":
            parts.append(f"{reading.e164[:3]} {self._words['class.unassigned']}")
        else:
            detail = self._words.get(f"detail.{reading.detail}", reading.detail)
            parts.append(f"{reading.number} {detail}")
        return self._words["list"].join(parts)

    def _step(self, step: str) -> str:
        """Write one step: what was taken off, and what it is."""
        exact = self._words.get(f"step.{step}")
        if exact is not None:
            return exact
        kind, _, digits = step.rpartition(" ")
        template = self._words.get(f"step.{kind}")
        if template is None:
            return step  # a prefix with a name that only its dial plan knows
        text = template.format(digits=digits)
        name = self._notes.carrier(digits) if kind == "carrier" else ""
        return self._say("named", what=text, name=name) if name else text

    def _others(
        self, reading: Reading, decides: Reading, ruling: Ruling
    ) -> Iterator[str]:
        """Say why the other readings do not count."""
        if not reading.alternatives:
            return
        words = self._words
        others = [reading, *reading.alternatives]
        others = [other for other in others if other is not decides][:MAX_OTHERS]
        if ruling.status == "exempt":
            lost = "lost.exempt"
        elif not decides.abroad:
            lost = "lost.home"
        else:
            lost = "lost.listed" if ruling.status == "listed" else "lost.equal"
        for other in others:
            text = self._say(
                "other", read=self._read(other, self._row(other)), why=words[lost]
            )
            yield self._say("line.other", text=text)

    def _whose(self, record: Record, reading: Reading, ruling: Ruling) -> str:
        """Say on whose word it is decided."""
        rule = record["rule"]
        if rule is not None and rule != "local-block":
            return self._held(record, self._by_rule(str(rule)))
        if record["source"] == "default" and record["verdict"] != "accept":
            return self._say("by.malformed", reason=record["why"])
        if rule == "local-block" and ruling.source != "block":
            return self._words["by.origin.block"]
        entry = _ENTRY.match(ruling.why)
        if entry is not None:
            text = self._say(f"by.{ruling.source}", entry=entry[1])
        elif ruling.source == "block":
            text = self._words["by.home"]
        elif ruling.source == "builtin":
            kind = reading.kind
            text = self._words[
                f"by.{kind if kind in (EMERGENCY, SPECIAL) else 'elsewhere'}"
            ]
        elif ruling.status == "listed":
            text = self._words["by.off"]
        else:
            text = self._words[
                "by.default" if ruling.source == "default" else "by.watch"
            ]
        return self._held(record, text)

    def _by_rule(self, rule_id: str) -> str:
        rule = self._rules.get(rule_id)
        if rule is None:
            return rule_id
        file = f"rules/{rule_id}.toml"
        return self._say("by.rule", rule=rule_id, rev=rule.rev, file=file)

    def _held(self, record: Record, text: str) -> str:
        """Add why something is only logged, if it is."""
        held = self._holder(record)
        if not held:
            return text
        return text + self._words["sentence"] + self._say(held, rule=record["rule"])

    def _holder(self, record: Record) -> str:
        """Name what holds a verdict back, "" when nothing does."""
        if record["would"] is None:
            return ""
        if self._settings.monitor:
            return "held.mode"
        rule = self._rules.get(str(record["rule"]))
        if rule is not None and rule.monitor:
            return "held.rule"
        return "held.profile"

    def _why(
        self, record: Record, reading: Reading, ruling: Ruling, row: Row | None
    ) -> str:
        """Say what the lists have about a number, and where they have it from."""
        words = self._words
        if ruling.status == "exempt":
            return ""
        if reading.detail == "overlong":
            return words["tier.overlong"]
        if reading.abroad:
            code = reading.e164[:3] if row is None else row.code
            if row is None or reading.kind == UNASSIGNED:
                said = self._say("tier.unassigned", code=code)
            else:
                tier = f"tier.{reading.tier or row.tier}"
                said = self._say(tier, code=code, name=self._name(row))
            if row is None or not row.source:
                return said
            source = self._say("source", text=self._sources.get(row.source, row.source))
            return said + words["sentence"] + source
        if reading.kind in _ABOUT and ruling.source not in ("allow", "block"):
            return words[f"about.{reading.kind}"]
        rule = str(record["rule"] or "")
        return "" if rule in ("", "local-block") else self._rule_docs(rule)

    def _rule_docs(self, rule_id: str) -> str:
        """Say what a rule stops."""
        rule = self._rules.get(rule_id)
        what = "" if rule is None else rule.docs.what
        return self._rule_words.get(rule_id, what)

    def _change(
        self, record: Record, reading: Reading, ruling: Ruling, row: Row | None
    ) -> str:
        """Say what to type to have it otherwise; "" where nothing would help."""
        words = self._words
        if ruling.status == "exempt":
            return words["change.never"]
        held = self._holder(record)
        if held:
            return self._say(_ENFORCED[held], rule=record["rule"])
        entry = _ENTRY.match(ruling.why)
        if entry is not None:
            return self._say("change.unlist", entry=entry[1], key=ruling.source)
        if reading.kind in (EXTENSION, EMERGENCY) or not reading.e164:
            return ""
        code = reading.e164
        if reading.abroad:
            code = code[:3] if row is None else row.code
        if ruling.source == "block":
            return self._say("change.profile", code=code)
        if ruling.status == "listed" and record["rule"] is None:
            return self._say("change.enforce_rule", rule=LISTED_RULE)
        return self._say(
            "change.allow" if ruling.status == "listed" else "change.block", code=code
        )

    # Addresses ------------------------------------------------------------------------

    def _address(self, record: Record) -> Iterator[str]:
        words = self._words
        iso2 = record["country"]
        place = words["address.nowhere"]
        if iso2 is not None:
            row = self._notes.country(str(iso2))
            name = str(iso2) if row is None else self._name(row)
            place = self._say("address.country", name=name, iso2=iso2)
        home = words["address.home" if record["home"] else "address.abroad"]
        side = words[f"address.{record['side']}"]
        text = words["join"].join((place, home, side))
        yield self._say("line.address", text=text)
        rule, source = record["rule"], record["source"]
        if rule == "local-block":
            by = words["by.origin.block"]
        elif rule is not None:
            by = self._by_rule(str(rule))
        elif source == "allow":
            by = words["by.origin.allow"]
        elif record["verdict"] != "accept":
            by = self._say("by.malformed", reason=record["why"])
        else:
            by = words["by.default"]
        yield self._say("line.by", text=self._held(record, by))
        why = words["address.as"]
        if rule is not None and rule != "local-block":
            why = self._rule_docs(str(rule)).rstrip(".") + words["sentence"] + why
        yield self._say("line.why", text=why)
        if record["limits"]:
            for limited in self._limits:
                yield self._say("line.limit", text=self._limit(limited))
        change = self._change_address(record)
        if change:
            yield self._say("line.change", text=change)

    def _limit(self, rule: Rule) -> str:
        """Say which threshold the site has set."""
        count, was = rule.count, rule.shipped
        assert count is not None  # noqa: S101 - only what counts can be limited
        assert was is not None  # noqa: S101 - as `_limits` has been chosen
        return self._say(
            "limit",
            rule=rule.id,
            over=count.over,
            within=self._span(count.within),
            was_over=was.over,
            was_within=self._span(was.within),
        )

    def _span(self, seconds: float) -> str:
        text = duration(seconds)
        return self._say(f"span.{text[-1]}", number=text[:-1])

    def _change_address(self, record: Record) -> str:
        """Say what to type; nobody is told how to block his own phones."""
        held = self._holder(record)
        if held:
            return self._say(_ENFORCED[held], rule=record["rule"])
        if record["rule"] == "local-block":
            return self._say("change.origin.unlist", key="block")
        if record["source"] == "allow":
            return self._say("change.origin.unlist", key="allow")
        names = {"input": record["input"], "iso2": record["country"]}
        if record["side"] == "inside":
            return ""
        if record["verdict"] == "accept":
            return self._say("change.origin.block", **names)
        key = "allow" if record["country"] is None else "allow_or_country"
        return self._say(f"change.origin.{key}", **names)


_ENFORCED: Final = {
    "held.mode": "change.enforce",
    "held.rule": "change.enforce_rule",
    "held.profile": "change.enforce_profile",
}
"""What to type against each reason to log only."""


def _printable(text: str) -> str:
    """Keep a stranger's control characters out of a terminal."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else "·" for char in text)
