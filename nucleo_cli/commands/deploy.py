"""nucleo deploy."""

from typing import TYPE_CHECKING, Annotated

from typer import Option

from nucleo_cli.commands.options import Folder, WaitLock
from nucleo_cli.context import Context

if TYPE_CHECKING:
    from nucleo_cli.workflows.deploy import Deployed


def command(
    context: Context,
    folder: Folder = None,
    wait_lock: WaitLock = False,
    no_cache: Annotated[bool, Option("--no-cache", help="Run every build step again.")] = False,
    accept_drops: Annotated[
        bool, Option("--accept-drops", help="Release network rules that cut off what the app was seen to do.")
    ] = False,
) -> None:
    """Build what changed, release it, and watch it become healthy.

    When the new release does not become healthy, the last good one is put back.

    \b
      nucleo deploy                        the app of this folder
      nucleo deploy services/api           of another one
      nucleo deploy -e production --json   for a script
    """
    context.move_to(folder)
    app = context.app
    from nucleo_cli.workflows.deploy import Wish, deploy

    wish = Wish(wait_lock, no_cache, accept_drops, context.options.timeout)
    done = context.terminal.follow(deploy(context.tools, app, wish))
    context.terminal.show(done.document(), lambda: _text(context, done))


def _text(context: Context, done: "Deployed") -> str:
    style = context.terminal.style
    release = f"release {done.revision.version}"
    if not done.changed:
        context.terminal.note(f"{style.bold(done.app.name)} already runs this, as {release}")
    else:
        seconds = sum(phase.seconds for phase in done.phases)
        context.terminal.note(f"{style.bold(done.app.name)} runs {release} after {seconds:.1f}s")
    return style.cyan(done.url) if done.url else ""
