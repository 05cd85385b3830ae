"""Plans a Node app: which Node, which package manager, what is built and how it starts. Pure: it runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start

from . import managers, manifests, starts, steps, versions

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

# From here on Node runs TypeScript as it is, and takes a share of the container's memory for its heap. Left alone V8
# takes half of it, so that a pod of 512 MiB would be out of memory with 200 of them free.
_STRIPS_TYPES = (22, 18, 0)
_HEAP_SHARE = (22, 21, 0)
_HEAP = "--max-old-space-size-percentage=70"


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml and the Procfile say, None where they say nothing. Raises BuildFailed
    with the one line to write where the tree is ambiguous or says too little.
    """
    project = manifests.find(source, tuple(managers.LOCKS))
    manager = managers.find(source, project, platform)
    chosen = versions.choose(source, platform, version, project.own)
    numbers = versions.numbers(platform, chosen.version)
    found = starts.find(source, project, start, numbers >= _STRIPS_TYPES)
    work = steps.make(source, project, manager, found)
    reasons = [
        Reason(f"node {chosen.version}", chosen.because),
        Reason(f"{manager.program} {manager.version}", manager.because),
        *(Reason(step.name, step.reason) for step in work.steps),
        Reason(f"start: {found.start.line}", found.start.because),
    ]
    env = {
        "PATH": ":".join((*work.programs, "/opt/node/bin", "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
        "LANG": "C.UTF-8",
        "PORT": "8080",
        "NODE_ENV": "production",
        **({"NODE_OPTIONS": _HEAP} if numbers >= _HEAP_SHARE else {}),
    }
    warnings = (*chosen.warnings, *work.warnings)
    return Plan(
        "node", chosen.version, found.start.line, tuple(reasons), work.steps, env, warnings, leave_out=work.leave_out
    )
