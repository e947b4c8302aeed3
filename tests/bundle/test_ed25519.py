"""Ed25519 checked in Python, against the RFC's vectors and against libsodium.

libsodium, through PyNaCl, is the other opinion: both have to say the same of every
input, sound, spoilt or made up to be awkward.
"""

import secrets
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl import bindings
from nacl.exceptions import BadSignatureError
from ringfence.bundle import ed25519, sodium
from ringfence.bundle.digests import sha512
from ringfence.bundle.ed25519 import ORDER, verifies

P = 2**255 - 19
MESSAGE = b"format: ringfence-rules/1\n"

# RFC 8032 section 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


def libsodium(message: bytes, signature: bytes, key: bytes) -> bool:
    try:
        bindings.crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def both(message: bytes, signature: bytes, key: bytes) -> bool:
    """Ask both, who have to agree."""
    ours = verifies(message, signature, key)
    assert ours is libsodium(message, signature, key), (message, signature, key)
    return ours


def flipped(data: bytes, bit: int) -> bytes:
    at, mask = bit // 8 % len(data), 1 << bit % 8
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


# What is sound, and what is spoilt --------------------------------------------------


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(
    seed: str, public: str, message: str, signature: str
) -> None:
    secret, text = bytes.fromhex(seed), bytes.fromhex(message)
    assert sodium.public_of(secret).hex() == public
    assert sodium.sign(text, secret).hex() == signature
    key, signed = bytes.fromhex(public), bytes.fromhex(signature)
    assert verifies(text, signed, key)
    assert not verifies(text + b"\0", signed, key)
    for bit in range(0, 512, 5):
        assert not verifies(text, flipped(signed, bit), key)


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300))
@settings(deadline=None, max_examples=60)
def test_what_is_signed_verifies(seed: bytes, message: bytes) -> None:
    assert both(message, sodium.sign(message, seed), sodium.public_of(seed))


@given(
    seed=st.binary(min_size=32, max_size=32),
    message=st.binary(min_size=1, max_size=99),
    part=st.sampled_from(("message", "signature", "key")),
    bit=st.integers(0, 799),
)
@settings(deadline=None, max_examples=150)
def test_one_bit_and_it_does_not(
    seed: bytes, message: bytes, part: str, bit: int
) -> None:
    signature, key = sodium.sign(message, seed), sodium.public_of(seed)
    if part == "message":
        message = flipped(message, bit)
    elif part == "signature":
        signature = flipped(signature, bit)
    else:
        key = flipped(key, bit)
    assert not both(message, signature, key)


@given(
    message=st.binary(max_size=20),
    signature=st.binary(min_size=64, max_size=64),
    key=st.binary(min_size=32, max_size=32),
)
@settings(deadline=None, max_examples=150)
@example(b"", bytes(64), bytes(32))
@example(b"", b"\xff" * 64, b"\xff" * 32)
def test_noise_does_not(message: bytes, signature: bytes, key: bytes) -> None:
    assert not both(message, signature, key)


@pytest.mark.parametrize(("signature", "key"), [(63, 32), (65, 32), (64, 31), (64, 33)])
def test_lengths(signature: int, key: int) -> None:
    assert not verifies(b"", bytes(signature), bytes(key))


@pytest.mark.parametrize("times", range(1, 16))
def test_s_is_below_the_order(times: int) -> None:
    seed = secrets.token_bytes(32)
    signed, key = sodium.sign(MESSAGE, seed), sodium.public_of(seed)
    s = int.from_bytes(signed[32:], "little")
    assert both(MESSAGE, signed, key)
    assert not both(MESSAGE, signed[:32] + little(s + times * ORDER), key)


@pytest.mark.parametrize("s", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**253, 2**256 - 1])
def test_awkward_s(s: int) -> None:
    seed = secrets.token_bytes(32)
    signed, key = sodium.sign(MESSAGE, seed), sodium.public_of(seed)
    assert not both(MESSAGE, signed[:32] + little(s), key)


# Points that are none, are written in two ways, or are of small order ---------------


def has_no_point(key: bytes) -> bool:
    return ed25519._decoded(key) is None


def test_keys_that_are_no_point() -> None:
    # For about half of all y there is no x.
    keys = [little(y) for y in range(2, 80)]
    without = [key for key in keys if has_no_point(key)]
    assert 20 < len(without) < 60
    for key in keys:
        valid = bindings.crypto_core_ed25519_is_valid_point(key)
        assert not (valid and has_no_point(key))
        assert not both(MESSAGE, little(1) + bytes(32), key)


@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize("y", range(19))
def test_a_point_has_one_form(y: int, sign: int) -> None:
    # y and y + P are the same number; the second is nobody's key.
    assert has_no_point(little(y + P | sign))
    for signature in (little(1) + bytes(32), little(y + P | sign) + bytes(32)):
        assert not both(MESSAGE, signature, little(y + P | sign))


@cache
def torsion() -> list[bytes]:
    """Return the eight points of small order: multiples of one whose order is 8.

    The order of the whole group is eight times that of the base point, so that any
    point multiplied by the latter ends up among them.
    """
    for y in range(2, 100):
        if has_no_point(little(y)):
            continue
        point = times(ORDER, little(y))
        found = [times(n, point) for n in range(8)]
        if len(set(found)) == 8:
            return found
    raise AssertionError("no point of order 8")


NOTHING = little(1)
"""The neutral element: x = 0, y = 1."""


def times(number: int, point: bytes) -> bytes:
    """Multiply a point, by doubling and libsodium's addition."""
    found = NOTHING
    for bit in bin(number)[2:]:
        found = plus(found, found)
        if bit == "1":
            found = plus(found, point)
    return found


def plus(one: bytes, other: bytes) -> bytes:
    added: bytes = bindings.crypto_core_ed25519_add(one, other)
    return added


def base_times(number: int) -> bytes:
    if number % ORDER == 0:
        return NOTHING
    found: bytes = bindings.crypto_scalarmult_ed25519_base_noclamp(
        little(number % ORDER)
    )
    return found


def test_keys_of_small_order_fit_nothing() -> None:
    weak = torsion()
    # Those of x = 0 have a second form too, with the sign that zero has not.
    strange = [
        NOTHING[:31] + b"\x80",
        little(P - 1 | 1 << 255),
        little(P),
        little(P + 1),
    ]
    assert {NOTHING, little(P - 1), bytes(32), bytes(31) + b"\x80"} < set(weak)
    for key in (*weak, *strange):
        for r in (NOTHING, key):
            for s in (0, 1):
                assert not both(MESSAGE, r + little(s), key)


@pytest.mark.parametrize("part", range(8))
def test_nobody_signs_for_a_key_of_small_order(part: int) -> None:
    # No secret is needed: sooner or later it adds up, if such a key were one.
    small, added_up = torsion(), False
    for number in range(100):
        s, message = secrets.randbelow(ORDER), b"message %d" % number
        other = secrets.randbelow(8)
        r = plus(base_times(s), small[other])
        h = int.from_bytes(sha512(r + small[part] + message), "little") % ORDER
        added_up |= (other + h * part) % 8 == 0
        assert not both(message, r + little(s), small[part])
    assert added_up


def test_r_of_small_order_fits_nothing() -> None:
    # Whoever has the secret key can make such a signature; nobody else does.
    a = secrets.randbelow(ORDER)
    key = base_times(a)
    for r in torsion():
        h = int.from_bytes(sha512(r + key + MESSAGE), "little") % ORDER
        assert not both(MESSAGE, r + little(h * a % ORDER), key)


@pytest.mark.parametrize("part", range(1, 8))
def test_keys_and_rs_with_a_part_of_small_order(part: int) -> None:
    """Sound but for a point of small order that is added to the key, or to R.

    Both take such a key, and then the one R which adds up exactly.
    """
    a, r = secrets.randbelow(ORDER), secrets.randbelow(ORDER)
    small = torsion()
    key = plus(base_times(a), small[part])
    outcomes = set()
    for number in range(12):
        message = b"message %d" % number
        for other in range(8):
            at = plus(base_times(r), small[other])
            h = int.from_bytes(sha512(at + key + message), "little") % ORDER
            signature = at + little((r + h * a) % ORDER)
            # s B = R + h A, if what is of small order in R and in h A cancels out.
            sound = (other + h * part) % 8 == 0
            assert both(message, signature, key) is sound
            outcomes.add(sound)
    assert outcomes == {True, False}
