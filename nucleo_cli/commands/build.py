"""nucleo build."""

from typing import Annotated

import typer

from nucleo_cli.commands.options import Folder
from nucleo_cli.context import Context
from nucleo_cli.errors import UsageError
from nucleo_cli.terminal.session import Collected, Session, is_interactive
from nucleo_cli.workflows.build import build
from nucleo_cli.workflows.build_shell import BuildShell

NoCache = Annotated[bool, typer.Option("--no-cache", help="Run every step, with empty caches.")]
Shell = Annotated[str | None, typer.Option("--shell", metavar="STEP", help="A shell where this step would run.")]


def command(context: Context, folder: Folder = None, no_cache: NoCache = False, shell: Shell = None) -> int:
    """Build and push the image; print its digest.

    With --shell nothing is built: a shell opens in the build container, exactly where the step would run. Without a
    terminal it runs what standard input says. Its exit code is that of the shell.

    \b
    Examples:
      nucleo build
      nucleo build services/api
      nucleo build --quiet --env production
      nucleo build --json | jq -r .image
      nucleo build --shell dependencies
      echo env | nucleo build --shell dependencies
    """
    context.move_to(folder)
    if shell is not None:
        if no_cache:
            raise UsageError("--shell and --no-cache do not go together", "leave one of them out")
        return _shell(context, shell)
    built = context.terminal.follow(build(context.tools, context.app, no_cache=no_cache))
    context.terminal.show(built.document(), built.image.digest)
    return 0


def _shell(context: Context, step: str) -> int:
    terminal = context.terminal
    with BuildShell(context.tools, context.app, step) as shell:
        terminal.follow(shell.start())
        if terminal.machine:
            collected = Collected(terminal)
            code = shell.talk(collected)
            terminal.show(collected.document(code), "")
            return code
        with Session(terminal, tty=is_interactive(terminal)) as session:
            return shell.talk(session)
