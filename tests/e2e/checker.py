"""Judges from outside whether a deploy kept its promises, whatever hit it.

The promise: revision N or N+1 serves fully; whoever asked the app meanwhile saw no error; a plain `nucleo deploy` then
succeeds unaided; exit codes and JSON are true; nothing is left behind; no secret is anywhere.
"""

import base64
import gzip
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.api import Api, Json
from tests.e2e.sample import Sample
from tests.installed import HOME, Result
from tests.waiting import staying

_EVERY_SECONDS = 0.02
_PATIENCE_SECONDS = 90
_SYSTEM_SECRETS = frozenset({"helm.sh/release.v1", "kubernetes.io/service-account-token"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One probe: an HTTP status and body, or what went wrong instead."""

    status: int
    body: str
    wall: float = field(default_factory=time.time)

    @property
    def good(self) -> bool:
        return 200 <= self.status < 500


@dataclass
class Probe:
    """Asks the URL again and again from a thread, each time on a new connection, until its `with` block ends."""

    url: str
    answers: list[Answer] = field(default_factory=list[Answer])

    def __enter__(self) -> "Probe":
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self.answers.append(ask(self.url))

    @property
    def bad(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.good]

    @property
    def bodies(self) -> set[str]:
        return {answer.body for answer in self.answers}


def ask(url: str, timeout: float = 10) -> Answer:
    """GET by way of 127.0.0.1, with the URL's own host name; status 0 when there is no answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc, "Connection": "close"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode("utf-8", "replace").strip())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def eventually(what: str, look: Callable[[], Any], patience: float = _PATIENCE_SECONDS) -> Any:
    """What `look` returns as soon as that is truthy; an AssertionError with its last answer after `patience`."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: still {found!r}"
        time.sleep(0.2)
    return found


def serves(url: str, body: str) -> None:
    """The URL answers that. A proxy learns of new and gone pods a moment after the cluster does."""
    eventually(f"{url} answers {body!r}", lambda: ask(url).body == body, 20)


def check(sample: Sample, api: Api, probe: Probe, allowed: Iterable[str]) -> Result:
    """The invariant, after a fault: `allowed` are the answers of revisions N and N+1. The result of the next deploy."""
    serving = ask(probe.url)
    assert serving.status == 200, f"nobody serves after the fault: {serving}"
    assert serving.body in set(allowed)
    result = sample("deploy", "--json").expect(0)
    settled(sample, api, result)
    unharmed(sample, api, probe)
    assert probe.bodies <= set(allowed), f"unexpected answers: {probe.bodies - set(allowed)}"
    serves(probe.url, sample.answer)
    no_secret(sample, api)
    return result


def unharmed(sample: Sample, api: Api, probe: Probe) -> None:
    """Whoever asked the app saw no error."""
    assert not probe.bad, f"{len(probe.bad)} of {len(probe.answers)} requests failed\n{story(sample, api, probe)}"


def story(sample: Sample, api: Api, probe: Probe) -> str:
    """What the URL answered, change by change, and what the cluster says happened meanwhile."""
    lines = [f"{_clock(probe.answers[0].wall)} {probe.answers[0]}"]
    for before, after in pairwise(probe.answers):
        if (before.status, before.body) != (after.status, after.body):
            lines.append(f"{_clock(after.wall)} {after.status} {after.body}")
    for event in api.items(f"/api/v1/namespaces/{sample.namespace}/events"):
        when = event.get("eventTime") or event.get("lastTimestamp") or ""
        lines.append(f"{when} {event['involvedObject']['name']} {event['reason']}: {event['message']}")
    for pod in api.items(f"/api/v1/namespaces/{sample.namespace}/pods"):
        conditions = pod.get("status", {}).get("conditions", [])
        states = " ".join(f"{each['type']}={each['status']}@{each['lastTransitionTime']}" for each in conditions)
        lines.append(f"{pod['metadata']['creationTimestamp']} {pod['metadata']['name']} {states}")
    return "\n".join(lines)


def _clock(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def settled(sample: Sample, api: Api, result: Result) -> None:
    """What a deploy claimed is what the cluster shows, and nothing is left over."""
    claim = result.json
    revisions = api.revisions(sample.namespace, sample.name)
    deployed = [each["version"] for each in revisions if each["info"]["status"] == "deployed"]
    assert deployed == [claim["release"]], f"helm says {deployed} is deployed, the program says {claim['release']}"
    pending = [each["version"] for each in revisions if each["info"]["status"].startswith("pending")]
    assert not pending, f"revisions {pending} are pending"
    assert claim["image"] in revisions[-1]["manifest"], "the manifest names another image"
    no_orphans(sample, api)


def no_orphans(sample: Sample, api: Api) -> None:
    """No lock, build container, temporary Secret or old pod outlives a deploy."""
    namespace = f"/namespaces/{sample.namespace}"
    assert not api.items(f"/apis/coordination.k8s.io/v1{namespace}/leases"), "a Lease was left"
    assert not staying(lambda: build_containers(sample.name)), "a build container was left"
    kept = json.dumps([each["config"] for each in api.revisions(sample.namespace, sample.name)])
    secrets = [each for each in api.items(f"/api/v1{namespace}/secrets") if each.get("type") not in _SYSTEM_SECRETS]
    loose = [each["metadata"]["name"] for each in secrets if each["metadata"]["name"] not in kept]
    assert not loose, f"no release names these Secrets: {loose}"
    eventually("pods of old releases are gone", lambda: not old_pods(sample, api))


def old_pods(sample: Sample, api: Api) -> list[str]:
    """Pods of the app that do not belong to the newest template of their Deployment."""
    apps, core = (f"{root}/namespaces/{sample.namespace}" for root in ("/apis/apps/v1", "/api/v1"))
    current = {
        (each["metadata"]["ownerReferences"][0]["uid"], each["metadata"]["annotations"][_REVISION]): each
        for each in api.items(f"{apps}/replicasets")
    }
    newest = {
        current[deployment["metadata"]["uid"], deployment["metadata"]["annotations"][_REVISION]]["metadata"]["uid"]
        for deployment in api.items(f"{apps}/deployments")
    }
    pods = [each for each in api.items(f"{core}/pods") if "nucleo.io/run" not in each["metadata"].get("labels", {})]
    owners = {each["metadata"]["name"]: each["metadata"].get("ownerReferences", [{}])[0].get("uid") for each in pods}
    return [name for name, owner in owners.items() if owner not in newest]


_REVISION = "deployment.kubernetes.io/revision"


def build_containers(app: str) -> list[Json]:
    """The engine's containers that build this app."""
    filters = json.dumps({"label": ["io.nucleo.role=build", f"io.nucleo.app={app}"]})
    return engine("GET", f"/containers/json?all=1&filters={filters}")


def no_secret(sample: Sample, api: Api) -> None:
    """A planted secret shows up nowhere but in the Secret that holds it."""
    core = f"/api/v1/namespaces/{sample.namespace}"
    places = {
        "helm's releases": json.dumps(api.revisions(sample.namespace, sample.name)),
        "events": json.dumps(api.items(f"{core}/events")),
        "pods": json.dumps(api.items(f"{core}/pods")),
        "deployments": json.dumps(api.items(f"/apis/apps/v1/namespaces/{sample.namespace}/deployments")),
        "output of runs": "\n".join(map(str, sample.nucleo.runs)),
        "files of the program": "\n".join(
            file.read_text(errors="replace") for file in (HOME / "state").rglob("*") if file.is_file()
        ),
        "process list": "\n".join(_command_lines()),
        "image": image_text(api, sample),
    }
    for canary in sample.secrets:
        for form in (canary, base64.b64encode(canary.encode()).decode().rstrip("=")[:-1]):
            found = [place for place, text in places.items() if form in text]
            assert not found, f"a secret is in: {found}"


def image_text(api: Api, sample: Sample) -> str:
    """The newest release's image as the registry serves it: its configuration, and what is in its own layers."""
    image = api.revisions(sample.namespace, sample.name)[-1]["config"]["nucleo"]["image"]
    settings = api.get("/api/v1/namespaces/nucleo-system/configmaps/nucleo")["data"]
    push, pull = settings["registry-push"], settings["registry-pull"]
    name, _, digest = str(image).removeprefix(pull).strip("/").partition("@")
    manifest = json.loads(_fetch(push, f"/v2/{name}/manifests/{digest}"))
    texts = [_fetch(push, f"/v2/{name}/blobs/{manifest['config']['digest']}").decode()]
    # The first layer is the platform's; all others are made of this app.
    for layer in manifest["layers"][1:]:
        texts.append(gzip.decompress(_fetch(push, f"/v2/{name}/blobs/{layer['digest']}")).decode("latin-1"))
    return "\n".join(texts)


def _fetch(host: str, path: str) -> bytes:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
        return connection.getresponse().read()
    finally:
        connection.close()


def _command_lines() -> list[str]:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


class _Engine(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


def engine(method: str, path: str) -> Any:
    """One request to the container engine of this machine; its JSON answer, None for an empty one."""
    connection = _Engine("engine", timeout=60)
    try:
        connection.request(method, path.replace('"', "%22").replace(" ", "%20"))
        text = connection.getresponse().read()
        return json.loads(text) if text else None
    finally:
        connection.close()
