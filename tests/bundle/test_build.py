"""Bundles made of files: the same each time, and never one that does not load."""

import shutil
import subprocess
from pathlib import Path

import pytest
from builders import RULES
from bundles import AGENT, CREATED, EXPIRES, FILES, KEY, STRANGER, bundle, checker
from ringfence.bundle import build, signify
from ringfence.bundle.archive import (
    MOST_BYTES,
    MOST_MEMBERS,
    read_archive,
    write_archive,
)
from ringfence.bundle.build import Head
from ringfence.bundle.checker import Marks, unverified
from ringfence.bundle.layout import COUNTRIES, MANIFEST, SIGNATURE
from ringfence.bundle.refused import Refused
from ringfence.errors import BundleError

HEAD = Head("stable", 1, 42, CREATED, EXPIRES, AGENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy)
    return copy


def test_of_the_same_files_come_the_same_bytes(folder: Path) -> None:
    one, other = build.collect(RULES), build.collect(folder)
    assert one == other
    unsigned = build.build(one, HEAD)
    assert build.build(dict(reversed(other.items())), HEAD) == unsigned
    assert build.sign(unsigned, KEY) == build.sign(unsigned, KEY)
    assert build.build(one, HEAD._replace(created=CREATED + 1)) != unsigned


def test_the_default_bundle_is_far_below_the_caps() -> None:
    data = build.build(build.collect(RULES), HEAD)
    assert len(data) < MOST_BYTES / 2
    assert len(read_archive(data)) < MOST_MEMBERS * 2 / 3


def test_what_belongs_into_a_bundle(folder: Path) -> None:
    files = build.collect(folder)
    assert COUNTRIES in files
    assert "vectors.jsonl" in files
    assert "catalogue.py" not in files
    assert not any(name.endswith((".md", ".py")) for name in files)
    assert {path.name for path in folder.glob("*.toml")} <= files.keys()


def test_signing_again_takes_the_place_of_the_first_signature() -> None:
    signed = bundle()
    other = build.sign(signed, STRANGER)
    assert build.sign(other, KEY) == signed
    assert checker().check(build.sign(other, KEY), Marks(CREATED))


def test_a_signature_from_elsewhere() -> None:
    unsigned = build.build(FILES, HEAD)
    signature = signify.sign(read_archive(unsigned)[MANIFEST], KEY)
    assert build.attach(unsigned, signature) == build.sign(unsigned, KEY)


def test_what_is_not_sound_is_not_signed() -> None:
    files = read_archive(bundle())
    del files["vectors.jsonl"]
    with pytest.raises(Refused) as refused:
        build.sign(write_archive(files, CREATED), KEY)
    assert refused.value.reason == "file.missing"
    with pytest.raises(Refused) as refused:
        build.sign(write_archive(read_archive(bundle()), CREATED + 1), KEY)
    assert refused.value.reason == "archive.times"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("scanner.toml", b"id = ", "scanner.toml: not valid TOML"),
        ("scanner.toml", b"\xff", "scanner.toml: byte 0 is not UTF-8"),
        ("destinations.csv", b"x\n", "destinations.csv:1: "),
        ("dialplans/jp.toml", b"", "jp.toml: country = None: expected a country"),
        ("geo/country.tbl", b"", "geo/country.tbl: expected a country table"),
        ("vectors.jsonl", b"{}", "vectors.jsonl:1: "),
    ],
)
def test_what_no_agent_would_load_is_not_built(
    name: str, content: bytes, problem: str
) -> None:
    with pytest.raises(BundleError) as error:
        build.build({**FILES, name: content}, HEAD)
    assert problem in str(error.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(BundleError) as error:
        build.build({**FILES, "vectors.jsonl": b"x", "destinations.csv": b"x"}, HEAD)
    assert len(str(error.value).splitlines()) >= 2


@pytest.mark.parametrize(
    "head",
    [
        HEAD._replace(epoch=0),
        HEAD._replace(version=-1),
        HEAD._replace(expires=CREATED),
        HEAD._replace(channel="Stable"),
        HEAD._replace(min_agent="1"),
        HEAD._replace(created=-5),
    ],
)
def test_what_a_bundle_cannot_say_of_itself(head: Head) -> None:
    with pytest.raises(Refused):
        build.build(FILES, head)


def test_names_and_sizes(folder: Path, tmp_path: Path) -> None:
    (folder / "Upper.toml").write_text("")
    with pytest.raises(BundleError, match=r"Upper\.toml: expected a name of small"):
        build.collect(folder)
    (folder / "Upper.toml").unlink()
    (folder / "large.toml").write_bytes(b"#" * ((64 << 10) + 1))
    with pytest.raises(BundleError, match="expected at most 65536 bytes"):
        build.collect(folder)
    with pytest.raises(BundleError, match="expected a folder of rules"):
        build.collect(tmp_path / "none")


def test_the_steps_by_hand(tmp_path: Path) -> None:
    """What the notes on the format say a person can do without this program."""
    (tmp_path / "rules.tar").write_bytes(bundle())
    (tmp_path / "key.pub").write_bytes(KEY.public.render())
    script = (
        "tar xf rules.tar && "
        r"sed -n 's/^file: [0-9]* \([0-9a-f]\{64\}\) \(.*\)/\1  \2/p' MANIFEST"
        " | sha256sum -c --strict --quiet"
    )

    def by_hand(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    done = by_hand(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / "vectors.jsonl").write_bytes(b"x")
    assert by_hand(script.partition("&& ")[2]).returncode != 0
    if shutil.which("signify-openbsd") is None:
        pytest.skip("signify-openbsd is not installed (Debian: signify-openbsd)")
    done = by_hand("signify-openbsd -V -p key.pub -m MANIFEST -x MANIFEST.sig")
    assert done.stdout == "Signature Verified\n"


def test_a_detached_signature_is_a_member() -> None:
    assert SIGNATURE in read_archive(bundle())
    assert unverified(bundle()).files == FILES
