"""nucleo plan."""

from nucleo_cli.commands.options import Folder
from nucleo_cli.context import Context
from nucleo_cli.domain.events import Warned
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.progress import warning
from nucleo_cli.terminal.style import Style
from nucleo_cli.workflows.build import Planned, plan

_CACHED = {True: "built before", False: "would run", None: ""}


def command(context: Context, folder: Folder = None) -> None:
    """Show how the image would be built, and why; run nothing.

    \b
    Examples:
      nucleo plan
      nucleo plan services/api
      nucleo plan --json | jq -r .start
    """
    context.move_to(folder)
    planned = plan(lambda: context.tools, context.app)
    context.terminal.show(planned.document(), lambda: render(planned, context.terminal.style))
    for text in planned.plan.warnings:
        context.terminal.note(warning(Warned(text), context.terminal.error_style))


def render(planned: Planned, style: Style) -> str:
    """Every choice beside its reason, then the steps, then the start command."""
    plan = planned.plan
    choices = [reason for reason in plan.reasons if not reason.choice.startswith("start: ")]
    because = next((reason.because for reason in plan.reasons if reason.choice.startswith("start: ")), "")
    width = max((len(reason.choice) for reason in choices), default=0)
    lines = [f"{clean(reason.choice):<{width}}  {style.dim(clean(reason.because))}" for reason in choices]
    for step, cached in zip(plan.steps, planned.cached, strict=True):
        lines += ["", style.bold(step.name) + (f"  {style.dim(_CACHED[cached])}" if _CACHED[cached] else "")]
        lines += [f"  {clean(part)}" for part in step.command.split(" && ")]
    return "\n".join([*lines, "", f"{style.bold('start')}  {style.dim(clean(because))}", f"  {clean(plan.start)}"])
