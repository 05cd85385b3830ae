"""An API server in memory: versions, conflicts, preconditions, selectors, watches, and a controller of Deployments."""

import copy
import hashlib
import json
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from nucleo_cli.adapters.kubernetes import Cluster, path
from nucleo_cli.domain.documents import Json, annotations, labels, part, parts
from nucleo_cli.errors import Conflict, NotFound, NucleoError

LEASES = "coordination.k8s.io/v1"
_WATCH_SECONDS = 0.05


class Where(NamedTuple):
    """What an API path names."""

    api: str
    namespace: str | None
    plural: str
    name: str | None
    sub: str | None

    @property
    def collection(self) -> tuple[str, str | None, str]:
        return self.api, self.namespace, self.plural


def where(text: str) -> Where:
    """Takes an API path apart."""
    root, *rest = text.strip("/").split("/")
    count = 2 if root == "apis" else 1
    api, rest = "/".join(rest[:count]), rest[count:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, None, None)[:3]
    return Where(api, namespace, str(plural), name, sub)


def merged(old: Any, new: Any) -> Any:
    """JSON Merge Patch. https://www.rfc-editor.org/rfc/rfc7386#section-2"""
    if not isinstance(new, dict):
        return new
    patch = cast(Json, new)
    result: Json = dict(cast(Json, old)) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _without(old: Any, applied: Any, new: Any) -> Any:
    """`old` less what was applied before and is not applied again."""
    if not (isinstance(old, dict) and isinstance(applied, dict) and isinstance(new, dict)):
        return cast(Any, old)
    kept, before, after = dict(cast(Json, old)), cast(Json, applied), cast(Json, new)
    for key in before:
        if key not in after:
            kept.pop(key, None)
        elif key in kept:
            kept[key] = _without(kept[key], before[key], after[key])
    return kept


def selects(selector: str, item: Json) -> bool:
    """Whether a label selector of the kinds `a=b`, `a` and `!a` takes the object."""
    own = labels(item)
    for term in filter(None, selector.split(",")):
        name, equals, value = term.partition("=")
        fits = own.get(name) == value if equals else name.removeprefix("!") in own
        if fits is term.startswith("!"):
            return False
    return True


class Channel:
    """What an exec answers: all of it on standard output."""

    def __init__(self, printed: bytes) -> None:
        self._printed = printed

    def collect(self, seconds: float) -> dict[int, bytes]:
        return {1: self._printed}

    def close(self) -> None:
        pass


class FakeCluster(Cluster):
    """`objects` by API path; `now` is the server's clock; `requests` are (method, path) in their order.

    `refuse` makes requests fail. `logs` is what a pod printed, by (pod, whether its previous container). `tables` is
    what /proc/net/tcp of every pod holds. `served` are the API groups with their versions.
    """

    def __init__(self, *namespaces: str) -> None:
        self.context = "test"
        self.server = "https://cluster.example"
        self.objects: dict[str, Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.now = datetime.now(UTC)
        self.controllers: list[Callable[[str, Json], None]] = []
        self.served: list[str] = ["apps/v1", "networking.k8s.io/v1"]
        self.logs: dict[tuple[str, bool], str] = {}
        self.tables: str | NucleoError = ""
        self.broken_watches: list[Exception | Json] = []
        self._refused: list[tuple[str, str, Exception, list[int]]] = []
        self._applied: dict[str, Json] = {}
        self._version = 100
        self._events: list[tuple[int, str, Json]] = []
        self.changed = threading.Condition(threading.RLock())
        for name in namespaces:
            self.create(path("v1", "namespaces"), {"metadata": {"name": name}})
        self.requests.clear()

    # What a test says and asks.

    def refuse(self, method: str, pattern: str, error: Exception, times: int = 1_000) -> None:
        """The next `times` requests of `method` whose path matches `pattern` raise `error`."""
        self._refused.append((method, pattern, error, [times]))

    def allow(self) -> None:
        """Forgets every `refuse`."""
        self._refused.clear()

    def all(self, plural: str) -> list[Json]:
        """Every object of a kind, in any namespace."""
        with self.changed:
            return [copy.deepcopy(item) for key, item in self.objects.items() if where(key).plural == plural]

    def names(self, plural: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.all(plural)]

    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if request[0] != "GET"]

    # The API.

    def get(self, path: str, **query: Any) -> Json:
        with self.changed:
            self._note("GET", path)
            if path == "/apis":
                return {"groups": [{"versions": [{"groupVersion": each}]} for each in self.served]}
            found = where(path)
            if found.name is None:
                return self._list(found, str(query.get("labelSelector", "")))
            return copy.deepcopy(self._at(path))

    def items(self, path: str, **query: Any) -> list[Json]:
        return parts(self.get(path, **query), "items")

    def metadata(self, path: str, **query: Any) -> list[Json]:
        return [{"metadata": item["metadata"]} for item in self.items(path, **query)]

    def create(self, path: str, body: Json, **query: Any) -> Json:
        with self.changed:
            self._note("POST", path)
            found = where(path)
            if found.namespace is not None:
                self._need_namespace(found.namespace)
            key = f"{path}/{body['metadata']['name']}"
            if key in self.objects:
                raise Conflict(f'{found.plural} "{body["metadata"]["name"]}" already exists')
            return self._store(key, self._born(found, body), "ADDED")

    def replace(self, path: str, body: Json, **query: Any) -> Json:
        with self.changed:
            self._note("PUT", path)
            old = self._at(path)
            self._check_version(old, body)
            self._check_immutable(old, body)
            identity = {key: old["metadata"].get(key) for key in ("uid", "creationTimestamp", "namespace", "name")}
            return self._store(path, {**body, "metadata": {**body["metadata"], **identity}}, "MODIFIED")

    def patch(self, path: str, body: Any, kind: str = "merge", **query: Any) -> Json:
        assert kind in ("merge", "apply"), kind
        with self.changed:
            self._note("PATCH", path)
            found = where(path)
            if found.sub == "scale":
                return self._patch_scale(path, body)
            if kind == "apply":
                return self._apply(path, body)
            old = self._at(path)
            self._check_version(old, body)
            changed = merged(old, body)
            self._check_immutable(old, changed)
            return self._store(path, changed, "MODIFIED")

    def delete(self, path: str, body: Json | None = None, **query: Any) -> Json:
        with self.changed:
            self._note("DELETE", path)
            old = self._at(path)
            for key, value in part(body or {}, "preconditions").items():
                if old["metadata"].get(key) != value:
                    raise Conflict(f"the {key} in the precondition does not match")
            self._remove(path)
            found = where(path)
            if found.plural == "namespaces":
                for key in [key for key in self.objects if where(key).namespace == found.name]:
                    self._remove(key)
            return {"status": "Success"}

    def server_time(self) -> float:
        self._note("GET", "/version")
        return float(int(self.now.timestamp()))

    def watch(self, path: str, **query: Any) -> Iterator[Json]:
        since, selector = int(query["resourceVersion"]), str(query.get("labelSelector", ""))
        collection = where(path).collection
        with self.changed:
            if self.broken_watches:
                broken = self.broken_watches.pop()
                if isinstance(broken, Exception):
                    raise broken
                yield broken
                return
            self.changed.wait_for(lambda: bool(self._events) and self._events[-1][0] > since, _WATCH_SECONDS)
            events = [event for event in self._events if event[0] > since]
        for _, key, event in events:
            if where(key).collection == collection and selects(selector, event["object"]):
                yield copy.deepcopy(event)

    @contextmanager
    def stream(self, path: str, read_timeout: float | None = None, **query: Any) -> Generator[Iterator[bytes]]:
        self._note("GET", path)
        found = where(path)
        assert found.sub == "log"
        text = self.logs.get((str(found.name), query.get("previous") == "true"))
        if text is None:
            raise NucleoError("the cluster answered 400: previous terminated container not found")
        yield iter([text.encode()])

    def websocket(self, path: str, query: list[tuple[str, Any]]) -> Any:
        self._note("EXEC", path)
        if isinstance(self.tables, NucleoError):
            raise self.tables
        return Channel(self.tables.encode())

    # Its inside.

    def _note(self, method: str, path: str) -> None:
        self.requests.append((method, path))
        for wanted, pattern, error, left in self._refused:
            if left[0] and wanted == method and re.search(pattern, path):
                left[0] -= 1
                raise error

    def _at(self, key: str) -> Json:
        if (found := self.objects.get(key)) is None:
            asked = where(key)
            raise NotFound(f'{asked.plural} "{asked.name}" not found')
        return found

    def _list(self, asked: Where, selector: str) -> Json:
        found = [
            copy.deepcopy(item)
            for key, item in self.objects.items()
            if (own := where(key)).plural == asked.plural
            and own.api == asked.api
            and asked.namespace in (None, own.namespace)
            and selects(selector, item)
        ]
        return {"items": found, "metadata": {"resourceVersion": str(self._version)}}

    def _need_namespace(self, name: str) -> None:
        if f"/api/v1/namespaces/{name}" not in self.objects:
            raise NotFound(f'namespaces "{name}" not found')

    def _born(self, asked: Where, body: Json) -> Json:
        own = {"uid": f"uid-{self._version + 1}", "creationTimestamp": self._time()}
        if asked.namespace:
            own["namespace"] = asked.namespace
        return {**body, "metadata": {**body["metadata"], **own}}

    def _store(self, key: str, item: Json, kind: str) -> Json:
        self._version += 1
        new, old = copy.deepcopy(item), self.objects.get(key)
        meta = new["metadata"]
        meta["resourceVersion"] = str(self._version)
        meta["managedFields"] = [{"manager": "nucleo", "time": self._time()}]
        if "spec" in new:
            changed = old is None or old.get("spec") != new["spec"]
            meta["generation"] = (old["metadata"]["generation"] if old else 0) + changed
        self.objects[key] = new
        self._tell(key, kind, new)
        for react in self.controllers:
            react(key, copy.deepcopy(new))
        return copy.deepcopy(self.objects.get(key, new))

    def _remove(self, key: str) -> None:
        self._version += 1
        gone = self.objects.pop(key)
        self._applied.pop(key, None)
        gone["metadata"]["resourceVersion"] = str(self._version)
        self._tell(key, "DELETED", gone)
        for owned in [own for own, item in self.objects.items() if _owned_by(item, gone)]:
            if owned in self.objects:
                self._remove(owned)

    def _tell(self, key: str, kind: str, item: Json) -> None:
        self._events.append((self._version, key, {"type": kind, "object": copy.deepcopy(item)}))
        self.changed.notify_all()

    def _check_version(self, old: Json, body: Json) -> None:
        wanted = part(body, "metadata").get("resourceVersion")
        if wanted is not None and wanted != old["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")

    def _check_immutable(self, old: Json, new: Json) -> None:
        if old.get("immutable") and old.get("data") != new.get("data"):
            raise NucleoError("the cluster answered 422: field is immutable when `immutable` is set")

    def _apply(self, key: str, body: Json) -> Json:
        assert body.get("apiVersion"), "server-side apply needs apiVersion and kind"
        assert body.get("kind"), "server-side apply needs apiVersion and kind"
        asked = where(key)
        if asked.namespace is not None:
            self._need_namespace(asked.namespace)
        old = self.objects.get(key)
        new = merged(_without(old, self._applied.get(key), body), body) if old else self._born(asked, body)
        self._applied[key] = copy.deepcopy(body)
        return self._store(key, new, "MODIFIED" if old else "ADDED")

    def _patch_scale(self, key: str, body: Json) -> Json:
        owner = key.removesuffix("/scale")
        self._store(owner, merged(self._at(owner), {"spec": {"replicas": body["spec"]["replicas"]}}), "MODIFIED")
        return body

    def _time(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _owned_by(item: Json, owner: Json) -> bool:
    return owner["metadata"]["uid"] in {each["uid"] for each in parts(item, "metadata", "ownerReferences")}


HEALTHY = "healthy"
READY: Json = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "web", "ready": True, "restartCount": 0, "state": {"running": {}}}],
}


def waiting(reason: str, message: str = "", /, **last: Any) -> Json:
    """A pod's status with one container that waits; `last` is how it ended before."""
    status: Json = {"name": "web", "restartCount": 1, "state": {"waiting": {"reason": reason, "message": message}}}
    if last:
        status["lastState"] = {"terminated": last}
    return {"phase": "Running", "containerStatuses": [status]}


CRASH = waiting("CrashLoopBackOff", exitCode=1)
HANG: Json = {
    "phase": "Running",
    "containerStatuses": [{"name": "web", "restartCount": 0, "state": {"running": {}}}],
}


class Controller:
    """Does at once what the controller of Deployments and the nodes do in a while.

    `fates`: a text that a Deployment's pod template holds → the status its pods then have; without one they are ready.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.fates: dict[str, Json] = {}
        cluster.controllers.append(self.react)

    def react(self, key: str, item: Json) -> None:
        if where(key).plural == "deployments" and not item.get("status", {}).get("observedGeneration", 0) >= int(
            item["metadata"]["generation"]
        ):
            self.roll_out(key, item)

    def fate(self, deployment: Json) -> Json | None:
        text = json.dumps(deployment["spec"]["template"])
        return next((status for mark, status in self.fates.items() if mark in text), None)

    def roll_out(self, key: str, deployment: Json) -> None:
        """Brings ReplicaSet, pods and status to what the Deployment's newest template makes of them."""
        fate, wanted = self.fate(deployment), int(deployment["spec"].get("replicas", 1))
        newest = self._newest_set(deployment)
        if fate is None or wanted == 0:
            self._drop_pods(deployment, {f"{newest['metadata']['name']}-{number}" for number in range(wanted)})
        for number in range(wanted):
            self._make_pod(deployment, newest, number, fate or READY)
        good = wanted if fate is None else 0
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(self._pods(deployment)),
            "updatedReplicas": wanted,
            "readyReplicas": good,
            "availableReplicas": good,
        }
        revision = annotations(newest)["deployment.kubernetes.io/revision"]
        changed = merged(
            deployment,
            {
                "status": status,
                "metadata": {"resourceVersion": None, "annotations": {"deployment.kubernetes.io/revision": revision}},
            },
        )
        self.cluster.patch(key, changed)

    def _newest_set(self, deployment: Json) -> Json:
        template = _filled(deployment["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
        meta = deployment["metadata"]
        collection = path("apps/v1", "replicasets", meta["namespace"])
        name = f"{meta['name']}-{digest}"
        sets = self.cluster.items(collection)
        highest = max((int(annotations(each)["deployment.kubernetes.io/revision"]) for each in sets), default=0)
        found = next((each for each in sets if each["metadata"]["name"] == name), None)
        if found is not None and int(annotations(found)["deployment.kubernetes.io/revision"]) == highest:
            return found
        revision = {"deployment.kubernetes.io/revision": str(highest + 1)}
        if found is not None:
            return self.cluster.patch(f"{collection}/{name}", {"metadata": {"annotations": revision}})
        own = {"name": name, "labels": meta["labels"], "annotations": revision, "ownerReferences": [_owner(deployment)]}
        return self.cluster.create(collection, {"metadata": own})

    def _make_pod(self, deployment: Json, newest: Json, number: int, status: Json) -> None:
        meta = deployment["metadata"]
        collection = path("v1", "pods", meta["namespace"])
        name = f"{newest['metadata']['name']}-{number}"
        body = {
            "metadata": {"name": name, "labels": meta["labels"], "ownerReferences": [_owner(newest)]},
            "spec": deployment["spec"]["template"]["spec"],
            "status": status,
        }
        if f"{collection}/{name}" not in self.cluster.objects:
            self.cluster.create(collection, body)
        elif self.cluster.objects[f"{collection}/{name}"]["status"] != status:
            self.cluster.replace(f"{collection}/{name}", body)

    def _pods(self, deployment: Json) -> list[Json]:
        uids = {each["metadata"]["uid"] for each in self.cluster.all("replicasets") if _owned_by(each, deployment)}
        return [
            pod
            for pod in self.cluster.all("pods")
            if uids & {owner["uid"] for owner in parts(pod, "metadata", "ownerReferences")}
        ]

    def _drop_pods(self, deployment: Json, but: set[str]) -> None:
        for pod in [each for each in self._pods(deployment) if each["metadata"]["name"] not in but]:
            self.cluster.delete(path("v1", "pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))


def _filled(item: Json) -> Json:
    """Without objects that hold nothing: the API does not keep them."""
    found = {key: _filled(cast(Json, value)) if isinstance(value, dict) else value for key, value in item.items()}
    return {key: value for key, value in found.items() if value != {}}


def _owner(item: Json) -> Json:
    return {"uid": item["metadata"]["uid"], "name": item["metadata"]["name"]}


def later(cluster: FakeCluster, seconds: float) -> None:
    """The server's clock moves on."""
    cluster.now += timedelta(seconds=seconds)
