"""Plans a Python app: which Python, which dependencies, which server and why. Pure: it runs nothing."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step

from . import django, manifests, package, starts, versions

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
# What running and testing the app leaves in its folder; compiled by another Python, or in the place of /app/.venv.
_LEFT_OUT = ("/.venv/", "__pycache__/", "*.py[co]", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".tox/", ".nox/")


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml or a Procfile says, None where they say nothing. Raises BuildFailed with
    the one line to write where the tree is ambiguous or says too little.
    """
    manifest = manifests.find(source)
    chosen, because = versions.choose(source, platform, version)
    dependencies = manifests.dependencies(source, manifest)
    command = start or starts.find(source, dependencies)
    server = starts.server(command.line)
    added = () if server is None or server in dependencies else (f"{server}=={platform.tools[server]}",)
    install = manifests.install(source, manifest, platform, chosen, added)
    static = django.collectstatic(source, install.name)
    steps = (install, static) if isinstance(static, Step) else (install,)
    environments = _environments(source)
    warnings = (
        *manifests.warnings(source, manifest),
        *([static] if isinstance(static, str) else ()),
        *(f"{name} is a virtual environment, and no part of the image: add it to .gitignore" for name in environments),
    )
    commands = ", ".join(package.scripts(source)) if package.INSTALL in install.command else ""
    reasons = (
        Reason(f"python {chosen}", because),
        Reason(manifest.manager, f"from {manifest.file}"),
        *(
            Reason(f"{requirement} added", f"the start command needs it, {manifest.file} lacks it")
            for requirement in added
        ),
        *([Reason(f"commands {commands}", "from pyproject.toml")] if commands else ()),
        *(Reason(step.name, step.reason) for step in steps[1:]),
        Reason(f"start: {command.line}", command.because),
    )
    collected = [static.output] if isinstance(static, Step) and static.output != source.app else []
    made = (*(f"{posixpath.relpath(folder, source.app)}/" for folder in collected), *environments)
    leave_out = (*_LEFT_OUT, *(f"/{folder}" for folder in made))
    return Plan("python", chosen, command.line, reasons, steps, _env(source), warnings, leave_out)


def _env(source: Source) -> dict[str, str]:
    has_src = any(path.startswith("src/") and path.endswith(".py") for path in source.paths)
    return {**ENV, "PYTHONPATH": f"{source.app}/src"} if has_src else ENV


def _environments(source: Source) -> list[str]:
    """Virtual environments that git does not ignore."""
    folders = (posixpath.dirname(path) for path in source.paths if posixpath.basename(path) == "pyvenv.cfg")
    return [f"{folder}/" for folder in folders if folder]
