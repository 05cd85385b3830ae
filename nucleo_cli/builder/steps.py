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
    steps: Sequence[Step], source: Source, build_digest: str, architecture: str, env: Mapping[str, str]
) -> dict[str, str]:
    """The key of each step by its name: its command, inputs and environment, and the steps whose output it reads.

    `env` is what the machine and nucleo.yml add to a step's own variables, as far as it decides what a step makes.
    """
    found: dict[str, str] = {}
    for step in steps:
        parts = [
            platforms.FORMAT,
            "" if step.once else architecture,
            build_digest,
            source.folder,
            step.command,
            [step.output, step.changed_only, step.exclude],
            sorted(step.env.items()),
            sorted(step.files.items()),
            sorted(env.items()),
            [(path, source.fingerprint(path)) for path in step.inputs],
            [found[name] for name in step.after],
        ]
        found[step.name] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return found


def before(step: Step, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps whose output a step sees, in order: those of its `after`, and theirs."""
    names = set(step.after)
    for each in reversed(steps):
        names.update(each.after if each.name in names else ())
    return tuple(each for each in steps if each.name in names)


def lock_hash(source: Source, step: Step) -> str:
    """`sha256:…` over the inputs of a step."""
    lines = "".join(f"{path}\0{source.fingerprint(path)}\n" for path in step.inputs)
    return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"


def repository(registry: Registry) -> str:
    return registry.repository("steps")


def lookup(registry: Registry, key: str) -> Layer | None:
    """The layer that a step with this key made before; None where the registry has lost the layer since."""
    found = registry.manifest(repository(registry), _tag(key))
    if found is None:
        return None
    layer, diff_id = found.body["layers"][0], found.body.get("annotations", {}).get(images.DIFF_ID)
    if not diff_id or not registry.has_blob(repository(registry), layer["digest"]):
        return None
    return Layer(layer["digest"], layer["size"], diff_id)


def store(registry: Registry, key: str, layer: Layer, architecture: str) -> None:
    """Remember a layer that the repository of steps already has."""
    bases.put_image(registry, repository(registry), _tag(key), (layer,), architecture)


def _tag(key: str) -> str:
    return f"step-{key}"
