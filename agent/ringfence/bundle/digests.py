"""SHA-256 and SHA-512, from the interpreter's own C.

Knows where CPython keeps them. `hashlib` would do, but brings OpenSSL into memory where
that is there, 4 MB of a router's; and nothing of it is needed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol


class _Digest(Protocol):
    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


if TYPE_CHECKING:
    _sha256: Callable[[bytes], _Digest]
    _sha512: Callable[[bytes], _Digest]
else:
    try:
        from _sha2 import sha256 as _sha256  # since Python 3.12
        from _sha2 import sha512 as _sha512
    except ImportError:
        try:
            from _sha256 import sha256 as _sha256
            from _sha512 import sha512 as _sha512
        except ImportError:  # built without: it has to be OpenSSL's
            from hashlib import sha256 as _sha256
            from hashlib import sha512 as _sha512


def sha256(data: bytes) -> str:
    """Return the SHA-256 as 64 hex digits."""
    return _sha256(data).hexdigest()


def sha512(data: bytes) -> bytes:
    """Return the SHA-512, 64 bytes."""
    return _sha512(data).digest()
