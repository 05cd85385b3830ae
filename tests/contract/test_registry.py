"""The registry adapter against a real registry: uploads, mounts, login, and a server that dies."""

import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nucleo_cli.adapters.registry import Registry
from nucleo_cli.adapters.registry_login import Credentials
from nucleo_cli.builder import images
from nucleo_cli.builder.images import Layer
from nucleo_cli.errors import NotAllowed, NucleoError, Unreachable
from tests.contract.conftest import RegistryServer, free_port

# The one form of a password that the registry takes.
BCRYPT_OF_SECRET = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

WRONG, RIGHT = Credentials("ada", "wrong"), Credentials("ada", "secret")


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def client(registry: RegistryServer) -> Iterator[Registry]:
    found = Registry(f"{registry.address}/team")
    yield found
    found.close()


def put(client: Registry, repository: str, data: bytes) -> str:
    client.upload(repository, digest(data), len(data), lambda: iter([data]))
    return digest(data)


def test_a_blob_goes_up_and_comes_down(client: Registry) -> None:
    name, data = client.repository("blobs"), os.urandom(3_000_000)
    assert not client.has_blob(name, digest(data))
    put(client, name, data)
    assert client.has_blob(name, digest(data))
    assert b"".join(client.blob(name, digest(data))) == data


def test_a_blob_is_mounted_from_another_repository(client: Registry) -> None:
    blob = put(client, client.repository("origin"), b"layer")
    assert client.mount(client.repository("mounted"), blob, client.repository("origin"))
    assert client.has_blob(client.repository("mounted"), blob)
    assert not client.mount(client.repository("mounted"), digest(b"unknown"), client.repository("origin"))


def test_a_manifest_is_found_by_tag_and_by_digest(client: Registry) -> None:
    name = client.repository("image")
    layer = Layer(put(client, name, b"layer"), 5, "sha256:plain")
    config = images.plain_config([layer], "amd64")
    put(client, name, config.raw)
    manifest = images.manifest(config, [layer], {"a": "b"})
    assert client.put_manifest(name, "first", manifest.raw) == manifest.digest
    for reference in ("first", manifest.digest):
        found = client.manifest(name, reference)
        assert found is not None
        assert (found.digest, found.raw) == (manifest.digest, manifest.raw)
    assert client.document(name, config.digest)["architecture"] == "amd64"
    assert client.tags(name) == ["first"]
    assert client.delete_manifest(name, manifest.digest)
    assert not client.has_manifest(name, manifest.digest)


def test_a_blob_that_is_not_what_its_digest_says_is_refused(client: Registry) -> None:
    with pytest.raises(NucleoError, match="refused upload"):
        client.upload(client.repository("bad"), digest(b"a"), 1, lambda: iter([b"b"]))


def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        Registry(f"127.0.0.1:{free_port()}", pause=lambda _: None).ping()


def test_a_login_is_needed(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"ada:{BCRYPT_OF_SECRET}\n")
    server = RegistryServer(tmp_path, f"auth: {{htpasswd: {{realm: test, path: {tmp_path / 'users'}}}}}")
    server.start()
    clients = [Registry(server.address, lambda _, who=who: who) for who in (None, WRONG, RIGHT)]
    try:
        for client in clients[:2]:
            with pytest.raises(NotAllowed, match="refuses") as caught:
                client.ping()
            assert caught.value.hint == f"Run: docker login {server.address}"
        assert clients[2].has_blob("shop", put(clients[2], "shop", b"layer"))
    finally:
        for client in clients:
            client.close()
        server.stop()


class Cutter:
    """A proxy that breaks the first connections after so many bytes, and lets the later ones through."""

    def __init__(self, port: int, breaks: int, after: int) -> None:
        self._target = port
        self._breaks = breaks
        self._after = after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=self._copy, args=(server, client, False), daemon=True)
            back.start()
            self._copy(client, server, True)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if counts and passed > self._after and self.broken < self._breaks:
                    self.broken += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # Waking the thread first: closing alone leaves it in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_a_connection_that_breaks_in_the_middle_of_a_blob_is_taken_up_again(registry: RegistryServer) -> None:
    cutter = Cutter(registry.port, breaks=2, after=500_000)
    client = Registry(cutter.address)
    data = os.urandom(2_000_000)
    put(client, "broken", data)
    assert cutter.broken == 2
    assert b"".join(client.blob("broken", digest(data))) == data
    client.close()
    cutter.close()


def test_a_registry_that_stays_away_in_the_middle_of_a_blob_is_an_error(registry: RegistryServer) -> None:
    cutter = Cutter(registry.port, breaks=1000, after=100_000)
    client = Registry(cutter.address, pause=lambda _: None)
    with pytest.raises(Unreachable, match="does not answer"):
        put(client, "broken", os.urandom(1_000_000))
    client.close()
    cutter.close()
