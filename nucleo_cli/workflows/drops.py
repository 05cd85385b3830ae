"""The question before new network rules are released: what that the app does would they cut off?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import App
from nucleo_cli.domain.documents import part
from nucleo_cli.domain.events import Warned, Work
from nucleo_cli.domain.flows import Flow
from nucleo_cli.domain.labels import APP
from nucleo_cli.domain.network import ServicePeer
from nucleo_cli.domain.release import Revision
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import DropsFound, NotAllowed, NotFound, NucleoError
from nucleo_cli.network.drops import dropped
from nucleo_cli.network.learn import rule_for
from nucleo_cli.network.rendered import rendered
from nucleo_cli.workflows.flows import Query, read_flows

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_WEEK_SECONDS = 7 * 24 * 3600
_SHOWN = 10


def check_drops(cluster: Cluster, app: App, settings: Settings, current: Revision | None) -> Work[None]:
    """Raises DropsFound where rules that are not in force yet would drop what was seen.

    Only the agent sees flows, and rules that only watch drop none. Without an answer it is a warning.
    """
    if current is None or not settings.sees_flows or app.network.is_silent or app.network.mode == "audit":
        return
    if rendered(app, settings).objects == _objects(current):
        return
    try:
        seen = list(read_flows(cluster, app.target, Query(time.time() - _WEEK_SECONDS)))
    except NotFound:
        return
    except NucleoError as error:
        yield Warned(f"what the new network rules would drop is not known: {error.message}", error.hint)
        return
    if found := list(dropped(app, settings, seen, apps_behind(cluster, app))):
        raise _refused(app, found)


def apps_behind(cluster: Cluster, app: App) -> dict[str, str]:
    """The apps behind the Services that the app's rules name, both as NAMESPACE/NAME."""
    found: dict[str, str] = {}
    for rule in app.network.outbound or ():
        if isinstance(rule.peer, ServicePeer):
            namespace = rule.peer.namespace or app.namespace
            try:
                service = cluster.get(path("v1", "services", namespace, rule.peer.name))
            except (NotFound, NotAllowed):
                continue
            if behind := part(service, "spec", "selector").get(APP):
                found[f"{namespace}/{rule.peer.name}"] = f"{namespace}/{behind}"
    return found


def _objects(current: Revision) -> Any:
    network: Mapping[str, Any] = current.values.get("network") or {}
    return network.get("objects") or []


def _refused(app: App, flows: list[Flow]) -> DropsFound:
    lines = dict.fromkeys(_words(app, flow) for flow in flows)
    rules = sorted({rule for flow in flows if (rule := rule_for(app, flow))})
    shown = [f"  {line}" for line in list(lines)[:_SHOWN]]
    shown += [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    what = "flow" if len(lines) == 1 else "flows"
    return DropsFound(
        "\n".join([f"the network rules would drop {len(lines)} {what} seen in the last week:", *shown]),
        f"add to network what is meant to go on ({', '.join(rules[:3])}), or go on with --accept-drops",
        {"flows": list(lines), "rules": rules},
    )


def _words(app: App, flow: Flow) -> str:
    ways = (app.name, flow.name) if flow.direction == "out" else (flow.name, app.name)
    return f"{ways[0]} to {ways[1]}:{flow.target}"
