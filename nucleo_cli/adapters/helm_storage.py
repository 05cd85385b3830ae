"""What Helm keeps in the cluster: one Secret a revision, of type helm.sh/release.v1.

Its `release` key holds, below the API's own base64, the base64 of gzipped JSON. Helm finds revisions by labels alone
(owner=helm, name, version, status), and takes `status` from the payload when it shows them: both must agree.
"""

import base64
import copy
import gzip
import json
import re
import zlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from nucleo_cli.domain.release import Revision
from nucleo_cli.errors import NucleoError

# In an object's own column: what a text inside of it says is further in.
_API = re.compile(r"^apiVersion: (\S+)$", re.MULTILINE)
# Helm's own labels; all others on the Secret were given by whoever made the release.
OWN_LABELS = frozenset({"name", "owner", "status", "version", "createdAt", "modifiedAt"})


def selector(app: str | None = None) -> str:
    """The label selector of the Secrets of one app's revisions, or of every app's."""
    return f"owner=helm,name={app}" if app else "owner=helm"


def decode(secret: Mapping[str, Any]) -> Revision:
    """A revision from its Secret as the API gives it. Raises NucleoError when Helm did not write it."""
    payload = _payload(secret)
    info: Mapping[str, Any] = payload.get("info") or {}
    labels: Mapping[str, str] = secret["metadata"].get("labels") or {}
    return Revision(
        app=payload["name"],
        namespace=payload.get("namespace") or secret["metadata"].get("namespace", ""),
        version=payload["version"],
        status=info.get("status", "unknown"),
        created=_time(info.get("last_deployed", "")),
        description=info.get("description", ""),
        chart=_chart(payload.get("chart") or {}),
        values=payload.get("config") or {},
        labels={key: value for key, value in labels.items() if key not in OWN_LABELS},
        manifest=payload.get("manifest", ""),
    )


def encode_status(secret: Mapping[str, Any], status: str, description: str) -> dict[str, Any]:
    """The same Secret with another status: for a revision that a killed deploy left pending, or that failed.

    The resourceVersion stays in it, so that replacing the Secret fails when somebody else was faster.
    """
    payload = _payload(secret)
    payload["info"] = {**(payload.get("info") or {}), "status": status, "description": description}
    changed = _with_payload(secret, payload)
    changed["metadata"]["labels"] = {**(changed["metadata"].get("labels") or {}), "status": status}
    return changed


def encode_without(secret: Mapping[str, Any], apis: Collection[str]) -> dict[str, Any]:
    """The same Secret without the objects of these APIs (GROUP/VERSION) in the manifest."""
    payload = _payload(secret)
    documents = re.split(r"^---$", payload.get("manifest", ""), flags=re.MULTILINE)
    kept = [each for each in documents if not set(_API.findall(each)) & set(apis)]
    return _with_payload(secret, {**payload, "manifest": "---".join(kept)})


def apis(manifest: str) -> set[str]:
    """GROUP/VERSION, or the version alone, of the objects of a manifest."""
    return set(_API.findall(manifest))


def _with_payload(secret: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    packed = gzip.compress(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0)
    changed = copy.deepcopy(dict(secret))
    changed["data"]["release"] = base64.b64encode(base64.b64encode(packed)).decode()
    return changed


def _payload(secret: Mapping[str, Any]) -> dict[str, Any]:
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        # Helm 2 wrote plain JSON, and Helm still reads it: gzip is recognised by its magic number.
        text = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        payload = json.loads(text)
        return {**payload, "name": str(payload["name"]), "version": int(payload["version"])}
    except (KeyError, TypeError, OSError, EOFError, zlib.error, ValueError) as error:
        name = secret.get("metadata", {}).get("name", "?")
        raise NucleoError(f"The Secret {name} does not hold a Helm release", "See `helm history`.") from error


def _chart(chart: Mapping[str, Any]) -> str:
    metadata: Mapping[str, Any] = chart.get("metadata") or {}
    return f"{metadata['name']}-{metadata.get('version', '')}" if metadata.get("name") else ""


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
