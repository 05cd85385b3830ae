"""nucleo metrics."""

import time
from fractions import Fraction
from typing import Annotated, Any

import typer

from nucleo_cli.context import Context
from nucleo_cli.domain.quantities import cores, size
from nucleo_cli.terminal.live import watch as show_live
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.tables import table
from nucleo_cli.workflows.usage import read_usage

Process = Annotated[str | None, typer.Argument(metavar="[PROCESS]", help="One process alone, such as web.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until ^C.")]

_HEAD = ("POD", "CPU", "OF REQUEST", "OF LIMIT", "MEMORY", "OF REQUEST", "OF LIMIT", "RESTARTS")
_HIGH, _FULL = 80, 95
# metrics-server measures every 15 s by default.
_SECONDS = 5.0


def command(context: Context, process: Process = None, watch: Watch = False) -> None:
    """Show CPU and memory of each pod against request and limit.

    \b
    Examples:
      nucleo metrics
      nucleo metrics web --watch
      nucleo metrics --json | jq '.pods[].memory.percent_of_limit'
    """

    def read() -> tuple[dict[str, Any], str]:
        document = read_usage(context.cluster, context.target, process)
        return document, render(document, context.terminal.style)

    if not watch:
        context.terminal.show(*read())
        return
    limit = context.options.timeout
    show_live(context.terminal, read, _SECONDS, time.monotonic() + limit if limit else float("inf"))


command.only_looks = True  # type: ignore[attr-defined]


def render(document: dict[str, Any], style: Style) -> str:
    """One row for each pod; near its memory limit in yellow, at it in red."""
    found = document["pods"]
    if not found:
        return "no pod is running"
    head, *lines = table(_HEAD, [_row(pod) for pod in found]).splitlines()
    return "\n".join([style.dim(head), *(_colored(line, pod, style) for line, pod in zip(lines, found, strict=True))])


def _row(pod: dict[str, Any]) -> tuple[str, ...]:
    cpu, memory = pod["cpu"], pod["memory"]
    return (
        pod["name"],
        "-" if cpu["used"] is None else cores(Fraction(cpu["used"]).limit_denominator(10**6)),
        *_shares(cpu),
        "-" if memory["used"] is None else size(Fraction(memory["used"])),
        *_shares(memory),
        str(pod["restarts"]),
    )


def _shares(resource: dict[str, Any]) -> tuple[str, str]:
    shares = (resource["percent_of_request"], resource["percent_of_limit"])
    return tuple("-" if share is None else f"{share}%" for share in shares)  # type: ignore[return-value]


def _colored(line: str, pod: dict[str, Any], style: Style) -> str:
    share = pod["memory"]["percent_of_limit"] or 0
    if share >= _FULL:
        return style.red(line)
    return style.yellow(line) if share >= _HIGH else line
