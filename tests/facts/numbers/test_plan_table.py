"""Keys that are checked one by one."""

from ringfence.facts.numbers.plan_table import TableReader


def test_all_problems_are_kept() -> None:
    reader = TableReader({}, "x.toml")
    assert reader.flag({}, "a", "") is False
    assert reader.flag({"a": True}, "a", "") is True
    assert reader.flag({"a": 1}, "a", "t.") is False
    assert reader.count({"n": True}, "n", "", 5, 1, 9) == 5
    assert reader.count({"n": 9}, "n", "", 5, 1, 9) == 9
    assert reader.count({"n": 10}, "n", "", 5, 1, 9) == 5
    assert reader.texts({"l": ["a", 1]}, "l", "") == ()
    assert reader.named({"o": {"a": {"k": 1}}}, "o") == [("a", "o.a.", {"k": 1})]
    assert reader.named({"o": {"a": 1}}, "o") == []
    assert reader.tables({"t": [{"k": 1}]}, "t") == [("t[0].", {"k": 1})]
    assert reader.problems == [
        "x.toml: t.a = 1: expected true or false",
        "x.toml: n = True: expected a number from 1 to 9",
        "x.toml: n = 10: expected a number from 1 to 9",
        "x.toml: l = ['a', 1]: expected a list of texts such as [\"010\"]",
        "x.toml: o = {'a': 1}: expected tables, each headed [o.NAME]",
    ]
