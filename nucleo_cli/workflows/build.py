"""nucleo plan and nucleo build: what would be built, and building it without a release."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleo_cli.builder.plans import plan_app
from nucleo_cli.builder.source import Source, read_source
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import Image, Plan
from nucleo_cli.domain.events import StepEnded, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NucleoError
from nucleo_cli.workflows.phases import recorded
from nucleo_cli.workflows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nucleo_cli.adapters.git import GitFacts
    from nucleo_cli.workflows.tools import Tools


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and for each of its steps whether it was built before: None where no registry could be asked."""

    plan: Plan
    cached: tuple[bool | None, ...]

    def document(self) -> dict[str, Any]:
        """The JSON of `nucleo plan`."""
        plan = self.plan
        return {
            "platform": plan.platform,
            "version": plan.version,
            "reasons": [{"choice": reason.choice, "because": reason.because} for reason in plan.reasons],
            "steps": [
                {"name": step.name, "command": step.command, "inputs": list(step.inputs), "cached": cached}
                for step, cached in zip(plan.steps, self.cached, strict=True)
            ],
            "start": plan.start,
            "warnings": list(plan.warnings),
        }


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was built and pushed, and the commit that it is of."""

    app: App
    image: Image
    commit: "GitFacts | None"
    steps: tuple[StepEnded, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON of `nucleo build`."""
        return {
            "app": self.app.name,
            "image": self.image.reference,
            "digest": self.image.digest,
            "commit": self.commit.sha if self.commit else None,
            "dirty": self.commit.dirty if self.commit else False,
            "architectures": list(self.image.architectures),
            "steps": step_documents(self.steps),
        }


def plan(tools: "Callable[[], Tools]", app: App) -> Planned:
    """The plan of the app. The cluster's registry is asked what it has; it need not be there."""
    source = read_source(app.directory, app.build.root)
    planned = plan_app(app, source)
    return Planned(planned, _cached(tools, app, planned, source))


def build(tools: "Tools", app: App, *, no_cache: bool = False) -> Work[Built]:
    """Build and push the image of the app's present state. Raises BuildFailed, NotAllowed, Unreachable."""
    from nucleo_cli.adapters.git import facts
    from nucleo_cli.builder.build import build as build_image

    source = read_source(app.directory, app.build.root)
    planned = plan_app(app, source)
    settings = registry_settings(tools)
    commit = facts(app.directory / app.build.root)
    steps: list[StepEnded] = []
    work = build_image(
        app, source, planned, settings, tools.engine, tools.registry(settings), commit, no_cache=no_cache
    )
    image = yield from recorded(work, StepEnded, steps)
    return Built(app, image, commit, tuple(steps))


def step_documents(steps: "Iterable[StepEnded]") -> list[dict[str, Any]]:
    """The JSON of a build's steps, in the order in which they ended."""
    return [{"name": step.name, "seconds": round(step.seconds, 3), "cached": step.cached} for step in steps]


def registry_settings(tools: "Tools") -> Settings:
    """The cluster's settings; NucleoError where they name no registry."""
    settings = read_settings(tools.cluster, to_push=True)
    if not settings.registry_push:
        raise NucleoError(
            f'cluster "{tools.cluster.context}" does not say which registry to use',
            "nucleo cluster configure --registry HOST/PREFIX",
        )
    return settings


def _cached(tools: "Callable[[], Tools]", app: App, planned: Plan, source: Source) -> tuple[bool | None, ...]:
    from nucleo_cli.builder.build import cached

    try:
        ready = tools()
        settings = registry_settings(ready)
        return tuple(cached(app, planned, source, settings, ready.registry(settings)))
    except NucleoError:
        return tuple(None for _ in planned.steps)
