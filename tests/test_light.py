"""The commands of a router, on a Python that has no more than OpenWrt's python3-light.

They are run, and not only imported: what a command imports late counts too.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import light
import monthlog
import pytest
from builders import ABROAD, COUNTRIES, INSIDE, LISTED, invite, register, udp
from bundles import CREATED, DAY, FILES, KEY, bundle, key_folder
from ringfence.packet import LINKTYPE_RAW
from wire import captures

AGENT = Path(__file__).parent.parent / "agent"
MODULES = sorted(
    ".".join(path.relative_to(AGENT).with_suffix("").parts).removesuffix(".__init__")
    for path in (AGENT / "ringfence").rglob("*.py")
)

Result = tuple[int, str, str]
Python = Callable[..., Result]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Run Python as poor as on a router; the path of programs is the first argument."""
    folder = tmp_path / "light"
    folder.mkdir()
    poor = light.environment(folder, AGENT)

    def run(programs: Path | None, *arguments: object) -> Result:
        given = {"PATH": os.environ["PATH"] if programs is None else str(programs)}
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**given, **poor},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    keys = key_folder(tmp_path / "keys", (1, KEY))
    path = tmp_path / "ringfence.toml"
    path.write_text(
        f'[origin]\ntable = "{COUNTRIES}"\n'
        f'[bundle]\nkeys = "{keys}"\nstore = "{tmp_path}/rules"\n'
        f'factory = "{tmp_path}/base.tar"\n'
        f'[control]\nsocket = "{tmp_path}/run/control.sock"\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def ringfence(python: Python, config: Path) -> Callable[..., Result]:
    def run(*arguments: object, programs: Path | None = None) -> Result:
        return python(programs, "-m", "ringfence", *arguments, "--config", config)

    return run


Ringfence = Callable[..., Result]


def made(path: Path, version: int) -> Path:
    # An expiry after the end of any clock that the test may run on.
    far = CREATED + 9_000 * DAY
    path.write_bytes(bundle(FILES, version=version, min_agent="0.0.1", expires=far))
    return path


def test_what_is_lacking_lacks(python: Python) -> None:
    names = [
        *("logging.handlers", "ssl", "_hashlib", "ctypes", "urllib.parse", "email"),
        *("decimal", "unicodedata", "multiprocessing", "asyncio", "lzma"),
        *("nacl", "tomli", "dpkt", "pyroute2", "pytest"),
    ]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ImportError:\n"
        "        print(name)\n"
    )
    code, out, err = python(None, "-c", program, *names, "json", "hashlib", "tomllib")
    assert (code, err) == (0, "")
    assert out.split() == names


def test_every_module_can_be_imported(python: Python) -> None:
    program = (
        f"import importlib\nfor name in {MODULES!r}: importlib.import_module(name)"
    )
    assert len(MODULES) > 100
    assert python(None, "-c", program) == (0, "", "")


def test_what_stands_in_for_urllib_is_gone(python: Python) -> None:
    program = "import sys, ringfence; print(*sys.modules)"
    _, out, _ = python(None, "-c", program)
    assert {name for name in out.split() if name.startswith("urllib")} == set()


def test_doctor(ringfence: Ringfence, tmp_path: Path) -> None:
    """With no program on its path, so that it asks nothing of this machine's kernel."""
    code, out, err = ringfence("doctor", "--json", programs=tmp_path)
    said = {one["id"]: one for one in map(json.loads, out.splitlines()) if "id" in one}
    assert (code, err) == (1, "")
    assert said["agent"]["state"] == "problem"
    assert "not in PATH" in said["nft"]["what"]
    assert not [one for one in said.values() if "flaw of ringfence" in one["what"]]


def test_check_and_ruleset(ringfence: Ringfence) -> None:
    code, out, err = ringfence("check")
    assert (code, err) == (0, "")
    assert out.startswith("configuration is fine: ")
    code, out, err = ringfence("ruleset")
    assert (code, err) == (0, "")
    assert "queue" in out


def test_check_says_what_is_wrong(ringfence: Ringfence, config: Path) -> None:
    # The guess at what was meant takes another module.
    config.write_text("[network]\nwann = ['ppp0']\n", encoding="utf-8")
    code, _, err = ringfence("check")
    assert (code, "did you mean" in err) == (2, True)
    config.write_text("[network\n", encoding="utf-8")
    code, _, err = ringfence("check")
    assert (code, "not valid TOML" in err) == (2, True)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_explain(ringfence: Ringfence, lang: str) -> None:
    words = ("119", LISTED, ABROAD, "sip:1234@example.com", "tel:+81-3-1234-5678")
    code, out, err = ringfence("explain", "--lang", lang, *words)
    assert (code, err) == (0, "")
    assert out.startswith("119: ")
    code, out, err = ringfence("explain", "--json", *words)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == len(words)


def capture_files(folder: Path) -> list[Path]:
    """Write the same packets as pcap, as pcapng, and compressed."""
    packets = [udp(invite(LISTED), INSIDE).data, udp(register(), ABROAD).data]
    plain = captures.pcap_header(link=LINKTYPE_RAW)
    plain += b"".join(map(captures.pcap_record, packets))
    blocks = captures.section() + captures.interface(LINKTYPE_RAW)
    blocks += b"".join(captures.enhanced(packet) for packet in packets)
    files = {"x.pcap": plain, "x.pcapng": blocks, "x.pcap.gz": gzip.compress(plain)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_replay(ringfence: Ringfence, tmp_path: Path, form: str) -> None:
    files = capture_files(tmp_path)
    code, out, err = ringfence("replay", "--format", form, *files)
    assert (code, err) == (0, "")
    if form == "text":
        assert out.count("accepted 0, dropped 1, rejected 1") == len(files)
    else:
        assert out.count('"verdict": "reject"') == len(files)
    (tmp_path / "x.pcap").write_bytes(b"x")
    code, _, err = ringfence("replay", "--format", form, files[0])
    assert (code, "not a capture" in err) == (2, True)


def test_status_and_report_without_an_agent(
    ringfence: Ringfence, tmp_path: Path
) -> None:
    for options in ((), ("--json",)):
        code, out, err = ringfence("status", *options)
        assert (code, err) == (1, "")
        assert out
    (tmp_path / "log").write_text('{"type": "ready"}\n', encoding="utf-8")
    shared = tmp_path / "shared.csv"
    code, out, _ = ringfence("report", "--share", shared, tmp_path / "log")
    assert (code, out) == (0, f"{shared}: 0 events in 0 rows\n")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_report(ringfence: Ringfence, tmp_path: Path, lang: str) -> None:
    log, table, page = (tmp_path / name for name in ("log", "x.csv", "x.html"))
    log.write_text("".join(monthlog.lines()), encoding="utf-8")
    code, out, err = ringfence("report", "--lang", lang, "--since", "30d", log)
    assert (code, err) == (1, "")
    assert "2,449,475" in out
    files = ("--csv", table, "--html", page)
    code, out, err = ringfence("report", "--lang", lang, *files, log)
    assert (code, err) == (1, "")
    assert page.read_text(encoding="utf-8").count("<svg ") == 9


def test_bundles(ringfence: Ringfence, python: Python, tmp_path: Path) -> None:
    first, second = made(tmp_path / "1.tar", 1), made(tmp_path / "2.tar", 2)
    keys = ("--keys", tmp_path / "keys")
    for action in ("verify", "show"):
        code, out, err = python(None, "-m", "ringfence", "bundle", action, first, *keys)
        assert (code, err) == (0, ""), action
        assert out
    for number, file in enumerate((first, second), 1):
        code, out, err = ringfence("bundle", "install", file)
        assert (code, err) == (0, "")
        assert f"version {number} of epoch 1 is in slot" in out
    assert ringfence("check")[1].startswith("configuration is fine: 2 rules")
    code, out, err = ringfence("bundle", "rollback")
    assert (code, err) == (0, "")
    assert "given up: version 2" in out
    code, out, _ = ringfence("bundle", "status", "--json")
    assert (code, json.loads(out)["used"]) == (0, "a")
    first.write_bytes(first.read_bytes().replace(b"number", b"nomber"))
    code, _, err = ringfence("bundle", "install", first)
    assert (code, "[" in err) == (4, True)


def test_a_bundle_from_the_network(ringfence: Ringfence, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    url = "https://rules.example/rules.tar"
    code, _, err = ringfence("bundle", "install", url, programs=programs)
    assert (code, "nothing to download with" in err) == (3, True)
    # OpenWrt's own, as far as this goes: what it fetches, to standard output.
    file = made(tmp_path / "1.tar", 1)
    fetch = programs / "uclient-fetch"
    fetch.write_text(f"#!/bin/sh\nexec /bin/cat {file}\n", encoding="utf-8")
    fetch.chmod(0o755)
    code, out, err = ringfence("bundle", "install", url, programs=programs)
    assert (code, err) == (0, "")
    assert out.startswith(f"{url}: version 1 of epoch 1 is in slot a")


def test_an_installation_imports_no_openssl(tmp_path: Path, config: Path) -> None:
    # On a Python that has everything.
    file = made(tmp_path / "1.tar", 1)
    program = (
        "import sys; from ringfence.cli import main\n"
        "assert main(['bundle', 'install', *sys.argv[1:]]) == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, file, "--config", config],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"hashlib", "_hashlib", "ssl", "_ssl", "urllib.request", "nacl", "tomli"}
    assert "ringfence.bundle.ed25519" in done.stdout
    assert set(done.stdout.split()) & heavy == set()


@pytest.mark.parametrize("action", ["keygen", "sign"])
def test_who_signs_is_told_what_to_install(
    python: Python, tmp_path: Path, action: str
) -> None:
    words: list[object] = [tmp_path / "new"]
    if action == "sign":
        (tmp_path / "key.sec").write_bytes(KEY.render())
        words = [made(tmp_path / "1.tar", 1), "--key", tmp_path / "key.sec"]
    code, out, err = python(None, "-m", "ringfence", "bundle", action, *words)
    assert (code, out) == (3, "")
    assert err.startswith("ringfence: PyNaCl cannot be loaded")
    assert "python3-nacl" in err


def test_the_agent_as_far_as_it_gets(ringfence: Ringfence, tmp_path: Path) -> None:
    # A path without nft: nothing is touched, root or not.
    (tmp_path / "bin").mkdir()
    code, _, err = ringfence("run", programs=tmp_path / "bin")
    assert code == 3
    assert "Traceback" not in err
    assert err.startswith("ringfence: ")
