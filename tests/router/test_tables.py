"""What is shown of a run, and which bundles it needs; the run itself takes minutes."""

from router import tables, trial
from router.trial import Result

READY = {"rss": 9, "pss": 8, "anonymous": 7, "total": 100, "available_before": 60}
RESULTS = {
    "amd64": [
        Result("memory_at_ready", True, "", {**READY, "available": 50}, 1.0),
        Result("calls", False, "no answer", {}, 1.0),
    ],
    "arm64": [Result("calls", True, "", {}, 1.0)],
}


def test_a_claim_that_was_not_shown_is_not_green() -> None:
    rows = [line.split() for line in tables.claims_table(RESULTS).splitlines()]
    assert rows == [
        ["claim", "amd64", "arm64"],
        ["memory_at_ready", "ok", "-"],
        ["calls", "FAIL", "ok"],
    ]


def test_memory_of_a_claim_that_failed_is_not_shown() -> None:
    assert tables.memory(RESULTS["arm64"]) == {}
    shown = tables.memory(RESULTS["amd64"])
    assert (shown["rss_ready"], shown["available_before"]) == (9, 60)
    assert "rss_after" not in shown
    assert ["rss_ready", "9", "-"] in [
        line.split() for line in tables.memory_table(RESULTS).splitlines()
    ]


def test_each_cut_has_a_bundle_before_under_way_and_after_it() -> None:
    assert list(trial.versions(0)) == [2]
    assert list(trial.versions(3)) == [2, 3, 4, 5, 6, 7, 8]
