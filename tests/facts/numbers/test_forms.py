import pytest
from ringfence.facts.numbers.forms import (
    MAX_FORM,
    MAX_KEYS,
    FormTable,
    lengths_by_start,
    parse_form,
)


def found(forms: dict[str, int], digits: str) -> str | None:
    table: FormTable[str] = FormTable()
    for form, more in forms.items():
        table.add(parse_form(form, more), form)
    return table.find(digits)


def test_a_form_says_which_digits_and_how_many() -> None:
    forms = {"0[6-9]0ZXX": 0, "03XX": 2, "#XX": 0, "[13-5]N": 0}
    expected = {
        "060123": "0[6-9]0ZXX",
        "090999": "0[6-9]0ZXX",
        "050123": None,
        "060023": None,
        "06012": None,
        "0601234": None,
        "0312": "03XX",
        "03123": "03XX",
        "031234": "03XX",
        "031": None,
        "0312345": None,
        "#12": "#XX",
        "#1*": None,
        "#1": None,
        "12": "[13-5]N",
        "42": "[13-5]N",
        "22": None,
        "11": None,
        "": None,
    }
    assert {digits: found(forms, digits) for digits in expected} == expected


def test_the_longest_literal_start_wins_then_the_first() -> None:
    forms = {"0XXX": 0, "01XX": 0, "012X": 0, "01[2-3]X": 0}
    assert found(forms, "0999") == "0XXX"
    assert found(forms, "0199") == "01XX"
    assert found(forms, "0129") == "012X"
    assert found(forms, "0139") == "01[2-3]X"


def test_a_shorter_start_is_used_where_the_longer_one_does_not_fit() -> None:
    forms = {"0XX": 0, "0120XX": 0}
    assert found(forms, "012") == "0XX"
    assert found(forms, "012034") == "0120XX"


def test_a_set_behind_a_free_digit_is_checked_too() -> None:
    forms = {"NXXNXX": 0}
    assert found(forms, "234567") == "NXXNXX"
    assert found(forms, "234167") is None
    assert found(forms, "134567") is None


def test_a_form_may_begin_with_a_free_digit() -> None:
    assert found({"XX": 0}, "07") == "XX"
    assert found({"XX": 0, "1X": 0}, "17") == "1X"
    assert found({"XX": 0, "1XX": 0}, "17") == "XX"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1 to 24 digits"),
        ("X" * (MAX_FORM + 1), "1 to 24 digits"),
        ("0A", "'A' is none of"),
        ("0x", "'x' is none of"),
        ("0[", r"\[\] is not a set"),
        ("0[]", "is not a set"),
        ("0[5-2]", r"\[5-2\] is not a set"),
        ("0[2-]", "is not a set"),
        ("0[a]", "is not a set"),
    ],
)
def test_a_wrong_form_says_why(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_form(text)


def test_more_counts_against_the_limit() -> None:
    parse_form("X", MAX_FORM - 1)
    with pytest.raises(ValueError, match="`more` included"):
        parse_form("X", MAX_FORM)


def test_starts_are_bounded() -> None:
    assert len(list(parse_form("NNX").starts())) == 64
    assert len(list(parse_form("NNNN").starts())) <= MAX_KEYS
    assert found({"NNNN": 0}, "2345") == "NNNN"
    assert found({"NNNN": 0}, "2341") is None


def test_forms_that_have_a_number_in_common() -> None:
    def common(one: str, other: str, more: int = 0) -> str:
        return parse_form(one, more).common(parse_form(other))

    assert common("1XX", "119") == "119"
    assert common("[2-9]X", "119") == ""
    assert common("11", "119", 1) == "119"
    assert common("11", "119") == ""
    assert common("#XXXX", "#7119") == "#7119"
    assert common("XXXXX", "#7119") == ""


def test_lengths_to_probe() -> None:
    lengths = lengths_by_start(["0", "01", "0120", "18", ""])
    assert lengths == {"0": (1, 0), "01": (4, 2, 1, 0), "18": (2, 0), "": (0,)}


def test_what_fits_a_form_alone() -> None:
    form = parse_form("101[2-4]X")
    assert form.fits("10129")
    assert not form.fits("10159")
    assert not form.fits("1012")
    assert not form.fits("101299")


def test_a_start_ends_at_a_set_once_it_is_long_enough() -> None:
    form = parse_form("10[23]4[56]7X")
    assert list(form.starts(3)) == ["1024", "1034"]
    assert len(list(form.starts())) == 4
    assert found({"1234[56]X": 0, "123XXX": 0}, "123450") == "1234[56]X"
    assert found({"1234[56]X": 0, "123XXX": 0}, "123470") == "123XXX"
