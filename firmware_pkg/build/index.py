"""The index of a folder of .ipk files, so that opkg can be pointed at it.

Knows `Packages`, `Packages.gz` and, with a key, `Packages.sig`; signing is left to
`usign` or OpenBSD's `signify`, whichever is there: both write what opkg checks.
"""

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from gzipped import compress

SIGNERS: Final = ("usign", "signify-openbsd", "signify")


def build(out: Path, key: Path | None = None) -> list[Path]:
    """Write the index of all packages in a folder; return what was written.

    `key` is a secret key without a passphrase. Raises RuntimeError when signing fails
    or no program for it is there.
    """
    blocks = [_block(path) for path in sorted(out.glob("*.ipk"))]
    text = "\n".join(blocks).encode()
    plain, packed, signed = (out / f"Packages{end}" for end in ("", ".gz", ".sig"))
    plain.write_bytes(text)
    packed.write_bytes(compress(text))
    # One that an earlier run left would be of another index.
    signed.unlink(missing_ok=True)
    if key is None:
        return [plain, packed]
    _sign(plain, signed, key)
    return [plain, packed, signed]


def _block(path: Path) -> str:
    data = path.read_bytes()
    fields = _control(data).splitlines()
    description = next(
        number for number, line in enumerate(fields) if line.startswith("Description:")
    )
    ours = [
        f"Filename: {path.name}",
        f"Size: {len(data)}",
        f"SHA256sum: {hashlib.sha256(data).hexdigest()}",
    ]
    return "\n".join([*fields[:description], *ours, *fields[description:], ""])


def _control(package: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(package)) as outer:
        inner = outer.extractfile("./control.tar.gz")
        assert inner is not None  # noqa: S101 - a member of that name is a file
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as members:
            control = members.extractfile("./control")
            assert control is not None  # noqa: S101
            return control.read().decode()


def _sign(plain: Path, signed: Path, key: Path) -> None:
    program = next((found for name in SIGNERS if (found := shutil.which(name))), None)
    if program is None:
        raise RuntimeError(f"signing needs one of {', '.join(SIGNERS)}")
    done = subprocess.run(  # noqa: S603 - one of three known programs, no shell
        [program, "-S", "-s", str(key), "-m", str(plain), "-x", str(signed)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr.strip()}")
