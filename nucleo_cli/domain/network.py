"""Whom an app may talk to, and who may talk to it: the section `network` of nucleo.yml, checked."""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["TCP", "UDP"]
Direction = Literal["from", "to"]
Mode = Literal["enforce", "audit"]
Default = Literal["allow", "deny"]


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int
    protocol: Protocol = "TCP"

    def __str__(self) -> str:
        """As nucleo.yml writes it: `443`, `8000-8010`, `123/udp`."""
        numbers = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return numbers if self.protocol == "TCP" else f"{numbers}/udp"


@dataclass(frozen=True, slots=True)
class AppPeer:
    """The pods of another app; without a namespace it is the app of that name in the same environment."""

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"app:{_below(self.namespace)}{self.name}"


@dataclass(frozen=True, slots=True)
class ServicePeer:
    """What a Kubernetes Service leads to; without a namespace it is one of the app's own."""

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"service:{_below(self.namespace)}{self.name}"


@dataclass(frozen=True, slots=True)
class CidrPeer:
    """Addresses in `block`, without those in `excluded`; all of one family, in CIDR notation."""

    block: str
    excluded: tuple[str, ...] = ()

    def __str__(self) -> str:
        blocks = "!".join((self.block, *self.excluded))
        return f"cidr:[{blocks}]" if ":" in blocks else f"cidr:{blocks}"


@dataclass(frozen=True, slots=True)
class DnsPeer:
    """The addresses of a name outside of the cluster; `*.example.com` is every name below example.com."""

    name: str

    def __str__(self) -> str:
        return f"dns:{self.name}"


@dataclass(frozen=True, slots=True)
class KubeApiPeer:
    """The cluster's API server."""

    def __str__(self) -> str:
        return "kube-api"


@dataclass(frozen=True, slots=True)
class IngressPeer:
    """The proxies that serve the apps' host names."""

    def __str__(self) -> str:
        return "ingress"


@dataclass(frozen=True, slots=True)
class InternetPeer:
    """Every public address."""

    def __str__(self) -> str:
        return "internet"


Peer = AppPeer | ServicePeer | CidrPeer | DnsPeer | KubeApiPeer | IngressPeer | InternetPeer


@dataclass(frozen=True, slots=True)
class Rule:
    """An allowed flow. `text` is how nucleo.yml writes it; no ports are all ports of every protocol."""

    text: str
    peer: Peer
    ports: tuple[PortRange, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpRule:
    """Requests that `rule` lets in, and no others; a path that ends in `*` is a prefix. Empty: every one."""

    rule: Rule
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes per second of each pod; None: as many as there are."""

    egress: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The rules of an app.

    None for a direction means that nothing is said of it: it is open, unless the default is deny or `http` says which
    requests come in. () means nobody but what is always allowed.
    """

    mode: Mode = "enforce"
    default: Default = "allow"
    inbound: tuple[Rule, ...] | None = None
    outbound: tuple[Rule, ...] | None = None
    http: tuple[HttpRule, ...] = ()
    limits: Limits = Limits()
    egress_ip: str | None = None

    def rules(self, direction: Direction) -> tuple[Rule, ...] | None:
        """What is allowed in a direction, without what `http` lets in; None where it is open."""
        said = self.inbound if direction == "from" else self.outbound
        closed = self.default == "deny" or (direction == "from" and self.http)
        return () if said is None and closed else said

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to enforce."""
        closes = any(self.rules(direction) is not None for direction in ("from", "to"))
        return not (closes or self.limits.egress or self.egress_ip)


def written(peer: Peer, ports: tuple[PortRange, ...] = ()) -> str:
    """How nucleo.yml writes a rule: `app:users:8080`, `cidr:[2001:db8::/32]:443`, `dns:ntp.example.com:123/udp`."""
    return f"{peer}:{','.join(map(str, ports))}" if ports else str(peer)


def _below(namespace: str | None) -> str:
    return f"{namespace}/" if namespace else ""
