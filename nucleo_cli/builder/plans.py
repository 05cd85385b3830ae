"""The plan of an app: what would be built, from what, and why. Nothing is run."""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.app import WEB, App
from nucleo_cli.domain.build import Plan, Platform, Reason, Start
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import BuildFailed

_PROCFILE = "Procfile"


def plan_app(app: App, source: Source) -> Plan:
    """Plan with the app's platform. Raises BuildFailed where the repository does not say what to do."""
    platform, procfile = platforms.load(app.platform), _procfile(source)
    plan = platforms.planner(app.platform)(source, platform, app.platform_version, _start(app, source, procfile))
    packages = (Reason(f"apt: {name}", "from nucleo.yml") for name in app.build.apt)
    others = [name for name in procfile if name != WEB]
    warnings = [f"of {_PROCFILE} only web is run, not {', '.join(others)}"] if others else []
    return dataclasses.replace(
        plan,
        reasons=(*plan.reasons[:1], *packages, *plan.reasons[1:]),
        warnings=(*plan.warnings, *warnings),
    )


def architectures(app: App, settings: Settings, platform: Platform) -> tuple[str, ...]:
    """The architectures to build for, sorted: nucleo.yml's, else those of the cluster's nodes, else this machine's.

    A platform that cannot build for another architecture than this machine's builds for this machine's alone. Raises
    BuildFailed where none of the nodes has it.
    """
    own = platforms.architecture()
    wanted = tuple(sorted(set(app.build.architectures or settings.architectures or (own,))))
    if platform.cross:
        return wanted
    if own not in wanted or (app.build.architectures and len(wanted) > 1):
        raise BuildFailed(
            f"The platform {platform.name} builds for the machine that it runs on, which is {own}; wanted is "
            f"{' and '.join(wanted)}",
            f"Build on a machine of that architecture, or write build: {{architectures: [{own}]}} in nucleo.yml",
        )
    return (own,)


def inputs_hash(app: App, source: Source, plan: Plan, architectures: tuple[str, ...] = ()) -> str:
    """`sha256:…` over all that decides the image: platform recipe, plan and source tree. Asks nobody."""
    wanted = architectures or (platforms.architecture(),)
    recipe = [platforms.recipe_key(platforms.load(plan.platform), plan.version, each, app.build.apt) for each in wanted]
    steps = [dataclasses.asdict(step) for step in plan.steps]
    build = dataclasses.asdict(app.build)
    parts = [platforms.FORMAT, app.name, recipe, build, steps, plan.start, dict(plan.env), plan.leave_out, source.hash]
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"


def _start(app: App, source: Source, procfile: Mapping[str, str]) -> Start | None:
    """What nucleo.yml says, else the Procfile; None: the platform finds it."""
    own = next((process.start for process in app.processes if process.name == WEB), None)
    if own is not None:
        return Start(_in_tree(source, own), "from nucleo.yml")
    return Start(_in_tree(source, procfile[WEB]), f"from {_PROCFILE}") if WEB in procfile else None


def _procfile(source: Source) -> dict[str, str]:
    """The commands of a Procfile by the name of their process."""
    pairs = (line.partition(":") for line in (source.read(_PROCFILE) or "").splitlines() if not line.startswith("#"))
    return {name.strip(): command.strip() for name, colon, command in pairs if colon and command.strip()}


def _in_tree(source: Source, start: str) -> str:
    """A bare file name of the tree needs `./` for the shell to find it."""
    first, _, rest = start.partition(" ")
    return f"./{shlex.quote(first)} {rest}".rstrip() if "/" not in first and source.has(first) else start
