"""Text for people, JSON for scripts."""

import json

from doctoring import OPENWRT
from ringfence.doctor.finding import Finding
from ringfence.doctor.rendering import json_lines, text_lines

FINDINGS = [
    Finding("a", "fine", "all is well"),
    Finding("b", "warning", "two things:\none\ntwo", "It matters.", ("do this",)),
    Finding("c", "problem", "word " * 40, "Why.", ("x " * 60,)),
]


def test_json_is_one_object_a_line_with_all_keys() -> None:
    first, second, _, last = map(json.loads, json_lines(FINDINGS, OPENWRT))
    assert first == {
        "type": "finding",
        "id": "a",
        "state": "fine",
        "what": "all is well",
        "why": None,
        "do": [],
    }
    assert second["do"] == ["do this"]
    assert last == {
        "type": "doctor",
        "version": "0.1.0",
        "system": "openwrt",
        "worst": "problem",
        "problem": 1,
        "warning": 1,
        "unknown": 0,
        "note": 0,
        "fine": 1,
    }


def test_text_begins_with_the_worst_and_breaks_no_command() -> None:
    lines = list(text_lines(FINDINGS))
    assert lines[0].startswith("problem  c: word")
    command = next(line for line in lines if line.strip().startswith("x x"))
    assert len(command) > 100
    prose = [line for line in lines if line is not command]
    assert max(map(len, prose)) <= 90
    assert lines[-2] == "fine     a: all is well"
    assert lines[-1] == "worst: problem (1 problem, 1 warning, 1 fine)"


def test_a_list_within_a_finding_is_indented() -> None:
    lines = list(text_lines(FINDINGS[1:2]))
    assert lines[:5] == [
        "warning  b: two things:",
        "         - one",
        "         - two",
        "         It matters.",
        "           do this",
    ]


def test_nothing_found_at_all() -> None:
    assert list(text_lines([])) == ["worst: fine ()"]
