"""The values of `network` in nucleo.yml: rules such as `app:users:8080`, rates and addresses."""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, ip_address, ip_network
from typing import Any

from nucleo_cli.config.kinds import TEXT, TEXT_OR_NUMBER, MisfitError, Single, did_you_mean
from nucleo_cli.config.nodes import quoted
from nucleo_cli.domain.network import (
    AppPeer,
    CidrPeer,
    Direction,
    DnsPeer,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    Peer,
    PortRange,
    Rule,
    ServicePeer,
    written,
)

LARGEST_PORT = 65_535
LONGEST_RULE = 1_000
MOST_PORTS = 100
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_APP = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_BLOCK = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")  # no zone, and no mask of addresses
_PORTS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?(?:/([A-Za-z]{1,9}))?")
_CLUSTER_NAME = re.compile(r"(?:[^.]+\.)*([^.]+)\.([^.]+)\.svc(\.cluster\.local)?")
_EXAMPLES = {"from": '"app:web" or "ingress"', "to": '"app:users:8080" or "dns:api.stripe.com:443"'}


def parse_rule(text: str, direction: Direction) -> Rule:
    """The rule that `text` writes; MisfitError where it makes no sense, or none in this direction."""
    if len(text) > LONGEST_RULE:
        raise MisfitError(f"must be at most {LONGEST_RULE} characters, got {len(text)}")
    kind, colon, rest = text.partition(":")
    if kind in _ALONE:
        _check_direction(text, kind, direction)
        return Rule(text, _ALONE[kind], _alone_ports(kind, rest) if colon else ())
    if kind not in _TARGETED:
        raise _unknown(text, kind, direction)
    _check_direction(text, kind, direction)
    if not rest:
        raise MisfitError(f"must say which {kind}, got {quoted(text)}", f"for example {_TARGETED[kind][1]}")
    target, ports = _divided(kind, rest)
    return Rule(text, _TARGETED[kind][0](target), _ports(ports) if ports is not None else ())


def _unknown(text: str, kind: str, direction: Direction) -> MisfitError:
    kinds = [*_TARGETED, *_ALONE]
    near = did_you_mean(kind, kinds) or (f'; did you mean "dns:{text}"?' if "." in kind else "")
    what = f"must be a rule such as {_EXAMPLES[direction]}, got {quoted(text)}{near}"
    known = [each for each in kinds if (direction, each) not in _WRONG_WAY]
    return MisfitError(what, f"a rule begins with one of {', '.join(known)}")


def _check_direction(text: str, kind: str, direction: Direction) -> None:
    if wrong := _WRONG_WAY.get((direction, kind)):
        raise MisfitError(f"{wrong[0]}, got {quoted(text)}", wrong[1])


# What one direction cannot have: why, and what could be meant.
_WRONG_WAY: dict[tuple[Direction, str], tuple[str, str]] = {
    ("from", "dns"): (
        "cannot be a name: a connection that comes in has an address, and no name",
        "write its addresses: cidr:203.0.113.0/24",
    ),
    ("from", "service"): (
        "cannot be a Service: a Service is called and calls nobody",
        "write the app whose pods call: app:NAME or app:NAMESPACE/NAME",
    ),
    ("from", "kube-api"): (
        "cannot be the API server: it is called, and itself calls webhooks alone",
        "for a webhook write the addresses that it calls from: cidr:10.0.0.0/24",
    ),
    ("from", "internet"): (
        "cannot be the internet: what comes from there comes through the ingress or a LoadBalancer port",
        "write ingress, or give the port an external number in `ports`",
    ),
    ("to", "ingress"): (
        "cannot be the ingress: it calls apps, and they call each other",
        "write app:NAME for the app behind it, or dns:HOST for its public name",
    ),
}


def _alone_ports(kind: str, text: str) -> tuple[PortRange, ...]:
    if kind == "kube-api":
        raise MisfitError(
            f'takes no port after kube-api, got "{text}"', "write kube-api: the cluster knows where its API server is"
        )
    return _ports(text)


def _divided(kind: str, rest: str) -> tuple[str, str | None]:
    """The target and, where a colon follows it, the text of the ports."""
    if kind == "cidr" and rest.startswith("["):
        inside, bracket, after = rest[1:].partition("]")
        if not bracket or after[:1] not in ("", ":"):
            raise MisfitError(f"must be [BLOCK] or [BLOCK]:PORT, got {quoted(rest)}", "cidr:[2001:db8::/32]:443")
        return inside, after[1:] if after else None
    if rest.count(":") > 1:
        if kind == "cidr" and ("::" in rest or ":" in rest.partition("/")[0]):
            raise MisfitError(
                f"must have an IPv6 block in brackets, got {quoted(rest)}", f"write cidr:[{rest}] or cidr:[BLOCK]:PORT"
            )
        raise MisfitError(f'must have one ":" before the ports, got {quoted(rest)}', "several ports: 8080,9090/udp")
    target, colon, ports = rest.partition(":")
    return target, ports if colon else None


def _ports(text: str) -> tuple[PortRange, ...]:
    found: list[PortRange] = []
    for each in text.split(","):
        port = _port_range(each.strip())
        if port in found:
            raise MisfitError(f"names the port {port} a second time")
        found.append(port)
    if len(found) > MOST_PORTS:
        raise MisfitError(f"must name at most {MOST_PORTS} ports, got {len(found)}", "a range such as 8000-8100 is one")
    return tuple(found)


def _port_range(text: str) -> PortRange:
    found = _PORTS.fullmatch(text)
    if not found:
        raise MisfitError(
            f"must end in a port such as 443, 8000-8010 or 123/udp, got {quoted(text)}",
            "several are divided by commas; none at all means every port",
        )
    first, last = int(found[1]), int(found[2] or found[1])
    for number in (first, last):
        if not 1 <= number <= LARGEST_PORT:
            raise MisfitError(f"must name ports from 1 to {LARGEST_PORT}, got {number}")
    if first > last:
        raise MisfitError(f"must not have a range that begins higher than it ends, got {text}", f"write {last}-{first}")
    protocol = (found[3] or "tcp").upper()
    if protocol != "TCP" and protocol != "UDP":
        raise MisfitError(f"must be of tcp or udp, got {quoted(found[3])}", f"write {found[1]} for tcp")
    return PortRange(first, last, protocol)


def _app(target: str) -> Peer:
    namespace, name = _names("app", target)
    if not _APP.fullmatch(name):
        raise MisfitError(f"must have the name of an app behind app:, got {quoted(name)}", "for example app:users")
    return AppPeer(name, namespace)


def _service(target: str) -> Peer:
    namespace, name = _names("service", target)
    if not _LABEL.fullmatch(name):
        raise MisfitError(
            f"must have the name of a Service behind service:, got {quoted(name)}", "for example service:kafka/broker"
        )
    return ServicePeer(name, namespace)


def _names(kind: str, target: str) -> tuple[str | None, str]:
    namespace, slash, name = target.rpartition("/")
    if slash and not _LABEL.fullmatch(namespace):
        raise MisfitError(
            f"must have a namespace before the slash, got {quoted(namespace)}", f"write {kind}:NAMESPACE/NAME"
        )
    return namespace or None, name


def _cidr(target: str) -> Peer:
    block, *excluded = (_block(each) for each in target.split("!"))
    for each in excluded:
        inner, outer = ip_network(each), ip_network(block)
        if inner.version != outer.version or not inner.subnet_of(outer):  # pyright: ignore[reportArgumentType]
            raise MisfitError(f"must exclude a part of {block}, got {each}")
    return CidrPeer(block, tuple(excluded))


def _block(text: str) -> str:
    try:
        whole = ip_network(text, strict=False) if _BLOCK.fullmatch(text) else None
    except ValueError:
        whole = None
    if whole is None:
        raise MisfitError(
            f"must be an address block such as 10.0.0.0/8, got {quoted(text)}", "an IPv6 block stands in brackets"
        )
    if ip_address(text.partition("/")[0]) != whole.network_address:
        raise MisfitError(f"must not have bits beyond its length, got {text}", f"the block that it is in is {whole}")
    return str(whole)


def _dns(target: str) -> Peer:
    name = target.lower().removesuffix(".")
    plain = name.removeprefix("*.")
    _check_is_outside(plain)
    if not name.isascii():
        raise MisfitError(f"must be written in ASCII, got {quoted(target)}", _punycode(name))
    if "*" in plain:
        raise MisfitError(
            f'may have a "*" only as its first label, got {quoted(target)}',
            "*.example.com is every name below example.com; internet is every public address",
        )
    labels = plain.split(".")
    if long := next((each for each in labels if len(each) > 63), None):
        raise MisfitError(f"must have labels of at most 63 characters, got one of {len(long)}")
    if len(plain) > 253:
        raise MisfitError(f"must be a name of at most 253 characters, got {len(plain)}")
    if not all(_DNS_LABEL.fullmatch(each) for each in labels):
        raise MisfitError(f"must be a DNS name such as api.example.com, got {quoted(target)}")
    if len(labels) == 1 and name == plain:
        raise MisfitError(
            f"must be a whole name such as api.example.com, got {quoted(target)}",
            f"service:{plain} is a Service of the app's own namespace, app:{plain} an app",
        )
    return DnsPeer(name)


def _check_is_outside(name: str) -> None:
    try:
        address = ip_address(name)
    except ValueError:
        pass
    else:
        raise MisfitError(f"must be a name, got the address {name}", f"write cidr:{address}/{address.max_prefixlen}")
    if found := _CLUSTER_NAME.fullmatch(name):
        raise MisfitError(
            f"must be a name outside of the cluster, got {quoted(name)}", f"write service:{found[2]}/{found[1]}"
        )


def _punycode(name: str) -> str:
    try:
        return f"write dns:{name.encode('idna').decode('ascii')}"
    except UnicodeError:
        return "write its form in ASCII, which begins with xn--"


_ALONE: dict[str, Peer] = {"kube-api": KubeApiPeer(), "ingress": IngressPeer(), "internet": InternetPeer()}
_TARGETED: dict[str, tuple[Callable[[str], Peer], str]] = {
    "app": (_app, "app:users:8080"),
    "service": (_service, "service:kafka/broker:9092"),
    "cidr": (_cidr, "cidr:10.0.0.0/8:5432"),
    "dns": (_dns, "dns:api.stripe.com:443"),
}


def _rule(direction: Direction) -> Single[Rule]:
    def parse(text: str) -> Rule:
        return parse_rule(text.strip(), direction)

    kinds = [each for each in (*_TARGETED, *_ALONE) if (direction, each) not in _WRONG_WAY]
    alone = [each for each in kinds if each in _ALONE]
    targeted = [each for each in kinds if each in _TARGETED]
    pattern = rf"^(({'|'.join(targeted)}):\S+|({'|'.join(alone)})(:[0-9]\S*)?)$"
    return Single(
        f"a rule such as {_EXAMPLES[direction]}",
        parse,
        {"type": "string", "pattern": pattern, "maxLength": LONGEST_RULE},
        TEXT,
    )


FROM = _rule("from")
TO = _rule("to")


def different_rules(before: list[Rule], rule: Rule) -> None:
    """Raises MisfitError where `rule` allows just what one of `before` does."""
    same = next((each for each in before if (each.peer, each.ports) == (rule.peer, rule.ports)), None)
    if same:
        short = written(rule.peer, rule.ports)
        raise MisfitError(f"says {short} a second time", "keep one of them")


def http_rule(before: list[dict[str, Any]], rule: dict[str, Any]) -> None:
    """Raises MisfitError where `rule` limits nothing, or is one of `before`."""
    if "from" in rule and len(rule) == 1:
        raise MisfitError("must have methods or paths", "a peer in `from` may send every request")
    if rule in before:
        raise MisfitError("says the same a second time", "keep one of them")


def _rate(text: str) -> int:
    """Bytes per second, of a quantity of bits per second; between the least and the most that Kubernetes takes."""
    from nucleo_cli.domain.quantities import parse  # 2 ms that a file without a limit need not pay

    try:
        bits = parse(text)
    except ValueError:
        raise MisfitError from None
    if not 1_000 <= bits <= 10**15:
        raise MisfitError(f"must be from 1k to 1P bits per second, got {quoted(text)}", "10M is ten million bits")
    return int(bits / 8)


RATE = Single("bits per second such as 10M", _rate, {"type": ["string", "number"]}, TEXT_OR_NUMBER)


def _egress_ip(text: str) -> str:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise MisfitError from None
    if address.is_multicast or address.is_loopback or address.is_unspecified or address.is_link_local:
        raise MisfitError
    return str(address)


EGRESS_IP = Single("the IPv4 address of a node such as 203.0.113.7", _egress_ip, {"type": "string"}, TEXT)
