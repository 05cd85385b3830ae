"""Writes the cluster's own settings: the ConfigMap `nucleo` that every deploy reads."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import Conflict, NotFound
from nucleo_cli.workflows.dns import CREDENTIALS
from nucleo_cli.workflows.settings import NAME, NAMESPACE, from_data, node_architectures

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster


def configure(cluster: "Cluster", changes: Mapping[str, str]) -> Settings:
    """Changes the given keys of the ConfigMap (an empty value takes a key away) and returns all settings.

    The namespace and the ConfigMap are made where they are missing. What the nodes' architectures are is written down
    too, where nobody has said it. A value that makes no sense is refused before anything is written.
    """
    where = path("v1", "configmaps", NAMESPACE, NAME)
    try:
        data: dict[str, str] = dict(cluster.get(where).get("data") or {})
    except NotFound:
        data = _create(cluster)
    if "architectures" not in {**data, **changes}:
        changes = {**changes, "architectures": ",".join(node_architectures(cluster))}
    wanted = {key: value for key, value in {**data, **changes}.items() if value}
    settings = from_data(wanted)
    if wanted != data:
        cluster.patch(where, {"data": {key: value or None for key, value in {**data, **changes}.items()}})
    return settings


def keep_credentials(cluster: "Cluster", credentials: Mapping[str, str]) -> None:
    """Keeps what the DNS provider needs, in place of what was kept before."""
    name = CREDENTIALS[1]
    data = {key: base64.b64encode(value.encode()).decode() for key, value in credentials.items()}
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "nucleo"}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
    cluster.patch(path("v1", "secrets", NAMESPACE, name), body, "apply")


def _create(cluster: "Cluster") -> dict[str, str]:
    for collection, body in (
        (path("v1", "namespaces"), {"metadata": {"name": NAMESPACE}}),
        (path("v1", "configmaps", NAMESPACE), {"metadata": {"name": NAME}}),
    ):
        try:
            cluster.create(collection, body)
        except Conflict:
            continue  # it was there, or somebody else made it this moment
    return {}
