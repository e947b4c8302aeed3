"""The three things that libsodium does for us, through PyNaCl.

Knows how they are called. PyNaCl is imported when one of them is used: an agent that
checks no bundle does without its 3 MB. SHA-256 is here too, since `hashlib` would bring
OpenSSL with it.
"""

from types import ModuleType
from typing import Final

from ringfence.errors import KernelError

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Of the group that Ed25519 works in (RFC 8032 section 5.1)."""


def _bindings() -> ModuleType:
    try:
        from nacl import bindings
    except ImportError as error:
        raise KernelError(
            f"PyNaCl cannot be loaded ({error}): expected it, to check signatures"
        ) from error
    return bindings


def sha256(data: bytes) -> str:
    """Return the SHA-256 as 64 hex digits."""
    digest: bytes = _bindings().crypto_hash_sha256(data)
    return digest.hex()


def sha512(data: bytes) -> bytes:
    """Return the SHA-512, 64 bytes."""
    digest: bytes = _bindings().crypto_hash_sha512(data)
    return digest


def verifies(message: bytes, signature: bytes, key: bytes) -> bool:
    """Tell whether an Ed25519 signature of 64 bytes is that key's over the message.

    Strict: a signature with `s` of the group's order or more is none (RFC 8032 section
    5.1.7), nor is one by a key of small order, which would fit many messages.
    """
    from nacl.exceptions import BadSignatureError

    if int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    try:
        _bindings().crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def public_of(seed: bytes) -> bytes:
    """Return the public key of a seed, both 32 bytes."""
    public: bytes = _bindings().crypto_sign_seed_keypair(seed)[0]
    return public


def sign(message: bytes, seed: bytes) -> bytes:
    """Return the Ed25519 signature, 64 bytes; the same input gives the same."""
    _, secret = _bindings().crypto_sign_seed_keypair(seed)
    signed: bytes = _bindings().crypto_sign(message, secret)
    return signed[:64]
