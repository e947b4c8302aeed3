"""Every rule against its captures in pcaps/: hits, near misses, golden records."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from builders import REPOSITORY, RULES
from ringfence.cli import main
from ringfence.config import assemble, read_config
from ringfence.engine import Engine, Settings
from ringfence.packet import Instant
from ringfence.pcap import open_capture
from ringfence.rules import RuleSet, compile_rule
from ringfence.rules.model import CALLS, STOPPED

CASES = REPOSITORY / "pcaps"
IDS = sorted(path.stem for path in RULES.glob("*.toml"))

Json = dict[str, object]


@pytest.fixture(autouse=True)
def _in_the_cases_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)


def table(rule_id: str) -> Json:
    return tomllib.loads((RULES / f"{rule_id}.toml").read_text(encoding="utf-8"))


def signatures(rule_id: str) -> list[Json]:
    match = table(rule_id)["match"]
    assert isinstance(match, dict)
    found: list[Json] = match.get("any", [])
    return found


def counts(rule_id: str) -> bool:
    """Tell whether a rule needs more than one message to hit."""
    match = table(rule_id)["match"]
    assert isinstance(match, dict)
    return "count" in match or match["on"] in CALLS


def expected(rule_id: str) -> list[Json]:
    text = (CASES / rule_id / "expected.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def messages(rule_id: str, kind: str) -> list[Json]:
    return [
        record
        for record in expected(rule_id)
        if record["type"] in ("message", "malformed")
        and str(record["file"]).startswith(f"{kind}-")
    ]


@pytest.mark.parametrize("rule_id", IDS)
def test_replay_says_what_is_expected(
    rule_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(str(path) for path in Path(rule_id).glob("*.pcap"))
    arguments = ["replay", "--format", "jsonl", "--config", "ringfence.toml", *files]
    assert main(arguments) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for record in printed:
        record["file"] = Path(record["file"]).name
    assert printed == expected(rule_id)
    assert {record["file"] for record in printed} == {Path(f).name for f in files}


@pytest.mark.parametrize("rule_id", IDS)
def test_every_hit_hits_and_no_near_miss_does(rule_id: str) -> None:
    if table(rule_id)["match"]["on"] == STOPPED:  # type: ignore[index] # as is checked
        told = {
            str(record["file"])
            for record in expected(rule_id)
            if record["type"] == "incident" and record["rule"] == rule_id
        }
        names = {str(record["file"]) for record in expected(rule_id)}
        assert told == {name for name in names if name.startswith("hit-")}
        assert 0 < len(told) < len(names)
        return
    hits = messages(rule_id, "hit")
    assert hits, "a rule needs a capture that hits"
    if counts(rule_id):  # the first ones pass, and so does the answer that tells
        by_file: dict[object, set[object]] = {}
        for hit in hits:
            by_file.setdefault(hit["file"], set()).add(hit["rule"])
        for rules in by_file.values():
            assert {rule_id} <= rules <= {rule_id, "banned", None}
    else:
        assert {(hit["type"], hit["rule"]) for hit in hits} == {("message", rule_id)}
        assert all(hit["verdict"] != "accept" for hit in hits)
    near = messages(rule_id, "near-miss")
    assert near, "a rule needs a capture that nearly hits"
    assert {(miss["type"], miss["rule"]) for miss in near} == {("message", None)}
    assert {miss["verdict"] for miss in near} == {"accept"}
    files = {record["file"] for record in expected(rule_id)}
    assert all(str(name).startswith(("hit-", "near-miss-")) for name in files)


def test_every_folder_is_a_rule() -> None:
    folders = {path.name for path in CASES.iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(IDS)


@pytest.mark.parametrize(
    ("rule_id", "name"),
    [(rule_id, str(sign["name"])) for rule_id in IDS for sign in signatures(rule_id)],
)
def test_every_signature_has_a_hit(rule_id: str, name: str) -> None:
    reasons = {str(hit["reason"]) for hit in messages(rule_id, "hit")}
    template = str(table(rule_id)["then"])
    assert "{signature}" in template, "or nobody can tell which signature hit"
    assert any(name in reason for reason in reasons)


def slug(name: str) -> str:
    return "-".join(name.lower().split())


def only(rule_id: str, match: Json) -> Settings:
    """The site of the cases with a single rule, made of a part of another."""
    whole = table(rule_id)
    made, problems = compile_rule({**whole, "match": match}, rule_id)
    assert problems == []
    site = assemble(read_config(CASES / "ringfence.toml"), RULES)
    return site._replace(rules=RuleSet([made]))


def hit_by(settings: Settings, path: Path) -> list[bool]:
    """Tell for each message of a capture whether the only rule hits it."""
    judge = Engine(settings)
    with open_capture(path) as frames:
        return [
            finding.ruling.rule is not None
            for _, wall, packet in frames
            for finding in judge.inspect(packet, Instant(wall, wall)).findings
        ]


@pytest.mark.parametrize("sign", signatures("scanner"), ids=lambda sign: sign["name"])
def test_near_misses_of_a_scanner_lack_one_trait_and_no_trait_is_idle(
    sign: Json,
) -> None:
    path = CASES / "scanner" / f"near-miss-{slug(str(sign['name']))}.pcap"
    traits = {name: value for name, value in sign.items() if name != "name"}
    base: Json = {"on": "request"}
    seen = {
        name: hit_by(
            only("scanner", {**base, "any": [{"name": "x", name: value}]}), path
        )
        for name, value in traits.items()
    }
    for message in zip(*seen.values(), strict=True):
        assert message.count(False) == 1, "nearly, but not quite"
    for name, hits in seen.items():
        assert False in hits, f"no near miss lacks {name}, so nobody knows if it counts"


def test_generating_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(  # noqa: S603 - the project's own script
        [sys.executable, CASES / "generate.py", tmp_path], check=True, timeout=60
    )
    made = {path.relative_to(tmp_path) for path in tmp_path.glob("*/*")}
    kept = {path.relative_to(CASES) for path in CASES.glob("*/*") if path.is_file()}
    assert made == {path for path in kept if "__pycache__" not in path.parts}
    for path in sorted(made):
        assert (tmp_path / path).read_bytes() == (CASES / path).read_bytes(), path


def test_captures_hold_only_documentation_and_private_addresses() -> None:
    ours = ("192.168.", "198.51.100.", "203.0.113.", "192.0.2.", "100.64.", "2001:db8:")
    for rule_id in IDS:
        for record in expected(rule_id):
            for end in ("src", "dst"):
                assert str(record.get(end, ours[0])).startswith(ours)
