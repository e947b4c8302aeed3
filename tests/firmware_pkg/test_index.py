"""The index of packages: what opkg looks up, and checks."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import index
import ipk
import pytest


@pytest.fixture
def out(tmp_path: Path) -> Path:
    ipk.build(tmp_path)
    return tmp_path


def test_it_names_the_package_and_its_sum(out: Path) -> None:
    plain, packed = index.build(out)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    lines = plain.read_text().splitlines()
    (package,) = out.glob("*.ipk")
    data = package.read_bytes()
    assert lines[0] == "Package: ringfence"
    assert f"Filename: {package.name}" in lines
    assert f"Size: {len(data)}" in lines
    assert f"SHA256sum: {hashlib.sha256(data).hexdigest()}" in lines
    # Lines that go on are the description's, which therefore comes last.
    assert lines[-2].startswith("Description: ")
    assert lines[-1].startswith(" ")


def test_two_packages_are_two_paragraphs(out: Path) -> None:
    (package,) = out.glob("*.ipk")
    shutil.copy(package, out / "another.ipk")
    text = index.build(out)[0].read_text()
    first, second = text.split("\n\n")
    assert first.replace("another.ipk", package.name) + "\n" == second


def test_signed(out: Path, tmp_path: Path) -> None:
    if shutil.which("signify-openbsd") is None:
        pytest.skip("needs signify-openbsd")
    public, secret = tmp_path / "key.pub", tmp_path / "key.sec"
    names = ["-p", str(public), "-s", str(secret)]
    subprocess.run(["signify-openbsd", "-G", "-n", *names], check=True)  # noqa: S603, S607
    plain, _, signed = index.build(out, secret)
    check = ["signify-openbsd", "-V", "-p", str(public), "-m", str(plain)]
    check += ["-x", str(signed)]
    subprocess.run(check, check=True)  # noqa: S603
    plain.write_text(plain.read_text().replace("all", "arm"))
    assert subprocess.run(check, check=False).returncode != 0  # noqa: S603
    # The next one without a key must not leave a signature of something else.
    index.build(out)
    assert not signed.exists()


def test_a_key_that_is_none(out: Path) -> None:
    if not any(map(shutil.which, index.SIGNERS)):
        pytest.skip(f"needs one of {', '.join(index.SIGNERS)}")
    with pytest.raises(RuntimeError):
        index.build(out, out / "missing.sec")


def test_no_program_signs(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(out))
    with pytest.raises(RuntimeError, match="usign, signify-openbsd"):
        index.build(out, out / "key.sec")
