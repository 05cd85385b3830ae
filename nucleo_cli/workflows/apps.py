"""The apps on the cluster: in every namespace that one may read."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.helm_storage import decode
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels
from nucleo_cli.domain.documents import number, part, parts
from nucleo_cli.domain.release import Revision
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotAllowed, NotFound
from nucleo_cli.workflows.settings import read_settings
from nucleo_cli.workflows.urls import GATEWAY, INGRESS, url_of

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]
Key = tuple[str, str]


def read_apps(cluster: "Cluster", own_namespaces: list[str]) -> Json:
    """The JSON of `nucleo apps`.

    `own_namespaces` are those to look into when one may not read all of them, nor list them.
    """
    by_app: dict[Key, list[Json]] = {}
    for each in _everywhere(cluster, own_namespaces, "apps/v1", "deployments", labels.APP):
        by_app.setdefault(_key(each), []).append(each)
    releases = _releases(cluster, own_namespaces)
    urls = _urls(cluster, own_namespaces, read_settings(cluster))
    keys = sorted(set(by_app) | set(releases))
    return {"apps": [_entry(key, by_app.get(key, []), releases.get(key), urls.get(key)) for key in keys]}


def _entry(key: Key, deployments: list[Json], revision: Revision | None, url: str | None) -> Json:
    facts: Mapping[str, Any] = revision.facts if revision else {}
    return {
        "app": key[1],
        "namespace": key[0],
        "release": revision.version if revision else None,
        "status": revision.status if revision else None,
        "commit": facts.get("commit") or None,
        "image": (revision.image if revision else "") or _image(deployments),
        "url": url,
        "ready": sum(number(each, "status", "readyReplicas") for each in deployments),
        "desired": sum(each["spec"].get("replicas", 1) for each in deployments),
    }


def _image(deployments: list[Json]) -> str | None:
    images = [each["image"] for one in deployments for each in parts(one, "spec", "template", "spec", "containers")]
    return images[0] if images else None


def _releases(cluster: "Cluster", own: list[str]) -> dict[Key, Revision]:
    """The newest release of each app. Which one that is, labels say: only those are read in full."""
    newest: dict[Key, tuple[int, str]] = {}
    try:
        secrets = _everywhere(cluster, own, "v1", "secrets", f"owner=helm,{labels.APP}", _metadata)
    except NotAllowed:
        return {}
    for secret in secrets:
        meta = secret["metadata"]
        version = int(meta["labels"].get("version", 0))
        key = (meta["namespace"], meta["labels"].get("name", ""))
        newest[key] = max(newest.get(key, (0, "")), (version, meta["name"]))
    found: dict[Key, Revision] = {}
    for key, (_, name) in newest.items():
        try:
            found[key] = decode(cluster.get(path("v1", "secrets", key[0], name)))
        except (NotFound, NotAllowed):
            continue
    return found


def _urls(cluster: "Cluster", own: list[str], settings: Settings) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for api, plural in ((INGRESS, "ingresses"), (GATEWAY, "httproutes")):
        try:
            routes = _everywhere(cluster, own, api, plural, labels.APP)
        except (NotFound, NotAllowed):
            continue
        found |= {_key(route): url for route in routes if (url := url_of(route, settings))}
    return found


def _key(each: Json) -> Key:
    return each["metadata"]["namespace"], part(each, "metadata", "labels")[labels.APP]


def _listed(cluster: "Cluster", where: str, selector: str) -> list[Json]:
    return cluster.items(where, labelSelector=selector)


def _metadata(cluster: "Cluster", where: str, selector: str) -> list[Json]:
    return cluster.metadata(where, labelSelector=selector)


def _everywhere(
    cluster: "Cluster",
    own: list[str],
    api: str,
    plural: str,
    selector: str,
    read: "Callable[[Cluster, str, str], list[Json]]" = _listed,
) -> list[Json]:
    """The objects of all namespaces; where that is refused, those of each namespace that one may read."""
    try:
        return read(cluster, path(api, plural), selector)
    except NotAllowed as refused:
        found: list[Json] = []
        allowed = False
        for namespace in _namespaces(cluster, own):
            try:
                found += read(cluster, path(api, plural, namespace), selector)
            except NotAllowed:
                continue
            allowed = True
        if not allowed:
            raise refused
        return found


def _namespaces(cluster: "Cluster", own: list[str]) -> list[str]:
    try:
        return [each["metadata"]["name"] for each in cluster.items(path("v1", "namespaces"))]
    except NotAllowed:
        return own
