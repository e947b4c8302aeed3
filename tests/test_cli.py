"""Commands as they are typed: what they print, what they complain of, their codes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import (
    ABROAD,
    COUNTRIES,
    INSIDE,
    LISTED,
    RULES,
    invite,
    register,
    sip,
    udp,
)
from bundles import CREATED, EXPIRES, KEY, STRANGER, key_folder
from ringfence import __version__
from ringfence.bundle import build
from ringfence.cli import COMMANDS, main
from ringfence.packet import LINKTYPE_RAW
from wire.captures import pcap_header, pcap_record

Result = tuple[int, str, str]
"""Exit code, standard output, standard error."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process."""

    def ringfence(*arguments: object) -> Result:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse leaves by itself
            code = int(leaving.code or 0)
        return code, *capsys.readouterr()

    return ringfence


Run = Callable[..., Result]


def complaints(result: Result) -> list[str]:
    """What was complained of by a command that could do nothing."""
    _, out, err = result
    assert out == ""
    lines = err.splitlines()
    assert all(line.startswith("ringfence: ") for line in lines)
    return [line.removeprefix("ringfence: ") for line in lines]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with the test countries."""
    path = tmp_path / "ringfence.toml"
    path.write_text(f'[origin]\ntable = "{COUNTRIES}"\n', encoding="utf-8")
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture with a call that is rejected, a dropped registration, and noise."""
    path = tmp_path / "x.pcap"
    packets = [
        udp(invite(LISTED), INSIDE),
        udp(register(), ABROAD),
        udp(b"\r\n\r\n", ABROAD),
        udp(sip(), ABROAD),
    ]
    records = b"".join(pcap_record(packet.data) for packet in packets)
    path.write_bytes(pcap_header(link=LINKTYPE_RAW) + records)
    return path


# What is asked for ----------------------------------------------------------------


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"ringfence {__version__}\n", "")


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name, command in COMMANDS.items():
        assert name in out
        assert command.what in out
        assert run(name, "--help")[0] == 0


def test_check(run: Run, config: Path) -> None:
    rules = len(list(RULES.glob("*.toml")))
    expected = (0, f"configuration is fine: {rules} rules, home JP\n", "")
    assert run("check", "--config", config) == expected
    config.write_text('[origin]\nhome = ["NL", "JP"]\n', encoding="utf-8")
    assert run("check", "--config", config)[1].endswith("home JP, NL\n")


def test_replay_as_json_lines(run: Run, config: Path, capture: Path) -> None:
    code, out, err = run("replay", capture, "--config", config, "--format", "jsonl")
    assert (code, err) == (0, "")
    records = [json.loads(line) for line in out.splitlines()]
    assert [
        record.get("verdict") for record in records if record["type"] != "call"
    ] == [*("reject", "drop", "accept", None)]
    assert records[-1]["rules"] == {"blocked-destination": 1, "foreign-registration": 1}


def test_replay_as_a_table(run: Run, config: Path, capture: Path) -> None:
    code, out, err = run("replay", capture, "--config", config)
    assert (code, err) == (0, "")
    assert "accepted 1, dropped 1, rejected 1" in out
    hits = run("replay", capture, "--config", config, "--hits")[1]
    assert "OPTIONS" in out
    assert "OPTIONS" not in hits


def test_replay_with_more_networks_inside(
    run: Run, config: Path, capture: Path
) -> None:
    inside = ("--inside", "192.0.2.0/24", "--inside", "2001:db8::/32")
    _, out, _ = run("replay", capture, "--config", config, *inside)
    assert "accepted 2, dropped 0, rejected 1" in out


def test_explain(run: Run, config: Path) -> None:
    code, out, err = run("explain", "--lang", "en", "119", ABROAD, "--config", config)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "119: accept"
    assert f"{ABROAD}: drop" in out
    _, out, _ = run("explain", "--json", "119", ABROAD, "--config", config)
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["class"], second["country"]) == ("emergency", "NL")


def test_ruleset(run: Run, config: Path) -> None:
    config.write_text("[kernel]\nqueue = 77\nmark = 0xf\n", encoding="utf-8")
    code, out, err = run("ruleset", "--config", config)
    assert (code, err) == (0, "")
    assert "queue flags bypass to 77" in out
    assert "0x0000000f" in out


# Bundles -----------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The default rules as a bundle that is signed by the tests' key."""
    head = build.Head("stable", 1, 1, CREATED, EXPIRES, "0.0.1")
    path = tmp_path / "rules.tar"
    path.write_bytes(build.sign(build.build(build.collect(RULES), head), KEY))
    return path


OFFLINE = [["check"], ["explain", LISTED], ["ruleset"]]


@pytest.mark.parametrize("command", OFFLINE, ids=lambda command: str(command[0]))
def test_a_signed_bundle_does_what_its_folder_does(
    run: Run, config: Path, archive: Path, tmp_path: Path, command: list[str]
) -> None:
    keys = key_folder(tmp_path / "keys")
    said = run(*command, "--config", config, "--bundle", RULES)
    assert said[0] == 0
    signed = ("--config", config, "--bundle", archive)
    assert run(*command, *signed, "--keys", keys) == said
    with config.open("a", encoding="utf-8") as text:
        text.write(f'[bundle]\nkeys = "{keys}"\n')
    assert run(*command, *signed) == said


@pytest.mark.parametrize("command", OFFLINE, ids=lambda command: str(command[0]))
def test_a_bundle_that_nobody_trusted_has_signed(
    run: Run, config: Path, archive: Path, tmp_path: Path, command: list[str]
) -> None:
    keys = key_folder(tmp_path / "keys", (1, STRANGER))
    options = ("--config", config, "--bundle", archive, "--keys", keys)
    result = run(*command, *options)
    assert result[0] == 4
    (complaint,) = complaints(result)
    assert complaint.startswith(f"{archive}: MANIFEST.sig: key ")
    code, out, err = run(*command, *options, "--unsigned")
    assert code == 0
    assert out == run(*command, "--config", config, "--bundle", RULES)[1]
    warning = f"warning: {archive}: nobody has checked who made this bundle"
    assert err == f"ringfence: {warning}\n"


def test_replay_with_a_bundle(
    run: Run, config: Path, archive: Path, capture: Path, tmp_path: Path
) -> None:
    keys = key_folder(tmp_path / "keys")
    options = ("--config", config, "--bundle", archive, "--keys", keys)
    code, out, err = run("replay", capture, *options)
    assert (code, err) == (0, "")
    assert "accepted 1, dropped 1, rejected 1" in out


def test_the_agent_takes_nothing_that_is_not_signed(run: Run) -> None:
    code, _, err = run("run", "--unsigned")
    assert code == 2
    assert "unrecognized arguments: --unsigned" in err


# Bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("--nonsense",), "the following arguments are required: COMMAND"),
        (("guess",), "invalid choice: 'guess'"),
        (("check", "--nonsense"), "unrecognized arguments: --nonsense"),
        (("replay",), "the following arguments are required: FILE"),
        (("replay", "x", "--format", "xml"), "invalid choice: 'xml'"),
        (("check", "--config"), "expected one argument"),
    ],
)
def test_usage(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: ringfence")
    assert complaint in err


@pytest.mark.parametrize(
    ("options", "locale", "first"),
    [
        (["--lang", "ja"], "C.UTF-8", "119: 許可(accept)"),
        (["--lang", "en"], "ja_JP.UTF-8", "119: accept"),
        ([], "ja_JP.UTF-8", "119: 許可(accept)"),
        ([], "fr_FR.UTF-8", "119: accept"),
    ],
)
def test_explain_speaks_the_language_of_the_locale(
    run: Run,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    locale: str,
    first: str,
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    code, out, err = run("explain", *options, "119", "--config", config)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == first


def test_scripts_do_not_pay_for_words() -> None:
    code = (
        "import sys\n"
        "from ringfence.cli import main\n"
        "main(['explain', '--json', '119'])\n"
        "print([name for name in sys.modules if 'wording' in name])\n"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["check", "replay", "explain", "ruleset", "run"])
def test_a_bad_configuration_stops_every_command(
    run: Run, config: Path, capture: Path, command: str
) -> None:
    config.write_text(
        'mode = "on"\n[origin]\nhome = ["XX"]\n[network]\ninside = ["10.0.0.1/8"]\n',
        encoding="utf-8",
    )
    what = [capture] if command == "replay" else ["119"] if command == "explain" else []
    result = run(command, *what, "--config", config)
    assert result[0] == 2
    assert complaints(result) == [
        f'{config}: mode = "on": expected one of "enforce", "monitor"',
        f'{config}: network.inside[0] = "10.0.0.1/8": host bits are set; expected '
        "10.0.0.0/8 for the network or 10.0.0.1 for the one address",
        f'{config}: origin.home[0] = "XX": expected a two-letter country code of ISO '
        '3166 such as "JP"',
    ]


def test_a_configuration_that_is_not_there(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    result = run("check", "--config", missing)
    assert result[0] == 2
    assert complaints(result) == [
        f"{missing}: cannot be read: No such file or directory"
    ]


def test_a_configuration_that_is_no_text(run: Run, config: Path) -> None:
    config.write_bytes(b'mode = "\x80"')
    result = run("check", "--config", config)
    assert result[0] == 2
    assert complaints(result) == [f"{config}: byte 8 is not UTF-8: expected TOML text"]


def test_host_bits_on_the_command_line(run: Run, capture: Path, config: Path) -> None:
    result = run("replay", capture, "--config", config, "--inside", "10.0.0.1/8")
    assert result[0] == 2
    assert complaints(result) == [
        '--inside[0] = "10.0.0.1/8": host bits are set; expected 10.0.0.0/8 for the '
        "network or 10.0.0.1 for the one address"
    ]


def test_a_file_with_the_wrong_magic(run: Run, config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pcap"
    wrong.write_bytes(b"\x00\x01\x02\x03" * 10)
    result = run("replay", wrong, "--config", config)
    assert result[0] == 2
    assert complaints(result) == [
        f"{wrong}: not a capture but something that starts with 00010203; expected "
        "pcap or pcapng"
    ]


def test_a_truncated_capture(run: Run, config: Path, capture: Path) -> None:
    whole = capture.read_bytes()
    capture.write_bytes(whole[:-7])
    code, out, err = run("replay", capture, "--config", config)
    assert code == 2
    assert "3 packets, 2 SIP messages" in out, "judged as far as it goes"
    at = len(whole) - len(pcap_record(udp(sip(), ABROAD).data))
    assert err == (
        f"ringfence: {capture}: byte {at}, after 3 frames: the file ends inside a "
        "record; expected 7 bytes more\n"
    )


def test_one_bad_capture_among_good_ones(
    run: Run, config: Path, capture: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "none.pcap"
    code, out, err = run("replay", missing, capture, "--config", config)
    assert code == 2
    assert "4 packets" in out
    assert err == (
        f"ringfence: {missing}: cannot be read: No such file or directory; expected a "
        "pcap or pcapng file\n"
    )


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Copy the rules, to be damaged."""
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy, ignore=shutil.ignore_patterns("geo", "*.py"))
    return copy


@pytest.mark.parametrize("command", ["check", "explain"])
def test_corrupt_rules(run: Run, config: Path, rules: Path, command: str) -> None:
    (rules / "scanner.toml").write_text("id = \x01\n", encoding="utf-8")
    (rules / "extra.toml").write_text('id = "other"\n', encoding="utf-8")
    what = ["119"] if command == "explain" else []
    result = run(command, *what, "--config", config, "--bundle", rules)
    assert result[0] == 4
    found = complaints(result)
    assert "extra.toml: rev = None: expected a whole number from 1" in found
    assert f"{rules}/scanner.toml: not valid TOML: " in found[-1]


def test_rules_that_are_not_there(run: Run, config: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    result = run("check", "--config", config, "--bundle", nowhere)
    assert result[0] == 4
    assert complaints(result) == [f"{nowhere}: holds no rule; expected *.toml files"]


def test_rules_that_nobody_can_write_to(run: Run, config: Path, rules: Path) -> None:
    for path in [*rules.rglob("*"), rules]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert run("check", "--config", config, "--bundle", rules)[0] == 0
    for path in [rules, *rules.rglob("*")]:
        path.chmod(0o755)


# In a process of its own ----------------------------------------------------------


def unprivileged(
    *arguments: object, stdin: bytes = b"", stdout: int = subprocess.PIPE
) -> Result:
    """Run the command in a process without any capability, root's included."""
    command = [sys.executable, "-m", "ringfence", *map(str, arguments)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv to give its privileges up")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *command]
    # As on a router, where output to a pipe is buffered.
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


def test_replay_explain_and_check_need_no_privilege(
    config: Path, capture: Path
) -> None:
    for arguments in (["check"], ["explain", "119"], ["replay", capture], ["ruleset"]):
        code, out, err = unprivileged(*arguments, "--config", config)
        assert (code, err) == (0, "")
        assert out != ""


def test_doctor_without_privileges_says_what_it_could_not_see(config: Path) -> None:
    code, out, err = unprivileged("doctor", "--json", "--config", config)
    *findings, last = map(json.loads, out.splitlines())
    assert err == ""
    assert code == 1, "no agent runs"
    keys = {"type", "id", "state", "what", "why", "do"}
    assert all(set(one) == keys for one in findings)
    said = {one["id"]: one for one in findings}
    for check in ("kernel", "queue-statement", "table", "offload"):
        assert said[check]["state"] == "unknown"
        assert "only root" in said[check]["what"]
    assert last["worst"] == "problem"


def test_doctor_tells_every_error_of_the_configuration(config: Path) -> None:
    config.write_text('mode = "on"\n[network]\nsip_ports = []\n')
    code, out, err = unprivileged("doctor", "--config", config)
    assert (code, err) == (1, "")
    assert 'mode = "on": expected' in out
    assert "network.sip_ports = []: expected" in out


def test_run_needs_a_privilege_and_says_which(config: Path) -> None:
    assert unprivileged("run", "--config", config) == (
        3,
        "",
        "ringfence: this needs the capability CAP_NET_ADMIN; run it as root or give it "
        "to the service\n",
    )


def test_files_that_we_may_not_read(config: Path, capture: Path, rules: Path) -> None:
    (rules / "scanner.toml").chmod(0)
    result = unprivileged("check", "--config", config, "--bundle", rules)
    assert result[0] == 4
    assert complaints(result) == [
        f"{rules}/scanner.toml: cannot be read: Permission denied"
    ]
    capture.chmod(0)
    result = unprivileged("replay", capture, "--config", config)
    assert result[0] == 2
    assert complaints(result) == [
        f"{capture}: cannot be read: Permission denied; expected a pcap or pcapng file"
    ]
    config.chmod(0)
    result = unprivileged("check", "--config", config)
    assert result[0] == 2
    assert complaints(result) == [f"{config}: cannot be read: Permission denied"]


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "-"]])
def test_explain_reads_lines(config: Path, arguments: list[str]) -> None:
    lines = f"119\n\n  {ABROAD}  \n".encode()
    _, out, _ = unprivileged(*arguments, "--json", "--config", config, stdin=lines)
    inputs = [json.loads(line)["input"] for line in out.splitlines()]
    assert inputs == ["119", ABROAD]


def test_bytes_that_are_not_utf8(config: Path, capture: Path) -> None:
    odd = capture.rename(capture.with_name("odd\udcff.pcap"))
    arguments = ("replay", odd, "--format", "jsonl", "--config", config)
    code, out, err = unprivileged(*arguments)
    assert (code, err) == (0, "")
    assert json.loads(out.splitlines()[0])["file"] == str(odd)
    explain = ("explain", "--json", "--config", config)
    assert json.loads(unprivileged(*explain, "\udcff")[1])["input"] == "\udcff"
    assert json.loads(unprivileged(*explain, stdin=b"\xff\n")[1])["input"] == "\ufffd"


@pytest.mark.parametrize("packets", [1, 3000])
def test_a_reader_that_goes_away_is_no_error(
    config: Path, capture: Path, packets: int
) -> None:
    head, record = pcap_header(link=LINKTYPE_RAW), pcap_record(udp(sip()).data)
    capture.write_bytes(head + record * packets)
    reader, writer = os.pipe()
    os.close(reader)
    result = unprivileged("replay", capture, "--config", config, stdout=writer)
    os.close(writer)
    assert result == (0, "", "")


def test_the_module_is_the_command() -> None:
    assert unprivileged("--version") == (0, f"ringfence {__version__}\n", "")
