"""The plan of an app: what would be built, from what, and why. Nothing is run."""

import hashlib
import json
from dataclasses import asdict

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.app import WEB, App
from nucleo_cli.domain.build import Plan


def plan_app(app: App, source: Source) -> Plan:
    """Plan with the app's platform. Raises BuildFailed where the repository does not say what to do."""
    start = next((process.start for process in app.processes if process.name == WEB), None)
    return platforms.planner(app.platform)(source, platforms.load(app.platform), app.platform_version, start)


def inputs_hash(app: App, source: Source, plan: Plan, architecture: str = "") -> str:
    """`sha256:…` over all that decides the image: platform recipe, plan and source tree. Asks nobody."""
    architecture = architecture or platforms.architecture()
    recipe = platforms.recipe_key(platforms.load(plan.platform), plan.version, architecture)
    steps = [asdict(step) for step in plan.steps]
    parts = [platforms.FORMAT, app.name, architecture, recipe, steps, plan.start, dict(plan.env), source.hash]
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"
