"""What the live probe proves, and what not."""

from doctoring import one, states
from ringfence.doctor.readings import Probe, Unread


def test_all_ways_proven() -> None:
    said = one("probe")
    assert said.state == "fine"
    assert "what comes in to this machine" in said.what
    assert "not proven" not in said.what


def test_what_was_not_proven_is_said() -> None:
    said = one("probe", probe=Probe(("output", "input"), lost={"forward": "why"}))
    assert said.state == "fine"
    assert "not proven: what this machine forwards: why" in said.what
    only = one("probe", probe=Probe(("output",), lost={"input": "x", "forward": "y"}))
    assert only.state == "note"
    nothing = one("probe", probe=Probe(lost={"output": "x"}))
    assert nothing.state == "unknown"


def test_what_passed_is_a_problem() -> None:
    unseen = Probe((), ("input",), ("input",))
    said = one("probe", probe=unseen)
    assert said.state == "problem"
    assert "never saw it" in said.what
    seen = one("probe", probe=Probe((), ("input",)))
    assert "not carried out" in seen.what
    both = one("probe", probe=Probe((), ("output", "input"), ("input",)))
    assert "never saw it where it is about what comes in" in both.what
    some = Probe(("output",), ("forward",), ("forward",))
    assert states("probe", probe=some) == ["problem", "fine"]


def test_no_probe() -> None:
    said = one("probe", probe=Unread("--no-probe"))
    assert said.state == "unknown"
    assert "--no-probe" in said.what
    assert one("probe", agent=None).state == "unknown"
    assert one("probe", agent=Unread("x")).state == "unknown"
