"""The cluster's API through the adapter, against a real API server and a real kubelet."""

import base64
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nucleo_cli.adapters.channels import ERROR, STDERR, STDIN, STDOUT
from nucleo_cli.adapters.kubernetes import Cluster, path
from nucleo_cli.domain.app import Target
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.logs import follower
from nucleo_cli.workflows.logs.query import Query
from nucleo_cli.workflows.logs.reading import read_logs
from nucleo_cli.workflows.one_off import OneOff, Request
from tests.installed import CONTEXT, KUBECONFIG

Json = dict[str, Any]
SPACE = f"adapter-{os.getpid()}"
MAPS = path("v1", "configmaps", SPACE)
PODS = path("v1", "pods", SPACE)
LINES = 3000


@pytest.fixture(scope="module")
def api(cluster: str) -> Iterator[Cluster]:
    """The cluster, with a namespace of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(KUBECONFIG))
        yield from namespaced(Cluster(cluster))


def namespaced(api: Cluster) -> Iterator[Cluster]:
    api.create(path("v1", "namespaces"), {"metadata": {"name": SPACE}})
    yield api
    api.delete(path("v1", "namespaces", name=SPACE), {"propagationPolicy": "Background"})


def shell_pod(script: str) -> Json:
    """A pod with the shell of its node: the local cluster has no image with one before something was built."""
    mounts = {"/usr": "/usr", "/usr/lib": "/lib", "/usr/lib64": "/lib64", "/usr/bin": "/bin"}
    volumes = [{"name": f"v{at}", "hostPath": {"path": host}} for at, host in enumerate(mounts)]
    return {
        "terminationGracePeriodSeconds": 1,
        "volumes": volumes,
        "containers": [
            {
                "name": "web",
                "image": "nucleo.local/pause:1",
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", script],
                "env": [{"name": "PATH", "value": "/bin"}],
                "volumeMounts": [
                    {"name": f"v{at}", "mountPath": inside, "readOnly": True}
                    for at, inside in enumerate(mounts.values())
                ],
            }
        ],
    }


@pytest.fixture(scope="module")
def app(api: Cluster) -> Target:
    """An app whose web process prints LINES lines, waits, and is there to run commands in."""
    labels = {"nucleo.io/app": "talk", "nucleo.io/process": "web"}
    script = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; done; sleep 600"
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": shell_pod(script)},
    }
    api.create(
        path("apps/v1", "deployments", SPACE), {"metadata": {"name": "talk-web", "labels": labels}, "spec": spec}
    )
    for _ in range(300):
        if api.get(path("apps/v1", "deployments", SPACE, "talk-web")).get("status", {}).get("readyReplicas"):
            return Target("talk", SPACE)
        time.sleep(0.2)
    raise AssertionError(api.items(PODS))


def a_map(name: str, **data: str) -> Json:
    return {"metadata": {"name": name, "labels": {"made": "here"}}, "data": data}


def test_objects_are_made_read_changed_and_removed(api: Cluster) -> None:
    made = api.create(MAPS, a_map("one", a="1"))
    with pytest.raises(Conflict):
        api.create(MAPS, a_map("one"))
    assert api.get(f"{MAPS}/one")["data"] == {"a": "1"}
    assert api.patch(f"{MAPS}/one", {"data": {"a": None, "b": "2"}})["data"] == {"b": "2"}
    assert api.patch(f"{MAPS}/one", [{"op": "add", "path": "/data/c", "value": "3"}], "json")["data"]["c"] == "3"
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"d": "4"}}
    assert api.patch(f"{MAPS}/one", applied, "apply")["data"]["d"] == "4"
    with pytest.raises(Conflict):
        api.replace(f"{MAPS}/one", made)
    api.delete(f"{MAPS}/one")
    with pytest.raises(NotFound):
        api.get(f"{MAPS}/one")


def test_lists_are_read_page_by_page_and_metadata_alone(api: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        api.create(MAPS, a_map(f"page-{number}", text="x"))
    read = Cluster._request  # pyright: ignore[reportPrivateUsage]

    def small_pages(self: Cluster, method: str, path: str, query: Json, *args: Any, **kwargs: Any) -> Any:
        return read(self, method, path, {**query, "limit": 2}, *args, **kwargs)

    monkeypatch.setattr(Cluster, "_request", small_pages)
    found = [each["metadata"]["name"] for each in api.items(MAPS, labelSelector="made=here")]
    assert found == [f"page-{number}" for number in range(5)]
    headers = api.metadata(MAPS, labelSelector="made=here")
    assert len(headers) == 5
    assert "data" not in headers[0]


def test_a_watch_goes_on_where_the_list_ended(api: Cluster) -> None:
    listed = api.get(MAPS)
    api.create(MAPS, a_map("seen", a="1"))
    api.patch(f"{MAPS}/seen", {"data": {"a": "2"}})
    api.delete(f"{MAPS}/seen")
    version = listed["metadata"]["resourceVersion"]
    events = [each for each in api.watch(MAPS, resourceVersion=version, timeoutSeconds=2) if each["type"] != "BOOKMARK"]
    assert [(each["type"], each["object"]["metadata"]["name"]) for each in events] == [
        ("ADDED", "seen"),
        ("MODIFIED", "seen"),
        ("DELETED", "seen"),
    ]


def test_a_version_that_is_no_longer_known_is_told(api: Cluster) -> None:
    with pytest.raises(NucleoError) as found:
        list(api.watch(MAPS, resourceVersion="nonsense", timeoutSeconds=2))
    assert found.value.details["status"] in (400, 500)


def with_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: Json, **cluster: Any) -> Cluster:
    """The same cluster as somebody else."""
    known = Cluster(CONTEXT)._access  # pyright: ignore[reportPrivateUsage]
    config = {
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
        "clusters": [{"name": "other", "cluster": {**known.cluster, **cluster}}],
        "users": [{"name": "other", "user": user}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return Cluster("other")


def test_a_right_that_is_missing(api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = path("v1", "serviceaccounts", SPACE, "default", "token")
    for _ in range(50):
        try:
            asked: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            token = api.create(where, asked)["status"]["token"]
            break
        except NotFound:
            time.sleep(0.2)  # a controller makes the account a moment after the namespace
    else:
        raise AssertionError("no service account")
    other = with_user(tmp_path, monkeypatch, {"token": token})
    with pytest.raises(NotAllowed, match="configmaps is forbidden"):
        other.items(MAPS)
    with pytest.raises(NotAllowed):
        other.websocket(f"{PODS}/any/exec", [("command", "ls"), ("stdout", "true")])


def test_credentials_that_are_not_accepted(api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAllowed, match="does not accept your credentials"):
        with_user(tmp_path, monkeypatch, {"token": "stale"}).get(MAPS)


def test_nothing_listens_there(api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = with_user(tmp_path, monkeypatch, {}, server=f"https://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(Unreachable, match="does not answer"):
            away.get(MAPS)


def test_a_server_with_another_ca_is_refused(api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = base64.b64encode(Path(os.environ["SSL_CERT_FILE"]).read_bytes() if "SSL_CERT_FILE" in os.environ else b"")
    other = with_user(tmp_path, monkeypatch, {}, **{"certificate-authority-data": wrong.decode() or None})
    with pytest.raises(NucleoError):
        other.get(MAPS)


def pod_of(api: Cluster) -> str:
    return next(each["metadata"]["name"] for each in api.items(PODS, labelSelector="nucleo.io/process=web"))


def test_a_command_has_its_own_outputs_and_code(api: Cluster, app: Target) -> None:
    query = [("container", "web"), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in ("sh", "-c", "cat; echo oops >&2; exit 3")]
    channels = api.websocket(f"{PODS}/{pod_of(api)}/exec", query)
    assert channels.half_close
    channels.send(STDIN, b"x" * 300_000)
    channels.end_input()
    found = channels.collect(30)
    channels.close()
    assert (found[STDOUT], found[STDERR]) == (b"x" * 300_000, b"oops\n")
    assert yaml.safe_load(found[ERROR])["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


def test_no_such_pod_for_a_command(api: Cluster) -> None:
    with pytest.raises(NotFound):
        api.websocket(f"{PODS}/nobody/exec", [("command", "ls"), ("stdout", "true")])


class Kept:
    """A side that keeps what comes."""

    def __init__(self, stdin: int) -> None:
        self.tty = False
        self.resized: int | None = None
        self.stdin: int | None = stdin
        self.data = bytearray()

    def size(self) -> tuple[int, int]:
        return 80, 24

    def out(self, data: bytes) -> None:
        self.data += data

    def err(self, data: bytes) -> None:
        self.data += data


def test_a_one_off_command_loses_nothing_and_leaves_nothing(api: Cluster, app: Target, tmp_path: Path) -> None:
    text = b"".join(b"%d\n" % number for number in range(60_000))
    (tmp_path / "in").write_bytes(text)
    with (tmp_path / "in").open("rb") as given:
        local = Kept(given.fileno())
        with OneOff(api, app, Request(["sh", "-c", "cat; exit 4"])) as one_off:
            list(one_off.start())
            assert one_off.talk(local) == 4
    assert bytes(local.data) == text
    with pytest.raises(NotFound):
        api.get(path("batch/v1", "jobs", SPACE, one_off.name))


class Breaking(Cluster):
    """A connection that breaks in the middle of a log, as often as it has `breaks` left."""

    breaks = 6

    def stream(self, path: str, read_timeout: float | None = None, **query: Any) -> Any:
        found = super().stream(path, read_timeout, **query)
        return _Broken(found, self) if query.get("follow") else found


class _Broken:
    def __init__(self, stream: Any, owner: Breaking) -> None:
        self._stream = stream
        self._owner = owner

    def __enter__(self) -> Iterator[bytes]:
        return self._cut(self._stream.__enter__())

    def __exit__(self, *error: Any) -> None:
        self._stream.__exit__(None, None, None)

    def _cut(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        if self._owner.breaks > 0:
            self._owner.breaks -= 1
            data = next(chunks, b"")
            yield data[: len(data) * 2 // 3]
            raise Unreachable("cut")
        yield from chunks


def test_no_line_is_lost_or_doubled_when_connections_break(
    api: Cluster, app: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_BACKOFF_SECONDS", (0.01, 0.05))
    broken = Breaking(CONTEXT)
    broken.breaks = 0
    told: list[str] = []
    for shown in read_logs(broken, app, Query(tail=0, follow=True)):
        if isinstance(shown, frozenset):
            # Its successor is followed from its first line on, over connections that break.
            api.delete(f"{PODS}/{pod_of(api)}")
            broken.breaks = 12
        elif isinstance(shown, list):
            told += [line.message for line in shown]
        if f"line {LINES}" in told:
            break
    assert broken.breaks < 12
    assert told[-LINES:] == [f"line {number}" for number in range(1, LINES + 1)]
