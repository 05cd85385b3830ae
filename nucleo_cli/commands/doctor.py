"""nucleo doctor."""

import shutil
from functools import cached_property, partial
from typing import Any

from nucleo_cli.context import Context
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import Exit, NotFound
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.style import Style
from nucleo_cli.workflows import checks
from nucleo_cli.workflows.checks import Check, Result, SkippedError, State, run_checks


def command(context: Context) -> int:
    """Check this machine and the cluster, and say what to fix.

    Ends with 1 when a check failed.

    \b
    Examples:
      nucleo doctor
      nucleo doctor --env production
      nucleo doctor --json | jq '.checks[] | select(.state == "failed")'
    """
    results = list(run_checks(_checks(context)))
    context.terminal.show(document(results), lambda: render(results, context.terminal.style))
    return Exit.FAILED if any(result.state is State.FAILED for result in results) else Exit.DONE


def document(results: list[Result]) -> dict[str, Any]:
    """{"ok", "checks": [{"name", "state", "detail", "hint"}]}."""
    rows = [
        {"name": each.name, "state": each.state.value, "detail": each.detail, "hint": each.hint} for each in results
    ]
    return {"ok": all(each.state is not State.FAILED for each in results), "checks": rows}


def render(results: list[Result], style: Style) -> str:
    """One line for each check, and below a failed one what to do."""
    marks = {State.OK: style.green("✓"), State.FAILED: style.red("✗"), State.SKIPPED: style.dim("–")}
    lines: list[str] = []
    for each in results:
        lines.append(f"{marks[each.state]} {each.name:<12} {clean(each.detail)}")
        lines += [f"  {'':<12} {style.cyan('hint:')} {clean(each.hint)}"] if each.hint else []
    return "\n".join(lines)


class _Shared:
    """What several checks need."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @cached_property
    def settings(self) -> Settings:
        from nucleo_cli.workflows.settings import read_settings

        return read_settings(self.context.cluster)


def _checks(context: Context) -> list[Check]:
    shared = _Shared(context)
    return [
        ("engine", partial(_engine, context)),
        ("helm", _helm),
        ("git", _git),
        ("disk", checks.disk),
        ("nucleo.yml", partial(_file, context)),
        ("cluster", lambda: checks.reachable(context.cluster)),
        ("certificate", lambda: checks.certificate(context.cluster)),
        ("clock", lambda: checks.clock(context.cluster)),
        ("rights", lambda: checks.rights(context.cluster, _namespace(context))),
        ("settings", lambda: checks.settings_known(shared.settings)),
        ("registry", lambda: _registry(context, shared.settings)),
        ("routes", lambda: checks.routes(context.cluster, shared.settings)),
        ("metrics", lambda: checks.metrics(context.cluster)),
        ("rules", lambda: checks.rules(context.cluster, shared.settings, _has_rules(context))),
    ]


def _engine(context: Context) -> str:
    info = context.engine.info()
    return f"{info.get('Name', 'docker')}, version {info.get('ServerVersion', 'unknown')}"


def _helm() -> str:
    from nucleo_cli.adapters.helm import find, program_version

    program = find()
    return f"{'.'.join(map(str, program_version(program)))} at {program}"


def _git() -> str:
    if (found := shutil.which("git")) is None:
        raise NotFound("the program git was not found", "install git: releases remember the commit they were made of")
    return found


def _file(context: Context) -> str:
    if not (context.options.directory / "nucleo.yml").is_file():
        raise SkippedError("there is none in this folder")
    return f"describes {context.app.name}"


def _has_rules(context: Context) -> bool:
    here = (context.options.directory / "nucleo.yml").is_file()
    return here and not context.options.app and not context.app.network.is_silent


def _namespace(context: Context) -> str:
    here = context.options.app or (context.options.directory / "nucleo.yml").is_file()
    return context.target.namespace if here else "default"


def _registry(context: Context, settings: Settings) -> str:
    if not settings.registry_push:
        raise SkippedError("no registry is set")
    registry = context.registry(settings)
    try:
        registry.ping()
    finally:
        registry.close()
    return f"{settings.registry_push} answers"
