"""What libsodium does for those who sign, through PyNaCl.

Knows how it is called, and imports it only then: nobody needs it but who makes keys
and signatures. It handles secrets, for which Python's own integers are no good.
"""

from types import ModuleType

from ringfence.errors import KernelError


def _bindings() -> ModuleType:
    try:
        from nacl import bindings
    except ImportError as error:
        raise KernelError(
            f"PyNaCl cannot be loaded ({error}): expected it, to read and make secret "
            "keys and to sign; it is Debian's python3-nacl and pip's pynacl"
        ) from error
    return bindings


def public_of(seed: bytes) -> bytes:
    """Return the public key of a seed, both 32 bytes; `KernelError` without PyNaCl."""
    public: bytes = _bindings().crypto_sign_seed_keypair(seed)[0]
    return public


def sign(message: bytes, seed: bytes) -> bytes:
    """Return the Ed25519 signature, 64 bytes; the same input gives the same.

    Raises `KernelError` without PyNaCl.
    """
    bindings = _bindings()
    _, secret = bindings.crypto_sign_seed_keypair(seed)
    signed: bytes = bindings.crypto_sign(message, secret)
    return signed[:64]
