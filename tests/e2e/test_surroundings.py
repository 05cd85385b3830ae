"""No engine, no cluster, no right, no registry: each is told with its own exit code, and the release serves on."""

import base64
import http.client
import json
import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from tests.e2e.api import Api
from tests.e2e.checker import Probe, check, serves
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample
from tests.installed import CONTEXT, KUBECONFIG, Nucleo

SETTINGS = "/api/v1/namespaces/nucleo-system/configmaps/nucleo"


@pytest.fixture(scope="module")
def shared(app_factory: AppFactory) -> Sample:
    made = app_factory("around")
    made.deploy()
    return made


@pytest.fixture
def app(shared: Sample) -> Sample:
    """An app that serves while something around it is broken."""
    shared.ensure()
    return shared


def edit(app: Sample, answer: str) -> None:
    """A change whose build step has to run again."""
    app.say(answer)
    app.write("requirements.txt", f"# {token_hex()}\n")


@contextmanager
def setting(api: Api, **values: str) -> Generator[None]:
    """Other settings of the cluster, for a while."""
    data = {name.replace("_", "-"): value for name, value in values.items()}
    before = {name: api.get(SETTINGS)["data"].get(name) for name in data}
    api.patch(SETTINGS, {"data": data})
    try:
        yield
    finally:
        api.patch(SETTINGS, {"data": before})


def kubeconfig(path: Path, server: str, user: dict[str, str], ca: str = "") -> dict[str, str]:
    """The environment of a person whose kubeconfig says this."""
    cluster = {"server": server, **({"certificate-authority-data": ca} if ca else {})}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "one", "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": "one", "user": "one"}}],
        "current-context": CONTEXT,
    }
    path.write_text(yaml.safe_dump(document))
    return {"KUBECONFIG": str(path)}


def authority() -> str:
    """The test cluster's CA, as a kubeconfig has it."""
    document = yaml.safe_load(KUBECONFIG.read_text())
    contexts = {each["name"]: each["context"] for each in document["contexts"]}
    clusters = {each["name"]: each["cluster"] for each in document["clusters"]}
    return clusters[contexts[CONTEXT]["cluster"]]["certificate-authority-data"]


AUTHORITY = """\
[ca]
default_ca = it
[it]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = anything
copy_extensions = copy
[anything]
organizationName = optional
commonName = supplied
"""


def expired_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate of the past and its key."""
    key, cert, request = folder / f"{name}.key", folder / f"{name}.pem", folder / f"{name}.csr"
    (folder / "ca.cnf").write_text(AUTHORITY.format(folder=folder))
    (folder / "index.txt").write_text("")
    subject = ["-subj", f"/O=system:masters/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    past = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    signed = ["-keyfile", str(key), "-in", str(request), "-out", str(cert)]
    for argv in (
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", str(key), "-out", str(request)],
        ["ca", "-batch", "-selfsign", "-config", str(folder / "ca.cnf"), "-notext", *past, *signed],
    ):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)
    return cert, key


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


class TestEngine:
    def test_without_one_a_build_is_exit_8_and_names_the_way_out(self, app: Sample) -> None:
        edit(app, "engine-1")
        result = app("deploy", "--json", env={"DOCKER_HOST": "tcp://127.0.0.1:1"}).expect(8)
        assert "engine" in result.json["error"]
        assert result.json["hint"]

    def test_without_one_a_deploy_with_nothing_to_build_still_works(self, app: Sample) -> None:
        app.deploy()
        result = app("deploy", "--json", env={"DOCKER_HOST": "tcp://127.0.0.1:1"}).expect(0)
        assert result.json["changed"] is False

    def test_without_one_no_cluster_comes_up(self, nucleo: Nucleo, cluster: str) -> None:
        result = nucleo("cluster", "up", "--name", "none", "--json", env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
        assert result.expect(8).json["code"] == "unreachable"


class TestCluster:
    COMMANDS = ("deploy", "ps", "releases", "restart")

    def fails(self, app: Sample, env: dict[str, str], code: int) -> list[dict[str, Any]]:
        results = [app(command, "--json", env=env).expect(code) for command in self.COMMANDS]
        assert not any("Traceback" in result.stderr for result in results)
        assert all(result.json["hint"] for result in results)
        return [result.json for result in results]

    def test_one_that_does_not_answer_is_exit_8(self, app: Sample, tmp_path: Path) -> None:
        env = kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {"token": "x"})
        for document in self.fails(app, env, 8):
            assert document["code"] == "unreachable"

    def test_a_context_that_is_not_there_is_exit_6(self, app: Sample, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("apiVersion: v1\nkind: Config\ncontexts: []\n")
        self.fails(app, {"KUBECONFIG": str(tmp_path / "config")}, 6)

    def test_a_kubeconfig_that_makes_no_sense_is_told(self, app: Sample, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("contexts: {a: [")
        result = app("ps", "--json", env={"KUBECONFIG": str(tmp_path / "config")})
        assert result.code in (1, 6)
        assert str(tmp_path / "config") in result.json["error"]

    def test_a_client_certificate_that_is_not_accepted_is_exit_7(self, app: Sample, api: Api, tmp_path: Path) -> None:
        cert, key = expired_certificate(tmp_path, "stranger")
        user = {"client-certificate-data": encoded(cert), "client-key-data": encoded(key)}
        env = kubeconfig(tmp_path / "config", api.server, user, authority())
        for document in self.fails(app, env, 7):
            assert document["code"] == "not-allowed"

    def test_an_expired_certificate_of_the_server_is_told_as_such(self, app: Sample, tmp_path: Path) -> None:
        cert, key = expired_certificate(tmp_path, "server")
        with tls_server(cert, key) as port:
            env = kubeconfig(tmp_path / "config", f"https://127.0.0.1:{port}", {"token": "x"}, encoded(cert))
            result = app("ps", "--json", env=env)
        assert result.code in (7, 8), result
        assert "certificate" in result.json["error"]
        assert "not valid now" in result.json["error"]

    def test_without_the_right_it_is_exit_7_and_the_right_is_named(self, app: Sample, api: Api, tmp_path: Path) -> None:
        accounts = f"/api/v1/namespaces/{app.namespace}/serviceaccounts"
        api.create(accounts, {"metadata": {"name": "guest"}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        token = api.create(f"{accounts}/guest/token", request)["status"]["token"]
        env = kubeconfig(tmp_path / "config", api.server, {"token": token}, authority())
        told = self.fails(app, env, 7)
        assert all("guest" in document["error"] or "may not" in document["error"] for document in told)
        assert not any(token in json.dumps(document) for document in told)

    def test_a_token_that_is_not_known_is_exit_7(self, app: Sample, api: Api, tmp_path: Path) -> None:
        env = kubeconfig(tmp_path / "config", api.server, {"token": "canary-token-77"}, authority())
        assert "canary-token-77" not in json.dumps(self.fails(app, env, 7))


class TestRegistry:
    def test_one_that_is_down_is_exit_8_and_the_release_serves(self, app: Sample, api: Api) -> None:
        before = app.answer
        edit(app, "registry-1")
        with Probe(app.url) as probe:
            with setting(api, registry_push="127.0.0.1:1"):
                result = app("deploy", "--json").expect(8)
            assert result.json["code"] == "unreachable"
            serves(app.url, before)
            check(app, api, probe, {before, app.answer})

    @pytest.mark.parametrize("limit", [300, 3_000, 40_000])
    def test_one_that_dies_in_the_middle_of_a_push_leaves_nothing_half_done(
        self, app: Sample, api: Api, limit: int
    ) -> None:
        before = app.answer
        edit(app, f"push-{limit}")
        app.write("blob.bin", f"{limit}".encode() + _noise(200_000))
        with Probe(app.url) as probe, Breaking(api.get(SETTINGS)["data"]["registry-push"], limit) as proxy:
            with setting(api, registry_push=proxy.address):
                result = app("deploy", "--json")
            assert result.code in (1, 8), result
            assert result.json["hint"], result
            serves(app.url, before)
            check(app, api, probe, {before, app.answer})

    def test_an_image_that_the_nodes_cannot_pull_is_diagnosed(self, app: Sample, api: Api) -> None:
        before = app.answer
        edit(app, "pull-1")
        with Probe(app.url) as probe:
            with setting(api, registry_pull="localhost:1"):
                result = app("deploy", "--json").expect(5)
            assert "cannot be pulled" in result.json["error"]
            serves(app.url, before)
            check(app, api, probe, {before, app.answer})


def _noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(size).randbytes(size)


class Breaking:
    """A registry behind a wire that breaks for good once so many bytes of bodies went up."""

    def __init__(self, target: str, limit: int) -> None:
        host, _, port = target.partition(":")
        self._target = (host, int(port))
        self._left = limit
        self._lock = threading.Lock()
        self._broken = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Breaking":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._break()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._broken.is_set():
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for source, sink, counted in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._copy, args=(source, sink, counted), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while chunk := source.recv(4096):
                if counted and _is_body(chunk) and self._spent(len(chunk)):
                    self._break()
                    return
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _spent(self, size: int) -> bool:
        with self._lock:
            self._left -= size
            return self._left < 0

    def _break(self) -> None:
        self._broken.set()
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for each in self._open:
            each.close()


def _is_body(chunk: bytes) -> bool:
    """Whether it is more than the head of a request that only asks."""
    return not chunk.startswith((b"GET ", b"HEAD "))


@contextmanager
def tls_server(cert: Path, key: Path) -> Generator[int]:
    """A port that speaks TLS with this certificate and answers 401."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(client, server_side=True) as secured:
                    secured.recv(4096)
                    secured.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_the_breaking_wire_carries_what_is_small(api: Api) -> None:
    with Breaking(api.get(SETTINGS)["data"]["registry-push"], 1_000_000) as proxy:
        connection = http.client.HTTPConnection(proxy.address, timeout=10)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        connection.close()
