from ringfence.facts.numbers.reading import KINDS, Reading


def test_what_is_abroad() -> None:
    abroad = {kind for kind in KINDS if Reading(kind, "1").abroad}
    assert abroad == {"international", "unassigned"}


def test_the_kinds_are_those_of_the_command_line() -> None:
    assert KINDS == (
        "emergency",
        "special",
        "domestic",
        "extension",
        "international",
        "unassigned",
        "non-numeric",
    )
