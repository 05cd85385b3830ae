"""nucleo rollback."""

from typing import Annotated

from typer import Argument

from nucleo_cli.commands.options import WaitLock
from nucleo_cli.context import Context


def command(
    context: Context,
    release: Annotated[
        int | None, Argument(metavar="[RELEASE]", min=1, help="Its number; the one before if left out.")
    ] = None,
    wait_lock: WaitLock = False,
) -> None:
    """Bring an old release back, as a new one.

    Its image and its config vars come back; a database does not go back in time.

    \b
      nucleo rollback       to the last healthy release that differs
      nucleo rollback 12    to release 12
    """
    from nucleo_cli.workflows.rollback import roll_back

    work = roll_back(context.tools, context.target, release, wait_lock=wait_lock, timeout=context.options.timeout)
    done = context.terminal.follow(work)
    app = context.terminal.error_style.bold(context.target.app)
    context.terminal.show(done.document(), "")
    context.terminal.note(f"{app} runs release {done.revision.version}, a copy of release {done.source.version}")
    if done.undone is not None:
        context.terminal.note(f"  data was not rolled back; nucleo rollback {done.undone.version} undoes this")
