"""Builds an app's image and pushes it: only what the registry lacks is made or sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic
from typing import IO, TYPE_CHECKING

from nucleo_cli.builder import bases, host, images, layers, plans, platforms, steps
from nucleo_cli.builder.container import BuildContainer
from nucleo_cli.builder.images import Base, Document, Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Image, Plan
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, Warned, Work
from nucleo_cli.domain.settings import Settings

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.registry import Registry

_UPLOADS = 4


@dataclass(frozen=True, slots=True)
class Job:
    """All that a build is of. `engine` is called when a container is needed, and not before."""

    app: App
    source: Source
    plan: Plan
    engine: Callable[[], Engine]
    registry: Registry
    settings: Settings
    architecture: str
    no_cache: bool

    @property
    def platform(self) -> platforms.Platform:
        return platforms.load(self.plan.platform)


def build(
    app: App,
    source: Source,
    plan: Plan,
    settings: Settings,
    engine: Callable[[], Engine],
    registry: Registry,
    commit: GitFacts | None,
    *,
    no_cache: bool = False,
) -> Work[Image]:
    """Build the image of `app` and push it; the image as the nodes pull it.

    `registry` is the one of `settings.registry_push`. With `no_cache` every step runs, and without its cache folders.
    Raises BuildFailed, NotAllowed, Unreachable.
    """
    job = Job(app, source, plan, engine, registry, settings, platforms.architecture(), no_cache)
    yield PhaseStarted("build", f"{plan.platform} {plan.version}")
    yield from (*source.warnings(), *(Warned(text) for text in plan.warnings))
    started = monotonic()
    own_host = host.read(job.platform)
    run_base, build_base = yield from _bases(job, own_host)
    keys = steps.keys(plan.steps, source, build_base.digest, job.architecture, own_host.indexes())
    made = [None if no_cache else steps.lookup(registry, key) for key in keys]
    ran = sum(layer is None for layer in made)
    step_layers = tuple(layer for layer in made if layer is not None)
    if ran:
        step_layers = yield from _run_steps(job, own_host, build_base, keys, made)
    yield PhaseEnded("build", monotonic() - started, skipped=not ran, detail=_said(len(made), ran))
    return (yield from _assemble(job, commit, run_base, step_layers))


def cached(plan: Plan, source: Source, registry: Registry) -> list[bool]:
    """For each step whether its layer is in the registry already. Runs nothing."""
    platform, architecture = platforms.load(plan.platform), platforms.architecture()
    base = bases.lookup(registry, platform, plan.version, "build", architecture)
    if base is None:
        return [False for _ in plan.steps]
    keys = steps.keys(plan.steps, source, base.digest, architecture, host.read(platform).indexes())
    return [steps.lookup(registry, key) is not None for key in keys]


def _said(steps: int, ran: int) -> str:
    return f"{ran} of {steps} steps ran" if ran else "every step was built before"


def _bases(job: Job, own_host: host.Host) -> Work[tuple[Base, Base]]:
    found: list[Base] = []
    for role in ("run", "build"):
        found.append(
            (
                yield from bases.ensure(
                    job.registry, job.platform, job.plan.version, role, job.architecture, job.settings, own_host
                )
            )
        )
    return found[0], found[1]


def _run_steps(
    job: Job, own_host: host.Host, base: Base, keys: Sequence[str], made: Sequence[Layer | None]
) -> Work[tuple[Layer, ...]]:
    """Run the steps that are missing, after those before them were put back; the layers of all steps."""
    engine, registry = job.engine(), job.registry
    reference = registry.reference(base.repository, base.digest)
    if not engine.has_image(reference):
        engine.pull(reference)
    found: list[Layer] = []
    with BuildContainer(engine, reference, job.app.name, job.platform, own_host, caches=not job.no_cache) as container:
        for step, key, layer in zip(job.plan.steps, keys, made, strict=True):
            if layer is not None:
                container.restore(registry.blob(steps.repository(registry), layer.digest))
            else:
                container.put(job.source, step.inputs)
                yield from container.run(step)
                layer, path = container.pack(step)
                _store_step(registry, key, layer, lambda path=path: container.read(path), job.architecture)
            found.append(layer)
    return tuple(found)


def _store_step(
    registry: Registry, key: str, layer: Layer, content: Callable[[], Iterator[bytes]], architecture: str
) -> None:
    name = steps.repository(registry)
    if not registry.has_blob(name, layer.digest):
        registry.upload(name, layer.digest, layer.size, content)
    steps.store(registry, key, layer, architecture)


def _assemble(job: Job, commit: GitFacts | None, run_base: Base, step_layers: tuple[Layer, ...]) -> Work[Image]:
    yield PhaseStarted("push", job.registry.address)
    started = monotonic()
    with ExitStack() as stack:
        source_layer, file = stack.enter_context(layers.source_layer(job.source))
        config, manifest = _documents(job, commit, (*run_base.layers, *step_layers, source_layer))
        name = job.registry.repository(job.app.name)
        present = job.registry.has_manifest(name, manifest.digest)
        if not present:
            _push(job.registry, name, run_base, step_layers, source_layer, file, config)
            job.registry.put_manifest(name, tag(manifest.digest), manifest.raw)
    yield PhaseEnded("push", monotonic() - started, skipped=present)
    pull = job.settings.registry_pull or job.settings.registry_push
    return Image(f"{pull.rpartition('://')[2].strip('/')}/{job.app.name}", manifest.digest)


def tag(digest: str) -> str:
    """A tag that keeps a manifest from being collected as garbage by the registry."""
    return f"image-{digest.removeprefix('sha256:')[:16]}"


def _documents(job: Job, commit: GitFacts | None, all_layers: Iterable[Layer]) -> tuple[Document, Document]:
    plan, source = job.plan, job.source
    hashes = {
        "inputs": plans.inputs_hash(job.app, source, plan, job.architecture),
        "source-hash": source.hash,
        "lock-hash": steps.lock_hash(source, plan.steps[0]) if plan.steps else "",
    }
    all_layers = tuple(all_layers)
    labels = images.labels(job.app, plan, commit, hashes)
    config = images.app_config(plan, all_layers, labels, job.architecture, images.created(commit))
    return config, images.manifest(config, all_layers)


def _push(
    registry: Registry,
    name: str,
    run_base: Base,
    step_layers: Iterable[Layer],
    source_layer: Layer,
    file: IO[bytes],
    config: Document,
) -> None:
    """Give the app's repository every blob of its image: mounted where the registry has it, else uploaded."""
    borrowed = [(layer, run_base.repository) for layer in run_base.layers]
    borrowed += [(layer, steps.repository(registry)) for layer in step_layers]

    def upload_source() -> None:
        if not registry.has_blob(name, source_layer.digest):
            registry.upload(name, source_layer.digest, source_layer.size, lambda: layers.blocks(file))

    with ThreadPoolExecutor(_UPLOADS) as pool:
        work = [pool.submit(_borrow, registry, name, layer, origin) for layer, origin in borrowed]
        work.append(pool.submit(upload_source))
        work.append(pool.submit(registry.upload, name, config.digest, config.size, lambda: [config.raw]))
    for one in work:
        one.result()


def _borrow(registry: Registry, name: str, layer: Layer, origin: str) -> None:
    """Mount a blob of another repository; a registry that does not mount gets it once more."""
    if registry.has_blob(name, layer.digest) or registry.mount(name, layer.digest, origin):
        return
    registry.upload(name, layer.digest, layer.size, lambda: registry.blob(origin, layer.digest))
