"""Runs the steps of a build that are missing: lines of steps side by side, layers on their way while others are made.

A line is a row of steps of which each needs the one before it; it has one container. Steps that do not need each other
are in different lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from nucleo_cli.builder import steps
from nucleo_cli.builder.container import KEPT, ROLE, BuildContainer, Packed, damaged, explained, surely, sweep
from nucleo_cli.builder.images import Base, Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Platform, Step
from nucleo_cli.domain.events import Event, StepEnded, Warned, Work
from nucleo_cli.errors import BuildFailed, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.registry import Registry
    from nucleo_cli.builder.host import Host

_UPLOADS = 4
_KEPT_IMAGES = 3


@dataclass(frozen=True, slots=True)
class Run:
    """The steps of one architecture, the key of each, and the layers of those that were made before."""

    steps: tuple[Step, ...]
    architecture: str
    keys: Mapping[str, str]
    made: Mapping[str, Layer]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all lines work with. `caches` is False for a build that trusts nothing of an earlier one.

    `suite` is the Debian release of the image `base`.
    """

    app: str
    source: Source
    platform: Platform
    host: Host
    engine: Engine
    registry: Registry
    base: Base
    caches: bool
    suite: str

    def open(self, image: str = "") -> BuildContainer:
        """A build container for the app's steps, not started yet; `image` is one that was made of the build image."""
        return BuildContainer(
            self.engine,
            image or self.registry.reference(self.base.repository, self.base.digest),
            self.host,
            app=self.app,
            workdir=self.source.app,
            volumes=self._volumes(),
        )

    def prepare(
        self, container: BuildContainer, step: Step, before: Sequence[Step], layer: Callable[[Step], Layer]
    ) -> None:
        """Put into a container what a step sees: the output and the inputs of the steps `before`, and its own inputs.

        `layer` gives the layer of a step that was made before.
        """
        self.restore(container, before, layer)
        container.put(self.source, step.inputs)

    def restore(self, container: BuildContainer, before: Sequence[Step], layer: Callable[[Step], Layer]) -> None:
        """Put the inputs and the output of steps into a container."""
        for each in before:
            container.put(self.source, each.inputs)
            container.restore(self.registry.blob(steps.repository(self.registry), layer(each).digest))

    def forget_older(self) -> None:
        """Remove all but the newest of the images that the engine keeps for the app."""
        for image in self.engine.images({ROLE: KEPT, "io.nucleo.app": self.app})[_KEPT_IMAGES:]:
            with suppress(NucleoError):  # another build uses it
                self.engine.remove_image(image)

    def make_volumes(self) -> None:
        """Make the volumes of the caches, so that they say what they are."""
        for name in self._volumes():
            self.engine.create_volume(name, {ROLE: "cache", "io.nucleo.platform": self.platform.name})

    def _volumes(self) -> dict[str, str]:
        if not self.caches:
            return {}
        shared = {f"nucleo-cache-{self.platform.name}{_dashed(folder)}": folder for folder in self.platform.caches}
        own = {f"nucleo-cache-app-{self.app}{_dashed(folder)}": folder for folder in self.platform.app_caches}
        return shared | own


def _dashed(folder: str) -> str:
    return folder.replace("/", "-")


def run(workshop: Workshop, runs: Sequence[Run]) -> Work[list[dict[str, Layer]]]:
    """Run what is missing; for each of `runs` the layer of every step by its name.

    Raises BuildFailed with the failed step's last lines. Whatever happens, no container is left.
    """
    reference = workshop.registry.reference(workshop.base.repository, workshop.base.digest)
    sweep(workshop.engine)
    workshop.make_volumes()
    if not workshop.engine.has_image(reference):
        workshop.engine.pull(reference)
    work = _Work(workshop)
    lines: list[tuple[Run, list[Step]]] = []
    for each in runs:
        new = [step for step in each.steps if each.keys[step.name] not in work.layers]
        work.layers |= {each.keys[step.name]: Future() for step in new}
        lines += [(each, line) for line in _lines(new)]
    try:
        with ThreadPoolExecutor(max(1, len(lines))) as pool, ThreadPoolExecutor(_UPLOADS) as uploads:
            work.uploads = uploads
            pending = [pool.submit(work.line, each, line) for each, line in lines]
            for future in pending:
                future.add_done_callback(lambda _: work.events.put(None))
            try:
                yield from work.until_ended(len(pending))
            finally:
                if work.error is not None or not all(future.done() for future in pending):
                    surely(work.stop)
        yield from work.until_ended(0)
        if work.error is not None:
            raise work.error
        work.dismiss()
    except BaseException:
        surely(work.stop)
        raise
    return [{step.name: work.layers[each.keys[step.name]].result() for step in each.steps} for each in runs]


def _lines(plan: Sequence[Step]) -> list[list[Step]]:
    """A step goes on in the line of a step that it needs, if this is the line's last and the line has all it needs."""
    lines: list[list[Step]] = []
    for step in plan:
        needed = set(step.after)
        fits = (line for line in lines if line[-1].name in needed and needed <= {each.name for each in line})
        line = next(fits, None)
        if line is None:
            lines.append([step])
        else:
            line.append(step)
    return lines


@dataclass
class _Work:
    """What the threads of one build share. `layers` are by the key of their step; `error` is the first that came."""

    workshop: Workshop
    events: SimpleQueue[Event | None] = field(default_factory=SimpleQueue[Event | None])
    layers: dict[str, Future[Layer]] = field(default_factory=dict[str, Future[Layer]])
    sent: list[Future[None]] = field(default_factory=list[Future[None]])
    uploads: ThreadPoolExecutor | None = None
    error: BaseException | None = None
    _ended: bool = False
    _open: list[BuildContainer] = field(default_factory=list[BuildContainer])
    _lock: Lock = field(default_factory=Lock)

    def until_ended(self, lines: int) -> Iterator[Event]:
        """The events, until as many lines as that have ended and their layers are sent, or one of them has failed."""
        while (lines and self.error is None) or not self.events.empty():
            event = self.events.get()
            if event is not None:
                yield event
            else:
                lines -= 1
        if self.error is None:
            wait(self.sent)

    def stop(self) -> None:
        """Let nothing new begin, and end what runs. Again is fine."""
        with self._lock:
            self._ended = True
        for future in self.layers.values():
            future.cancel()
        for container in self._open:
            container.__exit__()

    def dismiss(self) -> None:
        """Nobody needs the containers any more: each of them ends by itself."""
        for container in self._open:
            container.dismiss()

    def line(self, run: Run, line: Sequence[Step]) -> None:
        """The steps of one line, one after the other."""
        try:
            container: BuildContainer | None = None
            there: set[str] = set()
            for step in line:
                began = monotonic()
                if made := run.made.get(step.name):
                    self.layers[run.keys[step.name]].set_result(made)
                    self.events.put(StepEnded(f"{step.name}{run.title}", 0.0, cached=True))
                    continue
                if container is None:
                    container, there = self._begun(step, run)
                container, packed = self._run(container, step, run, there)
                there.add(step.name)
                self._send(run, step, container, packed)
                self.events.put(StepEnded(f"{step.name}{run.title}", monotonic() - began))
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Remember the first error and wake up whoever waits for a layer that will not come."""
        with self._lock:
            self.error = self.error or error
        for future in self.layers.values():
            future.cancel()
        self.events.put(None)

    def _begun(self, step: Step, run: Run) -> tuple[BuildContainer, set[str]]:
        """A container for a line that begins with the step, and the names of the steps whose output it has already.

        What only cached steps have made is unpacked once on this machine: the engine keeps an image of it.
        """
        needed = steps.before(step, run.steps)
        if not needed or any(each.traced or each.name not in run.made for each in needed):
            return self._opened(), set()
        shop, names = self.workshop, {each.name for each in needed}
        key = [shop.base.digest, *(run.keys[each.name] for each in needed)]
        image = f"nucleo-steps:{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}"
        if shop.engine.has_image(image):
            try:
                return self._opened(image), names
            except BuildFailed:
                raise
            except NucleoError:  # it is damaged
                shop.engine.remove_image(image)
        container = self._opened()
        shop.restore(container, needed, lambda each: run.made[each.name])
        container.keep(image)
        shop.forget_older()
        return container, names

    def _opened(self, image: str = "") -> BuildContainer:
        container = self.workshop.open(image)
        container.__enter__()
        with self._lock:
            if not self._ended:
                self._open.append(container)
                return container
        container.__exit__()
        raise BuildFailed("The build was stopped", "Run the same command again")

    def _run(self, container: BuildContainer, step: Step, run: Run, there: set[str]) -> tuple[BuildContainer, Packed]:
        """Run the step; once more with empty caches where these may be why it failed. Its container, and its layer."""
        platform = self.workshop.platform
        needed = steps.before(step, run.steps)

        def layer(each: Step) -> Layer:
            return self.layers[run.keys[each.name]].result()

        try:
            self.workshop.prepare(container, step, [each for each in needed if each.name not in there], layer)
            packed = self._follow(container.run(step, run.architecture))
        except BuildFailed as failed:
            if not self.workshop.caches or not damaged(failed, platform) or self._ended:
                raise explained(failed, step, platform, self.workshop.suite) from None
            self.events.put(Warned(f"a cache of the platform {platform.name} was damaged or full: it was emptied"))
            container.empty((*platform.caches, *platform.app_caches))
            container = self._opened()
            self.workshop.prepare(container, step, needed, layer)
            try:
                packed = self._follow(container.run(step, run.architecture))
            except BuildFailed as again:
                raise explained(again, step, platform, self.workshop.suite) from None
        there.update(each.name for each in needed)
        return container, packed

    def _follow(self, work: Work[Packed]) -> Packed:
        while True:
            try:
                self.events.put(next(work))
            except StopIteration as end:
                return end.value

    def _send(self, run: Run, step: Step, container: BuildContainer, packed: Packed) -> None:
        """Upload a layer while the line goes on; whoever needs the layer waits for that."""
        registry, key = self.workshop.registry, run.keys[step.name]
        future = self.layers[key]

        def upload() -> None:
            try:
                name, layer = steps.repository(registry), packed.layer
                if not registry.has_blob(name, layer.digest):
                    registry.upload(name, layer.digest, layer.size, lambda: container.content(packed))
                steps.store(registry, self.workshop.source, step, key, layer, run.architecture, packed.unread)
                future.set_result(layer)
            except BaseException as error:
                self._fail(error)
                raise

        if self.uploads is not None:
            self.sent.append(self.uploads.submit(upload))
