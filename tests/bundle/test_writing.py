"""Files written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest
from ringfence.bundle.writing import write_new, write_whole
from ringfence.errors import BundleError


def test_a_file_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"one")
    write_whole(path, b"two", 0o600)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"kept")
    path = tmp_path / "a"
    path.symlink_to("other")
    write_whole(path, b"new")
    assert not path.is_symlink()
    assert (tmp_path / "other").read_bytes() == b"kept"


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(BundleError, match="a: cannot be written: No space left"):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_new_files_are_new(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"secret", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BundleError, match="key: expected no such file"):
        write_new(path, b"other", 0o600)
    assert path.read_bytes() == b"secret"
    with pytest.raises(BundleError, match="cannot be written: No such file"):
        write_new(tmp_path / "none" / "key", b"", 0o600)
