"""nucleo run."""

import os
from typing import Annotated

import typer

from nucleo_cli.context import Context
from nucleo_cli.terminal.session import Collected, Session, is_interactive
from nucleo_cli.workflows.one_off import OneOff, Request

Command = Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command and its arguments.")]
Process = Annotated[str, typer.Option("--process", "-p", metavar="NAME", help="The process whose settings it gets.")]
NoTty = Annotated[
    bool, typer.Option("--no-tty", "-T", help="No terminal on the other side, even if there is one here.")
]


def command(context: Context, command: Command, process: Process = "web", no_tty: NoTty = False) -> int:
    """Run a one-off command in a new pod of the app.

    It has the app's image, config vars and limits. Its exit code is that of the command; the pod is removed at the end.

    \b
    Examples:
      nucleo run ./manage.py migrate
      nucleo run sh
      nucleo run --timeout 10m -- ./report.py --month 7
      nucleo run psql < dump.sql
    """
    terminal = context.terminal
    tty = is_interactive(terminal) and not no_tty
    request = Request(command, process, tty, context.options.timeout, os.environ.get("TERM", ""))
    with OneOff(context.cluster, context.target, request) as one_off:
        terminal.follow(one_off.start())
        if terminal.machine:
            collected = Collected(terminal)
            code = one_off.talk(collected)
            terminal.show(collected.document(code), "")
            return code
        with Session(terminal, tty=tty) as session:
            return one_off.talk(session)


command.passes_arguments = True  # type: ignore[attr-defined]
