"""nucleo scale."""

import re
from typing import Annotated, Any

from typer import Argument

from nucleo_cli.commands.options import Confirm
from nucleo_cli.context import Context
from nucleo_cli.domain.app import WEB
from nucleo_cli.errors import UsageError

_EXAMPLE = "nucleo scale 3, or nucleo scale web=3 worker=2"


def command(
    context: Context,
    counts: Annotated[list[str], Argument(metavar="[PROCESS=]COUNT...", help="How many pods.")],
    confirm: Confirm = None,
) -> None:
    """Set how many pods a process has.

    It stays so until the next deploy of a nucleo.yml that says otherwise.

    \b
      nucleo scale 3
      nucleo scale web=3 worker=2
      nucleo scale 0 --confirm shop
    """
    from nucleo_cli.workflows.scale import scale

    wanted = dict(_parsed(text) for text in counts)
    if stopped := [process for process, count in wanted.items() if count == 0]:
        question = f'This stops {", ".join(stopped)} of "{context.target.app}".'
        context.terminal.confirm(question, context.target.app, confirm)
    work = scale(context.cluster, context.target, wanted, timeout=context.options.timeout)
    done = context.terminal.follow(work)
    context.terminal.show(done, "")
    for line in _overruled(context, done):
        context.terminal.note(line)


def _parsed(text: str) -> tuple[str, int]:
    process, separator, count = text.rpartition("=")
    if not re.fullmatch(r"[0-9]{1,6}", count) or (separator and not process):
        raise UsageError(f'"{text}" does not say how many', _EXAMPLE)
    return process or WEB, int(count)


def _overruled(context: Context, done: dict[str, Any]) -> list[str]:
    """What the next deploy will do to this scale, when nucleo.yml is at hand and fixes one."""
    if not (context.options.directory / "nucleo.yml").is_file() or context.options.app:
        return []
    fixed = {each.name: each.scale for each in context.app.processes if each.scale and each.scale.fixed}
    return [
        f"  nucleo.yml says {scale.minimum} for {each['name']}: the next deploy sets that again"
        for each in done["processes"]
        if (scale := fixed.get(each["name"])) and scale.minimum != each["replicas"]
    ]
