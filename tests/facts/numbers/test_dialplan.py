"""Plans that are compiled, and plans that are refused with every problem told."""

import copy

import pytest
from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations, Dialplan, NumberReader, Reading
from ringfence.facts.numbers.dialplan import MAX_ADDED, MAX_EXTENSION, MAX_PREFIX
from ringfence.facts.numbers.emergency import EMERGENCY

SMALL: dict[str, object] = {
    "country": "JP",
    "code": "81",
    "trunk": "0",
    "idd": ["010"],
    "numbers": [{"detail": "domestic_fixed", "forms": ["0[2-9]XXXXXXXX"]}],
}


def changed(**changes: object) -> dict[str, object]:
    table = copy.deepcopy(SMALL)
    table.update(changes)
    return table


def problems(table: dict[str, object]) -> list[str]:
    with pytest.raises(BundleError) as caught:
        Dialplan.from_table(table, "jp.toml")
    return str(caught.value).splitlines()


def test_the_plan_of_japan(plan: Dialplan) -> None:
    assert (plan.country, plan.code, plan.trunk) == ("JP", "81", "0")
    assert plan.idd == ("010",)
    for number, detail in {
        "0312345678": "domestic_fixed",
        "0112312345": "domestic_fixed",
        "09012345678": "domestic_mobile",
        "05012345678": "domestic_voip",
        "0120123456": "domestic_tollfree",
        "0990123456": "domestic_premium",
    }.items():
        found = plan.domestic.find(number)
        assert found
        assert (found.detail, found.yields) == (detail, False)
    assert plan.domestic.find("0102327612") is None
    assert plan.domestic.find("031234567") is None
    found = plan.domestic.find("0037123456")
    assert found
    assert (found.detail, found.yields) == ("domestic_tollfree", True)
    assert plan.prefixes["0033"].step == "carrier 0033"
    assert plan.prefixes["184"].step == "caller id 184"


def test_a_small_plan_is_enough(dests: Destinations) -> None:
    reader = NumberReader(Dialplan.from_table(SMALL, "jp.toml"), dests)
    assert reader.read_dialled("0312345678").detail == "domestic_fixed"
    assert reader.read_dialled("0-119").kind == "emergency"
    assert reader.read_dialled("01023276123456").country == "SL"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"country": "Japan"}, "country = 'Japan': expected a country such as JP"),
        ({"code": 81}, "code = 81: expected 1 to 3 digits"),
        ({"code": "+81"}, "code = '+81': expected 1 to 3 digits"),
        ({"trunk": "00"}, "trunk = '00': expected a digit or nothing"),
        ({"idd": "010"}, "idd = '010': expected a list of texts"),
        ({"idd": []}, "idd = []: expected at least one international prefix"),
        ({"idd": ["010", ""]}, f"idd = '': expected 1 to {MAX_PREFIX} digits"),
        ({"idd": ["+"]}, f"idd = '+': expected 1 to {MAX_PREFIX} digits"),
        ({"foreign_idd": [11]}, "foreign_idd = [11]: expected a list of texts"),
        ({"bare": 3}, "bare = 3: expected a number from 7 to 15"),
        ({"bare": True}, "bare = True: expected a number from 7 to 15"),
        ({"extension": [7, 2]}, "extension = [7, 2]: expected shortest and longest"),
        (
            {"extension": [2, MAX_EXTENSION + 1]},
            "extension = [2, 10]: expected shortest and longest",
        ),
        ({"numbers": {}}, "numbers = {}: expected tables, each headed [[numbers]]"),
        (
            {"numbers": [{"forms": ["03XX"]}]},
            "numbers[0].detail = None: expected a class such as domestic_fixed",
        ),
        (
            {"numbers": [{"detail": "d"}]},
            "numbers[0].forms = None: expected at least one form",
        ),
        (
            {"numbers": [{"detail": "d", "forms": ["03??"]}]},
            "numbers[0].forms = '03??': expected '?' is none of",
        ),
        (
            {"numbers": [{"detail": "d", "forms": ["03"], "yields": "yes"}]},
            "numbers[0].yields = 'yes': expected true or false",
        ),
        (
            {"numbers": [{"detail": "d", "forms": ["03"], "more": -1}]},
            "numbers[0].more = -1: expected a number from 0 to 20",
        ),
        (
            {"numbers": [{"detail": "d", "forms": ["03"], "form": "03"}]},
            "numbers[0].form = '03': expected one of the keys",
        ),
        ({"iddd": ["010"]}, "iddd = ['010']: expected one of the keys"),
        (
            {"prefixes": [{"codes": ["184"]}]},
            "prefixes[0].name = None: expected a name",
        ),
        (
            {"prefixes": [{"name": "n", "codes": ["18x"]}]},
            "prefixes[0].codes = '18x': expected 1 to 8 digits",
        ),
        ({"carriers": []}, "carriers = []: expected a table headed [carriers]"),
        (
            {"carriers": {"codes": ["0033"]}},
            "carriers.codes = ['0033']: expected a table of code = operator",
        ),
        (
            {"carriers": {"added": MAX_ADDED + 1}},
            "carriers.added = 5: expected a number from 0 to 4",
        ),
        (
            {"carriers": {"unlisted": ["00Q"]}},
            "carriers.unlisted = '00Q': expected 'Q' is none of",
        ),
        (
            {
                "prefixes": [{"name": "n", "codes": ["0033"]}],
                "carriers": {"codes": {"0033": "x"}},
            },
            "carriers.codes = '0033': expected no code that [[prefixes]] has too",
        ),
    ],
)
def test_a_problem_names_file_key_value_and_expectation(
    changes: dict[str, object], expected: str
) -> None:
    told = problems(changed(**changes))
    assert [line for line in told if line.startswith(f"jp.toml: {expected}")], told


def test_every_problem_is_told_at_once() -> None:
    told = problems({"country": "x", "code": "", "trunk": "12", "idd": [], "what": 1})
    keys = sorted(line.removeprefix("jp.toml: ").split(" = ")[0] for line in told)
    assert keys == ["code", "country", "idd", "trunk", "what"]


@pytest.mark.parametrize("number", EMERGENCY["JP"])
@pytest.mark.parametrize(
    "taking",
    [
        lambda n: {"idd": [n]},
        lambda n: {"idd": ["010", n[:2]]},
        lambda n: {"foreign_idd": [n[:1]]},
        lambda n: {"junk_idd": [n]},
        lambda n: {"prefixes": [{"name": "p", "codes": [n]}]},
        lambda n: {"prefixes": [{"name": "p", "codes": [n[:2]]}]},
        lambda n: {"carriers": {"codes": {n: "x"}}},
        lambda n: {"carriers": {"codes": {n[:2]: "x"}}},
    ],
)
def test_no_prefix_may_take_an_emergency_number(number: str, taking: object) -> None:
    assert callable(taking)
    told = problems(changed(**taking(number)))
    assert any("which always passes" in line for line in told), told


@pytest.mark.parametrize(
    ("key", "form", "number"),
    [
        ("numbers", "110", "110"),
        ("numbers", "1XX", "110"),
        ("numbers", "11[7-9]", "118"),
        ("local", "XXX", "110"),
        ("numbers", "104", "104"),
        ("numbers", "#7119", "#7119"),
        ("numbers", "#XXXX", "#0000"),
    ],
)
def test_no_form_may_take_a_built_in_number(key: str, form: str, number: str) -> None:
    told = problems(changed(**{key: [{"detail": "d", "forms": [form]}]}))
    assert told == [
        f"jp.toml: {key}[0].forms = '{form}': expected no form of {number}, which is"
        " built in and always passes"
    ]


def test_a_form_takes_one_by_more_digits_too() -> None:
    told = problems(changed(numbers=[{"detail": "d", "forms": ["1"], "more": 2}]))
    assert "no form of 110" in told[0]


def test_special_numbers_may_be_added_but_stay_special(dests: Destinations) -> None:
    table = changed(special=[{"detail": "special_1xy", "forms": ["1417"]}])
    reader = NumberReader(Dialplan.from_table(table, "jp.toml"), dests)
    assert reader.read_dialled("1417").kind == "special"


def test_a_prefix_of_one_digit(dests: Destinations) -> None:
    table = changed(prefixes=[{"name": "line", "codes": ["7"]}])
    reader = NumberReader(Dialplan.from_table(table, "jp.toml"), dests)
    reading = reader.read_dialled("7-0312345678")
    assert (reading.number, reading.steps) == ("0312345678", ("line 7",))


def test_longest_prefix_at_the_limit() -> None:
    code = "00" + "3" * (MAX_PREFIX - 2)
    plan = Dialplan.from_table(changed(carriers={"codes": {code: "x"}}), "jp.toml")
    assert plan.prefixes[code].carrier
    assert problems(changed(carriers={"codes": {code + "3": "x"}}))


def dialled(dests: Destinations, table: dict[str, object], text: str) -> Reading:
    plan = Dialplan.from_table(table, "jp.toml")
    reader = NumberReader(plan, dests, outside_line=plan.outside_line)
    return reader.read_dialled(text)


def test_outside_lines_of_a_plan(dests: Destinations) -> None:
    assert Dialplan.from_table(SMALL, "jp.toml").outside_line == ("0", "9")
    assert Dialplan.from_table(changed(outside_line=[]), "jp.toml").outside_line == ()
    found = dialled(dests, changed(outside_line=["88"]), "88-119")
    assert (found.kind, found.steps) == ("emergency", ("outside line 88",))


def test_forms_of_carrier_codes(dests: Destinations) -> None:
    table = changed(carriers={"forms": ["15[2-4]X"], "unlisted": ["16XX"]})
    known = dialled(dests, table, "1539-0312345678")
    assert (known.number, known.steps) == ("0312345678", ("carrier 1539",))
    guessed = dialled(dests, table, "1639-0312345678")
    assert (guessed.number, guessed.steps) == ("0312345678", ("carrier 1639",))
    plan = Dialplan.from_table(table, "jp.toml")
    assert [found.known for found in plan.code_forms["152"]] == [True]
    assert [found.known for found in plan.code_forms["16"]] == [False]
    assert dialled(dests, table, "1599-0312345678").detail != "domestic_fixed"


def test_one_start_may_have_codes_of_several_lengths(dests: Destinations) -> None:
    table = changed(carriers={"forms": ["15Z", "15XZ", "15XXZ"]})
    for code in ("151", "1501", "15012"):
        found = dialled(dests, table, code + "010-53-52345678")
        assert (found.country, found.steps[0]) == ("CU", f"carrier {code}")
    # 1510 would be a carrier's code but for its last digit.
    assert dialled(dests, table, "1510-10-53-52345678").steps[0] == "carrier 151"


def test_digits_that_a_carrier_adds_to_a_form(dests: Destinations) -> None:
    table = changed(carriers={"forms": ["15XX"], "added": 2})
    found = dialled(dests, table, "150177-0312345678")
    assert (found.number, found.steps) == ("0312345678", ("carrier 150177",))


def test_a_carrier_behind_which_the_trunk_prefix_is_dropped(
    dests: Destinations,
) -> None:
    table = changed(carriers={"forms": ["15X"], "trunk_dropped": True})
    for text in ("151-312345678", "151-0312345678"):
        assert dialled(dests, table, text).number == "0312345678"
    kept = changed(carriers={"forms": ["15X"]})
    assert dialled(dests, kept, "151-312345678").number != "0312345678"


def test_a_prefix_that_a_country_code_follows(dests: Destinations) -> None:
    prefix = {"name": "operator", "codes": ["15"], "before": ["5"], "abroad": True}
    table = changed(prefixes=[prefix])
    found = dialled(dests, table, "15-53-52345678")
    assert (found.country, found.steps) == ("CU", ("operator 15",))
    assert dialled(dests, table, "15-23276123456").steps != ("operator 15",)


def test_a_prefix_that_stands_for_a_country_code(dests: Destinations) -> None:
    prefix = {"name": "Cuba", "codes": ["15"], "abroad": True, "adds": "53"}
    found = dialled(dests, changed(prefixes=[prefix]), "15-52345678")
    assert (found.number, found.steps) == ("5352345678", ("Cuba 15",))


def test_countries_whose_numbers_are_national(dests: Destinations) -> None:
    table: dict[str, object] = {
        "country": "GB",
        "code": "44",
        "trunk": "0",
        "idd": ["00"],
        "numbers": [{"detail": "d", "forms": ["01XXXXXXXXX"]}],
    }
    jersey = "01534-123456"
    assert dialled(dests, table, jersey).country == "JE"
    assert dialled(dests, {**table, "territories": ["JE"]}, jersey).country == "GB"
    assert dialled(dests, {**table, "territories": ["GG"]}, jersey).country == "JE"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outside_line": ["x"]}, "outside_line = 'x': expected 1 to 5 digits"),
        ({"outside_line": ["123456"]}, "outside_line = '123456': expected 1 to 5"),
        ({"outside_line": "0"}, "outside_line = '0': expected a list of texts"),
        ({"territories": ["Jersey"]}, "territories = 'Jersey': expected a country"),
        ({"foreign_idd": ["1X?"]}, "foreign_idd = '1X?': expected '?' is none of"),
        ({"options": []}, "options = []: expected tables, each headed [options.NAME]"),
        (
            {"options": {"a": {"refuses_carriers": 1}}},
            "options.a.refuses_carriers = 1: expected true or false",
        ),
        ({"options": {"a": {"b": 1}}}, "options.a.b = 1: expected one of the keys"),
        (
            {"carriers": {"forms": ["1?"]}},
            "carriers.forms = '1?': expected '?' is none of",
        ),
        (
            {"carriers": {"forms": ["11X"]}},
            "carriers.forms = '11X': expected no prefix of the emergency number 110",
        ),
        (
            {"carriers": {"trunk_dropped": "yes"}},
            "carriers.trunk_dropped = 'yes': expected true or false",
        ),
        (
            {"prefixes": [{"name": "n", "codes": ["5"], "abroad": 1}]},
            "prefixes[0].abroad = 1: expected true or false",
        ),
        (
            {"prefixes": [{"name": "n", "codes": ["5"], "adds": "53"}]},
            "prefixes[0].adds = '53': expected 1 to 3 digits, and abroad = true",
        ),
        (
            {"numbers": [{"detail": "d", "forms": ["03"], "shared": 0}]},
            "numbers[0].shared = 0: expected true or false",
        ),
    ],
)
def test_problems_of_the_rarer_keys(changes: dict[str, object], expected: str) -> None:
    told = problems(changed(**changes))
    assert [line for line in told if line.startswith(f"jp.toml: {expected}")], told
