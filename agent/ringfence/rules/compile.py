"""A rule's TOML table to a `Rule`, or every problem it has.

Knows the closed set of comparisons. There is no expression language: a fact is equal
to a value, one of a list, or holds one comparison from `COMPARISONS`.
"""

import string
from collections.abc import Callable, Mapping
from typing import Final

from ringfence.decision import Verdict
from ringfence.facts import VOCABULARY, Facts
from ringfence.facts.facts import Value
from ringfence.rules.closes import read_close, read_tell
from ringfence.rules.counts import read_ban, read_count, read_guard
from ringfence.rules.model import (
    CALLS,
    LEARNT,
    MESSAGES,
    SEVERITIES,
    STOPPED,
    Docs,
    Predicate,
    Rule,
    Signature,
    Signatures,
)

_LOWER: Final = frozenset(string.ascii_lowercase)
_SHAPES: Final = {
    "digits": frozenset(string.digits),
    "hex": frozenset("0123456789abcdef"),
    "lower": _LOWER,
    "lower-alnum": _LOWER | frozenset(string.digits),
}

_PLACES: Final = {name: place for place, name in enumerate(VOCABULARY)}

Test = Callable[[Value, Facts], bool]


def _text(test: Callable[[str], bool]) -> Test:
    return lambda value, facts: isinstance(value, str) and test(value)


def _int(test: Callable[[int], bool]) -> Test:
    return lambda value, facts: isinstance(value, int) and test(value)


def _shape(name: str) -> Test:
    letters = _SHAPES[name]
    return _text(lambda text: bool(text) and letters.issuperset(text))


def _same_as(other: str) -> Test:
    return lambda value, facts: bool(value) and value == facts.value(other)


# Name -> (kind of fact it suits, type of its operand, builder).
COMPARISONS: Final[dict[str, tuple[type, type, Callable[..., Test]]]] = {
    "prefix": (str, str, lambda p: _text(lambda text: text.startswith(p))),
    "not_prefix": (str, str, lambda p: _text(lambda text: not text.startswith(p))),
    "suffix": (str, str, lambda p: _text(lambda text: text.endswith(p))),
    "contains": (str, str, lambda p: _text(lambda text: p in text)),
    "length": (str, int, lambda n: _text(lambda text: len(text) == n)),
    "shape": (str, str, _shape),
    "same_as": (str, str, _same_as),
    "over": (int, int, lambda n: _int(lambda number: number > n)),
    "under": (int, int, lambda n: _int(lambda number: number < n)),
}

_KINDS: Final = {str: "a text", int: "a whole number", bool: "true or false"}

_TOP = {"id", "rev", "severity", "judges", "match", "then", "docs"}
_THEN = {"verdict", "reason", "ban", "guard", "close", "tell"}
_DOCS = {"what", "why", "false_positives", "references"}


class _Reader:
    """Walks one table and collects what is wrong with it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []
        self.on = ""
        """What the rule is about, once that is read."""

    def problem(self, key: str, value: object, expected: str) -> None:
        self.problems.append(f"{self.where}: {key} = {value!r}: expected {expected}")

    def table(self, source: Mapping[str, object], key: str) -> dict[str, object]:
        value = source.get(key)
        if isinstance(value, dict):
            return value
        self.problem(key, value, "a table")
        return {}

    def text(self, source: Mapping[str, object], key: str, path: str) -> str:
        value = source.get(key)
        if isinstance(value, str) and value.strip():
            return value
        self.problem(path, value, "a text that is not empty")
        return ""

    def choice(
        self, source: Mapping[str, object], key: str, path: str, options: list[str]
    ) -> str:
        value = source.get(key)
        if isinstance(value, str) and value in options:
            return value
        self.problem(path, value, "one of " + ", ".join(options))
        return options[0]

    def unknown(
        self, source: Mapping[str, object], allowed: set[str], path: str
    ) -> None:
        for key in source:
            if key not in allowed:
                expected = "one of " + ", ".join(sorted(allowed))
                self.problem(f"{path}{key}", source[key], expected)

    def predicate(self, name: str, wanted: object, path: str) -> Predicate:
        """Compile one `fact = value` line."""
        fact = VOCABULARY.get(name)
        if fact is None:
            self.problem(path, wanted, "a fact of the vocabulary")
            return lambda facts: False
        self.suits(name, path, wanted)
        if isinstance(wanted, dict):
            return self._comparison(name, fact.kind, wanted, path)
        options = wanted if isinstance(wanted, list) else [wanted]
        if not options or any(type(option) is not fact.kind for option in options):
            self.problem(path, wanted, f"{_KINDS[fact.kind]} or a list of them")
            return lambda facts: False
        if len(options) == 1:
            return _equal(name, options[0])
        return _one_of(name, frozenset(options))

    def suits(self, name: str, path: str, value: object) -> None:
        """Note a fact that what the rule is about cannot have."""
        about = VOCABULARY[name].about
        if self.on == "call-end":
            if about == "message":
                self.problem(path, value, "a fact that a call has")
        elif about == "end" or (about == "call" and self.on != "call-start"):
            ons = '"call-end"' if about == "end" else '"call-start" or "call-end"'
            self.problem(path, value, f"a fact that messages have, or on = {ons}")

    def _comparison(
        self, name: str, kind: type, wanted: dict[str, object], path: str
    ) -> Predicate:
        tests: list[Test] = []
        fitting = [c for c, spec in COMPARISONS.items() if spec[0] is kind]
        if not wanted or not fitting:
            expected = (
                f"a comparison: {', '.join(fitting)}" if fitting else _KINDS[kind]
            )
            self.problem(path, wanted, expected)
            return lambda facts: False
        for key, operand in wanted.items():
            known = COMPARISONS.get(key)
            if known is None or known[0] is not kind:
                self.problem(f"{path}.{key}", operand, "one of " + ", ".join(fitting))
            elif type(operand) is not known[1]:
                self.problem(f"{path}.{key}", operand, _KINDS[known[1]])
            elif key == "shape" and operand not in _SHAPES:
                self.problem(f"{path}.{key}", operand, "one of " + ", ".join(_SHAPES))
            elif key == "same_as" and operand not in VOCABULARY:
                self.problem(f"{path}.{key}", operand, "a fact of the vocabulary")
            else:
                tests.append(known[2](operand))
        return _compared(name, tests)

    def predicates(
        self, wanted: Mapping[str, object], path: str
    ) -> tuple[Predicate, ...]:
        """Compile `fact = value` lines, the cheapest fact first."""
        return tuple(
            self.predicate(name, wanted[name], f"{path}.{name}")
            for name in sorted(wanted, key=_cost)
        )

    def alternatives(self, value: object) -> Signatures:
        """Compile `[[match.any]]`: tables of which one must hold whole."""
        if not isinstance(value, list) or not value:
            self.problem("match.any", value, "one table or more")
            return Signatures()
        found: list[Signature] = []
        for number, table in enumerate(value, 1):
            path = f"match.any[{number}]"
            if not isinstance(table, dict):
                self.problem(path, table, "a table")
                continue
            name = self.text(table, "name", f"{path}.name")
            facts = {key: value for key, value in table.items() if key != "name"}
            if not facts:
                self.problem(path, table, "at least one fact")
            predicate = _all(self.predicates(facts, path))
            first = min(facts, key=_cost, default="")
            exact = facts.get(first)
            if isinstance(exact, str | int) and not isinstance(exact, bool):
                found.append(Signature(name, predicate, first, exact))
            else:
                found.append(Signature(name, predicate))
        return Signatures(found)


def _cost(name: str) -> int:
    return _PLACES.get(name, 0)


def _equal(name: str, wanted: object) -> Predicate:
    return lambda facts: facts.value(name) == wanted


def _one_of(name: str, wanted: frozenset[object]) -> Predicate:
    return lambda facts: facts.value(name) in wanted


def _compared(name: str, tests: list[Test]) -> Predicate:
    if len(tests) == 1:
        only = tests[0]
        return lambda facts: only(facts.value(name), facts)
    return lambda facts: all(test(facts.value(name), facts) for test in tests)


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    """Chain predicates; the usual numbers of them without a loop for each message."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda facts: first(facts) and second(facts)
    return lambda facts: all(part(facts) for part in parts)


def compile_rule(table: Mapping[str, object], where: str) -> tuple[Rule, list[str]]:
    """Compile one parsed rule file.

    `where` is the file name, for messages. Returns the rule and all problems found,
    each as `file: key = value: expected …`; a rule with problems must not be used.
    """
    reader = _Reader(where)
    reader.unknown(table, _TOP, "")
    rule_id = reader.text(table, "id", "id")
    rev = table.get("rev")
    if type(rev) is not int or rev < 1:
        reader.problem("rev", rev, "a whole number from 1")
        rev = 0
    severity = reader.choice(table, "severity", "severity", list(SEVERITIES))
    judges = reader.choice(table, "judges", "judges", ["source", "destination", "line"])

    match = reader.table(table, "match")
    on, redirections = _read_on(reader, match)
    reader.on = on
    method = match.get("method", [])
    methods = method if isinstance(method, list) else [method]
    if any(type(m) is not str or m != m.upper() or not m for m in methods):
        reader.problem("match.method", method, "method names in capitals")
        methods = []
    elif methods and on != "request":
        reader.problem("match.method", method, 'nothing, since responses have "status"')
    count = read_count(match["count"], on, reader.problem) if "count" in match else None
    if count is not None:
        names = [name for names in count.per for name in names]
        for name in (*names, count.distinct, count.usual):
            if name is not None:
                reader.suits(name, "match.count", name)
    if on in LEARNT and "count" not in match:
        reader.problem("match.count", None, f"a table, since {on} is counted")
    reserved = ("on", "method", "any", "count")
    all_of = reader.predicates(
        {name: wanted for name, wanted in match.items() if name not in reserved},
        "match",
    )
    any_of = reader.alternatives(match["any"]) if "any" in match else Signatures()
    if not all_of and "any" not in match:
        reader.problem("match", match, "at least one fact besides on and method")

    then = reader.table(table, "then")
    reader.unknown(then, _THEN, "then.")
    verdict = "accept"
    if on != STOPPED:
        verdict = reader.choice(then, "verdict", "then.verdict", ["drop", "reject"])
    elif "verdict" in then:
        reader.problem("then.verdict", then["verdict"], "nothing; the call is stopped")
    reason = reader.text(then, "reason", "then.reason")
    _check_template(reader, reason, counting="count" in match)
    ban = read_ban(then["ban"], reader.problem) if "ban" in then else None
    if ban is not None and judges != "source":
        reader.problem("then.ban", then["ban"], 'nothing, unless judges = "source"')
    if ban is not None and on in CALLS:
        reader.problem("then.ban", then["ban"], "nothing; a call is closed, not banned")
    close = read_close(then["close"], reader.problem) if "close" in then else None
    if "close" in then and on not in ("call-start", "call-end"):
        ons = '"call-start" or "call-end"'
        reader.problem("then.close", then["close"], f"nothing, unless on {ons}")
    elif on == "call-end" and "close" not in then:
        reader.problem("then.close", None, "a table, since the call is over")
    if on == STOPPED:
        close = read_tell(then.get("tell"), reader.problem)
    elif "tell" in then:
        reader.problem("then.tell", then["tell"], f'nothing, unless on "{STOPPED}"')
    guard = read_guard(then.get("guard"), reader.problem)
    if guard and on != "auth-failure":
        reader.problem("then.guard", then["guard"], 'nothing, unless on "auth-failure"')

    docs = reader.table(table, "docs")
    reader.unknown(docs, _DOCS, "docs.")
    references = docs.get("references")
    if not isinstance(references, list) or not references:
        reader.problem("docs.references", references, "a list with a source or more")
        references = []
    rule = Rule(
        id=rule_id,
        rev=rev,
        severity=severity,
        judges=judges,
        on=on,
        methods=frozenset(str(method) for method in methods),
        all_of=all_of,
        any_of=any_of,
        verdict=Verdict[verdict.upper()],
        reason=reason,
        count=count,
        ban=ban,
        guard=guard,
        redirections=redirections,
        close=close,
        docs=Docs(
            what=reader.text(docs, "what", "docs.what"),
            why=reader.text(docs, "why", "docs.why"),
            false_positives=reader.text(
                docs, "false_positives", "docs.false_positives"
            ),
            references=tuple(str(reference) for reference in references),
        ),
    )
    return rule, reader.problems


def _read_on(reader: _Reader, match: Mapping[str, object]) -> tuple[str, bool]:
    """Read what the rule is about, and whether redirections come to that."""
    on = match.get("on")
    if isinstance(on, list):
        if on == ["request", "redirection"]:
            return "request", True
        reader.problem("match.on", on, 'one name, or ["request", "redirection"]')
        return "request", False
    return reader.choice(match, "on", "match.on", [*MESSAGES, *LEARNT, *CALLS]), False


def _check_template(reader: _Reader, reason: str, *, counting: bool) -> None:
    words = {"signature", "count", "within"} if counting else {"signature"}
    try:
        parts = list(string.Formatter().parse(reason))
    except ValueError as error:
        reader.problem("then.reason", reason, f"balanced braces ({error})")
        return
    for _, field, spec, conversion in parts:
        if field is None:
            continue
        if field in VOCABULARY:
            reader.suits(field, "then.reason", reason)
        if spec or conversion or (field not in words and field not in VOCABULARY):
            reader.problem("then.reason", reason, f"a bare fact, not {{{field}…}}")
