"""A sound bundle with something changed: refused, whatever it is, and never an error.

Every byte of a small bundle is changed here, and some of the default one.
RINGFENCE_DEEP=1 changes every byte of that too, on all processors; it takes most
of an hour.
"""

import os
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest
from builders import RULES
from bundles import AGENT, CREATED, EXPIRES, KEY, bundle, checker
from hypothesis import given
from hypothesis import strategies as st
from ringfence.bundle import build, signify
from ringfence.bundle.checker import Checker
from ringfence.bundle.refused import REASONS, Refused

SMALL = bundle()
SAMPLES = 600
"""Bytes of the default bundle that are changed without RINGFENCE_DEEP."""
DEEP = os.environ.get("RINGFENCE_DEEP") == "1"


def default_bundle() -> bytes:
    head = build.Head("stable", 1, 1, CREATED, EXPIRES, AGENT)
    return build.sign(build.build(build.collect(RULES), head), KEY)


def judged(judge: Checker, data: bytes) -> str:
    """Return the reason against it, "" when there is none; any other error is ours."""
    try:
        judge.verify(data)
    except Refused as refused:
        return refused.reason
    return ""


def flipped(
    data: bytes, keys: signify.PublicKey, places: Iterable[int]
) -> Counter[str]:
    """Count reasons with one byte changed, at each of those places."""
    judge = Checker({1: [keys]}, AGENT)
    chance = random.Random(7)  # noqa: S311 - which bit is changed is no secret
    changed = bytearray(data)
    reasons: Counter[str] = Counter()
    for at in places:
        was = changed[at]
        changed[at] = was ^ chance.randrange(1, 256)
        reasons[judged(judge, bytes(changed))] += 1
        changed[at] = was
    return reasons


def test_every_byte_of_a_small_bundle() -> None:
    reasons = flipped(SMALL, KEY.public, range(len(SMALL)))
    assert reasons.total() == len(SMALL)
    assert "" not in reasons
    assert reasons.keys() <= REASONS.keys()
    assert {"signature.wrong", "signature.form", "file.digest"} <= reasons.keys()
    assert {"archive.damaged", "archive.padding", "archive.end"} <= reasons.keys()


def test_bits_of_what_is_signed_and_of_the_signature() -> None:
    judge = checker()
    for at in range(512, SMALL.index(b"blocked-destination.toml\0")):
        for bit in range(8) if DEEP else (at % 8,):
            changed = bytearray(SMALL)
            changed[at] ^= 1 << bit
            assert judged(judge, bytes(changed)) in REASONS


def test_bytes_of_the_default_bundle() -> None:
    data = default_bundle()
    assert judged(Checker({1: [KEY.public]}, AGENT), data) == ""
    if not DEEP:
        chance = random.Random(8)  # noqa: S311
        heads = range(0, len(data), 512)
        places = chance.sample(heads, 300) + chance.sample(
            range(len(data)), SAMPLES - 300
        )
        reasons = flipped(data, KEY.public, places)
        assert reasons.total() == SAMPLES
    else:
        step = 1 << 12
        parts = [
            range(at, min(at + step, len(data))) for at in range(0, len(data), step)
        ]
        with ProcessPoolExecutor() as pool:
            reasons = sum(
                pool.map(partial(flipped, data, KEY.public), parts), Counter[str]()
            )
        assert reasons.total() == len(data)
    assert "" not in reasons
    assert reasons.keys() <= REASONS.keys()


def test_every_truncation() -> None:
    judge = checker()
    for length in range(len(SMALL)):
        assert judged(judge, SMALL[:length]) in REASONS


def test_blocks_taken_away_repeated_and_exchanged() -> None:
    judge = checker()
    blocks = [SMALL[at : at + 512] for at in range(0, len(SMALL), 512)]
    for at, block in enumerate(blocks):
        without = blocks[:at] + blocks[at + 1 :]
        twice = [*blocks[: at + 1], *blocks[at:]]
        assert judged(judge, b"".join(without)) in REASONS
        assert judged(judge, b"".join(twice)) in REASONS
        for other in range(at):
            if blocks[other] != block:
                swapped = blocks.copy()
                swapped[at], swapped[other] = swapped[other], block
                assert judged(judge, b"".join(swapped)) in REASONS


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(SMALL)), st.integers(0, 600), st.binary(max_size=64)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_edits(edits: list[tuple[int, int, bytes]]) -> None:
    data = SMALL
    for at, gone, come in edits:
        data = data[:at] + come + data[at + gone :]
    if data != SMALL:
        assert judged(checker(), data) in REASONS


@given(st.binary(max_size=2048))
def test_noise(data: bytes) -> None:
    assert judged(checker(), data) in REASONS


@pytest.mark.parametrize("start", [b"", SMALL[:512], SMALL[:5120]])
def test_noise_behind_a_good_start(start: bytes) -> None:
    chance = random.Random(9)  # noqa: S311
    for _ in range(200):
        data = start + chance.randbytes(chance.randrange(3000))
        assert judged(checker(), data) in REASONS
