"""nucleo ps."""

from typing import Any

from nucleo_cli.context import Context
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.tables import duration, table
from nucleo_cli.terminal.words import plural
from nucleo_cli.workflows.processes import read_processes

_HEAD = ("POD", "STATUS", "READY", "RESTARTS", "AGE", "NODE")
_CALM = frozenset({"Running", "Completed", "Pending", "ContainerCreating", "PodInitializing", "Terminating"})


def command(context: Context) -> None:
    """Show the app's processes and their pods.

    \b
    Examples:
      nucleo ps
      nucleo ps --app shop --env production
      nucleo ps --json | jq '.processes[].ready'
    """
    document = read_processes(context.cluster, context.target)
    context.terminal.show(document, lambda: render(document, context.terminal.style))


def render(document: dict[str, Any], style: Style) -> str:
    """A headline for each process, then a row for each of its pods."""
    rows = [_row(pod) for process in document["processes"] for pod in process["pods"]]
    lines = iter(table(_HEAD, rows).splitlines() if rows else [""])
    head = next(lines)
    text: list[str] = []
    for process in document["processes"]:
        text.append(_headline(process, style))
        text += [f"  {style.dim(head)}"] if process["pods"] else []
        text += [f"  {_colored(next(lines), pod, style)}" for pod in process["pods"]]
    return "\n".join(text)


def _headline(process: dict[str, Any], style: Style) -> str:
    ready, desired = process["ready"], process["desired"]
    said = f"{ready} of {plural(desired, 'pod')} ready" if desired else "scaled to 0"
    return f"{style.bold(process['name'])}  {(style.green if ready >= desired else style.yellow)(said)}"


def _row(pod: dict[str, Any]) -> tuple[str, ...]:
    ready = "yes" if pod["ready"] else "no"
    return pod["name"], pod["status"], ready, str(pod["restarts"]), duration(pod["age_seconds"]), pod["node"] or "-"


def _colored(line: str, pod: dict[str, Any], style: Style) -> str:
    if pod["ready"]:
        return line
    return style.yellow(line) if pod["status"] in _CALM else style.red(line)
