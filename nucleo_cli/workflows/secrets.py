"""Secrets of an app: immutable objects, named by their content's hash, that releases name.

Also what was set before the first deploy and waits for it. A value is never in Helm's values, so `helm get values` and
a release's record show names only.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.charts.shape import SecretValues
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json, part
from nucleo_cli.domain.labels import of_app
from nucleo_cli.errors import Conflict, NotFound
from nucleo_cli.workflows.history import History

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_KIND = "nucleo.io/secret"
_CONFIG_PREFIX = "config."
_SECRET_PREFIX = "secret."  # noqa: S105 - a prefix of keys, not a secret


@dataclass(frozen=True, slots=True)
class Staged:
    """Config vars and secrets that were set before the first deploy."""

    config: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, str] = field(default_factory=dict[str, str])


def read_secret(cluster: "Cluster", target: Target, name: str) -> dict[str, str]:
    """The values of the Secret `name`; empty for no name. NotFound when a release names one that is gone."""
    return decoded(cluster.get(_path(target, name))) if name else {}


def write_secret(cluster: "Cluster", target: Target, secrets: Mapping[str, str]) -> SecretValues:
    """Makes the immutable Secret that holds exactly `secrets`; what a release says to name it."""
    if not secrets:
        return {"name": "", "keys": []}
    keys = sorted(secrets)
    content = json.dumps([[key, secrets[key]] for key in keys]).encode()
    name = f"{target.app}-config-{hashlib.sha256(content).hexdigest()[:12]}"
    body = {**_body(target, name, "config", secrets), "immutable": True}
    try:
        cluster.create(path("v1", "secrets", target.namespace), body)
    except Conflict:
        return {"name": name, "keys": keys}  # the same name is the same content
    return {"name": name, "keys": keys}


def collect(cluster: "Cluster", history: History) -> None:
    """Deletes the Secrets that no kept release names."""
    target = history.target
    named = {str(part(each.values, "secret").get("name", "")) for each in history.revisions}
    selector = f"{_KIND}=config,{of_app(target.app)}"
    for secret in cluster.items(path("v1", "secrets", target.namespace), labelSelector=selector):
        if (name := secret["metadata"]["name"]) not in named:
            delete_secret(cluster, target, name)


def delete_secret(cluster: "Cluster", target: Target, name: str) -> None:
    """Deletes a Secret; one that is gone already is fine."""
    try:
        cluster.delete(_path(target, name))
    except NotFound:
        return


def read_staged(cluster: "Cluster", target: Target) -> Staged | None:
    """What was set before the first deploy, if anything."""
    try:
        found = decoded(cluster.get(_path(target, _staged_name(target))))
    except NotFound:
        return None
    return Staged(_with_prefix(found, _CONFIG_PREFIX), _with_prefix(found, _SECRET_PREFIX))


def write_staged(cluster: "Cluster", target: Target, staged: Staged) -> None:
    """Keeps what the first deploy will take."""
    content = {f"{_CONFIG_PREFIX}{key}": value for key, value in staged.config.items()}
    content |= {f"{_SECRET_PREFIX}{key}": value for key, value in staged.secrets.items()}
    name = _staged_name(target)
    cluster.patch(
        _path(target, name), {"apiVersion": "v1", "kind": "Secret", **_body(target, name, "staged", content)}, "apply"
    )


def drop_staged(cluster: "Cluster", target: Target) -> None:
    """Forgets what a first deploy has taken over."""
    delete_secret(cluster, target, _staged_name(target))


def _staged_name(target: Target) -> str:
    return f"{target.app}-staged"


def _path(target: Target, name: str) -> str:
    return path("v1", "secrets", target.namespace, name)


def _body(target: Target, name: str, kind: str, content: Mapping[str, str]) -> Json:
    labels = {"app.kubernetes.io/managed-by": "nucleo", "nucleo.io/app": target.app, _KIND: kind}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    return {"metadata": {"name": name, "labels": labels}, "type": "Opaque", "data": data}


def decoded(secret: Json) -> dict[str, str]:
    """The values of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in part(secret, "data").items()}


def _with_prefix(found: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
