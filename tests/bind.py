"""BIND as the authoritative server of test zones, on a port of loopback, with a TSIG key that may change them."""

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

KEY_NAME = "nucleo-test"


@dataclass(frozen=True, slots=True)
class Bind:
    """A running server; `folder` is its own."""

    port: int
    folder: Path
    secret: str
    address: str = "127.0.0.1"

    @property
    def server(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """As `nucleo cluster configure --dns-credentials` reads them."""
        return {"DNS_SERVER": self.server, "TSIG_NAME": KEY_NAME, "TSIG_SECRET": self.secret}

    def ask(self, name: str, kind: str = "A") -> list[str]:
        """The values that it answers with."""
        answer = dns.query.udp(dns.message.make_query(name, kind), self.address, 5, self.port)
        found = [each for each in answer.answer if each.rdtype == dns.rdatatype.from_text(kind)]
        return sorted(value.to_text() for rrset in found for value in rrset)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportUnknownArgumentType]


@contextmanager
def bind(folder: Path, zones: dict[str, str], address: str = "127.0.0.1") -> Generator[Bind]:
    """A server for the zones; each is the text of its records, SOA and NS excepted. `address` is an interface's."""
    program = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "BIND is not installed: .ci/setup test"
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    made = Bind(port, folder, base64.b64encode(os.urandom(32)).decode(), address)
    (folder / "named.conf").write_text(_configuration(made, zones))
    for zone, records in zones.items():
        start = f"$TTL 300\n$ORIGIN {zone}.\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A {address}\n"
        (folder / f"{zone}.zone").write_text(start + records + "\n")
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([program, "-f", "-c", str(folder / "named.conf")], stderr=log)
        try:
            _await(made, next(iter(zones)), running)
            yield made
        finally:
            running.terminate()
            running.wait(20)


def _configuration(made: Bind, zones: dict[str, str]) -> str:
    own = "\n".join(
        f'zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ key {KEY_NAME}; }}; '
        f"allow-transfer {{ key {KEY_NAME}; }}; }};"
        for zone in zones
    )
    return f"""
key {KEY_NAME} {{ algorithm hmac-sha256; secret "{made.secret}"; }};
options {{
  directory "{made.folder}"; pid-file "{made.folder}/pid"; session-keyfile "{made.folder}/session.key";
  managed-keys-directory "{made.folder}"; recursion no; dnssec-validation no; notify no; empty-zones-enable no;
  listen-on port {made.port} {{ {made.address}; }}; listen-on-v6 {{ none; }};
}};
controls {{ }};
logging {{ channel all {{ file "named.log"; severity info; print-time yes; }}; category default {{ all; }}; }};
{own}
"""


def _await(made: Bind, zone: str, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert running.poll() is None, (made.folder / "log").read_text()
        try:
            if made.ask(zone, "SOA"):
                return
        except (OSError, dns.exception.DNSException):
            pass
        time.sleep(0.05)
    raise AssertionError(f"named does not answer: {(made.folder / 'log').read_text()}")
