"""A web server of ours, over TLS or in clear, that answers as a test wants it to."""

import http.server
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Server:
    """What it has got, and what it answers: one word for each request, the last for all
    that follow.

    A number is a status; `hangs` is silence, `endless` an answer without an end,
    `elsewhere` a redirection.
    """

    def __init__(self, url: str, ca: Path | None) -> None:
        self.url = url
        self.ca = None if ca is None else str(ca)
        self.answers: list[str] = ["200"]
        self.got: list[tuple[str, bytes]] = []
        """Path and body of each request."""
        self.headers: list[dict[str, str]] = []

    def next(self) -> str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, to make a certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    words += f" -keyout {key} -out {made}"
    subprocess.run(  # noqa: S603
        [openssl, *words.split()], check=True, capture_output=True
    )
    return key, made


@contextmanager
def serving(folder: Path | None) -> Iterator[Server]:
    """Serve on this machine; in clear without a folder for the certificate."""
    done = threading.Event()
    server = Server("", None)

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.headers["Transfer-Encoding"] == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            server.got.append((self.path, body))
            server.headers.append(dict(self.headers))
            answer = server.next()
            if answer == "hangs":
                done.wait(20)
                return
            if answer == "elsewhere":
                self.send_response(302)
                self.send_header("Location", f"{server.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            endless = answer == "endless"
            self.send_response(200 if endless else int(answer))
            if not endless:
                self.send_header("Content-Length", "2" if answer != "204" else "0")
            self.end_headers()
            if answer != "204":
                self.wfile.write(b"ok")
            until = time.monotonic() + 20
            while endless and time.monotonic() < until and not done.is_set():
                self.wfile.write(b"x" * 65_536)

        def do_GET(self) -> None:
            server.got.append((self.path, b"GET"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as httpd:
        httpd.daemon_threads = True
        httpd.handle_error = lambda *_: None  # type: ignore[method-assign]
        port = httpd.server_address[1]
        if folder is None:
            server.url = f"http://127.0.0.1:{port}"
        else:
            key, made = certificate(folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(made, key)
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
            server.url, server.ca = f"https://localhost:{port}", str(made)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            done.set()
            httpd.shutdown()
            thread.join()
