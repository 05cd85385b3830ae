"""nucleo exec."""

from typing import Annotated

import typer

from nucleo_cli.context import Context
from nucleo_cli.errors import NotFound, UsageError
from nucleo_cli.terminal.session import Collected, Session, is_interactive
from nucleo_cli.workflows.attach import NOT_FOUND_CODE
from nucleo_cli.workflows.running import choose_pod, execute

Command = Annotated[list[str] | None, typer.Argument(metavar="[COMMAND...]", help="/bin/sh when left out.")]
Process = Annotated[str | None, typer.Option("--process", "-p", metavar="NAME", help="A pod of this process.")]
Pod = Annotated[str | None, typer.Option("--pod", metavar="NAME", help="This pod; the last part of its name will do.")]
NoTty = Annotated[
    bool, typer.Option("--no-tty", "-T", help="No terminal on the other side, even if there is one here.")
]


def command(
    context: Context, command: Command = None, process: Process = None, pod: Pod = None, no_tty: NoTty = False
) -> int:
    """Run a command inside a running pod.

    A shell when no command is given. Its exit code is that of the command.

    \b
    Examples:
      nucleo exec
      nucleo exec -- ps aux
      nucleo exec --process worker -- env
      tar c data | nucleo exec -- tar x -C /tmp
    """
    terminal = context.terminal
    tty = is_interactive(terminal) and not no_tty
    if not command and not tty:
        raise UsageError("a command is needed where there is no terminal", "nucleo exec -- COMMAND")
    chosen = choose_pod(context.cluster, context.target, process, pod)
    words = command or ["/bin/sh"]
    try:
        if terminal.machine:
            collected = Collected(terminal)
            code = execute(context.cluster, chosen, words, collected)
            terminal.show(collected.document(code), "")
            return code
        with Session(terminal, tty=tty) as session:
            return execute(context.cluster, chosen, words, session)
    except NotFound as error:
        if error.details:
            raise
        terminal.error(NotFound(f'there is no program "{words[0]}" in {chosen["metadata"]["name"]}', error.hint))
        return NOT_FOUND_CODE


command.passes_arguments = True  # type: ignore[attr-defined]
