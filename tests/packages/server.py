"""The public package registries on loopback: an HTTPS proxy that answers as they do, with a certificate of its own.

So apps, lock files and the platforms' defaults stay what they are: a build is led here by the settings of the machine,
as a company's proxy leads it. What is asked of any other host is refused.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

Answers = Mapping[str, bytes]

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hosts: ClassVar[tuple[str, ...]] = ()
    answers: ClassVar[Answers] = {}
    tls: ClassVar[ssl.SSLContext | None] = None

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        if host not in self.hosts or self.tls is None:
            self.send_error(502, f"{host} is not served here")
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        content = self.answers.get(urlsplit(self.path).path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that trusts nobody or hangs up is not this server's trouble."""


@contextmanager
def serving(answers: Answers, hosts: tuple[str, ...]) -> Generator[dict[str, str]]:
    """Answer as `hosts`; the variables that lead a program there: a proxy, and whom to trust."""
    with TemporaryDirectory(prefix="nucleo-packages-") as name:
        folder = Path(name)
        trusted = _certificate(folder, hosts)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "server.crt", folder / "server.key")
        handler = type("Handler", (_Handler,), {"hosts": hosts, "answers": answers, "tls": tls})
        server = _Server(("127.0.0.1", 0), handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield {
                "HTTPS_PROXY": f"http://127.0.0.1:{server.server_address[1]}",
                "NO_PROXY": "localhost,127.0.0.1,::1",
                "SSL_CERT_FILE": str(trusted),
            }
        finally:
            server.shutdown()
            server.server_close()


def _certificate(folder: Path, hosts: tuple[str, ...]) -> Path:
    """Make the certificate of the server; the file with it and all that this machine trusts."""
    certificate, names = folder / "server.crt", ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=nucleo tests", "-addext", f"subjectAltName={names}",
         "-keyout", str(folder / "server.key"), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    known = next((bundle.read_bytes() for bundle in map(Path, _BUNDLES) if bundle.is_file()), b"")
    trusted = folder / "trusted.crt"
    trusted.write_bytes(known + b"\n" + certificate.read_bytes())
    return trusted
