"""What the rules of an app add to its release, by the cluster's back end."""

from dataclasses import dataclass, field

from nucleo_cli.domain.app import App
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.backends import refuse
from nucleo_cli.network.cilium import annotations, cilium_policies
from nucleo_cli.network.manifest import Json
from nucleo_cli.network.policies import network_policies
from nucleo_cli.network.resource import app_network, hold, watched


@dataclass(frozen=True, slots=True)
class Rendered:
    """Objects of the release, annotations of the app's pods, and the command that they begin with, if any."""

    objects: list[Json] = field(default_factory=list[Json])
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    hold: list[str] = field(default_factory=list[str])


def rendered(app: App, settings: Settings) -> Rendered:
    """Nothing where there is nothing to enforce; ConfigInvalid for what the back end cannot enforce."""
    if app.network.is_silent:
        return Rendered()
    refuse(app, settings)
    if settings.network == "agent":
        return Rendered([app_network(app, settings)], hold=hold(app))
    if settings.network == "cilium":
        beside = [watched(app, settings)] if settings.observed else []
        return Rendered([*cilium_policies(app, settings), *beside], annotations(app))
    return Rendered(network_policies(app, settings))
