"""Notices posted by the system's programs, to a server of ours that means no good."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ringfence.errors import KernelError, RingfenceError
from ringfence.notifying.webhook import PROGRAMS, find_program, post
from webserver import Server, serving

LINE = b'{"type": "test", "text": "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"}\n'
HIDDEN = "/services/T0KEN/B0TH3R?key=S3CRETS3CRET"


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("https")) as server:
        yield server


@pytest.fixture
def server(https: Server) -> Server:
    """The same for all, with nothing got yet."""
    https.got.clear()
    https.headers.clear()
    https.answers = ["200"]
    return https


@pytest.fixture(params=["curl", "wget"])
def program(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Leave one program in PATH."""
    name = str(request.param)
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / name).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return name


def failing(server: Server, *, timeout: int = 5, ca: str | None = "") -> str:
    """Post and return the complaint."""
    with pytest.raises(RingfenceError) as raised:
        post(server.url + HIDDEN, LINE, server.ca if ca == "" else ca, timeout)
    said = str(raised.value)
    assert said.startswith(server.url.removeprefix("https://") + ": ")
    for secret in ("T0KEN", "B0TH3R", "S3CRET", "services"):
        assert secret not in said
    return said.partition(": ")[2]


@pytest.mark.parametrize("status", ["200", "201", "202", "204"])
def test_what_is_posted(program: str, server: Server, status: str) -> None:
    server.answers = [status]
    post(server.url + HIDDEN, LINE, server.ca, 5)
    assert server.got == [(HIDDEN, LINE)]
    (headers,) = server.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(LINE))


@pytest.mark.parametrize("status", ["400", "404", "429", "500", "503"])
def test_what_is_refused(program: str, server: Server, status: str) -> None:
    server.answers = [status]
    assert failing(server) == f"the server answered {status}"
    assert len(server.got) == 1


def test_a_redirection_is_not_followed(program: str, server: Server) -> None:
    server.answers = ["elsewhere"]
    assert "a redirection" in failing(server)
    assert [path for path, _ in server.got] == [HIDDEN]


def test_a_server_that_hangs(program: str, server: Server) -> None:
    server.answers = ["hangs"]
    begin = time.monotonic()
    said = failing(server, timeout=1)
    assert time.monotonic() - begin < 4
    assert "time" in said.lower() or said == "no answer within 1 s"
    assert len(server.got) == 1


def test_an_answer_without_an_end_is_an_answer(program: str, server: Server) -> None:
    server.answers = ["endless"]
    begin = time.monotonic()
    post(server.url, LINE, server.ca, 10)
    assert time.monotonic() - begin < 5
    assert len(server.got) == 1


def test_a_server_that_nobody_vouches_for(program: str, server: Server) -> None:
    failing(server, ca=None)
    assert server.got == []


def test_nobody_there(program: str, server: Server) -> None:
    gone = Server("https://localhost:1", None)
    failing(gone)
    nameless = Server("https://nobody.invalid", None)
    failing(nameless)


def test_in_clear_to_this_machine_and_past_any_proxy(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(None) as server:
        post(f"{server.url}/x", LINE, None, 5)
        assert server.got == [("/x", LINE)]


@pytest.mark.parametrize("name", ["curl", "wget"])
def test_the_secret_is_on_no_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that writes down how it was called."""
    script = tmp_path / name
    script.write_text(
        f'#!/bin/sh\necho "$0" "$@" > {tmp_path}/words\n'
        f"cat > {tmp_path}/told\nenv > {tmp_path}/environment\n"
        # What stands in for the answer of curl; wget's is its exit code.
        "printf 'HTTP/1.1 100 Continue\\r\\n\\r\\nHTTP/2 200 \\r\\n\\r\\n'\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    if name != "curl":
        monkeypatch.setattr("ringfence.notifying.webhook.PROGRAMS", (name,))
    post(f"https://localhost{HIDDEN}", LINE, None, 5)
    for file in ("words", "environment"):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert "T0KEN" not in text
        assert "type" not in text.replace("Content-Type", "")
    assert HIDDEN in (tmp_path / "told").read_text(encoding="utf-8")


UCLIENT = r"""#!/bin/sh
# OpenWrt's own, as far as this goes (uclient-fetch.c, main, header_done_cb).
echo "$@" >> {folder}/calls
for word; do
  case $word in
    --header=*) [ -n "{old}" ] && {{ echo "Usage: uclient-fetch" >&2; exit 1; }} ;;
    --post-file=*) cat "${{word#*=}}" > {folder}/body ;;
  esac
done
echo "Downloading '$word'" >&2
[ -n "{said}" ] && {{ echo "{said}" >&2; exit 8; }}
echo "Download completed (2 bytes)" >&2
"""


@pytest.mark.parametrize("old", ["", "yes"])
@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("", ""),
        ("HTTP error 202", ""),
        ("HTTP error 500", "the server answered 500"),
        ("Redirected to /x on localhost", "the server answered with a redirection"),
        ("Connection error: Connection failed", "Connection error: Connection failed"),
        (f"Failed to redirect to {HIDDEN}", "uclient-fetch ended with 8"),
    ],
)
def test_uclient_fetch(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    said: str,
    complaint: str,
) -> None:
    script = tmp_path / "uclient-fetch"
    script.write_text(UCLIENT.format(folder=tmp_path, old=old, said=said))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr("ringfence.notifying.webhook.PROGRAMS", ("uclient-fetch",))
    url = f"https://localhost{HIDDEN}"
    if complaint:
        with pytest.raises(RingfenceError) as raised:
            post(url, LINE, "/ca.pem", 5)
        assert str(raised.value) == f"localhost: {complaint}"
    else:
        post(url, LINE, "/ca.pem", 5)
    assert (tmp_path / "body").read_bytes() == LINE
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == (2 if old else 1)
    assert "--ca-certificate=/ca.pem" in calls[-1]


def test_nothing_to_post_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() is None
    with pytest.raises(KernelError, match=", ".join(PROGRAMS)):
        post("https://localhost/", LINE, None, 5)


def test_curl_s_own_configuration_is_not_read(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / ".curlrc").write_text('proxy = "http://127.0.0.1:1"\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    post(server.url, LINE, server.ca, 5)
    assert len(server.got) == 1
