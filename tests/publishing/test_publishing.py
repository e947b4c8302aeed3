"""`ringfence bundle …` as it is typed: files made, words, codes."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import RULES
from bundles import KEY, STRANGER, bundle, key_folder
from ringfence.bundle import signify
from ringfence.bundle.archive import read_archive
from ringfence.bundle.layout import DESTINATIONS, MANIFEST
from ringfence.bundle.refused import REASONS
from ringfence.cli import main

Result = tuple[int, str, str]
Run = Callable[..., Result]
WHEN = ("--created", "2026-11-21T00:00:00Z")


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a subcommand of `bundle` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)

    def ringfence(*arguments: object) -> Result:
        try:
            code = main(["bundle", *map(str, arguments)])
        except SystemExit as leaving:  # argparse leaves by itself
            code = int(leaving.code or 0)
        return code, *capsys.readouterr()

    return ringfence


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "key.sec").write_bytes(KEY.render())
    return key_folder(tmp_path / "keys", (1, KEY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy)
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_from_a_folder_to_a_bundle_that_is_trusted(run: Run, keys: Path) -> None:
    code, out, err = run("build", "--from", RULES, "--out", "a.tar", *WHEN)
    assert (code, err) == (0, "")
    assert out.startswith("a.tar: version 1 of epoch 1, ")
    assert out.endswith("expires 2027-05-20T00:00:00Z; not signed yet\n")
    assert run("verify", "a.tar", "--keys", keys)[2] == (
        "ringfence: a.tar: no MANIFEST.sig: expected a signature [signature.missing]\n"
    )
    number = KEY.number.hex()
    signed = (0, f"a.tar: signed by key {number}\n", "")
    assert run("sign", "a.tar", "--key", "key.sec") == signed
    code, out, err = run("verify", "a.tar", "--keys", keys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "a.tar: version 1 of epoch 1, channel stable"
    assert lines[1] == f"  signed by key {number}"


def test_building_twice_gives_the_same_file(
    run: Run, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tar", "b.tar"):
        assert run("build", "--from", RULES, "--out", name, *WHEN)[0] == 0
        assert run("sign", name, "--key", "key.sec")[0] == 0
    assert Path("a.tar").read_bytes() == Path("b.tar").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795219200")
    assert run("build", "--out", "c.tar")[0] == 0
    assert run("sign", "c.tar", "--key", "key.sec", "--out", "d.tar")[0] == 0
    assert Path("d.tar").read_bytes() == Path("a.tar").read_bytes()
    assert Path("c.tar").read_bytes() != Path("d.tar").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    code, _, err = run("build", "--out", "c.tar")
    assert (code, err) == (
        2,
        "ringfence: SOURCE_DATE_EPOCH = 'yesterday': expected seconds\n",
    )


def test_all_that_a_publisher_may_say(run: Run) -> None:
    said = (
        "--epoch",
        3,
        "--version",
        9,
        "--channel",
        "testing",
        "--min-agent",
        "0.2.0",
    )
    until = ("--expires", "2026-12-01T00:00:00Z")
    assert run("build", "--out", "a.tar", *said, *WHEN, *until)[0] == 0
    text = read_archive(Path("a.tar").read_bytes())[MANIFEST].decode()
    assert text.splitlines()[1:7] == [
        "channel: testing",
        "epoch: 3",
        "version: 9",
        "created: 2026-11-21T00:00:00Z",
        "expires: 2026-12-01T00:00:00Z",
        "min-agent: 0.2.0",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--created", "today"], 2, "--created today: expected a time such as"),
        (["--expires", "never"], 2, "--expires never: expected a time such as"),
        (["--expires", "2020-01-01T00:00:00Z"], 4, "[manifest.dates]"),
        (["--version", "0"], 4, "[manifest.form]"),
        (["--from", "none"], 4, "none: expected a folder of rules"),
        (["--out", "none/a.tar"], 4, "none/a.tar: cannot be written: No such file"),
        (["--destinations", "none.csv"], 4, "none.csv: cannot be read"),
    ],
)
def test_what_cannot_be_built(
    run: Run, arguments: list[str], code: int, message: str
) -> None:
    found = run("build", "--out", "a.tar", *arguments)
    assert (found[0], found[1]) == (code, "")
    assert message in found[2]
    assert not Path("a.tar").exists()


def test_a_bundle_whose_vectors_fail_is_not_built(run: Run, folder: Path) -> None:
    edit(folder / DESTINATIONS, "\n232,SL,country,block", "\n232,SL,country,normal")
    code, out, err = run("build", "--from", folder, "--out", "a.tar")
    assert (code, out) == (4, "")
    assert "ringfence: vectors.jsonl:" in err
    assert '010-232-76-123456: verdict = "accept": expected "reject"' in err
    assert not Path("a.tar").exists()


def test_a_failed_write_leaves_what_was_there(
    run: Run, keys: Path, tmp_path: Path
) -> None:
    before = bundle(key=STRANGER)
    Path("a.tar").write_bytes(before)
    assert run("sign", "a.tar", "--key", "nokey")[0] == 4
    assert Path("a.tar").read_bytes() == before
    assert run("sign", "a.tar", "--key", "key.sec", "--out", "keys")[0] == 4
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "key.sec", "keys"]


# Keys and signatures ----------------------------------------------------------------


def test_keygen(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("keygen", "mine")
    assert code == 0
    secret, public = tmp_path / "mine.sec", tmp_path / "mine.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    key = signify.parse_secret(secret.read_bytes(), "mine.sec")
    assert key.public == signify.parse_public(public.read_bytes(), "mine.pub")
    assert key.number.hex() in out
    # Neither file is ever written over.
    for stays, gone in ((public, secret), (secret, public)):
        kept = gone.rename(tmp_path / "away")
        before = stays.read_bytes()
        code, _, err = run("keygen", "mine")
        assert code == 4
        assert f"{stays.name}: expected no such file; it is not written over" in err
        assert stays.read_bytes() == before
        assert not gone.exists()
        kept.rename(gone)
    other = run("keygen", "other")
    assert other[0] == 0
    assert key.number.hex() not in other[1]


def test_a_signature_made_elsewhere(run: Run, keys: Path) -> None:
    assert run("build", "--out", "a.tar", *WHEN)[0] == 0
    text = read_archive(Path("a.tar").read_bytes())[MANIFEST]
    Path("m.sig").write_bytes(signify.sign(text, KEY).render())
    assert run("sign", "a.tar", "--signature", "m.sig")[0] == 0
    assert run("verify", "a.tar", "--keys", keys)[0] == 0


def test_one_way_to_sign(run: Run) -> None:
    assert run("sign", "a.tar")[0] == 2
    assert run("sign", "a.tar", "--key", "k", "--signature", "s")[0] == 2


# Verify, show -----------------------------------------------------------------------


def test_verify_names_file_and_reason(run: Run, keys: Path) -> None:
    Path("a.tar").write_bytes(bundle(min_agent="0.0.1", key=STRANGER))
    code, out, err = run("verify", "a.tar", "--keys", keys)
    assert (code, out) == (4, "")
    assert err.startswith("ringfence: a.tar: MANIFEST.sig: key ")
    assert err.rstrip().endswith("[signature.key]")
    assert "signature.key" in REASONS


def test_verify_asks_the_configuration_for_keys(run: Run, keys: Path) -> None:
    Path("a.tar").write_bytes(bundle(min_agent="0.0.1"))
    Path("c.toml").write_text(f'[bundle]\nkeys = "{keys}"\n')
    assert run("verify", "a.tar", "--config", "c.toml")[0] == 0


def test_verify_tells_of_one_that_has_expired(run: Run, keys: Path) -> None:
    old = bundle(min_agent="0.0.1", created=10, expires=20)
    Path("a.tar").write_bytes(old)
    code, _, err = run("verify", "a.tar", "--keys", keys)
    assert (code, err) == (
        0,
        "ringfence: a.tar: it has expired: it cannot be installed any more\n",
    )


def test_show(run: Run, keys: Path) -> None:
    Path("a.tar").write_bytes(bundle(min_agent="0.0.1"))
    code, out, _ = run("show", "a.tar")
    assert code == 0
    assert "  nobody has checked who made it\n" in out
    assert "  password-guessing (revision 1, high)\n" in out
    assert "destinations: 1 block, 1 normal\n" in out
    assert "dial plans: jp\n" in out
    assert "country table: made-up 1.0 of 2026-11-01, 2 countries\n" in out
    checked = run("show", "a.tar", "--keys", keys)
    assert f"  signed by key {KEY.number.hex()}\n" in checked[1]
    record = json.loads(run("show", "a.tar", "--keys", keys, "--json")[1])
    assert record["verified"] is True
    assert record["manifest"]["version"] == 42
    assert record["destinations"] == {"normal": 1, "block": 1}
    assert [rule["id"] for rule in record["rules"]] == [
        "blocked-destination",
        "password-guessing",
    ]
    Path("b.tar").write_bytes(bundle(key=STRANGER))
    assert run("show", "b.tar", "--keys", keys)[0] == 4


def test_show_what_changes(run: Run, folder: Path) -> None:
    assert run("build", "--out", "old.tar", *WHEN)[0] == 0
    edit(folder / "password-guessing.toml", "over = 5", "over = 4")
    edit(folder / "password-guessing.toml", "rev = 1", "rev = 2")
    edit(folder / DESTINATIONS, "\n66,TH,country,normal", "\n66,TH,country,block")
    new = ("--version", 2, "--from", folder, "--out", "new.tar", *WHEN)
    assert run("build", *new)[0] == 0
    code, out, _ = run("show", "new.tar", "--diff", "old.tar")
    assert code == 0
    assert out.splitlines()[4:] == [
        "bundle: version 1 → 2",
        "rule password-guessing: 5 → 4 failures in 60s",
        "rule password-guessing: rev: 1 → 2",
        "destinations: +66 Thailand now block (was normal)",
    ]
    record = json.loads(run("show", "new.tar", "--diff", "old.tar", "--json")[1])
    assert record["changes"][1] == {
        "part": "rule",
        "name": "password-guessing",
        "text": "5 → 4 failures in 60s",
    }
    assert run("show", "old.tar", "--diff", "old.tar")[1].endswith("no change\n")


def test_what_a_stranger_writes_does_not_steer_the_terminal(run: Run) -> None:
    from bundles import FILES

    hostile = FILES[DESTINATIONS].replace(b"Sierra Leone", b"\x1b[2JSierra\x07")
    Path("a.tar").write_bytes(bundle({**FILES, DESTINATIONS: hostile}))
    Path("b.tar").write_bytes(
        bundle(
            {
                **FILES,
                DESTINATIONS: hostile.replace(b"SL,country,block", b"SL,country,watch"),
            }
        )
    )
    out = run("show", "b.tar", "--diff", "a.tar")[1]
    assert "\\x1b[2JSierra\\x07 now watch (was block)" in out
    assert "\x1b" not in out


# Merge ------------------------------------------------------------------------------

HEAD = "code,iso2,kind,tier,name_en,name_ja,source\n"
SEEN = (
    HEAD + "66,TH,country,block,Thailand,タイ,seen\n1,US,country,normal,US,米国,own\n"
)


def test_merge(run: Run) -> None:
    Path("seen.csv").write_text(SEEN, encoding="utf-8")
    code, out, err = run("merge", f"base={RULES / DESTINATIONS}", "seen.csv")
    assert code == 1
    assert err == "ringfence: conflict: +66 Thailand: block (seen) over normal (base)\n"
    assert "\n66,TH,country,block,Thailand,タイ,seen:seen>base:e164\n" in out
    prefer = ("--prefer", "base", "--out", "all.csv")
    code, out, err = run("merge", f"base={RULES / DESTINATIONS}", "seen.csv", *prefer)
    assert (code, out) == (0, "")
    assert err.startswith("ringfence: settled: +66 ")
    text = Path("all.csv").read_text(encoding="utf-8")
    assert "\n66,TH,country,normal,Thailand,タイ,base:e164>seen:seen\n" in text


def test_a_bundle_of_several_lists(run: Run) -> None:
    Path("seen.csv").write_text(SEEN, encoding="utf-8")
    lists = ("--destinations", f"base={RULES / DESTINATIONS}", "--destinations")
    code, _, err = run("build", "--out", "a.tar", *WHEN, *lists, "seen.csv")
    assert code == 0
    assert "conflict: +66 Thailand" in err
    found = read_archive(Path("a.tar").read_bytes())[DESTINATIONS].decode()
    assert "\n66,TH,country,block,Thailand,タイ,seen:seen>base:e164\n" in found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "a.csv: byte 0 is not UTF-8: expected text"),
        (b"x", "a.csv:1: expected the header"),
        (b"#" * ((512 << 10) + 1), "a.csv: expected at most 524288 bytes"),
    ],
)
def test_what_is_no_list(run: Run, content: bytes, message: str) -> None:
    Path("a.csv").write_bytes(content)
    code, out, err = run("merge", "a.csv")
    assert (code, out) == (4, "")
    assert message in err
