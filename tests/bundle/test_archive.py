"""A bundle's outer form: one way to write it, nothing else is read."""

import io
import tarfile
from collections.abc import Callable

import pytest
from bundles import CREATED
from hypothesis import given
from hypothesis import strategies as st
from ringfence.bundle import archive
from ringfence.bundle.archive import (
    MOST_BYTES,
    MOST_MEMBER_BYTES,
    MOST_MEMBERS,
    MOST_NAME,
    archive_time,
    is_name,
    read_archive,
    write_archive,
)
from ringfence.bundle.refused import Refused

FILES = {"MANIFEST": b"m", "MANIFEST.sig": b"", "a.toml": b"a" * 512, "b/c": b"c" * 513}
GOOD = write_archive(FILES, CREATED)


def reason(data: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read_archive(data)
    assert refused.value.exit_code == 4
    assert str(refused.value).endswith(f" [{refused.value.reason}]")
    return refused.value.reason


def header(**fields: bytes) -> bytes:
    """A header for MANIFEST of one byte with other fields, and a sound check sum."""
    places = {
        "name": (0, 100),
        "mode": (100, 8),
        "uid": (108, 8),
        "size": (124, 12),
        "mtime": (136, 12),
        "type": (156, 1),
        "link": (157, 100),
        "magic": (257, 8),
        "owner": (265, 32),
        "device": (329, 8),
        "prefix": (345, 155),
        "rest": (500, 12),
    }
    block = bytearray(GOOD[:512])
    for name, value in fields.items():
        at, length = places[name]
        block[at : at + length] = value.ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: bytes, content: bytes = b"x", **fields: bytes) -> bytes:
    size = b"%011o" % len(content)
    head = header(name=name, **{"size": size, **fields})
    return head + content + bytes(-len(content) % 512)


MANIFEST = member(b"MANIFEST")
END = bytes(1024)


def test_what_is_written_is_read_and_written_again() -> None:
    assert read_archive(GOOD) == FILES
    assert list(read_archive(GOOD)) == ["MANIFEST", "MANIFEST.sig", "a.toml", "b/c"]
    assert write_archive(dict(reversed(FILES.items())), CREATED) == GOOD
    assert archive_time(GOOD) == CREATED
    assert member(b"MANIFEST", b"m") == GOOD[:1024]


@given(
    st.dictionaries(
        st.from_regex(r"\A([a-z0-9][a-z0-9._-]{0,5}/)?[a-z0-9][a-z0-9._-]{0,9}\Z"),
        st.binary(max_size=1100),
        max_size=5,
    ),
    st.integers(0, 8**11 - 1),
)
def test_there_is_one_way_to_write_any_files(
    files: dict[str, bytes], mtime: int
) -> None:
    files = {"MANIFEST": b"", **files}
    folders = {name.partition("/")[0] for name in files if "/" in name}
    if folders & files.keys():
        return
    data = write_archive(files, mtime)
    assert read_archive(data) == files
    assert write_archive(read_archive(data), archive_time(data)) == data


def test_common_tools_read_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(GOOD), mode="r:") as tar:
        assert tar.format is not None
        found = {}
        for info in tar.getmembers():
            file = tar.extractfile(info)
            assert file is not None
            found[info.name] = file.read()
            assert (info.mtime, info.mode, info.uid) == (CREATED, 0o644, 0)
    assert found == FILES


def test_an_archive_without_a_signature_is_one() -> None:
    data = write_archive({"MANIFEST": b"m"}, 0)
    assert read_archive(data) == {"MANIFEST": b"m"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "archive.short"),
        (END, "archive.manifest"),
        (b"\x1f\x8b" + bytes(1022), "archive.damaged"),
        (GOOD[:-1], "archive.end"),
        (GOOD[:-512], "archive.end"),
        (GOOD[:-1024], "archive.short"),
        (GOOD + b"\0", "archive.end"),
        (GOOD + bytes(512), "archive.end"),
        (GOOD[:-1] + b"x", "archive.end"),
        (GOOD + GOOD, "archive.end"),
        (GOOD[:1000], "archive.short"),
        (MANIFEST[:-1] + b"x" + END, "archive.padding"),
        (MANIFEST + MANIFEST + END, "archive.duplicate"),
        (MANIFEST + member(b"a") + member(b"a/b") + END, "archive.duplicate"),
        (MANIFEST + member(b"a/b") + member(b"a") + END, "archive.duplicate"),
        (MANIFEST + member(b"b") + member(b"a") + END, "archive.order"),
        (MANIFEST + member(b"a") + member(b"MANIFEST.sig") + END, "archive.order"),
        (member(b"a") + MANIFEST + END, "archive.manifest"),
        (member(b"MANIFEST.sig") + END, "archive.manifest"),
        (MANIFEST + member(b"a", mtime=b"%011o" % 5) + END, "archive.times"),
    ],
)
def test_what_is_no_archive_of_ours(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(b"../a", b"/a", b"a/../b", b"./a", b"a//b", b"a/", b"a/b/c", b".a", b"A"),
        *(b"", b"a\\b", b"a b", b"a\nb", b"-a", b"a\0b", b"\xc3\xa9", b"MANIFEST/a"),
        *(b"manifest.SIG", b"a" * 65, b"a" * 32 + b"/b", b"c:a", b"a%2e", b"~"),
    ],
)
def test_no_name_leads_out_of_a_folder(name: bytes) -> None:
    assert reason(MANIFEST + member(name) + END) == "archive.name"


@pytest.mark.parametrize("kind", [b"\0", *b"1234567LKNSVxgX"])
def test_nothing_but_plain_files(kind: bytes | int) -> None:
    flag = kind if isinstance(kind, bytes) else bytes([kind])
    data = MANIFEST + member(b"a", b"", type=flag, link=b"/etc/passwd") + END
    assert reason(data) == "archive.kind"


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": b"0000755"},
        {"mode": b"0000644 "},
        {"mode": b"644"},
        {"uid": b"0001750"},
        {"size": b"1"},
        {"size": b"         1 "},
        {"size": b"\x80" + bytes(10) + b"\x01"},
        {"mtime": b"-1"},
        {"mtime": b"1"},
        {"link": b"x"},
        {"magic": b"ustar  "},
        {"magic": b""},
        {"owner": b"root"},
        {"device": b"0000001"},
        {"prefix": b"../.."},
        {"rest": b"x"},
    ],
)
def test_a_header_has_one_spelling(fields: dict[str, bytes]) -> None:
    assert reason(header(**fields) + b"m" + bytes(511) + END) == "archive.header"


def test_the_check_sum_has_one_spelling_too() -> None:
    assert GOOD[148:156].endswith(b"\0 ")
    other = GOOD[:154] + b" \0" + GOOD[156:]
    assert reason(other) in ("archive.damaged", "archive.header")
    assert reason(GOOD[:150] + b"7" + GOOD[151:]) == "archive.damaged"


def test_how_much_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason(bytes(MOST_BYTES + 1)) == "archive.size"
    assert reason(bytes(MOST_BYTES)) == "archive.end"  # read, and nothing in it

    most = {"MANIFEST": b"", **{f"{n:02}": b"" for n in range(MOST_MEMBERS - 1)}}
    data = write_archive(most, 0)
    assert len(read_archive(data)) == MOST_MEMBERS
    more = data[:-1024] + member(b"zz", b"", mtime=b"%011o" % 0) + END
    assert reason(more) == "archive.members"

    large = write_archive({"MANIFEST": bytes(MOST_MEMBER_BYTES)}, 0)
    assert len(read_archive(large)["MANIFEST"]) == MOST_MEMBER_BYTES
    size = b"%011o" % (MOST_MEMBER_BYTES + 1)
    assert reason(header(size=size) + large[512:]) == "archive.member-size"
    # A size that is not there is not asked for either.
    assert reason(header(size=b"%011o" % 5000) + b"m") == "archive.short"


def test_names() -> None:
    longest = "a" * 31 + "/" + "b" * 64
    assert len(longest) == MOST_NAME
    assert is_name(longest)
    assert not is_name(longest + "b")
    assert is_name("0")


@pytest.mark.parametrize(
    "write",
    [
        lambda: write_archive({}, 0),
        lambda: write_archive({"a": b""}, 0),
        lambda: write_archive({"MANIFEST": b"", "é": b""}, 0),
        lambda: write_archive({"MANIFEST": b"", "a" * 120: b""}, 0),
        lambda: write_archive({"MANIFEST": b"", "a": b"", "a/b": b""}, 0),
        lambda: write_archive({"MANIFEST": b""}, -1),
        lambda: write_archive({"MANIFEST": b""}, 8**11),
        lambda: write_archive({"MANIFEST": bytes(MOST_MEMBER_BYTES + 1)}, 0),
    ],
)
def test_what_cannot_be_read_is_not_written(write: Callable[[], bytes]) -> None:
    with pytest.raises(Refused):
        write()


def test_the_longest_time() -> None:
    assert archive_time(write_archive({"MANIFEST": b""}, 8**11 - 1)) == 8**11 - 1
    assert archive._MOST_TIME == 8**11 - 1
