"""Builds an app's image and pushes it: only what the registry lacks is made or sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from nucleo_cli.builder import bases, host, images, layers, plans, platforms, running, steps
from nucleo_cli.builder.bases import Wanted
from nucleo_cli.builder.container import BuildContainer
from nucleo_cli.builder.images import Base, Document, Layer
from nucleo_cli.builder.running import Run, Workshop
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Image, Plan, Step
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, StepEnded, Warned, Work
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
    host: host.Host
    architectures: tuple[str, ...]
    no_cache: bool

    @property
    def platform(self) -> platforms.Platform:
        return platforms.load(self.plan.platform)

    @property
    def name(self) -> str:
        """The app's repository in the registry."""
        return self.registry.repository(self.app.name)

    def images(self, architecture: str) -> Wanted:
        """The platform images that the build needs."""
        version, apt = self.plan.version, self.app.build.apt
        own = host.read(self.platform)  # without what nucleo.yml adds: the images are those of every app
        return Wanted(self.platform, version, architecture, apt, self.registry, self.engine, self.settings, own)


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
    own = host.read(platforms.load(plan.platform), app.build)
    wanted = plans.architectures(app, settings, platforms.load(plan.platform))
    job = Job(app, source, plan, engine, registry, settings, own, wanted, no_cache)
    yield PhaseStarted("build", f"{plan.platform} {plan.version}")
    yield from (*source.warnings(), *(Warned(text) for text in plan.warnings))
    began = monotonic()
    base = yield from _platform_images(job)
    runs = [_run(job, base.build, architecture) for architecture in wanted] if base.build else []
    missing = sum(step.name not in run.made for run in runs for step in run.steps)
    with layers.source_layer(source, plan.leave_out) as (source_layer, file), _Delivery(job, base.run) as delivery:

        def source_content() -> Iterator[bytes]:
            return layers.blocks(file)

        if missing and base.build:
            delivery.start(source_layer, source_content)
            made = yield from running.run(_workshop(job, base.build), runs)
        else:
            yield from (StepEnded(f"{step.name}{run.title}", 0.0, cached=True) for run in runs for step in run.steps)
            made = [run.made for run in runs]
        yield PhaseEnded("build", monotonic() - began, skipped=not missing, detail=_said(len(runs), plan, missing))
        yield PhaseStarted("push", registry.address)
        began = monotonic()
        shipped = [step.name for step in plan.steps if step.ships]
        outputs = [tuple(layer[name] for name in shipped) for layer in made] or [() for _ in wanted]
        parts = {
            architecture: _documents(job, commit, base, architecture, (*output, source_layer))
            for architecture, output in zip(wanted, outputs, strict=True)
        }
        whole = images.index({each: manifest for each, (_, manifest) in parts.items()}) if len(parts) > 1 else None
        digest = whole.digest if whole else parts[wanted[0]][1].digest
        present = registry.has_manifest(job.name, digest)
        if not present:
            delivery.start(source_layer, source_content)
            delivery.finish(outputs, parts, whole)
    yield PhaseEnded("push", monotonic() - began, skipped=present)
    pull = settings.registry_pull or settings.registry_push
    return Image(f"{pull.rpartition('://')[2].strip('/')}/{app.name}", digest, wanted)


def cached(app: App, plan: Plan, source: Source, settings: Settings, registry: Registry) -> list[bool]:
    """For each step whether its layers are in the registry already. Runs nothing."""
    platform = platforms.load(plan.platform)
    own = host.read(platform, app.build)
    wanted = plans.architectures(app, settings, platform)
    job = Job(app, source, plan, _no_engine, registry, settings, own, wanted, no_cache=False)
    base = bases.lookup(job.images(platforms.architecture()), "build") if plan.steps else None
    if base is None:
        return [False for _ in plan.steps]
    runs = [_run(job, base, architecture) for architecture in wanted]
    return [all(step.name in run.made for run in runs) for step in plan.steps]


def container_for(
    app: App,
    source: Source,
    plan: Plan,
    settings: Settings,
    engine: Callable[[], Engine],
    registry: Registry,
    step: Step,
) -> Work[BuildContainer]:
    """A build container, open, in which `step` could run now: the steps before it have run, its inputs are there."""
    platform = platforms.load(plan.platform)
    own, wanted = host.read(platform, app.build), plans.architectures(app, settings, platform)
    job = Job(app, source, plan, engine, registry, settings, own, wanted, no_cache=False)
    base = yield from bases.ensure(job.images(platforms.architecture()), "build")
    workshop = _workshop(job, base)
    before = steps.before(step, plan.steps)
    (made,) = yield from running.run(workshop, [replace(_run(job, base, platforms.architecture()), steps=before)])
    container = workshop.open()
    container.__enter__()
    try:
        workshop.prepare(container, step, before, lambda each: made[each.name])
        container.give(step)
    except BaseException:
        container.__exit__()
        raise
    return container


def _no_engine() -> Engine:
    raise AssertionError("nothing is run here")


def _run(job: Job, base: Base, architecture: str) -> Run:
    """The steps for one architecture, with the layers that the registry has of them."""
    plan = job.plan
    env = {**job.host.indexes(), **job.app.build.env}
    keys = steps.keys(plan.steps, job.source, base.digest, architecture, env)
    made: dict[str, Layer] = {}
    if not job.no_cache:
        with ThreadPoolExecutor(_UPLOADS) as pool:
            found = [pool.submit(steps.lookup, job.registry, job.source, step, keys[step.name]) for step in plan.steps]
            layers = (future.result() for future in found)
            made = {step.name: layer for step, layer in zip(plan.steps, layers, strict=True) if layer is not None}
    return Run(plan.steps, architecture, keys, made, f" {architecture}" if len(job.architectures) > 1 else "")


def _said(architectures: int, plan: Plan, ran: int) -> str:
    total = architectures * len(plan.steps)
    if not total:
        return "nothing to run"
    return f"{ran} of {total} steps ran" if ran else "every step was built before"


def tag(digest: str) -> str:
    """A tag that keeps a manifest from being collected as garbage by the registry."""
    return f"image-{digest.removeprefix('sha256:')[:16]}"


@dataclass(frozen=True, slots=True)
class _Bases:
    """The run images by architecture, and the build image where there is a step to run."""

    run: Mapping[str, Base]
    build: Base | None


def _platform_images(job: Job) -> Work[_Bases]:
    run: dict[str, Base] = {}
    for architecture in job.architectures:
        run[architecture] = yield from bases.ensure(job.images(architecture), "run")
    build = (yield from bases.ensure(job.images(platforms.architecture()), "build")) if job.plan.steps else None
    return _Bases(run, build)


def _workshop(job: Job, base: Base) -> Workshop:
    caches, suite = not job.no_cache, job.platform.versions[job.plan.version].suite
    return Workshop(job.app.name, job.source, job.platform, job.host, job.engine(), job.registry, base, caches, suite)


def _documents(
    job: Job, commit: GitFacts | None, base: _Bases, architecture: str, own: tuple[Layer, ...]
) -> tuple[Document, Document]:
    """Configuration and manifest of the image for one architecture; `own` are the layers on top of the run image."""
    plan, source, run = job.plan, job.source, base.run[architecture]
    facts = {
        "inputs": plans.inputs_hash(job.app, source, plan, job.architectures),
        "source-hash": source.hash,
        "lock-hash": steps.lock_hash(source, plan.steps[0].inputs) if plan.steps else "",
        "run-image": run.digest,
        "build-image": base.build.digest if base.build else "",
    }
    stack = (*run.layers, *own)
    labels = images.labels(job.app, plan, commit, facts)
    config = images.app_config(plan, source.app, stack, labels, architecture, images.created(commit))
    return config, images.manifest(config, stack)


class _Delivery:
    """Brings an image's blobs into the app's repository, side by side: mounted where the registry has them."""

    def __init__(self, job: Job, run: Mapping[str, Base]) -> None:
        self._job = job
        self._run = run
        self._pool = ThreadPoolExecutor(_UPLOADS)
        self._sent: dict[str, Future[None]] = {}

    def __enter__(self) -> _Delivery:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, source_layer: Layer, content: Callable[[], Iterable[bytes]]) -> None:
        """Begin with what is there before any step has run: the run images and the source."""
        for base in self._run.values():
            for layer in base.layers:
                self._once(layer.digest, bases.borrow, self._job.registry, self._job.name, layer, base.repository)
        self._once(source_layer.digest, self._upload, source_layer, content)

    def finish(
        self,
        outputs: Iterable[Iterable[Layer]],
        parts: Mapping[str, tuple[Document, Document]],
        whole: Document | None,
    ) -> None:
        """Bring the rest, then the manifests, which make it an image."""
        registry, name = self._job.registry, self._job.name
        for layer in (layer for output in outputs for layer in output):
            self._once(layer.digest, bases.borrow, registry, name, layer, steps.repository(registry))
        for config, _ in parts.values():
            self._once(config.digest, registry.upload, name, config.digest, config.size, lambda raw=config.raw: [raw])
        for future in self._sent.values():
            future.result()
        for _, manifest in parts.values():
            registry.put_manifest(name, manifest.digest if whole else tag(manifest.digest), manifest.raw)
        if whole:
            registry.put_manifest(name, tag(whole.digest), whole.raw, images.INDEX)

    def _once(self, digest: str, work: Callable[..., None], *arguments: object) -> None:
        if digest not in self._sent:
            self._sent[digest] = self._pool.submit(work, *arguments)

    def _upload(self, layer: Layer, content: Callable[[], Iterable[bytes]]) -> None:
        if not self._job.registry.has_blob(self._job.name, layer.digest):
            self._job.registry.upload(self._job.name, layer.digest, layer.size, content)
