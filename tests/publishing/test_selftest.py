"""What a bundle must not do, tried out in the process that is made for it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from builders import RULES, rule, settings
from bundles import CREATED, EXPIRES, FILES, KEY, bundle, key_folder
from ringfence.bundle import build
from ringfence.bundle.opening import open_bundle, read_keys
from ringfence.bundle.selftest import LIMITS, Limits
from ringfence.config import assemble, parse_config
from ringfence.errors import BundleError
from ringfence.publishing.selftest import EVERYDAY, try_out, without_help, without_hits
from ringfence.rules import RuleSet

Try = Callable[..., None]


@pytest.fixture
def tried(tmp_path: Path) -> Try:
    """Try files out as a signed bundle."""
    keys = key_folder(tmp_path / "keys")

    def run(limits: Limits = LIMITS, site: str = "", **changed: bytes) -> None:
        files = dict(FILES)
        for name, content in changed.items():
            files[NAMES[name]] = content
        path = tmp_path / "rules.tar"
        path.write_bytes(bundle(files, min_agent="0.0.1"))
        opened = open_bundle(path, read_keys(keys)).bundle
        try_out(opened, parse_config(site, "site"), limits)

    return run


NAMES = {
    "vectors": "vectors.jsonl",
    "rule": "scanner.toml",
    "plan": "dialplans/jp.toml",
    "table": "geo/country.tbl",
}


def lines(*records: Mapping[str, object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_a_sound_bundle_passes(tried: Try) -> None:
    tried()


def test_the_default_rules_pass(tmp_path: Path) -> None:
    keys = key_folder(tmp_path / "keys")
    head = build.Head("stable", 1, 1, CREATED, EXPIRES, "0.0.1")
    path = tmp_path / "rules.tar"
    path.write_bytes(build.sign(build.build(build.collect(RULES), head), KEY))
    for site in ("", '[numbers]\nprofile = "home"\n', '[numbers]\nprofile = "watch"\n'):
        opened = open_bundle(path, read_keys(keys)).bundle
        try_out(opened, parse_config(site, "site"))


@pytest.mark.parametrize("plan", sorted(EVERYDAY))
def test_everyday_calls_of_every_plan(plan: str) -> None:
    config = f'[numbers]\ndialplan = "{plan.lower()}"\n[origin]\nhome = ["{plan}"]\n'
    made = assemble(parse_config(config, "site"))
    assert list(without_help(made)) == []
    assert list(without_hits(made)) == []


def test_a_vector_that_does_not_come_true(tried: Try) -> None:
    with pytest.raises(BundleError) as refused:
        tried(vectors=lines({"what": "0312345678", "verdict": "drop"}))
    assert refused.value.exit_code == 4
    assert "vectors.jsonl:1: 0312345678: verdict" in str(refused.value)


RULE = """
id = "scanner"
rev = 1
severity = "high"
judges = "source"
[match]
on = "request"
side = "{side}"
[then]
verdict = "drop"
reason = "all of them"
[docs]
what = "Every request."
why = "None."
false_positives = "All."
references = ["RFC 3261"]
"""


def test_a_rule_that_would_stop_119(tried: Try) -> None:
    """110 is asked first; the number that is named is the first one."""
    with pytest.raises(BundleError, match="would stop INVITE of a call to 11") as no:
        tried(rule=RULE.format(side="inside").encode())
    assert no.value.exit_code == 4
    only_119 = RULE.format(side="inside").replace(
        'side = "inside"', 'side = "inside"\nto_user = "119"'
    )
    with pytest.raises(BundleError, match="would stop INVITE of a call to 119"):
        tried(rule=only_119.encode())


def test_a_rule_that_would_stop_honest_phones(tried: Try) -> None:
    """Its author's vectors come true; what we know of phones does not."""
    with pytest.raises(BundleError) as refused:
        tried(rule=RULE.format(side="outside").encode())
    said = str(refused.value)
    assert "everyday REGISTER from 198.51.100.10: scanner (all of them)" in said
    assert "expected no rule to match" in said


def test_what_is_only_logged_counts_as_well() -> None:
    made = settings('mode = "monitor"\n')
    worse = made._replace(rules=RuleSet([rule({"side": "inside"}, id="all")]))
    assert any("all (a test matched)" in one for one in without_hits(worse))
    assert list(without_hits(made)) == []


def test_what_the_site_blocks_is_no_fault_of_the_bundle() -> None:
    made = settings('[numbers]\nblock = ["81"]\n[origin]\nblock = ["JP"]\n')
    assert list(without_hits(made)) == []


def many_sites() -> bytes:
    """2,000 vectors, each with a site of its own: an agent is set up for each."""
    return lines(
        *(
            {
                "what": "119",
                "verdict": "accept",
                "site": f"[numbers]\nallow = ['{n}']\n",
            }
            for n in range(1000, 3000)
        )
    )


def test_what_does_not_come_to_an_end(tried: Try) -> None:
    with pytest.raises(BundleError, match="more than 2 s of processor time"):
        tried(Limits(cpu=2), vectors=many_sites())
    with pytest.raises(BundleError, match=r"not at its end after 1\.5 s"):
        tried(Limits(wall=1.5), vectors=many_sites())


def test_what_the_site_asks_and_the_bundle_has_not(tried: Try) -> None:
    with pytest.raises(BundleError, match="does not go with this site: numbers"):
        tried(site='[numbers]\ndialplan = "us"\n')
