"""nucleo build --shell: a shell in the build container, where a step would run."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from nucleo_cli.builder.plans import plan_app
from nucleo_cli.builder.platforms import architecture
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import Plan, Step
from nucleo_cli.domain.events import Notice, PhaseStarted, Work
from nucleo_cli.errors import NotFound
from nucleo_cli.workflows.attach import Conversation, Local
from nucleo_cli.workflows.build import registry_settings

if TYPE_CHECKING:
    from nucleo_cli.builder.container import BuildContainer
    from nucleo_cli.workflows.tools import Tools


class BuildShell:
    """Use it in a `with` statement: whatever happens, no container is left."""

    def __init__(self, tools: "Tools", app: App, step: str) -> None:
        self._tools = tools
        self._app = app
        self._source = read_source(app.directory, app.build.root)
        self._plan = plan_app(app, self._source)
        self._step = find_step(self._plan, step)
        self._container: BuildContainer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "BuildShell":
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stack.close()

    def start(self) -> Work[str]:
        """Bring everything to where the step would run; how to run the step's command there."""
        from nucleo_cli.builder.build import container_for

        yield PhaseStarted("build", f"up to {self._step.name}")
        tools, settings = self._tools, registry_settings(self._tools)
        container = yield from container_for(
            self._app, self._source, self._plan, settings, tools.engine, tools.registry(settings), self._step
        )
        self._stack.push(container.__exit__)
        self._container = container
        script = container.leave_script(self._step)
        yield Notice(f"{self._step.name} runs because {self._step.reason}; here its command is: {script}")
        return script

    def talk(self, local: Local) -> int:
        """Hold the conversation to its end; the shell's exit code."""
        assert self._container is not None, "start comes first"  # noqa: S101
        with self._container.talk(self._step, architecture(), tty=local.tty) as talk:
            Conversation(talk.channels, local).hold()
            return talk.code


def find_step(plan: Plan, name: str) -> Step:
    """The step of the plan. Raises NotFound and names the ones there are."""
    for step in plan.steps:
        if step.name == name:
            return step
    names = ", ".join(step.name for step in plan.steps)
    hint = f"Steps: {names}" if names else f"The platform {plan.platform} needs no step for this app"
    raise NotFound(f'the build has no step "{name}"', hint, {"steps": [step.name for step in plan.steps]})
