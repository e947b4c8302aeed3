"""Findings as text for people and as JSON for scripts.

JSON is one object a line: each finding (`type`, `id`, `state`, `what`, `why`, `do`),
then one summary (`type` is `doctor`). `why` is null where nothing has to be done; `do`
is a list, which may be empty.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from ringfence.doctor.finding import FINE, STATES, Finding, worst
from ringfence.doctor.readings import Machine

_MARGIN: Final = 9
"""Columns of the longest state and a space."""
_FILL: Final = 90
"""Columns of a line of text; commands are never broken."""


def json_lines(findings: Sequence[Finding], machine: Machine) -> Iterator[str]:
    """Yield one JSON text for each finding, then the summary."""
    for one in findings:
        yield json.dumps(
            {
                "type": "finding",
                "id": one.id,
                "state": one.state,
                "what": one.what,
                "why": one.why or None,
                "do": list(one.do),
            }
        )
    counts = Counter(one.state for one in findings)
    yield json.dumps(
        {
            "type": "doctor",
            "version": machine.agent,
            "system": machine.system,
            "worst": worst(findings),
            **{state: counts[state] for state in STATES},
        }
    )


def text_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield lines for a person: what has to be done first, what is fine last."""
    ordered = sorted(findings, key=lambda one: STATES.index(one.state))
    for one in ordered:
        yield from _wrapped(f"{one.state:<{_MARGIN - 1}} ", f"{one.id}: {one.what}")
        if one.why:
            yield from _wrapped(" " * _MARGIN, one.why)
        yield from (" " * _MARGIN + "  " + command for command in one.do)
        if one.state != FINE:
            yield ""
    counts = Counter(one.state for one in findings)
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    yield f"worst: {worst(findings)} ({said})"


def _wrapped(start: str, text: str) -> Iterator[str]:
    """Break text between words; what begins a line of its own is indented."""
    margin = " " * _MARGIN
    for number, paragraph in enumerate(text.splitlines()):
        line = start if number == 0 else margin + "- "
        empty = True
        for word in paragraph.split(" "):
            if not empty and len(line) + 1 + len(word) > _FILL:
                yield line
                line, empty = margin + ("" if number == 0 else "  "), True
            line += word if empty else f" {word}"
            empty = False
        yield line
