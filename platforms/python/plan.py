"""Plans a Python app: which Python, which dependencies, which server and why. Pure: it runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Step

from . import django, manifests, starts, versions

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

ENV = {
    "PATH": "/app/.venv/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "LANG": "C.UTF-8",
    "PORT": "8080",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def plan(source: Source, platform: Platform, version: str | None, start: str | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml says, None where it says nothing. Raises BuildFailed with the one line
    to write where the tree is ambiguous or says too little.
    """
    manifest = manifests.find(source)
    chosen, because = versions.choose(source, platform, version)
    dependencies = manifests.dependencies(source, manifest)
    command = starts.find(source, dependencies, start)
    server = starts.server(command.line)
    added = () if server is None or server in dependencies else (f"{server}=={platform.tools[server]}",)
    steps = [manifests.install(source, manifest, platform, added)]
    warnings = list(manifests.warnings(source, manifest))
    static = django.collectstatic(source)
    if isinstance(static, Step):
        steps.append(static)
    elif static is not None:
        warnings.append(static)
    reasons = [
        Reason(f"python {chosen}", because),
        Reason(manifest.manager, f"from {manifest.file}"),
        *(
            Reason(f"{requirement} added", f"the start command needs it, {manifest.file} lacks it")
            for requirement in added
        ),
        *(Reason(step.name, step.reason) for step in steps[1:]),
        Reason(f"start: {command.line}", command.because),
    ]
    env = (
        {**ENV, "PYTHONPATH": "/app/src"}
        if any(path.startswith("src/") and path.endswith(".py") for path in source.paths)
        else ENV
    )
    return Plan("python", chosen, command.line, tuple(reasons), tuple(steps), env, tuple(warnings))
