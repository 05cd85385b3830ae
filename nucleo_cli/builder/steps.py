"""The step cache: layers in the registry, found by what made them. Every branch, machine and CI run shares it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nucleo_cli.builder import bases, images, platforms
from nucleo_cli.builder.images import Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Step

if TYPE_CHECKING:
    from nucleo_cli.adapters.registry import Registry


def keys(
    steps: Sequence[Step], source: Source, build_digest: str, architecture: str, indexes: Mapping[str, str]
) -> tuple[str, ...]:
    """The key of each step, in order: its command, inputs and environment, and all that ran before it."""
    found: list[str] = []
    for step in steps:
        parts = [
            platforms.FORMAT,
            architecture,
            build_digest,
            step.command,
            step.output,
            sorted(step.env.items()),
            sorted(step.files.items()),
            sorted(indexes.items()),
            [(path, source.fingerprint(path)) for path in step.inputs],
            found[-1:],
        ]
        found.append(hashlib.sha256(json.dumps(parts).encode()).hexdigest())
    return tuple(found)


def lock_hash(source: Source, step: Step) -> str:
    """`sha256:…` over the inputs of a step."""
    lines = "".join(f"{path}\0{source.fingerprint(path)}\n" for path in step.inputs)
    return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"


def repository(registry: Registry) -> str:
    return registry.repository("steps")


def lookup(registry: Registry, key: str) -> Layer | None:
    """The layer that a step with this key made before, in one request."""
    found = registry.manifest(repository(registry), _tag(key))
    if found is None:
        return None
    layer, diff_id = found.body["layers"][0], found.body.get("annotations", {}).get(images.DIFF_ID)
    return Layer(layer["digest"], layer["size"], diff_id) if diff_id else None


def store(registry: Registry, key: str, layer: Layer, architecture: str) -> None:
    """Remember a layer that the repository of steps already has."""
    bases.put_image(registry, repository(registry), _tag(key), (layer,), architecture)


def _tag(key: str) -> str:
    return f"step-{key}"
