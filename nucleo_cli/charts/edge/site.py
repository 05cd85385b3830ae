"""An app as the edge sees it: its host names, which of them have a certificate, and what is behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nucleo_cli.domain.app import WEB, App, Port, Process
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.labels import APP
from nucleo_cli.domain.settings import Settings

Json = dict[str, Any]

_ISSUERS = {"ClusterIssuer": "cert-manager.io/cluster-issuer", "Issuer": "cert-manager.io/issuer"}


@dataclass(frozen=True, slots=True)
class Site:
    """`hosts` are the base host, if any, and the app's domains. `service` and `port` are where their requests go."""

    app: App
    settings: Settings
    hosts: tuple[str, ...]
    service: str
    port: int
    certificates: tuple[Certificate, ...] = ()

    @property
    def plain(self) -> tuple[str, ...]:
        """The hosts without a certificate."""
        return tuple(each for each in self.hosts if self.certificate(each) is None)

    @property
    def secure(self) -> tuple[str, ...]:
        """The hosts with one."""
        return tuple(each for each in self.hosts if self.certificate(each) is not None)

    def certificate(self, host: str) -> Certificate | None:
        """The certificate that is for `host`."""
        return next((each for each in self.certificates if host in each.hosts), None)

    @property
    def issuer_annotations(self) -> dict[str, str]:
        """By which cert-manager fills the Secrets; one issuer is for all of an app's domains.

        https://cert-manager.io/docs/usage/gateway/
        """
        issuer = next((each.issuer for each in self.certificates if each.issuer), "")
        kind, _, name = issuer.partition("/")
        return {_ISSUERS[kind]: name} if issuer else {}


def site(app: App, settings: Settings, certificates: Sequence[Certificate] = ()) -> Site | None:
    """None where nothing of the app is reached by a host name, or the cluster has no routes."""
    target = routed(app)
    if target is None or kind(settings) == "none":
        return None
    base = (f"{app.name}.{settings.base_domain}",) if settings.base_domain else ()
    hosts = tuple(dict.fromkeys((*base, *app.domains)))
    process, port = target
    service = app.name if process.name == WEB else f"{app.name}-{process.name}"
    return Site(app, settings, hosts, service, port.internal, tuple(certificates)) if hosts else None


def routed(app: App) -> tuple[Process, Port] | None:
    """The process and the port behind the app's host names: external port 80, else 443; None: nothing is."""
    found = [(process, port) for process in app.processes for port in process.ports if port.is_route]
    return min(found, key=lambda each: each[1].external or 0, default=None)


def kind(settings: Settings) -> str:
    """gateway, ingress or none: a Gateway without a namespace is none."""
    if settings.routes == "gateway" and "/" not in settings.gateway:
        return "none"
    return settings.routes


def manifest(
    site: Site,
    api_version: str,
    kind: str,
    spec: Json,
    *,
    suffix: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """An object of the app's release, named as the app; `suffix` tells several of a kind apart."""
    name = site.app.name
    metadata: Json = {
        "name": f"{name}-{suffix}" if suffix else name,
        "namespace": site.app.namespace,
        "labels": {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/managed-by": "Helm",
            APP: name,
        },
    }
    if annotations:
        metadata["annotations"] = dict(sorted(annotations.items()))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
