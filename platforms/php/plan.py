"""Plans a PHP app: which PHP, which packages, which web root and why. Pure: it runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start

from . import composer, frameworks, server, versions

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

ENV = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin",
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "LANG": "C.UTF-8",
    "PORT": "8080",
    **server.ENV,
}


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml and the Procfile say, None where they say nothing. Raises BuildFailed with
    the one line to write where the tree is ambiguous or says too little.
    """
    manifest = composer.read(source)
    chosen, because = versions.choose(source, platform, version, manifest)
    framework = frameworks.find(source, manifest) or frameworks.Framework("PHP")
    folder, root_because = server.root(source, start)
    command = server.command(start, f"from {root_because}" if start is None else root_because)
    vendor = "vendor" if manifest is None else manifest.vendor
    steps = [server.step(source, chosen, folder, vendor, framework.begin)]
    if manifest is not None:
        steps.append(composer.install(source, manifest))
        reason = f"{framework.name} of {composer.LOCK}" if framework.then else f"{composer.FILE} has them"
        scripts = composer.scripts(source, manifest, framework.then, framework.env, reason)
        steps += [scripts] if scripts else []
    reasons = [
        Reason(f"php {chosen}", because),
        Reason(f"web root {folder or '.'}/", f"from {root_because}"),
        *(Reason(step.name, step.reason) for step in steps),
        Reason(f"start: {command.line}", command.because),
    ]
    return Plan(
        "php",
        chosen,
        command.line,
        tuple(reasons),
        tuple(steps),
        {**ENV, **framework.env},
        tuple(_warnings(source)),
        (f"/{vendor}/", "/node_modules/") if manifest is not None else ("/node_modules/",),
    )


def _warnings(source: Source) -> list[str]:
    try:
        package = json.loads(source.read("package.json") or "{}")
    except ValueError:
        return []
    if not isinstance(package, dict) or "build" not in package.get("scripts", {}):  # pyright: ignore[reportUnknownMemberType]
        return []
    return [
        "package.json has a build script, which is not run: this platform has no node. Commit what it writes "
        "(public/build), or run it before each deploy"
    ]
