"""What every object of the rules has in common."""

from collections.abc import Mapping
from typing import Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels
from nucleo_cli.domain.app import App

Json = dict[str, Any]


def manifest(app: App, api_version: str, kind: str, spec: Json) -> Json:
    """An object of the app's release, named as the app, with the labels that all objects of the release have."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": app.name,
            "namespace": app.namespace,
            "labels": {
                "app.kubernetes.io/name": app.name,
                "app.kubernetes.io/instance": app.name,
                "app.kubernetes.io/managed-by": "Helm",
                labels.APP: app.name,
            },
        },
        "spec": spec,
    }


def where(found: Mapping[str, Any]) -> str:
    """The path of such an object in the API."""
    kind = found["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return path(found["apiVersion"], plural, found["metadata"]["namespace"], found["metadata"]["name"])
