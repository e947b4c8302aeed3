"""Keys and signatures in the files of OpenBSD's signify and OpenWrt's usign.

A file is a line of comment, a line of base64, nothing else:

    untrusted comment: whatever
    RWQ…

Behind the base64 are `Ed`, eight bytes that number the key, and the key or signature.
The comment is not signed: it is never read for what it says. The number is drawn by
chance when a key is made; it says which key to try, and proves nothing. Signature bytes
are no identity either: programs that are less strict accept several for one text.
"""

import binascii
from typing import Final, NamedTuple

from ringfence.bundle import ed25519, sodium
from ringfence.bundle.digests import sha512
from ringfence.errors import BundleError

MOST_BYTES: Final = 512
"""Bytes of a file; usign reads no more."""

_COMMENT: Final = b"untrusted comment: "
_ALGORITHM: Final = b"Ed"
_KDF: Final = b"BK"
_NUMBER: Final = 8


class PublicKey(NamedTuple):
    """What checks signatures."""

    number: bytes
    """8 bytes, drawn by chance."""
    key: bytes
    """32 bytes."""

    def render(self) -> bytes:
        """Write the file."""
        comment = f"ringfence public key {self.number.hex()}"
        return _render(comment, _ALGORITHM + self.number + self.key)


class SecretKey(NamedTuple):
    """What makes signatures."""

    number: bytes
    seed: bytes
    """32 bytes of which everything follows."""

    @property
    def public(self) -> PublicKey:
        """What to give to those who check."""
        return PublicKey(self.number, sodium.public_of(self.seed))

    def render(self) -> bytes:
        """Write the file, without a passphrase, as `signify -G -n` does."""
        secret = self.seed + self.public.key
        return _render(
            f"ringfence secret key {self.number.hex()}",
            # No rounds of key derivation and no salt: there is no passphrase.
            b"%b%b%b" % (_ALGORITHM, _KDF, bytes(4 + 16))
            + sha512(secret)[:8]
            + self.number
            + secret,
        )


class Signature(NamedTuple):
    """A signature, and the number of the key that made it."""

    number: bytes
    signed: bytes
    """64 bytes: R, then s."""

    def render(self) -> bytes:
        """Write the file; for one signature there is one way to write it."""
        comment = f"verify with ringfence public key {self.number.hex()}"
        return _render(comment, _ALGORITHM + self.number + self.signed)


def _render(comment: str, payload: bytes) -> bytes:
    return b"%b%b\n%b" % (_COMMENT, comment.encode(), binascii.b2a_base64(payload))


def _payload(data: bytes, where: str, what: str, length: int) -> bytes:
    """Return what is behind the base64."""
    if len(data) > MOST_BYTES:
        raise BundleError(
            f"{where}: {len(data)} bytes: expected {what}, at most {MOST_BYTES}"
        )
    comment, _, rest = data.partition(b"\n")
    if not comment.startswith(_COMMENT):
        raise BundleError(
            f"{where}:1: expected {what}, which begins {_COMMENT.decode()!r}"
        )
    line, newline, more = rest.partition(b"\n")
    try:
        payload = binascii.a2b_base64(line, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise BundleError(f"{where}:2: not base64: {error}") from error
    if not newline or more or binascii.b2a_base64(payload, newline=False) != line:
        raise BundleError(f"{where}:2: expected one line of base64, and no more")
    if len(payload) != length or not payload.startswith(_ALGORITHM):
        raise BundleError(
            f"{where}:2: expected {what}: {length} bytes that begin "
            f"{_ALGORITHM.decode()!r}, not {len(payload)}"
        )
    return payload[len(_ALGORITHM) :]


def parse_public(data: bytes, where: str) -> PublicKey:
    """Read a public key; `BundleError` for anything else."""
    payload = _payload(data, where, "a public key", 42)
    return PublicKey(payload[:_NUMBER], payload[_NUMBER:])


def parse_signature(data: bytes, where: str) -> Signature:
    """Read a signature; `BundleError` for anything else."""
    payload = _payload(data, where, "a signature", 74)
    return Signature(payload[:_NUMBER], payload[_NUMBER:])


def parse_secret(data: bytes, where: str) -> SecretKey:
    """Read a secret key that has no passphrase; `BundleError` for anything else."""
    payload = _payload(data, where, "a secret key", 104)
    kdf, rounds, check = payload[:2], payload[2:6], payload[22:30]
    number, secret = payload[30:38], payload[38:]
    if kdf != _KDF:
        raise BundleError(f"{where}:2: {kdf!r}: expected a secret key with {_KDF!r}")
    if rounds != bytes(4):
        raise BundleError(
            f"{where}: it has a passphrase: expected a key without, made by "
            "signify-openbsd -G -n or ringfence bundle keygen"
        )
    key = SecretKey(number, secret[:32])
    if sha512(secret)[:8] != check or key.public.key != secret[32:]:
        raise BundleError(f"{where}: damaged: its check sum or its public part differs")
    return key


def sign(message: bytes, key: SecretKey) -> Signature:
    """Sign; the same message and key give the same signature."""
    return Signature(key.number, sodium.sign(message, key.seed))


def verify(message: bytes, signature: Signature, key: PublicKey) -> bool:
    """Tell whether the signature is that key's, by its number and by its bytes."""
    return signature.number == key.number and ed25519.verifies(
        message, signature.signed, key.key
    )
