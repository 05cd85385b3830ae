"""nucleo destroy."""

from nucleo_cli.commands.options import Confirm
from nucleo_cli.context import Context


def command(context: Context, confirm: Confirm = None) -> None:
    """Remove the app and everything that belongs to it.

    Its release, pods, routes, config vars and secrets; its namespace too, when Nucleo made it and it is empty.

    \b
      nucleo destroy
      nucleo destroy -a shop --confirm shop
    """
    from nucleo_cli.workflows.destroy import destroy

    target = context.target
    question = f'This removes "{target.app}" and its secrets from cluster "{context.cluster_context}", for good.'
    context.terminal.confirm(question, target.app, confirm)
    done = context.terminal.follow(destroy(context.tools, target))
    context.terminal.show(done, "")
    context.terminal.note(f"{target.app} is gone")
