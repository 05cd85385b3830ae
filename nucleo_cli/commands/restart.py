"""nucleo restart."""

from typing import Annotated

from typer import Argument

from nucleo_cli.context import Context


def command(
    context: Context,
    processes: Annotated[list[str] | None, Argument(metavar="[PROCESS]...", help="All of them if left out.")] = None,
) -> None:
    """Replace every pod, a few at a time.

    New pods come before old ones go. When they do not become healthy, the old ones stay.

    \b
      nucleo restart
      nucleo restart worker
    """
    from nucleo_cli.workflows.scale import restart

    work = restart(context.cluster, context.target, processes or [], timeout=context.options.timeout)
    context.terminal.show(context.terminal.follow(work), "")
