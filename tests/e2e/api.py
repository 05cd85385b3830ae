"""The cluster as an outsider sees it: plain HTTPS to the API server, nothing of the program under test."""

import base64
import gzip
import json
import ssl
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

Json = dict[str, Any]


class Api:
    """Reads and changes objects with the administrator's certificate of a kubeconfig context."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        named = {kind: {each["name"]: each for each in document[kind]} for kind in ("contexts", "clusters", "users")}
        chosen = named["contexts"][context]["context"]
        self._cluster: Json = named["clusters"][chosen["cluster"]]["cluster"]
        self._user: Json = named["users"][chosen["user"]]["user"]
        self.server: str = self._cluster["server"]

    @cached_property
    def _client(self) -> httpx.Client:
        trust = ssl.create_default_context(
            cadata=base64.b64decode(self._cluster["certificate-authority-data"]).decode()
        )
        with tempfile.NamedTemporaryFile() as file:
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(self._user[part]))
            file.flush()
            trust.load_cert_chain(file.name)
        return httpx.Client(base_url=self.server, verify=trust, trust_env=False, timeout=30)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Json:
        """An object or a list; an empty one when it does not exist."""
        answer = self._client.get(path, params=query)
        return {} if answer.status_code == 404 else answer.raise_for_status().json()

    def items(self, path: str, **query: str) -> list[Json]:
        """The objects of a list."""
        return self.get(path, **query).get("items", [])

    def text(self, path: str, **query: str) -> str:
        """A pod's log and the like."""
        return self._client.get(path, params=query).text

    def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        """A JSON merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._client.patch(path, json=body, headers=headers).raise_for_status().json()

    def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Makes an object."""
        return self._client.post(path, json=body).raise_for_status().json()

    def delete(self, path: str) -> None:
        """Removes an object; one that is gone is fine."""
        answer = self._client.delete(path)
        if answer.status_code != 404:
            answer.raise_for_status()

    def revisions(self, namespace: str, app: str) -> list[Json]:
        """What Helm keeps of a release, oldest first: {"version", "info": {"status"}, "config", "manifest", …}."""
        selector = f"owner=helm,name={app}"
        secrets = self.items(f"/api/v1/namespaces/{namespace}/secrets", labelSelector=selector)
        found = [json.loads(_unpacked(secret["data"]["release"])) for secret in secrets]
        return sorted(found, key=lambda release: release["version"])


def _unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(base64.b64decode(text)))
