"""nucleo releases."""

from typing import Any

from nucleo_cli.context import Context


def command(context: Context) -> None:
    """List the releases of the app.

    \b
      nucleo releases
      nucleo releases -a shop --json
    """
    from nucleo_cli.workflows.history import document, read_history

    history = read_history(context.cluster, context.target)
    if not history.revisions:
        history.running()
    found = document(history)
    context.terminal.show(found, lambda: _text(found["releases"]))


def _text(releases: list[dict[str, Any]]) -> str:
    from nucleo_cli.terminal.tables import ago, table

    rows = [
        [
            str(each["version"]),
            each["status"],
            ago(each["created"]) if each["created"] else "",
            (each["commit"] or "")[:8],
            each["user"] or "",
            each["description"],
        ]
        for each in releases
    ]
    return table(["RELEASE", "STATUS", "CREATED", "COMMIT", "USER", "DESCRIPTION"], rows)
