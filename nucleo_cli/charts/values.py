"""App + Image → the values of chart_templates/app. Everything is decided here; the templates only write it down."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from nucleo_cli.charts.containers import probe, resources, stop
from nucleo_cli.charts.routes import external_ports, ports, routes
from nucleo_cli.charts.scale import Replicas, scales
from nucleo_cli.charts.shape import (
    AutoscaleValues,
    FactValues,
    NetworkValues,
    ObjectValues,
    ProcessValues,
    SecretValues,
    Values,
)
from nucleo_cli.domain.app import App, Process, Scale
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.release import Facts, Revision
from nucleo_cli.domain.settings import Settings
from nucleo_cli.domain.shell import shell_argv
from nucleo_cli.network.rendered import rendered

NO_LIVE: Mapping[str, int] = {}
DEFAULT_CPU_THRESHOLD = 80


def values(
    app: App,
    image: Image,
    facts: Facts,
    settings: Settings,
    *,
    previous: Revision | None = None,
    live: Mapping[str, int] = NO_LIVE,
    config: Mapping[str, str] | None = None,
    secret: SecretValues | None = None,
    certificates: Sequence[Certificate] = (),
) -> Values:
    """The values of a release.

    `previous` is the release that this one follows: its config vars and its Secret are carried over unless `config` or
    `secret` say otherwise. `live` is the replicas of each process's Deployment, by process. `certificates` are those of
    the app's domains.
    """
    decided = scales(app, live, previous.values if previous else {})
    route = routes(app, settings, certificates)
    host = next((each for each in route["hosts"] if not each.startswith("*")), None)
    return {
        "nucleo": _facts(app, image, facts),
        "image": {
            "repository": image.repository,
            "digest": image.digest,
            "architectures": sorted(image.architectures),
        },
        "env": dict(sorted(app.env.items())),
        "config": dict(sorted((carried_config(previous) if config is None else config).items())),
        "secret": carried_secret(previous) if secret is None else secret,
        "kernel": dict(sorted(app.kernel.items())),
        "readOnlyRoot": facts.read_only_root,
        "routes": route,
        "network": _network(app, settings),
        "processes": {
            process.name: _process(process, decided[process.name], live.get(process.name), host)
            for process in sorted(app.processes, key=lambda process: process.name)
        },
    }


def carried_config(previous: Revision | None) -> dict[str, str]:
    """The config vars that the previous release was given by hand."""
    return dict(previous.values.get("config") or {}) if previous else {}


def carried_secret(previous: Revision | None) -> SecretValues:
    """The Secret that the previous release names; without a name when there is none."""
    secret: Mapping[str, Any] = (previous.values.get("secret") if previous else None) or {}
    return {"name": str(secret.get("name", "")), "keys": sorted(secret.get("keys") or ())}


def _facts(app: App, image: Image, facts: Facts) -> FactValues:
    found: FactValues = {
        "version": facts.nucleo,
        "inputs": facts.inputs,
        "platform": facts.platform,
        "image": image.reference,
        "dirty": facts.dirty,
        "user": facts.user,
    }
    if facts.commit:
        found["commit"] = facts.commit
    if app.environment:
        found["environment"] = app.environment
    return found


def _network(app: App, settings: Settings) -> NetworkValues:
    rules = rendered(app, settings)
    found: NetworkValues = {"objects": cast(list[ObjectValues], rules.objects)}
    if rules.annotations:
        found["annotations"] = rules.annotations
    if rules.hold:
        found["hold"] = rules.hold
    return found


def _process(process: Process, replicas: Replicas, live: int | None, host: str | None) -> ProcessValues:
    found: ProcessValues = {"resources": resources(process.resources), "stop": stop(process)}
    if process.start:
        found["command"] = shell_argv(process.start)
    if inside := ports(process):
        found["ports"] = inside
        found["probe"] = probe(process, host)
    if outside := external_ports(process):
        found["external"] = outside
    if replicas.rendered is not None:
        found["replicas"] = replicas.rendered
    if process.scale and not process.scale.fixed:
        found["autoscale"] = _autoscale(process.scale)
    if _most(process.scale, replicas.rendered, live) > 1:
        found["budget"] = True
    return found


def _autoscale(scale: Scale) -> AutoscaleValues:
    found: AutoscaleValues = {"minimum": scale.minimum, "maximum": scale.maximum}
    if scale.cpu_threshold is None and scale.memory_threshold is None:
        found["cpu"] = DEFAULT_CPU_THRESHOLD
    if scale.cpu_threshold is not None:
        found["cpu"] = scale.cpu_threshold
    if scale.memory_threshold is not None:
        found["memory"] = scale.memory_threshold
    return found


def _most(scale: Scale | None, rendered: int | None, live: int | None) -> int:
    """How many pods the process may have: from two on, a budget keeps a drain from taking them all at once."""
    if scale is not None:
        return scale.maximum
    return (live if rendered is None else rendered) or 0
