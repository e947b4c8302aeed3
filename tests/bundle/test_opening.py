"""Bundles and keys from files; a bundle loads like a folder."""

import os
from pathlib import Path

import pytest
from bundles import FILES, KEY, NEXT_KEY, STRANGER, TABLE, bundle, key_folder, manifest
from ringfence.bundle import tables
from ringfence.bundle.checker import Bundle
from ringfence.bundle.embedded import (
    dialplan_names,
    load_destinations,
    load_dialplan,
    load_rules,
    read_text,
)
from ringfence.bundle.opening import (
    MOST_KEYS,
    Archived,
    open_bundle,
    open_unverified,
    read_archive_file,
    read_keys,
)
from ringfence.bundle.refused import Refused
from ringfence.bundle.source import Folder, read
from ringfence.bundle.tables import open_country_table
from ringfence.errors import BundleError

JAPANESE = bytes([198, 51, 100, 1])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "rules.tar"
    # An agent of this version must be able to take it.
    path.write_bytes(bundle(min_agent="0.0.1"))
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return key_folder(tmp_path / "keys")


def unpacked(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_a_bundle_loads_like_the_folder_it_unpacks_to(
    archive: Path, keys: Path, tmp_path: Path
) -> None:
    source = open_bundle(archive, read_keys(keys))
    folder = Folder(unpacked(tmp_path / "folder"))
    for rules in (source, folder):
        assert {rule.id for rule in load_rules(rules).rules} == {
            "blocked-destination",
            "password-guessing",
        }
        assert dialplan_names(rules) == ["jp"]
        assert load_dialplan(rules, "jp").idd == ("010",)
        assert len(load_destinations(rules)) == 2
        assert rules.names() == sorted(FILES)
        table = open_country_table(rules, tmp_path / "cache")
        assert table.country(JAPANESE) == "JP"
    assert str(source) == str(archive)
    assert source.label("a") == f"{archive}: a"


def test_a_table_of_a_verified_bundle_is_mapped_from_the_cache(
    archive: Path, keys: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    table = open_country_table(open_bundle(archive, read_keys(keys)), cache)
    assert table.country(JAPANESE) == "JP"
    (file,) = cache.iterdir()
    assert str(file) in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_a_table_that_nobody_verified_is_for_this_process_alone(
    archive: Path, tmp_path: Path
) -> None:
    # Its key is what it claims: in the cache it could stand for the real one's.
    cache = tmp_path / "cache"
    table = open_country_table(open_unverified(archive), cache)
    assert table.country(JAPANESE) == TABLE.country(JAPANESE)
    assert not cache.exists()


def test_what_is_not_trusted_is_not_opened(archive: Path, tmp_path: Path) -> None:
    others = read_keys(key_folder(tmp_path / "others", (1, STRANGER)))
    with pytest.raises(Refused) as refused:
        open_bundle(archive, others)
    assert refused.value.reason == "signature.key"
    assert str(refused.value).startswith(f"{archive}: MANIFEST.sig: key ")


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"x")
    with pytest.raises(Refused, match=r"x\.tar: byte 0: expected a header"):
        open_unverified(path)
    with pytest.raises(BundleError, match="cannot be read: No such file"):
        open_unverified(tmp_path / "none.tar")
    with pytest.raises(BundleError, match="cannot be read: Is a directory"):
        open_bundle(tmp_path, {})


def test_files_without_end_are_read_up_to_the_cap() -> None:
    assert len(read_archive_file(Path("/dev/zero"))) == (4 << 20) + 1


def test_a_file_that_a_bundle_lacks() -> None:
    made = Bundle(manifest(), {}, "", "")
    with pytest.raises(BundleError, match=r"^x: a\.toml: cannot be read: No such file"):
        read(Archived(made, "x"), "a.toml")


def test_a_file_of_a_bundle_that_is_not_text() -> None:
    made = Bundle(manifest(), {"a.toml": b"\xff"}, "", "")
    with pytest.raises(BundleError, match=r"^x: a\.toml: byte 0 is not UTF-8"):
        read_text(Archived(made, "x"), "a.toml")


# Keys -------------------------------------------------------------------------------


def test_keys_by_epoch(keys: Path) -> None:
    (keys / "2" / "any-name").write_bytes(STRANGER.public.render())
    found = read_keys(keys)
    assert found[1] == [KEY.public]
    assert sorted(found[2]) == sorted([NEXT_KEY.public, STRANGER.public])


def test_a_folder_of_no_keys(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert read_keys(tmp_path) == {}


@pytest.mark.parametrize("name", ["0", "01", "x", "-1", "٣", "1.bak"])
def test_folders_are_named_by_epoch(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BundleError, match="expected only folders named by epoch"):
        read_keys(tmp_path)


def test_whatever_is_no_key_is_refused(keys: Path) -> None:
    (keys / "1" / "README").write_text("keys")
    with pytest.raises(BundleError, match="README:1: expected a public key"):
        read_keys(keys)


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="none: cannot be read: No such file"):
        read_keys(tmp_path / "none")
    (tmp_path / "1").touch()
    with pytest.raises(BundleError, match="1: cannot be read: Not a directory"):
        read_keys(tmp_path)


def test_how_many_keys_there_may_be(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    for number in range(MOST_KEYS):
        (folder / str(number)).write_bytes(KEY.public.render())
    assert len(read_keys(tmp_path)[1]) == MOST_KEYS
    (folder / "more").write_bytes(KEY.public.render())
    with pytest.raises(BundleError, match=f"at most {MOST_KEYS} keys"):
        read_keys(tmp_path)


def test_a_revoked_key_is_one_that_is_not_there(archive: Path, keys: Path) -> None:
    assert open_bundle(archive, read_keys(keys)).kept
    os.unlink(keys / "1" / KEY.number.hex())
    with pytest.raises(Refused):
        open_bundle(archive, read_keys(keys))


def test_what_nobody_has_verified_is_not_put_into_the_cache(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_keep", lambda *_: pytest.fail("kept"))
    table = open_country_table(open_unverified(archive))
    assert table.source == "made-up 1.0"
