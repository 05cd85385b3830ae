"""nucleo network."""

from typing import Annotated

from typer import Option

from nucleo_cli.context import Context
from nucleo_cli.terminal.words import plural

Confirm = Annotated[
    str | None, Option("--confirm", metavar="CONTEXT", help="The cluster's context, to answer the question.")
]


def install(context: Context) -> None:
    """Put Nucleo's agent on every node of the cluster, or bring it to this version.

    It enforces the network rules of apps by BPF, and the kernel goes on with that while it is away.

    \b
      nucleo network install
      nucleo network install --json | jq -r .image
    """
    from nucleo_cli.workflows.agent import install

    done = context.terminal.follow(install(context.tools, context.options.timeout))
    context.terminal.show(done, f"the agent is ready on {plural(done['nodes'], 'node')}")


def uninstall(context: Context, confirm: Confirm = None) -> None:
    """Remove the agent, its programs in the kernel, and the rules that it enforces.

    \b
      nucleo network uninstall
      nucleo network uninstall --confirm nucleo-local
    """
    from nucleo_cli.workflows.agent import ruled_apps, uninstall

    apps = ruled_apps(context.cluster)
    open_apps = f" {plural(len(apps), 'app')} will be open to everybody, and to go anywhere." if apps else ""
    question = f'This removes the agent from cluster "{context.cluster_context}".{open_apps}'
    context.terminal.confirm(question, context.cluster_context, confirm)
    done = context.terminal.follow(uninstall(context.tools, context.options.timeout))
    context.terminal.show(done, f"the agent is gone from {plural(done['nodes'], 'node')}")
    for each in done["apps"]:
        context.terminal.note(
            f"deploy {each['app']} in namespace {each['namespace']} again: new pods of it wait for the agent"
        )


subcommands = {"install": install, "uninstall": uninstall}
