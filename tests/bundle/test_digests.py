"""SHA-2 without OpenSSL."""

import hashlib
import subprocess
import sys

import pytest
from ringfence.bundle.digests import sha256, sha512


@pytest.mark.parametrize("size", [0, 1, 55, 56, 64, 111, 112, 128, 5_000])
def test_digests(size: int) -> None:
    data = bytes(range(256)) * 20
    assert sha256(data[:size]) == hashlib.sha256(data[:size]).hexdigest()
    assert sha512(data[:size]) == hashlib.sha512(data[:size]).digest()


@pytest.mark.parametrize(
    ("lacking", "hashlib"),
    [([], False), (["_sha2", "_sha256", "_sha512"], True)],
    ids=["own", "of OpenSSL"],
)
def test_openssl_only_where_there_is_nothing_else(
    lacking: list[str], hashlib: bool
) -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({lacking!r}))\n"
        "from ringfence.bundle.digests import sha256, sha512\n"
        "print(sha256(b'')[:8], sha512(b'').hex()[:8], 'hashlib' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"e3b0c442 cf83e135 {hashlib}\n"
