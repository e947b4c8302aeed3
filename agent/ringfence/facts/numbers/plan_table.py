"""Keys of a parsed TOML table, checked one by one.

Knows how to say what is wrong with a value: `where: key = value: expected …`, all of
them together. It must not know what a dial plan is.
"""

from collections.abc import Callable

Table = dict[str, object]


class TableReader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, table: Table, where: str) -> None:
        """`where` names the file in every problem."""
        self.table = table
        self.problems: list[str] = []
        self._where = where

    def wrong(self, key: str, value: object, expected: str) -> None:
        """Note a problem."""
        self.problems.append(f"{self._where}: {key} = {value!r}: expected {expected}")

    def known(self, table: Table, known: frozenset[str], path: str) -> None:
        """Note every key that is none of the known ones."""
        for key in table.keys() - known:
            choices = ", ".join(sorted(known))
            self.wrong(f"{path}{key}", table[key], f"one of the keys {choices}")

    def text(
        self,
        table: Table,
        key: str,
        path: str,
        expected: str,
        fits: Callable[[str], bool],
    ) -> str:
        """Give a text that fits, or ""."""
        value = table.get(key, "")
        if isinstance(value, str) and fits(value):
            return value
        self.wrong(f"{path}{key}", table.get(key), expected)
        return ""

    def count(
        self, table: Table, key: str, path: str, default: int, least: int, most: int
    ) -> int:
        """Give a number within bounds, or the default."""
        value = table.get(key, default)
        if type(value) is int and least <= value <= most:  # True is no number here
            return value
        self.wrong(f"{path}{key}", value, f"a number from {least} to {most}")
        return default

    def flag(self, table: Table, key: str, path: str) -> bool:
        """Give true or false; absent is false."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.wrong(f"{path}{key}", value, "true or false")
        return value is True

    def texts(self, table: Table, key: str, path: str) -> tuple[str, ...]:
        """Give a list of texts, or nothing."""
        value = table.get(key, [])
        if isinstance(value, list):
            texts = tuple(item for item in value if isinstance(item, str))
            if len(texts) == len(value):
                return texts
        self.wrong(f"{path}{key}", value, 'a list of texts such as ["010"]')
        return ()

    def tables(self, table: Table, key: str) -> list[tuple[str, Table]]:
        """Give a list of tables, each with its path."""
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return [(f"{key}[{at}].", item) for at, item in enumerate(value)]
        self.wrong(key, value, f"tables, each headed [[{key}]]")
        return []

    def named(self, table: Table, key: str) -> list[tuple[str, str, Table]]:
        """Give tables by name, each as name, path and table."""
        value = table.get(key, {})
        if isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()):
            return [(name, f"{key}.{name}.", item) for name, item in value.items()]
        self.wrong(key, value, f"tables, each headed [{key}.NAME]")
        return []
