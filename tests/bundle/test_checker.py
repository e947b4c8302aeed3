"""Bundles that were made to deceive: each refused, with its own reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bundles import (
    CREATED,
    DAY,
    EXPIRES,
    FILES,
    KEY,
    NEXT_KEY,
    STRANGER,
    bundle,
    checker,
    manifest,
    members,
)
from ringfence.bundle import archive, ed25519, signify
from ringfence.bundle.archive import write_archive
from ringfence.bundle.checker import (
    GRACE,
    SHELF,
    Checker,
    Mark,
    Marks,
    contents,
    unverified,
)
from ringfence.bundle.digests import sha256
from ringfence.bundle.layout import COUNTRIES, MANIFEST, SIGNATURE
from ringfence.bundle.opening import open_bundle
from ringfence.bundle.refused import REASONS, Refused

NOW = Marks(CREATED + DAY)
GOOD = bundle()
TEXT = members(GOOD)[MANIFEST]
DIGEST = sha256(TEXT)


def refusal(judge: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as refused:
        judge()
    assert refused.value.exit_code == 4
    assert refused.value.reason in REASONS
    return refused.value


def reason(data: bytes, marks: Marks = NOW, agent: str = "0.4.0") -> str:
    return refusal(lambda: checker(agent).check(data, marks)).reason


def again(changes: dict[str, bytes | None], created: int = CREATED) -> bytes:
    """Put the good bundle together with members replaced or taken away."""
    changed = {**members(GOOD), **changes}
    kept = {name: data for name, data in changed.items() if data is not None}
    return write_archive(kept, created)


# A sound one ------------------------------------------------------------------------


def test_a_sound_bundle() -> None:
    found = checker().check(GOOD, NOW)
    assert found.files == FILES
    assert found.manifest == manifest()
    assert found.key == KEY.number.hex()
    assert found.mark == Mark(1, 42, DIGEST)
    assert checker().verify(GOOD) == found


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert bundle() == GOOD
    assert again({}) == GOOD


def test_nobody_s_word_is_none() -> None:
    found = unverified(GOOD)
    assert found.key == ""
    assert found.files == FILES
    assert unverified(bundle(key=STRANGER)).files == FILES


# Who signed it ------------------------------------------------------------------------


def test_nobody_signed_it() -> None:
    assert reason(again({SIGNATURE: None})) == "signature.missing"


def test_a_stranger_signed_it() -> None:
    data = bundle(key=STRANGER)
    assert reason(data) == "signature.key"
    text = str(refusal(lambda: checker().check(data, NOW)))
    assert STRANGER.number.hex() in text
    assert KEY.number.hex() in text
    nobody = Checker({}, "0.4.0")
    assert "there are none" in str(refusal(lambda: nobody.verify(GOOD)))


def test_a_stranger_with_the_number_of_a_trusted_key() -> None:
    # usign goes by the number alone when it is given one key.
    assert reason(bundle(key=STRANGER._replace(number=KEY.number))) == "signature.wrong"


def test_two_keys_of_one_number_are_both_tried() -> None:
    other = STRANGER._replace(number=KEY.number)
    both = Checker({1: [other.public, KEY.public]}, "0.4.0")
    assert both.verify(GOOD).key == KEY.number.hex()


def test_mix_and_match_a_signature_of_another_bundle() -> None:
    other = members(bundle(version=43))
    assert reason(again({SIGNATURE: other[SIGNATURE]})) == "signature.wrong"
    assert reason(again({MANIFEST: other[MANIFEST]})) == "signature.wrong"


def test_mix_and_match_files_of_another_bundle() -> None:
    newer = FILES["password-guessing.toml"].replace(b"over = 5", b"over = 9")
    assert reason(again({"password-guessing.toml": newer})) == "file.digest"


def test_a_malleated_signature_is_none() -> None:
    signature = signify.sign(TEXT, KEY)
    s = int.from_bytes(signature.signed[32:], "little") + ed25519.ORDER
    other = signature._replace(signed=signature.signed[:32] + s.to_bytes(32, "little"))
    assert reason(again({SIGNATURE: other.render()})) == "signature.wrong"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"",
        lambda text: text[:-1],
        lambda text: text + b"\n",
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"verify with", b"signed by"),
        lambda text: b"x" * 600,
        lambda text: KEY.public.render(),
        lambda text: TEXT,
    ],
)
def test_a_signature_of_another_form(change: Callable[[bytes], bytes]) -> None:
    text = members(GOOD)[SIGNATURE]
    assert reason(again({SIGNATURE: change(text)})) == "signature.form"


def test_what_was_signed_for_something_else_is_no_bundle() -> None:
    firmware = b"format: firmware/1\nversion: 7\n"
    assert reason(bundle(text=firmware)) == "manifest.format"
    assert reason(bundle(text=b"")) == "manifest.form"
    dates = manifest(expires=CREATED).render()
    assert reason(bundle(text=dates)) == "manifest.dates"


def test_nothing_that_nobody_signed_is_parsed() -> None:
    for text in (b"", b"\xff" * 1000, b"format: firmware/1\n"):
        assert reason(again({MANIFEST: text})) == "signature.wrong"


# Epochs -------------------------------------------------------------------------------


def test_a_key_of_the_next_epoch_signs_for_that_one() -> None:
    assert checker().check(bundle(epoch=2, key=NEXT_KEY), NOW).manifest.epoch == 2


def test_a_wrong_epoch() -> None:
    assert reason(bundle(epoch=2)) == "signature.epoch"
    assert reason(bundle(key=NEXT_KEY)) == "signature.epoch"
    assert reason(bundle(epoch=3, key=NEXT_KEY)) == "signature.epoch"


def test_a_key_may_be_trusted_for_several_epochs() -> None:
    keys = {1: [KEY.public], 2: [KEY.public]}
    both = Checker(keys, "0.4.0")
    assert both.verify(bundle(epoch=2)).manifest.epoch == 2
    refused = refusal(lambda: both.verify(bundle(epoch=3)))
    assert "expected 1 or 2" in refused.text


# Files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password-guessing.toml": None}, "file.missing"),
        ({"more.toml": b"x"}, "file.extra"),
        ({"password-guessing.toml": b""}, "file.length"),
        ({COUNTRIES: FILES[COUNTRIES][:-1] + b"x"}, "file.digest"),
    ],
)
def test_files_that_are_not_the_manifest_s(
    changes: dict[str, bytes | None], expected: str
) -> None:
    assert reason(again(changes)) == expected


def test_files_of_no_kind_even_if_they_are_signed() -> None:
    for name in ("agent.py", "keys/1", "dialplans/jp.csv", "geo/other.tbl", "readme"):
        assert reason(bundle({**FILES, name: b"x"})) == "file.unknown"


def test_how_large_each_kind_may_be() -> None:
    most = b"#" * (64 << 10)
    assert checker().check(bundle({**FILES, "large.toml": most}), NOW)
    assert reason(bundle({**FILES, "large.toml": most + b"#"})) == "file.size"


@pytest.mark.parametrize(
    "names",
    [
        ["blocked-destination.toml", "password-guessing.toml"],
        ["dialplans/jp.toml"],
        *(["destinations.csv"], [COUNTRIES], ["vectors.jsonl"]),
    ],
)
def test_no_bundle_is_without_a_kind(names: list[str]) -> None:
    left = {name: data for name, data in FILES.items() if name not in names}
    assert reason(bundle(left)) == "file.lacking"


def test_members_have_the_time_that_is_signed() -> None:
    assert reason(again({}, CREATED + 1)) == "archive.times"


def test_endless_data(tmp_path: Path) -> None:
    assert reason(GOOD + bytes(archive.MOST_BYTES)) == "archive.size"
    # A file without end is read up to the cap.
    refused = refusal(lambda: open_bundle(Path("/dev/zero"), {}))
    assert refused.reason == "archive.size"
    assert str(archive.MOST_BYTES + 1) in refused.text


# Agents and channels --------------------------------------------------------------------


def test_a_bundle_for_a_future_agent() -> None:
    for agent in ("0.3.9", "0.3.99", "0.0.1"):
        assert reason(GOOD, agent=agent) == "agent.old"
    for agent in ("0.4.0", "0.4.1", "0.10.0", "1.0.0"):
        assert checker(agent).check(GOOD, NOW)
    with pytest.raises(ValueError, match="expected one such as"):
        checker("0.4")


def test_another_channel() -> None:
    data = bundle(channel="testing")
    assert reason(data) == "channel.other"
    assert checker(channel="testing").check(data, NOW)
    assert checker().verify(data)


# Versions -----------------------------------------------------------------------------


def after(epoch: int, version: int, digest: str = "other") -> Marks:
    return NOW._replace(high_water=Mark(epoch, version, digest))


def test_rollback() -> None:
    assert reason(GOOD, after(1, 43)) == "version.older"
    assert reason(GOOD, after(2, 1)) == "version.epoch"
    for marks in (after(1, 41), after(1, 1)):
        assert checker().check(GOOD, marks)


def test_a_rollback_does_not_keep_an_old_one_from_being_loaded() -> None:
    assert checker().verify(bundle(version=1)).manifest.version == 1


def test_a_new_epoch_begins_its_versions_anew() -> None:
    data = bundle(epoch=2, version=1, key=NEXT_KEY)
    assert checker().check(data, after(1, 2**31 - 1))


def test_two_bundles_of_one_version() -> None:
    assert reason(GOOD, after(1, 42)) == "version.forked"
    assert reason(GOOD, after(1, 42, DIGEST)) == "version.same"


def test_what_did_not_run_well() -> None:
    assert reason(GOOD, NOW._replace(bad=frozenset({DIGEST}))) == "bad.known"
    # Known by what it says and not by the signature, which others could have made.
    keys = {1: [KEY.public, STRANGER.public]}
    signed_otherwise = bundle(key=STRANGER)
    assert signed_otherwise != GOOD
    marks = NOW._replace(bad=frozenset({DIGEST}))
    refused = refusal(lambda: Checker(keys, "0.4.0").check(signed_otherwise, marks))
    assert refused.reason == "bad.known"


# Time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("synced", [True, False])
def test_freeze(synced: bool) -> None:
    assert checker().check(GOOD, Marks(EXPIRES - 1, synced=synced))
    assert reason(GOOD, Marks(EXPIRES, synced=synced)) == "time.expired"


def test_what_expired_is_stale_and_is_loaded_all_the_same() -> None:
    found = checker().verify(GOOD)
    assert not found.stale(EXPIRES - 1)
    assert found.stale(EXPIRES)


def test_a_clock_that_stands_in_1970_is_not_before_the_floor() -> None:
    assert checker().check(GOOD, Marks(0, floor=EXPIRES - 1))
    assert reason(GOOD, Marks(0, floor=EXPIRES)) == "time.expired"


def test_a_clock_far_ahead_puts_updates_off_until_it_is_right() -> None:
    assert reason(GOOD, Marks(EXPIRES + 50 * 365 * DAY)) == "time.expired"
    assert checker().check(GOOD, Marks(CREATED, synced=True))


def test_a_floor_that_is_wrong_yields_to_a_clock_that_is_right() -> None:
    far = EXPIRES + 50 * 365 * DAY
    assert reason(GOOD, Marks(CREATED, floor=far)) == "time.expired"
    assert checker().check(GOOD, Marks(CREATED, floor=far, synced=True))


def test_made_in_the_future() -> None:
    assert checker().check(GOOD, Marks(CREATED - GRACE, synced=True))
    early = Marks(CREATED - GRACE - 1, synced=True)
    assert reason(GOOD, early) == "time.future"


def test_a_clock_that_is_behind_takes_what_is_newer_but_not_of_any_future() -> None:
    assert checker().check(GOOD, Marks(CREATED - SHELF))
    assert reason(GOOD, Marks(CREATED - SHELF - 1)) == "time.future"
    assert reason(GOOD, Marks(0)) == "time.future"  # with no floor at all
    assert checker().check(GOOD, Marks(0, floor=CREATED - SHELF))


# Order --------------------------------------------------------------------------------


def worse() -> Iterator[tuple[str, bytes]]:
    """Bundles with more and more against them: the first question decides."""
    old = NOW._replace(high_water=Mark(2, 1, ""))
    assert old.high_water is not None
    yield "version.epoch", GOOD
    yield "channel.other", bundle(channel="testing")
    text = manifest(channel="testing")
    files = {**FILES, "scanner.toml": b"x"}
    extra = {**files, MANIFEST: text.render()}
    extra[SIGNATURE] = signify.sign(extra[MANIFEST], KEY).render()
    yield "file.extra", write_archive(extra, CREATED)
    extra[MANIFEST] = text._replace(min_agent="9.0.0").render()
    extra[SIGNATURE] = signify.sign(extra[MANIFEST], KEY).render()
    yield "agent.old", write_archive(extra, CREATED)
    yield "archive.times", write_archive(extra, CREATED - 1)
    extra[SIGNATURE] = signify.sign(extra[MANIFEST], NEXT_KEY).render()
    yield "signature.epoch", write_archive(extra, CREATED - 1)
    extra[MANIFEST] = extra[MANIFEST] + b"\n"
    yield "signature.wrong", write_archive(extra, CREATED - 1)
    extra[SIGNATURE] = signify.sign(extra[MANIFEST], STRANGER).render()
    yield "signature.key", write_archive(extra, CREATED - 1)
    yield "archive.end", write_archive(extra, CREATED - 1) + b"\0"


def test_what_is_asked_first() -> None:
    marks = Marks(EXPIRES, high_water=Mark(2, 1, ""))
    for expected, data in worse():
        assert reason(data, marks) == expected


def test_contents_of_files_that_nobody_packed() -> None:
    described = manifest()
    assert contents(FILES, described) == FILES
    with pytest.raises(Refused):
        contents({}, described)
