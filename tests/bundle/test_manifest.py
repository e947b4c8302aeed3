"""MANIFEST: one spelling, everything else refused."""

import pytest
from bundles import CREATED, manifest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.bundle.archive import MOST_MEMBERS
from ringfence.bundle.manifest import (
    MOST_BYTES,
    MOST_NUMBER,
    File,
    Manifest,
    agent_version,
    parse_manifest,
    read_stamp,
    stamp,
)
from ringfence.bundle.refused import Refused

DIGEST = "0" * 64
GOOD = manifest({"a.toml": b"a", "dialplans/jp.toml": b""})
TEXT = GOOD.render()


def refusal(text: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        parse_manifest(text)
    return refused.value


def test_the_text() -> None:
    lines = TEXT.decode().splitlines()
    assert lines[:7] == [
        "format: ringfence-rules/1",
        "channel: stable",
        "epoch: 1",
        "version: 42",
        "created: 2026-11-18T11:06:40Z",
        "expires: 2027-05-17T11:06:40Z",
        "min-agent: 0.4.0",
    ]
    assert lines[7] == f"file: 1 {GOOD.files['a.toml'].digest} a.toml"
    assert len(lines) == 9
    assert parse_manifest(TEXT) == GOOD


NUMBERS = st.integers(1, MOST_NUMBER)


@given(NUMBERS, NUMBERS, st.integers(0, 253402300798), st.integers(1, 10**6))
def test_what_is_rendered_is_parsed(
    epoch: int, version: int, created: int, life: int
) -> None:
    expires = min(created + life, 253402300799)
    made = GOOD._replace(epoch=epoch, version=version, created=created, expires=expires)
    assert parse_manifest(made.render()) == made


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_says_something_else(at: int, byte: int) -> None:
    text = TEXT[:at] + bytes([byte]) + TEXT[at + 1 :]
    try:
        found = parse_manifest(text)
    except Refused:
        return
    assert found.render() == text


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b"stable\n", b"stable\r\n", "2"),
        (b"format: ", b"format:", "1"),
        (b"format: ", b" format: ", "1"),
        (b"channel: stable", b"channel: Stable", "2"),
        (b"channel: stable", b"channel: ", "2"),
        (b"channel: stable", b"channel: stable ", "2"),
        (b"channel: stable\n", b"", "2"),
        (b"epoch: 1", b"epoch: 0", "3"),
        (b"epoch: 1", b"epoch: 01", "3"),
        (b"epoch: 1", b"epoch: +1", "3"),
        (b"epoch: 1", b"epoch: 2147483648", "3"),
        (b"version: 42", b"version: -42", "4"),
        (b"version: 42", b"version: 42.0", "4"),
        (b"version: 42", b"version: 4_2", "4"),
        (b"version: 42", b"version: ", "4"),
        (b"2026-11-18T11:06:40Z", b"2026-11-18T11:06:40", "5"),
        (b"2026-11-18T11:06:40Z", b"2026-11-18 11:06:40Z", "5"),
        (b"2026-11-18T11:06:40Z", b"2026-11-18T11:06:40+00:00", "5"),
        (b"2026-11-18T11:06:40Z", b"2026-11-31T11:06:40Z", "5"),
        (b"2026-11-18T11:06:40Z", b"2026-1-18T11:06:40Z", "5"),
        (b"2026-11-18T11:06:40Z", b"1969-12-31T23:59:59Z", "5"),
        (b"2027-05-17T11:06:40Z", b"never", "6"),
        (b"min-agent: 0.4.0", b"min-agent: 0.4", "7"),
        (b"min-agent: 0.4.0", b"min-agent: 0.04.0", "7"),
        (b"min-agent: 0.4.0", b"min-agent: 0.4.0rc1", "7"),
        (b"file: 1 ", b"file: 01 ", "8"),
        (b"file: 1 ", b"file: -1 ", "8"),
        (b"file: 1 ", b"file: 1  ", "8"),
        (b" a.toml", b" ../a.toml", "8"),
        (b" a.toml", b" MANIFEST", "8"),
        (b" a.toml", b" /a.toml", "8"),
        (b" a.toml", b" a.toml ", "8"),
        (b"file: 1 ca", b"file: 1 CA", "8"),
        (b" a.toml", b" e.toml", "9"),
        (b" a.toml", b" dialplans/jp.toml", "9"),
        (b"min-agent: 0.4.0\n", b"min-agent: 0.4.0\nkey: value\n", "8"),
        (b"min-agent: 0.4.0\n", b"min-agent: 0.4.0\n\n", "8"),
    ],
)
def test_another_spelling(old: bytes, new: bytes, where: str) -> None:
    assert old in TEXT
    refused = refusal(TEXT.replace(old, new))
    assert refused.reason == "manifest.form"
    assert refused.text.startswith(f"MANIFEST:{where}: ")
    assert "expected" in refused.text


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", TEXT[:-1], TEXT + b"\n", TEXT + b"x", TEXT[:60], b"\xff", TEXT * 2],
)
def test_no_manifest(text: bytes) -> None:
    assert refusal(text).reason == "manifest.form"


def test_what_is_signed_for_another_use() -> None:
    refused = refusal(TEXT.replace(b"ringfence-rules/1", b"ringfence-rules/2"))
    assert refused.reason == "manifest.format"
    assert refusal(b"format: firmware\n").reason == "manifest.format"


def test_dates_in_the_wrong_order() -> None:
    same = GOOD._replace(expires=CREATED)
    assert refusal(same.render()).reason == "manifest.dates"
    assert parse_manifest(GOOD._replace(expires=CREATED + 1).render())


def test_how_much_there_may_be() -> None:
    files = {f"{n:064}": File(99_999_999, DIGEST) for n in range(MOST_MEMBERS)}
    most = GOOD._replace(files=files)
    assert parse_manifest(most.render()) == most
    more = most._replace(files={**files, "z": File(0, DIGEST)})
    assert refusal(more.render()).reason == "manifest.form"
    assert refusal(b"x" * (MOST_BYTES + 1)).text == (
        f"MANIFEST: {MOST_BYTES + 1} bytes: expected at most {MOST_BYTES}"
    )
    assert "at most" not in refusal(b"x" * MOST_BYTES).text


def test_stamps() -> None:
    assert stamp(0) == "1970-01-01T00:00:00Z"
    assert read_stamp("1970-01-01T00:00:00Z") == 0
    assert read_stamp("9999-12-31T23:59:59Z") == 253402300799
    assert stamp(253402300800) == "253402300800 s after 1970"
    assert read_stamp("0999-01-01T00:00:00Z") is None


def test_versions_of_agents() -> None:
    assert agent_version("0.10.0") == (0, 10, 0)
    assert agent_version("9999.0.0") == (9999, 0, 0)
    for text in ("1", "1.0", "1.0.0.0", "a.b.c", "1.0.0-rc1", "", "10000.0.0", "1.0.٣"):
        assert agent_version(text) is None
    assert isinstance(GOOD, Manifest)
