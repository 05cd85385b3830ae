"""The step cache: layers in the registry, found by what made them. Every branch, machine and CI run shares it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from nucleo_cli.builder import bases, images, platforms
from nucleo_cli.builder.images import Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Step

if TYPE_CHECKING:
    from nucleo_cli.adapters.registry import Registry

_READ = "io.nucleo.read"


def keys(
    steps: Sequence[Step], source: Source, build_digest: str, architecture: str, env: Mapping[str, str]
) -> dict[str, str]:
    """The key of each step by its name: its command, inputs and environment, and the steps whose output it reads.

    That of a traced step has the names of its inputs alone: `lookup` adds what is in those that it read. `env` is what
    the machine and nucleo.yml add to a step's own variables, as far as it decides what a step makes.
    """
    found: dict[str, str] = {}
    whole: dict[str, str] = {}
    for step in steps:

        def key(contents: list[str], step: Step = step) -> str:
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
                [*zip(step.inputs, contents, strict=True)],
                [whole[name] for name in step.after],
            ]
            return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

        whole[step.name] = key([source.fingerprint(path) for path in step.inputs])
        found[step.name] = key([""] * len(step.inputs)) if step.traced else whole[step.name]
    return found


def before(step: Step, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps whose output a step sees, in order: those of its `after`, and theirs."""
    names = set(step.after)
    for each in reversed(steps):
        names.update(each.after if each.name in names else ())
    return tuple(each for each in steps if each.name in names)


def lock_hash(source: Source, paths: Iterable[str]) -> str:
    """`sha256:…` over some files of the tree."""
    lines = "".join(f"{path}\0{source.fingerprint(path)}\n" for path in paths)
    return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"


def repository(registry: Registry) -> str:
    return registry.repository("steps")


def lookup(registry: Registry, source: Source, step: Step, key: str) -> Layer | None:
    """The layer that the step made before from the same inputs; None where the registry has lost the layer since."""
    if step.traced:
        found = registry.manifest(repository(registry), _read_tag(key))
        if found is None:
            return None
        key = _with_contents(key, source, json.loads(found.body["annotations"][_READ]))
    found = registry.manifest(repository(registry), _tag(key))
    if found is None:
        return None
    layer, diff_id = found.body["layers"][0], found.body.get("annotations", {}).get(images.DIFF_ID)
    if not diff_id or not registry.has_blob(repository(registry), layer["digest"]):
        return None
    return Layer(layer["digest"], layer["size"], diff_id)


def store(
    registry: Registry,
    source: Source,
    step: Step,
    key: str,
    layer: Layer,
    architecture: str,
    unread: Collection[str] = (),
) -> None:
    """Remember a layer that the repository of steps already has; a traced step did not read the inputs in `unread`."""
    if step.traced:
        read = [path for path in step.inputs if path not in unread]
        key, names = _with_contents(key, source, read), key
        annotations = {_READ: json.dumps(read)}
        bases.put_image(registry, repository(registry), _read_tag(names), (layer,), architecture, annotations)
    bases.put_image(registry, repository(registry), _tag(key), (layer,), architecture)


def _with_contents(key: str, source: Source, read: Sequence[str]) -> str:
    return hashlib.sha256(f"{key} {lock_hash(source, read)}".encode()).hexdigest()


def _tag(key: str) -> str:
    return f"step-{key}"


def _read_tag(key: str) -> str:
    """Where it says which inputs a traced step read when it ran last."""
    return f"read-{key}"
