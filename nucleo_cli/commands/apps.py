"""nucleo apps."""

from typing import Any

from nucleo_cli.context import Context
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.tables import table
from nucleo_cli.workflows.apps import read_apps

_HEAD = ("APP", "NAMESPACE", "RELEASE", "READY", "COMMIT", "URL")


def command(context: Context) -> None:
    """List the apps on the cluster.

    In all namespaces; where that is not allowed, in those that you may read.

    \b
    Examples:
      nucleo apps
      nucleo apps --json | jq -r '.apps[].url'
    """
    document = read_apps(context.cluster, _own_namespaces(context))
    context.terminal.show(document, lambda: render(document, context.terminal.style))


def render(document: dict[str, Any], style: Style) -> str:
    """One row for each app; those with pods that are not ready in yellow."""
    apps = document["apps"]
    if not apps:
        return "no apps yet: nucleo deploy releases one"
    head, *lines = table(_HEAD, [_row(app) for app in apps]).splitlines()
    rows = zip(lines, apps, strict=True)
    return "\n".join([style.dim(head), *(line if _calm(app) else style.yellow(line) for line, app in rows)])


def _row(app: dict[str, Any]) -> tuple[str, ...]:
    release = f"{app['release']}{'' if app['status'] == 'deployed' else ' ' + app['status']}" if app["release"] else "-"
    return (
        app["app"],
        app["namespace"],
        release,
        f"{app['ready']}/{app['desired']}",
        (app["commit"] or "-")[:8],
        app["url"] or "-",
    )


def _calm(app: dict[str, Any]) -> bool:
    return app["ready"] >= app["desired"] and app["status"] in ("deployed", None)


def _own_namespaces(context: Context) -> list[str]:
    """The namespace of this folder's app, where it has one."""
    options = context.options
    here = options.app or (options.directory / "nucleo.yml").is_file()
    return [context.target.namespace] if here else []
