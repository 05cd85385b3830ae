"""Puts an image together: layers, configuration, manifest. Pure; the same values give the same bytes.

Sources: the OCI image specification 1.1 (config.md, manifest.md, annotations.md).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Plan
from nucleo_cli.domain.shell import shell_argv

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DIFF_ID = "io.nucleo.diff-id"
USER = "1000:1000"
# Where the tree lies in build containers and images.
APP = "/app"
# Where steps put what they make, unless it belongs into the tree.
OUTPUT = "/opt/app"
# 1980-01-01 00:00:01 UTC: zip files know no earlier time, and any fixed one makes Python write .pyc files by content.
EPOCH = 315532801


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as a registry stores it: `digest` and `size` of the compressed tar, `diff_id` of the tar itself."""

    digest: str
    size: int
    diff_id: str
    media_type: str = LAYER


@dataclass(frozen=True, slots=True)
class Base:
    """A platform image in the registry that is pushed to."""

    repository: str
    digest: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes and their digest."""

    raw: bytes
    digest: str

    @property
    def size(self) -> int:
        return len(self.raw)


def document(value: Mapping[str, Any]) -> Document:
    """Canonical JSON: sorted, compact, UTF-8."""
    raw = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return Document(raw, f"sha256:{hashlib.sha256(raw).hexdigest()}")


def layers_of(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers of an image that somebody else made, in either of the two manifest formats."""
    pairs = zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    return tuple(Layer(layer["digest"], layer["size"], diff_id) for layer, diff_id in pairs)


def app_config(
    plan: Plan, workdir: str, layers: Iterable[Layer], labels: Mapping[str, str], architecture: str, created: int
) -> Document:
    """The configuration of an app's image. `created` is in seconds since 1970."""
    return document(
        {
            "architecture": architecture,
            "os": "linux",
            "created": timestamp(created),
            "config": {
                "User": USER,
                "WorkingDir": workdir,
                "Env": [f"{name}={value}" for name, value in sorted(plan.env.items())],
                "Cmd": shell_argv(plan.start),
                "Labels": dict(labels),
            },
            **_stack(layers, created),
        }
    )


def plain_config(layers: Iterable[Layer], architecture: str) -> Document:
    """The configuration of an image that is a base or holds one step's layer."""
    return document(
        {
            "architecture": architecture,
            "os": "linux",
            "created": timestamp(EPOCH),
            "config": {"User": USER, "WorkingDir": APP},
            **_stack(layers, EPOCH),
        }
    )


def program_config(
    command: Sequence[str], env: Mapping[str, str], layers: Iterable[Layer], architecture: str
) -> Document:
    """The configuration of an image of one of Nucleo's own programs, which runs as root."""
    return document(
        {
            "architecture": architecture,
            "os": "linux",
            "created": timestamp(EPOCH),
            "config": {
                "User": "0:0",
                "Env": [f"{name}={value}" for name, value in sorted(env.items())],
                "Entrypoint": list(command),
            },
            **_stack(layers, EPOCH),
        }
    )


def _stack(layers: Iterable[Layer], created: int) -> dict[str, Any]:
    """Layers, and one line of history for each: without it, other builders refuse to build on the image."""
    found = [layer.diff_id for layer in layers]
    history = [{"created": timestamp(created), "created_by": "nucleo"} for _ in found]
    return {"rootfs": {"type": "layers", "diff_ids": found}, "history": history}


def manifest(config: Document, layers: Iterable[Layer], annotations: Mapping[str, str] | None = None) -> Document:
    """The manifest that names a configuration and its layers, in order."""
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in layers],
    }
    return document({**body, "annotations": dict(annotations)} if annotations else body)


def index(manifests: Mapping[str, Document]) -> Document:
    """The index of one image for several architectures: their manifests by architecture.

    Source: the OCI image specification 1.1, image-index.md.
    """
    return document(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {
                    "mediaType": MANIFEST,
                    "digest": one.digest,
                    "size": one.size,
                    "platform": {"architecture": architecture, "os": "linux"},
                }
                for architecture, one in sorted(manifests.items())
            ],
        }
    )


def labels(app: App, plan: Plan, commit: GitFacts | None, hashes: Mapping[str, str]) -> dict[str, str]:
    """The labels of an app's image; `hashes` become `io.nucleo.NAME`.

    Nothing of where the tree was cloned from, or by whom: the same commit is the same image for everybody.
    """
    found = {
        "io.nucleo.app": app.name,
        "io.nucleo.platform": f"{plan.platform}:{plan.version}",
        "org.opencontainers.image.title": app.name,
        "org.opencontainers.image.created": timestamp(created(commit)),
        **{f"io.nucleo.{name}": value for name, value in hashes.items()},
    }
    if commit is not None:
        found |= {
            "org.opencontainers.image.revision": commit.sha,
            "io.nucleo.commit": commit.sha,
            "io.nucleo.dirty": str(commit.dirty).lower(),
        }
    return found


def created(commit: GitFacts | None) -> int:
    """The commit's time, which is the same for everybody who builds it; without a commit, 1980."""
    return EPOCH if commit is None else commit.time


def timestamp(seconds: int) -> str:
    """RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
