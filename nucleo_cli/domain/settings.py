"""What a platform team decides once for a cluster: the ConfigMap `nucleo` of the namespace `nucleo-system`."""

from dataclasses import dataclass
from typing import Literal

Routes = Literal["gateway", "ingress", "none"]
Controller = Literal["traefik", "envoy", "cilium", "nginx", "haproxy", "other"]
Listeners = Literal["listenerset", "gateway", "shared"]
BackEnd = Literal["networkpolicy", "cilium", "agent", "none"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where images are pushed and pulled, and how apps are reached.

    `registry_push` and `registry_pull` are `HOST[:PORT][/PREFIX]` as seen by this machine and by the nodes.
    `base_domain` and `http_port` make an app's URL: http://NAME.BASE-DOMAIN[:PORT].
    `routes` chooses HTTPRoute on `gateway` (NAMESPACE/NAME) or Ingress with `ingress_class`.
    `platform_images` is a registry prefix with published platform images; empty: they are built from packages.
    `architectures` are those of the nodes ("amd64"), sorted; empty: not known.
    `sysctls` are patterns of unsafe sysctls that the nodes allow ("net.core.somaxconn", "net.*"); key `sysctls`.
    `network` enforces the rules of apps; "auto": what the cluster has, found out when an app has rules.
    `switched_off` are parts of `network` that this back end could enforce, were they not switched off on this cluster.
    `observed`: Nucleo's agent is on the cluster too, beside what enforces; it enforces nothing there.
    `ingress_from` says where the proxies of the routes are: namespaces of pods, address blocks, or "nodes" for those in
    the nodes' own network; empty: in the Gateway's namespace.
    `https_port` is the outer port of HTTPS, as `http_port` is that of HTTP.
    `issuer` signs the certificates of apps' domains: "nucleo" (the cluster's own authority), cert-manager's as
    ClusterIssuer/NAME or Issuer/NAME, or "" for nobody.
    `dns` writes their records: external-dns, rfc2136, designate, hosts, lexicon:PROVIDER, or "" for nobody.
    `dns_zones` are those that it may write to; empty: those that it finds. `edge_addresses` are what the records lead
    to, IP addresses or one host name; empty: what the Gateway or the Ingress says of itself.
    `controller` serves the routes, and `listeners` is where HTTPS of an app's own domains can be heard: in a
    ListenerSet or a Gateway of the app's own, or only where the shared Gateway's listeners do; both and `gateway_class`
    are found out when an app has domains.
    `endpoints`: external-dns reads DNSEndpoint objects here; found out likewise.
    """

    registry_push: str = ""
    registry_pull: str = ""
    base_domain: str = ""
    http_port: int = 80
    routes: Routes = "none"
    gateway: str = ""
    ingress_class: str = ""
    platform_images: str = ""
    architectures: tuple[str, ...] = ()
    sysctls: tuple[str, ...] = ()
    network: BackEnd | Literal["auto"] = "auto"
    ingress_from: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()
    observed: bool = False
    https_port: int = 443
    issuer: str = ""
    dns: str = ""
    dns_zones: tuple[str, ...] = ()
    edge_addresses: tuple[str, ...] = ()
    controller: Controller = "other"
    listeners: Listeners = "shared"
    gateway_class: str = ""
    endpoints: bool = False

    @property
    def sees_flows(self) -> bool:
        """Whether the agent sees the connections of apps with rules."""
        return self.observed or self.network == "agent"
