"""Where a browser finds the app: read from its route, as the cluster has it."""

from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import part, parts
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotFound
from nucleo_cli.workflows.processes import read_deployments
from nucleo_cli.workflows.settings import read_settings

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]
GATEWAY = "gateway.networking.k8s.io/v1"
INGRESS = "networking.k8s.io/v1"


def read_url(cluster: "Cluster", target: Target) -> str:
    """The app's URL. NotFound when there is no app, or nothing of it is reachable over HTTP from outside."""
    for api, plural in ((GATEWAY, "httproutes"), (INGRESS, "ingresses")):
        try:
            route = cluster.get(path(api, plural, target.namespace, target.app))
        except NotFound:
            continue
        if found := url_of(route, read_settings(cluster)):
            return found
    read_deployments(cluster, target)
    raise NotFound(
        f"{target.app} has no URL: it has no port that is reachable over HTTP from outside",
        'ports: ["8080:80"] in nucleo.yml, then nucleo deploy; nucleo cluster status shows the base domain',
    )


def url_of(route: Json, settings: Settings) -> str | None:
    """The URL of an HTTPRoute or an Ingress; None when it has no host name."""
    spec = part(route, "spec")
    hosts: list[str] = [*(spec.get("hostnames") or []), *(rule.get("host", "") for rule in parts(spec, "rules"))]
    host = next((each for each in hosts if each and not each.startswith("*")), None)
    if host is None:
        return None
    if spec.get("tls"):
        return f"https://{host}"
    port = "" if settings.http_port == 80 else f":{settings.http_port}"
    return f"http://{host}{port}"
