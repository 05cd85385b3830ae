"""nucleo validate."""

from typing import Annotated, Any

import typer

from nucleo_cli import config
from nucleo_cli.commands.options import Folder
from nucleo_cli.config import schema as schemas
from nucleo_cli.config.loading import shown
from nucleo_cli.context import Context
from nucleo_cli.domain.app import App, Port, Process, Resources, Scale
from nucleo_cli.domain.network import Direction
from nucleo_cli.errors import ConfigInvalid, Exit, NucleoError
from nucleo_cli.terminal.clean import clean

Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of nucleo.yml instead.")]


def command(context: Context, folder: Folder = None, schema: Schema = False) -> int | None:
    """Check nucleo.yml and print every problem at once.

    \b
    Examples:
      nucleo validate
      nucleo validate --env production
      nucleo validate --schema > .nucleo/schema.json
      nucleo validate --json | jq '.problems[].message'
    """
    context.move_to(folder)
    if schema:
        context.terminal.show(schemas.json_schema(), schemas.text)
        return None
    try:
        app = context.app
        _check_rules(context, app)
    except ConfigInvalid as error:
        if not context.terminal.machine:
            raise
        context.terminal.show({"valid": False, "problems": error.details["problems"]}, "")
        return Exit.CONFIG
    directory = context.options.directory
    environments = config.environments(directory)
    context.terminal.show(
        {"valid": True, "problems": [], **_read(app), "environments": environments},
        lambda: render(shown(directory), app, environments),
    )
    return None


def _check_rules(context: Context, app: App) -> None:
    """Raises ConfigInvalid for rules that the cluster cannot enforce; only says so where it cannot be asked."""
    if app.network.is_silent:
        return
    from nucleo_cli.network.backends import refuse
    from nucleo_cli.workflows.settings import read_settings, with_back_end

    try:
        settings = with_back_end(context.cluster, read_settings(context.cluster))
    except NucleoError as error:
        context.terminal.note(f"whether the cluster can enforce the rules of network is not known: {error.message}")
        return
    refuse(app, settings)


def render(file: str, app: App, environments: list[str]) -> str:
    """That the file is valid, and what was read from it; the names of config vars, never their values."""
    rows = {name: _text(value) for name, value in _read(app).items()} | {"environments": ", ".join(environments)}
    width = max(len(name) for name in rows)
    return "\n".join(
        [f"{file} is valid", *(f"  {name:<{width}}  {clean(text)}" for name, text in rows.items() if text)]
    )


def _read(app: App) -> dict[str, Any]:
    return {
        "app": app.name,
        "environment": app.environment,
        "namespace": app.namespace,
        "cluster": app.cluster,
        "platform": f"{app.platform}:{app.platform_version}" if app.platform_version else app.platform,
        **_process(app.processes[0]),
        "kernel": [f"{name}={value}" for name, value in app.kernel.items()],
        "env": list(app.env),
        "from": _rules(app, "from"),
        "to": _rules(app, "to"),
    }


def _rules(app: App, direction: Direction) -> list[str] | None:
    """The rules as they are written; None where the direction is open."""
    rules = app.network.rules(direction)
    return None if rules is None else [rule.text for rule in rules]


def _process(process: Process) -> dict[str, Any]:
    return {
        "start": process.start,
        "pre_stop": process.pre_stop,
        "ports": [_port(port) for port in process.ports],
        "scale": _scale(process.scale) if process.scale else None,
        "resources": _resources(process.resources),
        "health": process.health.path,
    }


def _port(port: Port) -> str:
    return f"{port.internal}:{port.external}" if port.external else str(port.internal)


def _scale(scale: Scale) -> str:
    if scale.fixed:
        return str(scale.minimum)
    thresholds = {"cpu": scale.cpu_threshold, "memory": scale.memory_threshold}
    said = ", ".join(f"{name} {percent}%" for name, percent in thresholds.items() if percent)
    return f"{scale.minimum}-{scale.maximum} ({said})"


def _resources(resources: Resources) -> list[str]:
    pairs = {
        "cpu": (resources.cpu_request, resources.cpu_limit),
        "memory": (resources.memory_request, resources.memory_limit),
    }
    return [f"{name} {request}-{limit}" for name, (request, limit) in pairs.items() if request]


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")  # pyright: ignore[reportUnknownArgumentType]
