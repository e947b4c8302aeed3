"""The catalogue of rules as a page of Markdown, made of the rules themselves.

Knows the shape of a rule's table, and writes what `compile_rule` would make of it in
words; give it only tables that compile. `rules/README.md` is its output.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ringfence.decode.reasons import REASONS as DECODE_REASONS
from ringfence.facts import VOCABULARY
from ringfence.rules.closes import WHATS
from ringfence.rules.compile import COMPARISONS
from ringfence.rules.model import CALLS, LEARNT, SEVERITIES, STOPPED
from ringfence.sip.reasons import ANOMALIES
from ringfence.sip.reasons import REASONS as SIP_REASONS

Table = Mapping[str, Any]

KINDS: Final = {str: "text", int: "number", bool: "true or false"}

WORDS: Final = {
    "prefix": "begins with {}",
    "not_prefix": "does not begin with {}",
    "suffix": "ends with {}",
    "contains": "contains {}",
    "length": "is {} characters long",
    "shape": "is made of {}",
    "same_as": "is the same as {}, and not empty",
    "over": "is over {}",
    "under": "is under {}",
}
"""What each comparison says."""

SHAPES: Final = {
    "digits": "digits",
    "hex": "hexadecimal digits, letters in lower case",
    "lower": "the letters a to z",
    "lower-alnum": "the letters a to z and digits",
}

EVENTS: Final = {
    "redirection": "a redirection (an answer 3xx to an INVITE)",
    "auth-failure": "a failed sign-in (an answer 401 or 407 to a request with "
    "credentials that are not stale, a 403 or 404 to a REGISTER, or to an INVITE with "
    "credentials; no answer to credentials, while the server answers others)",
    "refusal": "a refusal (an answer 403 or 404 to a REGISTER, INVITE or OPTIONS)",
    "call-start": "a call abroad that begins (an INVITE, none that belongs to a call "
    "that runs or repeats another)",
    "call-end": "a call abroad of our side that is over",
    STOPPED: "a call abroad that was stopped, and not because something is closed for a "
    "while: one that our side makes, or that an account asks for from where it has "
    "signed in",
}
"""What rules are about besides messages; in those of `LEARNT` facts are about who
asked."""

_HEAD: Final = """\
# Rules

This page is generated from the rule files beside it and from the code that reads them:
`python rules/catalogue.py` prints it, and a test fails when it is out of date. Each
rule has captures that it hits and captures that it nearly hits in
[`pcaps/`](../pcaps/README.md).

A message is held against the rules by severity, then by name; the first one that
matches decides. Emergency calls pass before any rule is asked, and so do the site's own
lists: `ringfence explain` shows who decides on a number or an address.

| rule | severity | does | hits when |
|---|---|---|---|
"""

_SWITCH: Final = """\
**Switch.** In `ringfence.toml`, to judge and log without stopping anything, or to do
without the rule:

```toml
[rules.{id}]
mode = "monitor"   # or "off"
```
"""

_EXCEPTIONS: Final = {
    "source": "**Exceptions.** Addresses, networks and countries in `origin.allow`.",
    "destination": "**Exceptions.** Numbers that begin as one in `numbers.allow` does.",
    "line": "**Exceptions.** What `ringfence allow` has opened for a time; no list.",
}

ONS: Final = {
    "request": "a request; `method` may say which",
    "response": "any answer",
    **EVENTS,
}
"""What a rule's `on` can name."""

_ABOUT: Final = """\
## What a rule is about

`on` names one of these, or `["request", "redirection"]` both. A call can be forwarded
or transferred instead of dialled, so a rule about destinations asks for REFER and
redirections too; their `destination_…` facts are about where they lead.

| on | is |
|---|---|
"""

_FACTS: Final = """\
## Facts

What a rule can ask. A fact may be absent (a message without a User-Agent has no
`user_agent`); an absent fact matches nothing, not even `not_prefix`. Who has it says the
last column: `message`, and so the INVITE of a `call-start` or
`call-stopped`; a `call`, as it begins and as it ends; `any` of these; only the `end` of a call.

| fact | is | what | of |
|---|---|---|---|
"""

_COMPARISONS: Final = """\
## Comparisons

A fact alone must equal the value, or one of the values in a list. In braces stand one
or more of these, and all must hold:

| comparison | for | says |
|---|---|---|
"""

_MALFORMED: Final = """\
## What cannot be read

A packet that cannot be read meets no rule: `policy.malformed` decides. These are the
reasons that the log gives.

| reason | meaning |
|---|---|
"""

_FLAWS: Final = """\
## Flaws

A message that can be read in spite of a flaw meets the rules like any other; if none
stops it, `policy.malformed` decides. The fact `anomaly` names the first flaw.

| flaw | meaning |
|---|---|
"""


def catalogue(tables: Iterable[Table]) -> str:
    """Write the whole page for parsed rule files."""
    rules = sorted(tables, key=lambda rule: (SEVERITIES[rule["severity"]], rule["id"]))
    parts = [_HEAD + "".join(map(_row, rules))]
    parts += map(_rule, rules)
    parts += [
        _ABOUT + _names(ONS),
        _FACTS
        + "".join(
            f"| `{name}` | {KINDS[fact.kind]} | {fact.what} | {fact.about} |\n"
            for name, fact in VOCABULARY.items()
        ),
        _COMPARISONS
        + "".join(
            f"| `{name}` | {KINDS[suits]} | {_meaning(name)} |\n"
            for name, (suits, _, _) in COMPARISONS.items()
        ),
        _MALFORMED + _names({**DECODE_REASONS, **SIP_REASONS}),
        _FLAWS + _names(ANOMALIES),
    ]
    return "\n".join(parts)


def _row(rule: Table) -> str:
    docs = rule["docs"]
    link = f"[{rule['id']}](#{rule['id']})"
    verdict = rule["then"].get("verdict", "tell")
    if "ban" in rule["then"]:
        verdict = "ban" if _learns(rule) else f"{verdict}, ban"
    elif "guard" in rule["then"]:
        verdict = "guard"
    elif "close" in rule["then"]:
        verdict = (
            f"{verdict}, close" if rule["match"]["on"] == "call-start" else "close"
        )
    return f"| {link} | {rule['severity']} | {verdict} | {docs['what']} |\n"


def _rule(rule: Table) -> str:
    docs, then = rule["docs"], rule["then"]
    references = "\n".join(f"- {reference}" for reference in docs["references"])
    return "\n\n".join(
        [
            f"## {rule['id']}",
            f"{docs['what']}",
            f"**Why.** {docs['why']}",
            f"**Matches** {_match(rule['match'])}",
            f"**Does.** {_does(rule)} The reason in the log: {_code(then['reason'])}. Revision "
            f"{rule['rev']}, severity {rule['severity']}.",
            f"**False positives.** {docs['false_positives']}",
            _EXCEPTIONS[rule["judges"]],
            _SWITCH.format(id=rule["id"]).rstrip(),
            f"**References**\n\n{references}",
            f"**Captures.** [`pcaps/{rule['id']}/`](../pcaps/{rule['id']}/)\n",
        ]
    )


def _learns(rule: Table) -> bool:
    on = rule["match"]["on"]
    return isinstance(on, str) and on in LEARNT


def _does(rule: Table) -> str:
    """Say what becomes of the message, and of whoever sent it."""
    then = rule["then"]
    if _learns(rule):
        says = "The answer passes."
        if "ban" not in then and "guard" not in then:
            says += " Nothing else happens."
    elif rule["match"]["on"] == "call-end":
        says = "The call is over."
    elif rule["match"]["on"] == STOPPED:
        says = (
            "Stops nothing, closes nothing: one notice when it begins, and one with the "
            f"totals after {then['tell']['quiet']} without such a call."
        )
    else:
        says = f"Verdict {then['verdict']}"
        refuses = then["verdict"] == "reject"
        whom = "senders outside"
        if rule["match"]["on"] not in ("request", *CALLS):
            whom += " and answers"
        says += f" (for {whom}: drop)." if refuses else "."
    if "ban" in then:
        says += (
            f" The source is banned for {then['ban']['first']}, longer each time, for "
            f"{then['ban']['longest']} at most."
        )
    if "guard" in then:
        says += (
            f" For {then['guard']} only sources that have registered the account "
            "before may try its password."
        )
    if "close" in then:
        close = then["close"]
        until = "as long as the budget is used up"
        if "until" not in close:
            until = (
                f"{close['first']}, four times as long whenever it comes again or does "
                f"not stop, for {close['longest']} at a time"
            )
        says += (
            f" Closed for {until}: {WHATS[close['what']]}. Calls that run, at home and "
            "to emergency numbers are left alone."
        )
    return says


def _counts(match: Table) -> list[str]:
    """Say how often it takes."""
    count = match.get("count")
    if count is None:
        return []
    per = " or ".join(f"`{names}`".replace("+", "` and `") for names in count["per"])
    what = "of them"
    if "distinct" in count:
        what = f"different values of `{count['distinct']}`"
    usual = ""
    if "usual" in count:
        times = count.get("times", 1)
        multiple = "" if times == 1 else f"{times} times "
        usual = f", or {multiple}`{count['usual']}` if that is more,"
    then = "is told of" if match["on"] == STOPPED else "is stopped"
    return [
        "",
        f"{count['over']} {what} within {count['within']} for one {per}{usual} pass; what "
        f"follows {then}. The threshold can be set in the configuration: `over` and "
        "`within` beside `mode`.",
    ]


def _match(match: Table) -> str:
    facts = {
        name: wanted
        for name, wanted in match.items()
        if name not in ("on", "method", "any", "count")
    }
    methods = match.get("method", [])
    methods = methods if isinstance(methods, list) else [methods]
    ons = match["on"] if isinstance(match["on"], list) else [match["on"]]
    kind = f"{' or '.join(methods)} {ons[0]}" if methods else f"any {ons[0]}"
    kind = EVENTS.get(ons[0], kind)
    if len(ons) > 1:
        kind += f", or {EVENTS[ons[1]]},"
    article = "" if not methods else "an " if kind[0] in "AEIOU" else "a "
    alternatives = match.get("any", [])
    all_of = "all of this" if len(facts) + bool(alternatives) > 1 else "this"
    lines = [f"{article}{kind} of which {all_of} is true:", ""]
    lines += [f"- {_says(name, wanted)}" for name, wanted in facts.items()]
    if alternatives:
        lines.append("- one of these signatures fits:")
    for number, signature in enumerate(alternatives, 1):
        traits = [
            _says(name, wanted) for name, wanted in signature.items() if name != "name"
        ]
        lines.append(f"  {number}. *{signature['name']}*: {'; '.join(traits)}")
    return "\n".join(lines + _counts(match))


def _says(name: str, wanted: object) -> str:
    """Write one `fact = value` line in words."""
    if isinstance(wanted, dict):
        tests = [_compared(key, operand) for key, operand in wanted.items()]
        return f"`{name}` " + ", ".join(tests)
    if isinstance(wanted, bool):
        return f"`{name}` is {'true' if wanted else 'false'}"
    if isinstance(wanted, list):
        return f"`{name}` is one of " + ", ".join(map(_code, wanted))
    return f"`{name}` is {_code(wanted)}" if wanted != "" else f"`{name}` is empty"


def _compared(key: str, operand: object) -> str:
    if key == "shape":
        return WORDS[key].format(SHAPES[str(operand)])
    if key in ("length", "over", "under"):
        return WORDS[key].format(operand)
    if key == "same_as":
        return WORDS[key].format(f"`{operand}`")
    return WORDS[key].format(_code(operand))


def _meaning(name: str) -> str:
    if name == "shape":
        shapes = "; ".join(f"`{shape}`: {what}" for shape, what in SHAPES.items())
        return f"{WORDS[name].format('one kind of character')} ({shapes})"
    whats = {"same_as": "another fact", "length": "so many"}
    kinds = {str: "this text", int: "this number"}
    return WORDS[name].format(whats.get(name, kinds.get(COMPARISONS[name][1], "")))


def _names(table: Mapping[str, str]) -> str:
    return "".join(f"| `{name}` | {meaning} |\n" for name, meaning in table.items())


def _code(value: object) -> str:
    """Write a value as it stands in a rule file."""
    return f"`{json.dumps(value, ensure_ascii=False)}`"
