"""Adds a cluster to the person's kubeconfig and takes it out again; everything else in it stays as it is."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleo_cli.clusters import files
from nucleo_cli.clusters.files import Document

_LISTS = ("clusters", "users", "contexts")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a cluster's administrator reaches it: its URL, and PEM files in base64."""

    server: str
    authority: str
    certificate: str
    key: str


def paths() -> list[Path]:
    """The files of the kubeconfig: those that KUBECONFIG names, else ~/.kube/config."""
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / ".kube" / "config"]


def add(context: str, credentials: Credentials) -> bool:
    """Puts the cluster, its user and its context in, all named `context`; False when they are there already.

    They go where the context is already, else into the first file. The current context is not changed.
    """
    known = [path for path in paths() if _has(files.read(path), context)]
    return files.update((known or paths())[0], lambda content: _with(content, context, credentials))


def remove(context: str) -> list[Path]:
    """Takes the cluster, user and context of that name out; returns the files that were changed."""
    present = [path for path in paths() if path.exists()]
    return [path for path in present if files.update(path, lambda content: _without(content, context))]


def _has(content: Document, context: str) -> bool:
    return any(_name(entry) == context for entry in _entries(content, "contexts"))


def _with(content: Document, context: str, credentials: Credentials) -> Document:
    entries: dict[str, Document] = {
        "clusters": {
            "cluster": {"server": credentials.server, "certificate-authority-data": credentials.authority},
        },
        "users": {
            "user": {"client-certificate-data": credentials.certificate, "client-key-data": credentials.key},
        },
        "contexts": {"context": {"cluster": context, "user": context}},
    }
    made = {"apiVersion": "v1", "kind": "Config", **content}
    for kind, entry in entries.items():
        made[kind] = _placed(_entries(content, kind), {"name": context, **entry})
    return made


def _placed(entries: list[Any], entry: Document) -> list[Any]:
    """The entry in the place of the one with its name, else at the end."""
    if any(_name(old) == entry["name"] for old in entries):
        return [entry if _name(old) == entry["name"] else old for old in entries]
    return [*entries, entry]


def _without(content: Document, context: str) -> Document:
    made = dict(content)
    for kind in _LISTS:
        if kind in made:
            made[kind] = [entry for entry in _entries(made, kind) if _name(entry) != context]
    if made.get("current-context") == context:
        made["current-context"] = ""
    return made if any(_entries(made, kind) != _entries(content, kind) for kind in _LISTS) else content


def _entries(content: Document, kind: str) -> list[Any]:
    return list(content.get(kind) or [])


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
