"""Country tables in files: the rules folder, the cache, tables of lines."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import ringfence
from ringfence.bundle import tables
from ringfence.bundle.packed import PRELUDE_SIZE, pack, unpack
from ringfence.bundle.source import Folder
from ringfence.bundle.tables import (
    MOST_LINES_BYTES,
    find_rules_dir,
    open_country_table,
    read_country_lines,
)
from ringfence.errors import BundleError, ConfigError
from ringfence.facts.columns import HEADER_SIZE, write_columns
from ringfence.facts.country import CountryTable

REPO = Path(__file__).resolve().parents[2]

SMALL = CountryTable.build([(0x01000000, 0x010000FF, "JP")], [], "made-up 1.0")
PACKED = pack(SMALL.columns)
JAPANESE = bytes([1, 0, 0, 1])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rules folder with the small table."""
    folder = tmp_path / "rules"
    (folder / "geo").mkdir(parents=True)
    (folder / "geo" / "country.tbl").write_bytes(PACKED)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cached_file(cache: Path) -> Path:
    (found,) = cache.iterdir()
    return found


def mapped_files() -> str:
    return Path("/proc/self/maps").read_text(encoding="utf-8")


# --- the rules folder ---


def test_the_rules_folder_of_this_tree_is_found() -> None:
    assert find_rules_dir().samefile(REPO / "rules")


def test_an_installed_package_has_its_rules_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "ringfence"
    package.mkdir(parents=True)
    monkeypatch.setattr(ringfence, "__file__", str(package / "__init__.py"))
    with pytest.raises(BundleError, match="no rules found: expected a folder"):
        find_rules_dir()
    (package / "_rules").mkdir()
    assert find_rules_dir() == package / "_rules"


def test_a_rules_folder_beside_site_packages_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "site-packages" / "ringfence"
    package.mkdir(parents=True)
    (tmp_path / "lib" / "rules").mkdir()
    monkeypatch.setattr(ringfence, "__file__", str(package / "__init__.py"))
    with pytest.raises(BundleError):
        find_rules_dir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: path.write_bytes(b""), "expected a country table"),
        (lambda path: path.write_bytes(PACKED[:50]), "expected a country table"),
        (lambda path: path.write_bytes(b"x" + PACKED[1:]), "expected a country table"),
        (lambda path: path.write_bytes(PACKED[:-4] + b"1234"), "damaged"),
    ],
)
def test_a_spoilt_table_is_refused_by_name(
    rules: Path, cache: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = rules / "geo" / "country.tbl"
    spoil(path)
    with pytest.raises(BundleError, match=message) as caught:
        open_country_table(rules, cache)
    assert str(caught.value).startswith(f"{path}: ")
    assert not cache.exists()


def test_a_table_that_can_only_be_read_is_enough(rules: Path, cache: Path) -> None:
    path = rules / "geo" / "country.tbl"
    path.chmod(0o444)
    path.parent.chmod(0o555)
    assert open_country_table(rules, cache).country(JAPANESE) == "JP"


# --- the cache ---


def test_the_table_is_unpacked_once_and_mapped(rules: Path, cache: Path) -> None:
    table = open_country_table(rules, cache)
    assert table.country(JAPANESE) == "JP"
    assert table.source == "made-up 1.0"
    file = cached_file(cache)
    assert file.name == f"country-{PACKED[8:24].hex()}-{sys.byteorder}"
    assert str(file) in mapped_files()

    # Nothing but the prelude is read the second time.
    (rules / "geo" / "country.tbl").write_bytes(PACKED[:PRELUDE_SIZE])
    before = file.stat()
    assert open_country_table(rules, cache).country(JAPANESE) == "JP"
    assert cached_file(cache).stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:HEADER_SIZE]),
        lambda file: file.write_bytes(file.read_bytes()[:-1] + b"?"),
        lambda file: file.write_bytes(bytes(file.stat().st_size)),
        lambda file: file.write_bytes(
            write_columns(SMALL.columns._replace(key=b"another table's!"))
        ),
        lambda file: file.chmod(0o666),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["empty", "torn", "changed", "zeros", "another", "writable", "folder"],
)
def test_a_cache_file_that_is_not_sound_is_not_used(
    rules: Path, cache: Path, spoil: Callable[[Path], object]
) -> None:
    open_country_table(rules, cache)
    file = cached_file(cache)
    spoil(file)
    table = open_country_table(rules, cache)
    assert table.country(JAPANESE) == "JP"
    if file.is_file():  # written anew
        assert file.read_bytes() == unpack(PACKED, "x")
        assert file.stat().st_mode & 0o022 == 0


def test_a_linked_cache_file_is_replaced_not_followed(
    rules: Path, cache: Path, tmp_path: Path
) -> None:
    open_country_table(rules, cache)
    file = cached_file(cache)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    open_country_table(rules, cache)
    assert not file.is_symlink()
    assert str(elsewhere) not in mapped_files()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_folder_that_others_can_write_to_is_not_used(
    rules: Path, cache: Path, mode: int
) -> None:
    cache.mkdir()
    cache.chmod(mode)
    assert open_country_table(rules, cache).country(JAPANESE) == "JP"
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("target", ["folder", "file"])
def test_what_belongs_to_somebody_else_is_not_used(
    rules: Path, cache: Path, target: str
) -> None:
    open_country_table(rules, cache)
    file = cached_file(cache)
    # Sound in itself, but its owner made a Dutch address Japanese.
    forged = CountryTable.build([(0x01000000, 0x010000FF, "NL")], []).columns
    file.write_bytes(write_columns(forged._replace(key=PACKED[8:24])))
    assert open_country_table(rules, cache).country(JAPANESE) == "NL"
    os.chown(file if target == "file" else cache, 4242, 4242)
    assert open_country_table(rules, cache).country(JAPANESE) == "JP"


def test_a_linked_folder_is_not_used(rules: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    cache.symlink_to(tmp_path / "elsewhere")
    assert open_country_table(rules, cache).country(JAPANESE) == "JP"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_cannot_be_made_leaves_the_table_in_memory(
    rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    table = open_country_table(rules, tmp_path / "file" / "cache")
    assert table.country(JAPANESE) == "JP"


class Unverified(Folder):
    """A source of which nothing may be kept."""

    kept = False


def test_a_table_of_which_nothing_may_be_kept_is_unpacked_once(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_country_table(Unverified(rules))
    monkeypatch.setattr(tables, "unpack", lambda *_: pytest.fail("unpacked again"))
    assert open_country_table(Unverified(rules)) is first
    monkeypatch.undo()

    with (rules / "geo/country.tbl").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError):
        open_country_table(Unverified(rules))


def test_what_may_not_be_kept_is_looked_up_and_never_written(
    rules: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_country_table(Unverified(rules), cache)
    assert not cache.exists() or not list(cache.iterdir())
    open_country_table(rules, cache)
    monkeypatch.setattr(tables, "unpack", lambda *_: pytest.fail("unpacked again"))
    assert open_country_table(Unverified(rules), cache).country(JAPANESE) == "JP"


def test_a_new_table_takes_the_place_of_the_old_one(rules: Path, cache: Path) -> None:
    old = open_country_table(rules, cache)
    newer = CountryTable.build([(0x01000000, 0x010000FF, "AU")], [], "made-up 2")
    (rules / "geo" / "country.tbl").write_bytes(pack(newer.columns))
    assert open_country_table(rules, cache).country(JAPANESE) == "AU"
    cached_file(cache)  # just one
    assert old.country(JAPANESE) == "JP"  # still mapped by whoever uses it


def test_what_writers_that_died_left_is_swept(rules: Path, cache: Path) -> None:
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    cache.mkdir()
    left = cache / f"country-00-little.{finished.pid}"
    busy = cache / f"country-00-little.{os.getppid()}"
    foreign = cache / "registry.json"
    for path in (left, busy, foreign):
        path.touch()
    open_country_table(rules, cache)
    assert not left.exists()
    assert busy.exists()
    assert foreign.exists()


def test_where_the_cache_is_by_default(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RUN_DIR", tmp_path / "file" / "ringfence")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    open_country_table(rules)
    cached_file(tmp_path / "xdg" / "ringfence")

    # A relative path there is to be ignored (XDG Base Directory Specification).
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    open_country_table(rules)
    cached_file(tmp_path / "home" / ".cache" / "ringfence")

    monkeypatch.setattr(tables, "RUN_DIR", tmp_path / "run" / "ringfence")
    (tmp_path / "run").mkdir()
    shutil.rmtree(tmp_path / "home")
    open_country_table(rules)
    # One that is already there is good enough, wherever in the list.
    cached_file(tmp_path / "run" / "ringfence")
    assert not (tmp_path / "home").exists()


# --- tables of lines ---


def test_a_table_of_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_bytes(b"# a laboratory\r\n198.51.100.0/24,NL\r\n203.0.113.0/24,JP")
    table = read_country_lines(path)
    assert table.country(bytes([198, 51, 100, 7])) == "NL"
    assert table.country(bytes([203, 0, 113, 7])) == "JP"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe1", "expected UTF-8 text with lines network,CC"),
        (
            b"#" * (MOST_LINES_BYTES + 1),
            f"expected lines network,CC, at most {MOST_LINES_BYTES} bytes of them",
        ),
    ],
)
def test_a_file_that_is_no_table_of_lines(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "lab.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_country_lines(path)
    assert caught.value.problems == [f'origin.table = "{path}": {message}']


def test_bad_lines_are_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_text("#\n198.51.100.7/24,NL\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_country_lines(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f'{path}:2 = "198.51.100.7/24": host bits are set')


def test_as_many_bytes_of_lines_as_allowed_are_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    line = b"198.51.100.0/24,NL"
    path.write_bytes(line + b" " * (MOST_LINES_BYTES - len(line)))
    assert read_country_lines(path).country(bytes([198, 51, 100, 7])) == "NL"


# --- the table that ships ---


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> CountryTable:
    return open_country_table(REPO / "rules", tmp_path_factory.mktemp("cache"))


def test_a_mapped_table_takes_memory_only_as_it_is_used(
    shipped: CountryTable, tmp_path: Path
) -> None:
    script = """
import sys
from pathlib import Path
from ringfence.bundle.tables import open_country_table

def resident():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])

rules, cache = map(Path, sys.argv[1:])
before = resident()
table = open_country_table(rules, cache)
opened = resident()
for octet in range(256):
    table.country(bytes([octet, 7, 7, 7]))
print(opened - before, resident() - opened)
"""

    def grown() -> tuple[int, int]:
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", script, str(REPO / "rules"), str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )
        opened, used = map(int, done.stdout.split())
        return opened, used

    grown()  # fills the cache
    whole = len(write_columns(shipped.columns)) / 1024
    opened, used = grown()
    assert opened < whole / 4
    assert used < whole


def test_shipped_rows_are_in_order(shipped: CountryTable) -> None:
    columns = shipped.columns
    columns.check()
    for codes in (columns.codes4, columns.codes6):
        joinable = [a == b for a, b in pairwise(codes)]
        # Divided /64s side by side are the only neighbours that may look alike.
        assert all(
            code == 255 for code, same in zip(codes, joinable, strict=False) if same
        )
