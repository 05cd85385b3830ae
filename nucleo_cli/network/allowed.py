"""All that an app's rules come to in one direction: what is always allowed, and what nucleo.yml says."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nucleo_cli.domain import labels
from nucleo_cli.domain.app import App, Process, Target
from nucleo_cli.domain.network import AppPeer, Direction, IngressPeer, Peer, PortRange, Rule
from nucleo_cli.domain.settings import Settings

# Private, shared, loopback and link-local: what `internet` is not.
NOT_INTERNET = {
    "0.0.0.0/0": (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    ),
    "::/0": ("::1/128", "fc00::/7", "fe80::/10"),
}
# Where proxies are that are in the nodes' own network.
NODES = "nodes"
ANY_ADDRESS = ("0.0.0.0/0", "::/0")
DNS_PORTS = (PortRange(53, 53, "UDP"), PortRange(53, 53))


@dataclass(frozen=True, slots=True)
class PodsPeer:
    """The pods of a namespace that have these labels."""

    namespace: str
    labels: dict[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class NodePeer:
    """The node that a pod is on."""


@dataclass(frozen=True, slots=True)
class AnyPeer:
    """Whoever it is, from wherever."""


@dataclass(frozen=True, slots=True)
class Implied:
    """What is allowed without a rule of nucleo.yml. `name` is short and stable, `why` a sentence for people."""

    direction: Direction
    name: str
    why: str
    peer: PodsPeer | NodePeer | AnyPeer | IngressPeer
    ports: tuple[PortRange, ...] = ()

    @property
    def text(self) -> str:
        """What stands where a rule of nucleo.yml has its text."""
        return f"implied: {self.name}"


Allowed = Rule | Implied


def implied(app: App, settings: Settings) -> tuple[Implied, ...]:
    """What is always allowed, and why, for the directions that are closed."""
    found = (
        Implied("from", "own processes", "the processes of an app may talk to each other", own_pods(app)),
        *_by_ports(app, settings),
        Implied("to", "own processes", "the processes of an app may talk to each other", own_pods(app)),
        Implied("to", "kube-dns", "names are looked up at the cluster's DNS", kube_dns(), DNS_PORTS),
    )
    return tuple(each for each in found if app.network.rules(each.direction) is not None)


def _by_ports(app: App, settings: Settings) -> Iterable[Implied]:
    ports = [port for process in app.processes for port in process.ports]
    if probed := _numbers(process.ports[0].internal for process in app.processes if process.ports):
        yield Implied("from", "health checks", "the node asks each process whether it is well", NodePeer(), probed)
    routed = _numbers(port.internal for port in ports if port.is_route and settings.routes != "none")
    # Where rules say which requests the ingress may send, all others would be weakened by this.
    if routed and not any(isinstance(each.rule.peer, IngressPeer) for each in app.network.http):
        yield Implied(
            "from", "ingress", "external 80 and 443 are served at the app's host names", IngressPeer(), routed
        )
    if balanced := _numbers(port.internal for port in ports if port.external and not port.is_route):
        why = "other external ports are open to the clients of a load balancer"
        yield Implied("from", "load balancer", why, AnyPeer(), balanced)


def _numbers(ports: Iterable[int]) -> tuple[PortRange, ...]:
    return tuple(PortRange(port, port) for port in sorted(set(ports)))


def allowed(app: App, settings: Settings, direction: Direction) -> tuple[Allowed, ...] | None:
    """Everything that may pass in a direction, `http` apart; None where the direction is open."""
    rules = app.network.rules(direction)
    if rules is None:
        return None
    return (*(each for each in implied(app, settings) if each.direction == direction), *rules)


def requests(app: App) -> tuple[Rule, ...]:
    """The connections that `http` lets in, for who sees no requests in them."""
    rules = (each.rule for each in app.network.http)
    return tuple(replace(rule, ports=http_ports(rule, app.processes)) for rule in rules)


def own_pods(app: App) -> PodsPeer:
    """All pods of the app, one-off commands too."""
    return PodsPeer(app.namespace, {labels.APP: app.name})


def kube_dns() -> PodsPeer:
    """The cluster's DNS."""
    return PodsPeer("kube-system", {"k8s-app": "kube-dns"})


def app_pods(peer: AppPeer, app: App) -> PodsPeer:
    """The pods of another app: without a namespace, where the app of that name and the same environment is."""
    if peer.namespace is None and peer.name == app.name:
        return own_pods(app)
    return PodsPeer(Target.named(peer.name, app.environment, peer.namespace).namespace, {labels.APP: peer.name})


def pods_of(peer: Peer | PodsPeer | NodePeer | AnyPeer, app: App) -> PodsPeer | None:
    """The pods that a peer stands for; None where it is none of pods."""
    if isinstance(peer, AppPeer):
        return app_pods(peer, app)
    return peer if isinstance(peer, PodsPeer) else None


def http_ports(rule: Rule, processes: Iterable[Process]) -> tuple[PortRange, ...]:
    """The ports that requests of a rule come to: those that it names, else all of the app's."""
    return rule.ports or _numbers(port.internal for process in processes for port in process.ports)


def hops(settings: Settings) -> tuple[str, ...]:
    """Where requests to host names come from: what the cluster's settings say, else the Gateway's namespace.

    Each is a namespace, an address block, or NODES.
    """
    if settings.ingress_from:
        return settings.ingress_from
    namespace, slash, _ = settings.gateway.partition("/")
    return (namespace,) if settings.routes == "gateway" and slash else ()
