"""Country tables in files: packed among the rules, unpacked once, then mapped.

Knows where the rules folder is and the cache of unpacked tables. It must not know
what is asked of a table.

An unpacked table is used where it lies, so that a process holds in memory only the
pages of it that it touches. The cache is trusted only in a folder that nobody but us
and root can write to: whoever could change a table could make any country home. For
the same reason a table of a bundle that nobody verified never gets there.
"""

import mmap
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import ringfence
from ringfence.bundle.layout import COUNTRIES
from ringfence.bundle.packed import PRELUDE_SIZE, read_prelude, unpack, unpack_columns
from ringfence.bundle.source import Source, as_source
from ringfence.errors import BundleError, ConfigError
from ringfence.facts.country import CountryTable

RUN_DIR = Path("/run/ringfence")
"""Where root keeps the cache: in memory, gone after a reboot."""

MOST_LINES_BYTES: Final = 1 << 20
"""Bytes of a test table in lines; a laboratory has a few dozen networks."""

_CACHE_PREFIX: Final = "country-"

_in_memory: list[tuple[bytes, CountryTable]] = []
"""The last table that may be kept nowhere else, with what it was unpacked from: a
bundle's self-test asks for it once for each site, and it takes 6 MB."""


def find_rules_dir() -> Path:
    """Find the rules that came with this package.

    In an installed wheel that is `ringfence/_rules`, in a development tree `rules`
    beside `agent`. Raises `BundleError` where neither is.
    """
    package = Path(ringfence.__file__).resolve().parent
    installed = package / "_rules"
    if installed.is_dir():
        return installed
    tree = package.parent.parent / "rules"
    if package.parent.name == "agent" and tree.is_dir():
        return tree
    raise BundleError(f"no rules found: expected a folder {installed} or {tree}")


def open_country_table(
    rules: Source | Path, cache_dir: Path | None = None
) -> CountryTable:
    """Open the table of a folder or a bundle, through a cache of its unpacked form.

    Without `cache_dir`, the cache is `/run/ringfence` or, for those who cannot write
    there, `ringfence` in $XDG_CACHE_HOME or ~/.cache. Where no folder can be written
    or trusted the table is kept in this process' memory. Raises `BundleError` when
    the packed table cannot be read or is damaged.
    """
    source = as_source(rules)
    label = source.label(COUNTRIES)
    # What lies there is trusted, whoever asks for it by its digest.
    folders = [cache_dir] if cache_dir is not None else _cache_dirs()
    try:
        with source.open(COUNTRIES) as file:
            head = file.read(PRELUDE_SIZE)
            key = read_prelude(head, label).key
            name = f"{_CACHE_PREFIX}{key.hex()}-{sys.byteorder}"
            for folder in folders:
                if (table := _open_cached(folder, name, key)) is not None:
                    return table
            packed = head + file.read()
    except OSError as error:
        raise BundleError(f"{label}: cannot be read: {error.strerror}") from error
    if not source.kept:
        if not (_in_memory and _in_memory[-1][0] == packed):
            _in_memory[:] = [(packed, CountryTable(unpack_columns(packed, label)))]
        return _in_memory[-1][1]
    unpacked = unpack(packed, label)
    for folder in folders:
        if (table := _keep(folder, name, key, unpacked)) is not None:
            return table
    return CountryTable.from_buffer(unpacked)


def read_country_lines(path: Path) -> CountryTable:
    """Read a test table (`origin.table`): a file of lines `network,CC`.

    Raises `ConfigError` with all that is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_LINES_BYTES + 1)
        if len(content) > MOST_LINES_BYTES:
            raise ConfigError(
                [
                    f'origin.table = "{path}": expected lines network,CC, '
                    f"at most {MOST_LINES_BYTES} bytes of them"
                ]
            )
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigError(
            [f'origin.table = "{path}": cannot be read: {error.strerror}']
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f'origin.table = "{path}": expected UTF-8 text with lines network,CC']
        ) from error
    return CountryTable.from_lines(text.split("\n"), str(path))


def _cache_dirs() -> list[Path]:
    folders = [RUN_DIR]
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        folders.append(base / "ringfence")
    else:
        with suppress(RuntimeError):  # no home folder
            folders.append(Path.home() / ".cache" / "ringfence")
    return folders


def _safe(status: os.stat_result) -> bool:
    """Tell whether nobody but us and root can change what this is the status of."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & (
        stat.S_IWGRP | stat.S_IWOTH
    )


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """Hold a folder open, as a descriptor; None if it is missing or not safe.

    All that follows goes through the descriptor, so that it is this folder even when
    somebody puts another one in its place.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        yield descriptor if _safe(os.fstat(descriptor)) else None
    finally:
        os.close(descriptor)


def _open_cached(folder: Path, name: str, key: bytes) -> CountryTable | None:
    with _opened(folder) as within:
        if within is None:
            return None
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=within)
        except OSError:
            return None
        try:
            return _map(file, key)
        except (OSError, ValueError, BundleError):
            return None  # torn or stale: it will be written anew
        finally:
            os.close(file)


def _map(file: int, key: bytes) -> CountryTable | None:
    status = os.fstat(file)
    if not (stat.S_ISREG(status.st_mode) and _safe(status)):
        return None
    mapped = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    table = CountryTable.from_buffer(mapped)
    if table.columns.key != key:
        return None
    # Opening read every page once, for the check sum: let go of them again.
    mapped.madvise(mmap.MADV_DONTNEED)
    return table


def _keep(folder: Path, name: str, key: bytes, unpacked: bytes) -> CountryTable | None:
    """Write the cache file and map it; None where that is not possible."""
    with suppress(OSError):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _opened(folder) as within:
        if within is None:
            return None
        _sweep(within, name)
        temporary = f"{name}.{os.getpid()}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            file = os.open(temporary, flags, 0o644, dir_fd=within)
        except OSError:
            return None
        try:
            with os.fdopen(file, "wb", closefd=False) as stream:
                stream.write(unpacked)
            os.fsync(file)
            os.rename(temporary, name, src_dir_fd=within, dst_dir_fd=within)
            os.fsync(within)
            return _map(file, key)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=within)
            return None
        finally:
            os.close(file)


def _sweep(within: int, name: str) -> None:
    """Remove other tables from a cache, and what writers that died left there."""
    for entry in os.listdir(within):
        if not entry.startswith(_CACHE_PREFIX) or entry == name:
            continue
        writer = entry.rpartition(".")[2]
        if writer.isdecimal() and int(writer) != os.getpid() and _alive(int(writer)):
            continue
        with suppress(OSError):
            os.unlink(entry, dir_fd=within)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
