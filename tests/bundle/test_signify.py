"""Keys and signatures, among ourselves and with signify-openbsd."""

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import KEY, STRANGER
from ringfence.bundle import ed25519, signify
from ringfence.bundle.digests import sha512
from ringfence.bundle.signify import (
    MOST_BYTES,
    PublicKey,
    SecretKey,
    Signature,
    parse_public,
    parse_secret,
    parse_signature,
    sign,
    verify,
)
from ringfence.errors import BundleError

MESSAGE = b"format: ringfence-rules/1\n"
SIGNIFY = shutil.which("signify-openbsd")


def tool(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    if SIGNIFY is None:
        pytest.skip("signify-openbsd is not installed (Debian: signify-openbsd)")
    return subprocess.run(  # noqa: S603
        [SIGNIFY, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def malleated(signed: bytes, times: int = 1) -> bytes:
    """Add the group's order to s: the same point, and other bytes."""
    s = int.from_bytes(signed[32:], "little") + times * ed25519.ORDER
    return signed[:32] + s.to_bytes(32, "little")


def test_a_signature_has_one_form() -> None:
    signature = sign(MESSAGE, KEY)
    for times in range(1, 16):
        other = signature._replace(signed=malleated(signature.signed, times))
        assert not verify(MESSAGE, other, KEY.public)
    assert verify(MESSAGE, signature, KEY.public)


# Files -----------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    assert parse_public(KEY.public.render(), "x") == KEY.public
    assert parse_secret(KEY.render(), "x") == KEY
    signature = sign(MESSAGE, KEY)
    assert parse_signature(signature.render(), "x") == signature
    assert len(KEY.render()) < MOST_BYTES


def test_a_signature_is_the_key_s_by_number_and_by_bytes() -> None:
    signature = sign(MESSAGE, KEY)
    assert verify(MESSAGE, signature, KEY.public)
    assert not verify(MESSAGE, signature, STRANGER.public)
    renumbered = KEY.public._replace(number=STRANGER.number)
    assert not verify(MESSAGE, signature, renumbered)
    assert not verify(MESSAGE + b"x", signature, KEY.public)


@pytest.mark.parametrize(
    "comment", [b"", b"anything", b"verify with a.pub", b"\xff\0", b"x" * 300]
)
def test_comments_are_not_read(comment: bytes) -> None:
    _, line, _ = KEY.public.render().split(b"\n")
    data = b"untrusted comment: " + comment + b"\n" + line + b"\n"
    assert parse_public(data, "x") == KEY.public


def raw(payload: bytes, end: bytes = b"\n") -> bytes:
    return b"untrusted comment: x\n" + base64.b64encode(payload) + end


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x:1: expected a public key"),
        (b"trusted comment: x\n", "x:1: expected a public key"),
        (raw(b"Ed" + bytes(40)).replace(b"\n", b"\r\n"), "x:2: not base64"),
        (raw(b"Ed" + bytes(40), b""), "x:2: expected one line"),
        (raw(b"Ed" + bytes(40), b"\n\n"), "x:2: expected one line"),
        (raw(b"Ed" + bytes(40), b"\nmore\n"), "x:2: expected one line"),
        (raw(b"Ed" + bytes(39)), "x:2: expected a public key: 42 bytes"),
        (raw(b"Ed" + bytes(41)), "x:2: expected a public key: 42 bytes"),
        (raw(b"ed" + bytes(40)), "x:2: expected a public key: 42 bytes"),
        (raw(b"Ed" + bytes(72)), "x:2: expected a public key: 42 bytes"),
        (b"untrusted comment: x\n====\n", "x:2: not base64"),
        (b"untrusted comment: x\n\n", "x:2: expected a public key: 42 bytes"),
        (b"untrusted comment: x", "x:2: expected one line"),
        (b"untrusted comment: " + b"x" * 500, "x: 519 bytes: expected a public key"),
    ],
)
def test_what_is_no_key(data: bytes, message: str) -> None:
    with pytest.raises(BundleError) as error:
        parse_public(data, "x")
    assert str(error.value).startswith(message)


def test_base64_has_one_form() -> None:
    # The last digit's lowest bits stand for nothing: they have to be zero.
    text = parse_file(sign(MESSAGE, KEY).render())
    assert len(base64.b64decode(text)) == 74
    assert text.endswith("=")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = digits.index(text[-2])
    other = text[:-2] + digits[last ^ 1] + "="
    assert base64.b64decode(other) == base64.b64decode(text)
    with pytest.raises(BundleError, match="base64"):
        parse_signature(b"untrusted comment: x\n" + other.encode() + b"\n", "x")


def parse_file(data: bytes) -> str:
    return data.decode().splitlines()[1]


def spoilt(at: int) -> bytes:
    payload = bytearray(base64.b64decode(parse_file(KEY.render())))
    payload[at] ^= 1
    return raw(bytes(payload))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (spoilt(2), "expected a secret key with b'BK'"),
        (spoilt(7), "it has a passphrase"),
        (spoilt(24), "damaged"),
        (spoilt(40), "damaged"),
        (spoilt(103), "damaged"),
        (KEY.public.render(), "expected a secret key: 104 bytes"),
    ],
)
def test_what_is_no_secret_key(data: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse_secret(data, "x")


def test_a_secret_key_whose_public_part_is_another_s() -> None:
    payload = bytearray(base64.b64decode(parse_file(KEY.render())))
    payload[-32:] = STRANGER.public.key
    payload[24:32] = sha512(bytes(payload[40:]))[:8]
    with pytest.raises(BundleError, match="its public part differs"):
        parse_secret(raw(bytes(payload)), "x")


@pytest.mark.parametrize("parse", [parse_public, parse_secret, parse_signature])
def test_files_end_somewhere(
    parse: Callable[[bytes, str], PublicKey | SecretKey | Signature],
) -> None:
    with pytest.raises(BundleError, match=f"at most {MOST_BYTES}"):
        parse(b"untrusted comment: ".ljust(MOST_BYTES + 1), "x")


# signify-openbsd ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key.pub").write_bytes(KEY.public.render())
    (tmp_path / "key.sec").write_bytes(KEY.render())
    (tmp_path / "m").write_bytes(MESSAGE)
    return tmp_path


def test_signify_takes_our_signatures(folder: Path) -> None:
    (folder / "m.sig").write_bytes(sign(MESSAGE, KEY).render())
    done = tool(folder, "-V", "-p", "key.pub", "-m", "m", "-x", "m.sig")
    assert done.stdout == "Signature Verified\n", done.stderr
    (folder / "m").write_bytes(MESSAGE + b"x")
    done = tool(folder, "-V", "-p", "key.pub", "-m", "m", "-x", "m.sig")
    assert done.returncode != 0


def test_signify_takes_our_secret_key_and_signs_the_same(folder: Path) -> None:
    done = tool(folder, "-S", "-s", "key.sec", "-m", "m", "-x", "m.sig")
    assert done.returncode == 0, done.stderr
    theirs = parse_signature((folder / "m.sig").read_bytes(), "m.sig")
    assert theirs == sign(MESSAGE, KEY)


def test_we_take_the_keys_and_signatures_of_signify(tmp_path: Path) -> None:
    done = tool(tmp_path, "-G", "-n", "-p", "key.pub", "-s", "key.sec")
    assert done.returncode == 0, done.stderr
    public = parse_public((tmp_path / "key.pub").read_bytes(), "key.pub")
    secret = parse_secret((tmp_path / "key.sec").read_bytes(), "key.sec")
    assert secret.public == public
    for message in (MESSAGE, b"", b"\0" * 5000):
        (tmp_path / "m").write_bytes(message)
        tool(tmp_path, "-S", "-s", "key.sec", "-m", "m", "-x", "m.sig")
        signature = parse_signature((tmp_path / "m.sig").read_bytes(), "m.sig")
        assert verify(message, signature, public)
        assert signature == sign(message, secret)
        assert not verify(message + b"x", signature, public)
    assert signify.sign(MESSAGE, secret).number == public.number


def test_we_refuse_what_signify_accepts(folder: Path) -> None:
    # Why the bytes of a signature are no identity (and why we are strict).
    signature = sign(MESSAGE, KEY)
    other = signature._replace(signed=malleated(signature.signed))
    (folder / "m.sig").write_bytes(other.render())
    done = tool(folder, "-V", "-p", "key.pub", "-m", "m", "-x", "m.sig")
    assert done.stdout == "Signature Verified\n", done.stderr
    assert not verify(MESSAGE, other, KEY.public)
