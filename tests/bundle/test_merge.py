"""Lists of destinations made one: who said what, and where they differ."""

import pytest
from builders import RULES
from ringfence.bundle.merge import MOST_LISTS, Listing, merge, read_listing
from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations

HEAD = "code,iso2,kind,tier,name_en,name_ja,source"
FULL = (RULES / "destinations.csv").read_text(encoding="utf-8")


def listing(name: str, *rows: str) -> Listing:
    """Make a list of rows `code,iso2,kind,tier[,source]`."""
    lines = []
    for row in rows:
        code, iso2, kind, tier, *source = row.split(",")
        fields = (code, iso2, kind, tier, f"Name {code}", "名", *(source or ["own"]))
        lines.append(",".join(fields))
    return read_listing("\n".join([HEAD, *lines]), name, f"{name}.csv")


def rows(text: str) -> dict[str, tuple[str, str, str]]:
    """Return kind, tier and source by code."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(("#", "code,")):
            code, _, kind, tier, _, _, source = line.split(",")
            found[code] = (kind, tier, source)
    return found


def test_lists_that_do_not_meet() -> None:
    merged = merge(
        [
            listing("a", "1,US,country,normal,e164"),
            listing("b", "232,SL,country,block,seen"),
        ]
    )
    assert merged.conflicts == []
    assert rows(merged.text) == {
        "1": ("country", "normal", "a:e164"),
        "232": ("country", "block", "b:seen"),
    }


def test_lists_that_agree_are_both_named() -> None:
    row = "232,SL,country,block"
    merged = merge([listing("a", row + ",tca"), listing("b", row + ",seen")])
    assert merged.conflicts == []
    assert rows(merged.text)["232"][2] == "a:tca+b:seen"


def test_the_strictest_counts_and_the_conflict_is_listed() -> None:
    lists = [
        listing("a", "232,SL,country,normal"),
        listing("b", "232,SL,country,block"),
        listing("c", "232,SL,country,watch"),
    ]
    merged = merge(lists)
    assert rows(merged.text)["232"] == ("country", "block", "b:own>a:own+c:own")
    (conflict,) = merged.conflicts
    assert conflict.code == "232"
    assert not conflict.settled
    assert conflict.text == ("+232 Name 232: block (b) over normal (a) and watch (c)")


def test_a_preferred_list_has_the_last_word() -> None:
    lists = [
        listing("a", "232,SL,country,block"),
        listing("b", "232,SL,country,normal"),
    ]
    merged = merge(lists, "b")
    assert rows(merged.text)["232"] == ("country", "normal", "b:own>a:own")
    assert [conflict.settled for conflict in merged.conflicts] == [True]
    # What it says nothing of is as it would be without it.
    more = [listing("c", "7,RU,country,normal"), *lists]
    assert [c.settled for c in merge(more, "c").conflicts] == [False]


def test_a_list_speaks_of_what_lies_below_its_codes() -> None:
    lists = [
        listing("a", "232,SL,country,block"),
        listing("b", "232,SL,country,block", "23276,SL,country,normal"),
    ]
    merged = merge(lists)
    assert rows(merged.text)["23276"] == ("country", "block", "a:own>b:own")
    assert [c.text for c in merged.conflicts] == [
        "+23276 Name 23276: block (a, by +232) over normal (b)"
    ]
    # Otherwise a list that blocks less would open a hole in one that blocks more.
    found = Destinations.from_csv(merged.text, "x").find("23276123456")
    assert found is not None
    assert found.tier == "block"


def test_but_not_of_other_countries_nor_of_other_kinds() -> None:
    lists = [
        listing("a", "1,US,country,watch"),
        listing("b", "1204,CA,country,normal", "1900,US,premium,block"),
    ]
    merged = merge(lists)
    assert merged.conflicts == []
    assert rows(merged.text)["1204"] == ("country", "normal", "b:own")
    assert rows(merged.text)["1900"] == ("premium", "block", "b:own")


def test_lists_that_differ_over_what_a_code_is() -> None:
    lists = [
        listing("a", "7,RU,country,normal"),
        listing("b", "7,KZ,country,normal"),
        listing("c", "7,,unassigned,block"),
    ]
    merged = merge(lists[:2])
    assert rows(merged.text)["7"] == ("country", "normal", "a:own>b:own")
    assert [c.text for c in merged.conflicts] == [
        "+7 Name 7: RU country normal (a) over KZ country normal (b)"
    ]
    assert ",KZ," in merge(lists[:2], "b").text
    # Nobody's number is blocked: tier and fact come from the same list.
    assert rows(merge(lists).text)["7"][:2] == ("unassigned", "block")
    assert rows(merge(lists, "a").text)["7"][:2] == ("country", "normal")


def test_the_result_can_be_merged_again() -> None:
    one = merge(
        [listing("a", "1,US,country,normal"), listing("b", "1,US,country,watch")]
    )
    again = merge(
        [read_listing(one.text, "x", "x.csv"), listing("c", "7,RU,country,block")]
    )
    assert rows(again.text)["1"] == ("country", "watch", "x:b:own+x:a:own")


def test_one_list_stays_what_it_says() -> None:
    merged = merge([read_listing(FULL, "base", "destinations.csv")])
    assert merged.conflicts == []
    before = Destinations.from_csv(FULL, "a")
    after = Destinations.from_csv(merged.text, "b")
    assert before.codes() == after.codes()
    assert all(before.find(code) == after.find(code) for code in before.codes())


def test_comments_come_along_since_they_say_whose_facts_these_are() -> None:
    text = (
        f"# own = what we saw\n# Licence: CC0\n{HEAD}\n1,US,country,normal,US,米国,own"
    )
    merged = merge(
        [read_listing(text, "a", "a.csv"), listing("b", "7,RU,country,block")]
    )
    assert "# a: own = what we saw\n# a: Licence: CC0\n" in merged.text


def test_the_same_lists_give_the_same_text() -> None:
    lists = [
        listing("a", "7,RU,country,block", "1,US,country,normal"),
        listing("b", "1,US,country,watch"),
    ]
    assert merge(lists) == merge(lists)
    assert list(rows(merge(lists).text)) == ["1", "7"]


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "a:b", "a+b", "a>b", "a,b", "-a", "a" * 33]
)
def test_names_that_cannot_stand_in_a_row(name: str) -> None:
    with pytest.raises(BundleError, match=r"expected a name for a\.csv"):
        read_listing(f"{HEAD}\n", name, "a.csv")


def test_a_list_that_is_not_sound() -> None:
    with pytest.raises(BundleError, match=r"a\.csv:2: tier = 'blocked'"):
        listing("a", "1,US,country,blocked")


def test_how_many_lists() -> None:
    lists = [listing(f"l{n}", "1,US,country,normal") for n in range(MOST_LISTS + 1)]
    assert merge(lists[:-1]).conflicts == []
    for wrong in (lists, [], [lists[0], lists[0]]):
        with pytest.raises(BundleError, match=f"expected 1 to {MOST_LISTS}"):
            merge(wrong)
    with pytest.raises(BundleError, match="x: expected one of the lists l0, l1"):
        merge(lists[:2], "x")
