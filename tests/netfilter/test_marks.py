"""Every decision that can be said in four bits, and those that cannot."""

import pytest
from ringfence.decision import Verdict, Whom
from ringfence.netfilter.marks import BAN_STEPS, BANS, VERDICTS, Code


def test_the_codes_fill_four_bits() -> None:
    assert [code.value for code in Code] == list(range(16))


@pytest.mark.parametrize(("step", "seconds"), list(enumerate(BAN_STEPS)))
def test_a_ban_of_each_length(step: int, seconds: int) -> None:
    assert BANS[Verdict.DROP, seconds, "src"] == 5 + step
    assert BANS[Verdict.REJECT, seconds, "src"] == 5 + step
    assert BANS[Verdict.ACCEPT, seconds, "dst"] == 10 + step


def test_lengths_in_the_names_are_those_of_the_steps() -> None:
    units = {"M": 60, "H": 3600}
    for code in Code:
        if code.name.startswith("BAN_"):
            length = code.name.rpartition("_")[2]
            seconds = int(length[:-1]) * units[length[-1]]
            assert seconds == BAN_STEPS[(code - Code.BAN_SOURCE_5M) % 5]


@pytest.mark.parametrize(
    "said",
    [
        (Verdict.ACCEPT, 300, "src"),
        (Verdict.DROP, 300, "dst"),
        (Verdict.DROP, 301, "src"),
        (Verdict.DROP, 0, "src"),
    ],
)
def test_what_a_mark_cannot_say(said: tuple[Verdict, int, Whom]) -> None:
    assert said not in BANS


def test_every_verdict_has_its_code() -> None:
    assert set(VERDICTS) == set(Verdict)
