"""Downloads by the system's programs, from a server of ours that means no good."""

import http.server
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ringfence.bundle import download as downloading
from ringfence.bundle.download import download
from ringfence.bundle.opening import is_url
from ringfence.errors import BundleError, ConfigError, KernelError

BODY = bytes(range(256)) * 8


class Pages(http.server.BaseHTTPRequestHandler):
    """What the server has."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/rules.tar")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/rules.tar":  # else its end is that of the connection
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.path == "/rules.tar":
            self.wfile.write(BODY)
        elif self.path == "/endless":
            try:
                while True:
                    self.wfile.write(BODY)
            except OSError:
                pass
        elif self.path == "/slow":
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(3)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An https server on this machine, and the certificate to believe it by."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("https")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    words += f" subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(  # noqa: S603
        [openssl, *words.split()],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as httpd:
        httpd.daemon_threads = True
        httpd.handle_error = lambda *_: None  # type: ignore[method-assign]
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"https://localhost:{httpd.server_address[1]}", certificate
        httpd.shutdown()
        thread.join()


@pytest.fixture(params=["curl", "wget"])
def program(
    request: pytest.FixtureRequest,
    server: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Leave one program in PATH, and let it believe our certificate."""
    name = str(request.param)
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / name).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(server[1]))
    monkeypatch.setenv("SSL_CERT_FILE", str(server[1]))
    (tmp_path / "wgetrc").write_text(f"ca_certificate = {server[1]}\n")
    monkeypatch.setenv("WGETRC", str(tmp_path / "wgetrc"))
    return name


def test_what_is_there(program: str, server: tuple[str, Path]) -> None:
    assert download(f"{server[0]}/rules.tar", 1 << 20) == BODY
    assert download(f"{server[0]}/rules.tar", len(BODY)) == BODY


def test_endless_data_ends_after_one_byte_more(
    program: str, server: tuple[str, Path]
) -> None:
    begin = time.monotonic()
    assert len(download(f"{server[0]}/endless", 100_000)) == 100_001
    assert time.monotonic() - begin < 5


def test_a_server_that_does_not_go_on(program: str, server: tuple[str, Path]) -> None:
    with pytest.raises(BundleError, match=r"not there after 0\.8 s"):
        download(f"{server[0]}/slow", 1000, timeout=0.8)


def test_what_is_not_there(program: str, server: tuple[str, Path]) -> None:
    with pytest.raises(BundleError, match="cannot be downloaded"):
        download(f"{server[0]}/missing", 1000)
    with pytest.raises(BundleError, match="cannot be downloaded"):
        download(f"{server[0]}/elsewhere", 1000)


def test_a_server_that_nobody_vouches_for(
    program: str,
    server: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "WGETRC"):
        monkeypatch.delenv(variable)
    with pytest.raises(BundleError, match="cannot be downloaded"):
        download(f"{server[0]}/rules.tar", 1000)


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost/x", "file:///etc/passwd", "ftp://x/y", "HTTPS://x/y"),
        *("https://x/a b", "https://x/\n", "https://x/ü", "https://" + "x" * 2000),
    ],
)
def test_only_https(url: str) -> None:
    assert is_url(url)
    with pytest.raises(ConfigError, match="begins with https://"):
        download(url, 10)


def test_nothing_to_download_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="uclient-fetch, curl, wget"):
        download("https://localhost/", 10)


def test_the_first_program_found_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenWrt's own comes first; this one only says how it was called."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    script = tmp_path / "uclient-fetch"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    said = download("https://localhost/$(id)", 1000).decode().splitlines()
    assert said == [*downloading.PROGRAMS["uclient-fetch"], "https://localhost/$(id)"]


def test_files_are_no_urls() -> None:
    assert not is_url("/root/rules.tar")
    assert not is_url("-")
