"""Self-test vectors: what a bundle's author says that its rules do.

One JSON object a line. It names one thing to judge, and what has to come of it:

    {"what": "0033-010-232-76123456", "verdict": "reject", "rule": "blocked-destination"}
    {"send": "REGISTER sip:192.0.2.1 SIP/2.0\\r\\n…", "from": "198.51.100.7", "verdict": …}

`what` is a number or an address, judged as `ringfence explain` does, and every key of
its answer may be expected. `send` is a SIP message as it arrives over UDP from `from`;
expected may be `verdict` and `rule`. `site` changes the site that is asked, as text of
a configuration; without it all defaults hold (home Japan, dial plan jp). `why` is for
people. Knows the text; running it is not its business, since that takes an agent.
"""

import json
from typing import Final, NamedTuple

from ringfence.errors import BundleError

MOST_VECTORS: Final = 2_000
"""Lines of a file: so many take a router half a second."""

MOST_SENT: Final = 8_192
"""Characters of a message; honest ones have a tenth of it."""

EXPECTED_NUMBER: Final = frozenset(
    {"verdict", "rule", "source", "class", "number", "country", "tier", "detail"}
)
EXPECTED_ADDRESS: Final = frozenset({"verdict", "rule", "source", "country", "home"})
EXPECTED_MESSAGE: Final = frozenset({"verdict", "rule"})

_TOLD: Final = frozenset({"what", "send", "from", "site", "why"})
_EXPECTED: Final = EXPECTED_NUMBER | EXPECTED_ADDRESS


class Vector(NamedTuple):
    """One line."""

    line: int
    expected: dict[str, object]
    """Key of the answer: value it has to have."""
    what: str = ""
    """A number or an address; "" when there is a message."""
    send: str = ""
    """A message, with CRLF as on the wire."""
    sender: str = ""
    """Where the message comes from: an address."""
    site: str = ""
    """TOML of the configuration that is asked."""


def parse_vectors(text: str, where: str) -> list[Vector]:
    """Read all lines; empty ones do not count.

    Raises `BundleError` with every problem, as `where:line: key = value: expected …`.
    """
    vectors: list[Vector] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if len(vectors) == MOST_VECTORS:
            problems.append(f"{where}:{number}: expected at most {MOST_VECTORS}")
            break
        try:
            table = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"{where}:{number}: not JSON: {error}")
            continue
        problem = _problem(table)
        if problem:
            problems.append(f"{where}:{number}: {problem}")
            continue
        vectors.append(
            Vector(
                number,
                {key: table[key] for key in table if key in _EXPECTED},
                table.get("what", ""),
                table.get("send", ""),
                table.get("from", ""),
                table.get("site", ""),
            )
        )
    if not vectors and not problems:
        problems.append(f"{where}: expected at least one line")
    if problems:
        raise BundleError("\n".join(problems[:20]))
    return vectors


def _problem(table: object) -> str:
    """Say what is wrong with a line's object, "" when nothing is."""
    if not isinstance(table, dict):
        return f"{table!r}: expected an object"
    for key, value in table.items():
        if key in _TOLD and not (isinstance(value, str) and value):
            return f"{key} = {value!r}: expected a text"
    if ("what" in table) == ("send" in table) or ("send" in table) != ("from" in table):
        return 'expected either "what", or "send" with "from"'
    if len(table.get("send", "")) > MOST_SENT:
        return f"send of {len(table['send'])}: expected at most {MOST_SENT} characters"
    expected = EXPECTED_MESSAGE if "send" in table else _EXPECTED
    for key in table.keys() - _TOLD - expected:
        return f"{key} = {table[key]!r}: expected one of {', '.join(sorted(expected))}"
    if "verdict" not in table:
        return "verdict: expected accept, drop or reject"
    return ""
