"""nucleo logs."""

import time
from typing import Annotated

import typer

from nucleo_cli.commands.shell import seconds
from nucleo_cli.context import Context
from nucleo_cli.errors import TimedOut, UsageError
from nucleo_cli.terminal.loglines import LogView
from nucleo_cli.workflows.logs.query import DEFAULT_TAIL, Query
from nucleo_cli.workflows.logs.reading import read_logs

Process = Annotated[str | None, typer.Argument(metavar="[PROCESS]", help="One process alone, such as web.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is printed from now on.")]
Since = Annotated[float | None, typer.Option("--since", metavar="TIME", parser=seconds, help="As far back: 5m, 1h.")]
Tail = Annotated[
    int | None,
    typer.Option("--tail", metavar="N", min=0, help=f"So many lines; {DEFAULT_TAIL} unless --since is given."),
]
Previous = Annotated[bool, typer.Option("--previous", help="What was printed before the last restart.")]
Raw = Annotated[bool, typer.Option("--raw", help="Lines as the app wrote them: JSON stays JSON.")]
Timestamps = Annotated[bool, typer.Option("--timestamps", help="Begin each line with its time.")]


def command(
    context: Context,
    process: Process = None,
    follow: Follow = False,
    since: Since = None,
    tail: Tail = None,
    previous: Previous = False,
    raw: Raw = False,
    timestamps: Timestamps = False,
) -> None:
    """Show what the app printed; -f follows.

    History reaches as far back as the current log file of each container.

    \b
    Examples:
      nucleo logs
      nucleo logs -f
      nucleo logs worker --since 5m
      nucleo logs --previous
      nucleo logs --json | jq -r .message
    """
    if previous and follow:
        raise UsageError("what was printed before a restart cannot be followed", "leave out --previous or --follow")
    if tail is None and since is None:
        tail = DEFAULT_TAIL
    view = LogView(context.terminal, raw=raw, stamps=timestamps)
    limit = context.options.timeout
    end = time.monotonic() + limit if limit else float("inf")
    for shown in read_logs(context.cluster, context.target, Query(process, since, tail, previous, follow)):
        if isinstance(shown, list):
            view.show(shown)
        elif isinstance(shown, frozenset):
            view.expect(shown)
        else:
            view.tell(shown)
        if time.monotonic() > end:
            raise TimedOut(f"followed for {limit:g} s, as --timeout says")


command.only_looks = True  # type: ignore[attr-defined]
