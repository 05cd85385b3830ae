# ruff: noqa: E501 (one case a line)
"""The section `network`: every kind of rule, every mistake once, and what an environment lays over it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli import config
from nucleo_cli.config.kinds import MisfitError
from nucleo_cli.config.rules import parse_rule
from nucleo_cli.domain.network import (
    AppPeer,
    CidrPeer,
    Direction,
    DnsPeer,
    HttpRule,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    Limits,
    Network,
    Peer,
    PortRange,
    Protocol,
    Rule,
    ServicePeer,
    written,
)
from nucleo_cli.errors import ConfigInvalid

from .conftest import Problems, Write

HTTPS = (PortRange(443, 443),)
RULES: list[tuple[Direction, str, Peer, tuple[PortRange, ...]]] = [
    ("from", "ingress", IngressPeer(), ()),
    ("from", "ingress:9090", IngressPeer(), (PortRange(9090, 9090),)),
    ("from", "app:web", AppPeer("web"), ()),
    ("from", "app:billing/invoices:8080", AppPeer("invoices", "billing"), (PortRange(8080, 8080),)),
    ("from", "cidr:10.0.0.0/8:5432", CidrPeer("10.0.0.0/8"), (PortRange(5432, 5432),)),
    ("from", "cidr:10.1.2.3", CidrPeer("10.1.2.3/32"), ()),
    ("from", "cidr:10.0.0.0/8!10.1.0.0/16!10.2.0.0/16:22", CidrPeer("10.0.0.0/8", ("10.1.0.0/16", "10.2.0.0/16")), (PortRange(22, 22),)),
    ("to", "app:users:8000-8010", AppPeer("users"), (PortRange(8000, 8010),)),
    ("to", "app:users:80,443, 5000-5010/udp", AppPeer("users"), (PortRange(80, 80), *HTTPS, PortRange(5000, 5010, "UDP"))),
    ("to", "service:broker", ServicePeer("broker"), ()),
    ("to", "service:kafka/broker:9092", ServicePeer("broker", "kafka"), (PortRange(9092, 9092),)),
    ("to", "dns:api.stripe.com:443", DnsPeer("api.stripe.com"), HTTPS),
    ("to", "dns:API.Stripe.com.:443/TCP", DnsPeer("api.stripe.com"), HTTPS),
    ("to", "dns:*.example.com", DnsPeer("*.example.com"), ()),
    ("to", "dns:ntp.example.com:123/udp", DnsPeer("ntp.example.com"), (PortRange(123, 123, "UDP"),)),
    ("to", "dns:_sip.xn--bcher-kva.example", DnsPeer("_sip.xn--bcher-kva.example"), ()),
    ("to", "cidr:[2001:db8::/32]:443", CidrPeer("2001:db8::/32"), HTTPS),
    ("to", "cidr:[2001:DB8::/32!2001:db8:1::/48]", CidrPeer("2001:db8::/32", ("2001:db8:1::/48",)), ()),
    ("to", "kube-api", KubeApiPeer(), ()),
    ("to", "internet", InternetPeer(), ()),
    ("to", "internet:443", InternetPeer(), HTTPS),
]  # fmt: skip


@pytest.mark.parametrize(("direction", "text", "peer", "ports"), RULES)
def test_every_kind_of_rule(direction: Direction, text: str, peer: Peer, ports: tuple[PortRange, ...]) -> None:
    assert parse_rule(text, direction) == Rule(text, peer, ports)


LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMESPACE = st.none() | LABEL
ADDRESS = st.ip_addresses(v=4) | st.ip_addresses(v=6)
PORT = st.integers(1, 65_535)
PROTOCOLS: st.SearchStrategy[Protocol] = st.sampled_from(("TCP", "UDP"))


def port_range(one: int, other: int, protocol: Protocol) -> PortRange:
    return PortRange(min(one, other), max(one, other), protocol)


PORTS = st.builds(port_range, PORT, PORT, PROTOCOLS)
PEERS: st.SearchStrategy[Peer] = st.one_of(
    st.builds(AppPeer, LABEL, NAMESPACE),
    st.builds(ServicePeer, LABEL, NAMESPACE),
    ADDRESS.map(lambda address: CidrPeer(f"{address}/{address.max_prefixlen}")),
    st.just(CidrPeer("10.0.0.0/8", ("10.1.0.0/16", "10.2.0.0/16"))),
    st.lists(LABEL, min_size=2, max_size=4).map(lambda labels: DnsPeer(".".join(labels))),
    st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: DnsPeer(".".join(("*", *labels)))),
    st.just(InternetPeer()),
)


@given(PEERS, st.lists(PORTS, max_size=4, unique=True))
def test_what_is_written_is_read_again(peer: Peer, ports: list[PortRange]) -> None:
    text = written(peer, tuple(ports))
    assert parse_rule(text, "to") == Rule(text, peer, tuple(ports))


@given(st.text(), st.sampled_from(("from", "to")))
def test_any_text_is_a_rule_or_a_misfit(text: str, direction: Direction) -> None:
    for each in (text, f"dns:{text}", f"cidr:{text}", f"app:{text}"):
        try:
            rule = parse_rule(each, direction)
        except MisfitError:
            continue
        again = parse_rule(written(rule.peer, rule.ports), direction)
        assert (again.peer, again.ports) == (rule.peer, rule.ports)


KINDS_FROM = "a rule begins with one of app, cidr, ingress"
KINDS_TO = "a rule begins with one of app, service, cidr, dns, kube-api, internet"
MISTAKES: list[tuple[Direction, str, str, str]] = [
    ("to", "apps:users", 'must be a rule such as "app:users:8080" or "dns:api.stripe.com:443", got "apps:users"; did you mean "app"?', KINDS_TO),
    ("to", "api.stripe.com", 'must be a rule such as "app:users:8080" or "dns:api.stripe.com:443", got "api.stripe.com"; did you mean "dns:api.stripe.com"?', KINDS_TO),
    ("from", "everybody", 'must be a rule such as "app:web" or "ingress", got "everybody"', KINDS_FROM),
    ("to", "", 'must be a rule such as "app:users:8080" or "dns:api.stripe.com:443", got ""', KINDS_TO),
    ("to", "app", 'must say which app, got "app"', "for example app:users:8080"),
    ("to", "dns:", 'must say which dns, got "dns:"', "for example dns:api.stripe.com:443"),
    ("from", "dns:example.com", 'cannot be a name: a connection that comes in has an address, and no name, got "dns:example.com"', "write its addresses: cidr:203.0.113.0/24"),
    ("from", "service:web", 'cannot be a Service: a Service is called and calls nobody, got "service:web"', "write the app whose pods call: app:NAME or app:NAMESPACE/NAME"),
    ("from", "kube-api", 'cannot be the API server: it is called, and itself calls webhooks alone, got "kube-api"', "for a webhook write the addresses that it calls from: cidr:10.0.0.0/24"),
    ("from", "internet:443", 'cannot be the internet: what comes from there comes through the ingress or a LoadBalancer port, got "internet:443"', "write ingress, or give the port an external number in `ports`"),
    ("to", "ingress", 'cannot be the ingress: it calls apps, and they call each other, got "ingress"', "write app:NAME for the app behind it, or dns:HOST for its public name"),
    ("to", "kube-api:443", 'takes no port after kube-api, got "443"', "write kube-api: the cluster knows where its API server is"),
    ("to", "app:Users", 'must have the name of an app behind app:, got "Users"', "for example app:users"),
    ("to", "app:a/b/c", 'must have a namespace before the slash, got "a/b"', "write app:NAMESPACE/NAME"),
    ("to", "app:/users", 'must have a namespace before the slash, got ""', "write app:NAMESPACE/NAME"),
    ("to", "service:kafka/", 'must have the name of a Service behind service:, got ""', "for example service:kafka/broker"),
    ("to", "app:users:", 'must end in a port such as 443, 8000-8010 or 123/udp, got ""', "several are divided by commas; none at all means every port"),
    ("to", "app:users:http", 'must end in a port such as 443, 8000-8010 or 123/udp, got "http"', "several are divided by commas; none at all means every port"),
    ("to", "app:users:80:443", 'must have one ":" before the ports, got "users:80:443"', "several ports: 8080,9090/udp"),
    ("to", "cidr:10.0.0.0/8:80:443", 'must have one ":" before the ports, got "10.0.0.0/8:80:443"', "several ports: 8080,9090/udp"),
    ("to", "app:users:0", "must name ports from 1 to 65535, got 0", ""),
    ("to", "app:users:1-65536", "must name ports from 1 to 65535, got 65536", ""),
    ("to", "app:users:90-80", "must not have a range that begins higher than it ends, got 90-80", "write 80-90"),
    ("to", "app:users:80,80/tcp", "names the port 80 a second time", ""),
    ("to", f"app:users:{','.join(map(str, range(1, 102)))}", "must name at most 100 ports, got 101", "a range such as 8000-8100 is one"),
    ("to", "app:users:80/sctp", 'must be of tcp or udp, got "sctp"', "write 80 for tcp"),
    ("to", "cidr:10.0.0.1/8", "must not have bits beyond its length, got 10.0.0.1/8", "the block that it is in is 10.0.0.0/8"),
    ("to", "cidr:10.0.0/8", 'must be an address block such as 10.0.0.0/8, got "10.0.0/8"', "an IPv6 block stands in brackets"),
    ("to", "cidr:10.0.0.0/255.0.0.0", 'must be an address block such as 10.0.0.0/8, got "10.0.0.0/255.0.0.0"', "an IPv6 block stands in brackets"),
    ("to", "cidr:[fe80::1%eth0]", 'must be an address block such as 10.0.0.0/8, got "fe80::1%eth0"', "an IPv6 block stands in brackets"),
    ("to", "cidr:2001:db8::/32", 'must have an IPv6 block in brackets, got "2001:db8::/32"', "write cidr:[2001:db8::/32] or cidr:[BLOCK]:PORT"),
    ("to", "cidr:[2001:db8::/32", 'must be [BLOCK] or [BLOCK]:PORT, got "[2001:db8::/32"', "cidr:[2001:db8::/32]:443"),
    ("to", "cidr:10.0.0.0/8!192.168.0.0/16", "must exclude a part of 10.0.0.0/8, got 192.168.0.0/16", ""),
    ("to", "cidr:10.0.0.0/8!fe80::/64", 'must have an IPv6 block in brackets, got "10.0.0.0/8!fe80::/64"', "write cidr:[10.0.0.0/8!fe80::/64] or cidr:[BLOCK]:PORT"),
    ("to", "cidr:[fe80::/64!10.0.0.0/8]", "must exclude a part of fe80::/64, got 10.0.0.0/8", ""),
    ("to", "dns:bücher.example", 'must be written in ASCII, got "bücher.example"', "write dns:xn--bcher-kva.example"),
    ("to", "dns:\u2488.example", 'must be written in ASCII, got "⒈.example"', "write dns:1..example"),
    ("to", "dns:10.1.2.3:443", "must be a name, got the address 10.1.2.3", "write cidr:10.1.2.3/32"),
    ("to", "dns:users", 'must be a whole name such as api.example.com, got "users"', "service:users is a Service of the app's own namespace, app:users an app"),
    ("to", "dns:broker.kafka.svc", 'must be a name outside of the cluster, got "broker.kafka.svc"', "write service:kafka/broker"),
    ("to", "dns:broker.kafka.svc.cluster.local:9092", 'must be a name outside of the cluster, got "broker.kafka.svc.cluster.local"', "write service:kafka/broker"),
    ("to", "dns:pod-0.broker.kafka.svc.cluster.local", 'must be a name outside of the cluster, got "pod-0.broker.kafka.svc.cluster.local"', "write service:kafka/broker"),
    ("to", "dns:api.*.com", 'may have a "*" only as its first label, got "api.*.com"', "*.example.com is every name below example.com; internet is every public address"),
    ("to", "dns:*", 'may have a "*" only as its first label, got "*"', "*.example.com is every name below example.com; internet is every public address"),
    ("to", "dns:-a.example.com", 'must be a DNS name such as api.example.com, got "-a.example.com"', ""),
    ("to", f"dns:{'a' * 64}.com", "must have labels of at most 63 characters, got one of 64", ""),
    ("to", f"dns:{'a.' * 126}com", "must be a name of at most 253 characters, got 255", ""),
    ("to", f"app:{'a' * 1000}", "must be at most 1000 characters, got 1004", ""),
]  # fmt: skip


@pytest.mark.parametrize(("direction", "text", "message", "hint"), MISTAKES)
def test_every_mistake_says_what_was_expected(direction: Direction, text: str, message: str, hint: str) -> None:
    with pytest.raises(MisfitError) as caught:
        parse_rule(text, direction)
    assert (caught.value.what, caught.value.hint) == (message, hint)


NETWORK = """\
platform: python
network:
  mode: enforce
  from: [ingress, "app:web"]
  to: ["app:users:8080"]
  http:
    - {from: "app:reports", methods: [GET, HEAD], paths: ["/api/*"]}
  limits: {egress: 10M}
  egress_ip: 203.0.113.7
environments:
  staging:
    network: {mode: audit, to: []}
  production:
    network: {default: deny, egress-ip: 203.0.113.8, limits: {egress: 1G}}
"""


def test_the_section(write: Write) -> None:
    users = Rule("app:users:8080", AppPeer("users"), (PortRange(8080, 8080),))
    reports = HttpRule(Rule("app:reports", AppPeer("reports")), ("GET", "HEAD"), ("/api/*",))
    inbound = (Rule("ingress", IngressPeer()), Rule("app:web", AppPeer("web")))
    here = Network("enforce", "allow", inbound, (users,), (reports,), Limits(1_250_000), "203.0.113.7")
    assert config.load(write(NETWORK)).network == here
    staging = config.load(write(NETWORK), "staging").network
    assert staging == Network("audit", "allow", inbound, (), (reports,), Limits(1_250_000), "203.0.113.7")
    production = config.load(write(NETWORK), "production").network
    assert (production.default, production.egress_ip, production.limits) == ("deny", "203.0.113.8", Limits(125_000_000))
    assert (production.inbound, production.outbound) == (inbound, (users,))


@pytest.mark.parametrize(
    "text", ["platform: python", "platform: python\nnetwork:", "platform: python\nnetwork: {mode: audit}"]
)
def test_an_app_that_says_nothing_is_open(write: Write, text: str) -> None:
    network = config.load(write(text)).network
    assert (network.rules("from"), network.rules("to"), network.is_silent) == (None, None, True)


def test_a_whole_environment_can_deny(write: Write) -> None:
    text = "platform: python\nnetwork: {to: [internet]}\nenvironments: {production: {network: {default: deny}}}\n"
    open_app, closed = (config.load(write(text), each).network for each in (None, "production"))
    assert open_app.rules("from") is None
    assert closed.rules("from") == ()
    assert closed.rules("to") == open_app.rules("to") == (Rule("internet", InternetPeer()),)


def test_requests_close_the_direction_that_they_come_from(write: Write) -> None:
    text = 'platform: python\nnetwork: {http: [{from: "app:a", methods: [GET]}]}'
    assert config.load(write(text)).network.rules("from") == ()


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("from: ingress", '2:11: network.from must be a list such as ["app:web"], got "ingress"'),
        ("to: [1]", '2:16: network.to[0] must be a rule such as "app:users:8080" or "dns:api.stripe.com:443", got 1'),
        ('to: ["app:a:80", "app:a:80/tcp"]', "2:28: network.to[1] says app:a:80 a second time"),
        ("mode: enforced", '2:11: network.mode must be enforce or audit, got "enforced"; did you mean "enforce"?'),
        ("default: none", '2:11: network.default must be allow or deny, got "none"'),
        ("limits: 10M", '2:11: network.limits must be a mapping with egress, got "10M"'),
        ("limits: {egress: fast}", '2:20: network.limits.egress must be bits per second such as 10M, got "fast"'),
        ("limits: {egress: 100}", '2:20: network.limits.egress must be from 1k to 1P bits per second, got "100"'),
        ("egress_ip: 127.0.0.1", '2:11: network.egress_ip must be the IPv4 address of a node such as 203.0.113.7, got "127.0.0.1"'),
        ("egress_ip: 2001:db8::1", '2:11: network.egress_ip must be the IPv4 address of a node such as 203.0.113.7, got "2001:db8::1"'),
        ("http: [{methods: [GET]}]", "2:18: network.http[0] must have the key from"),
        ('http: [{from: "app:a"}]', "2:18: network.http[0] must have methods or paths"),
        ('http: [{from: "app:a", methods: []}]', '2:34: network.http[0].methods must be a list such as [GET, POST], got an empty one'),
        ('http: [{from: "app:a", methods: [get]}]', '2:44: network.http[0].methods[0] must be an HTTP method such as GET, got "get"'),
        ('http: [{from: "app:a", paths: ["/a*b"]}]', '2:42: network.http[0].paths[0] must be a path such as "/healthz" or a prefix such as "/api/*", got "/a*b"'),
        ('http: [{from: "apps:a", methods: [GET]}]', '2:19: network.http[0].from must be a rule such as "app:web" or "ingress", got "apps:a"; did you mean "app"?'),
        ("form: []", '2:11: network.form is not a key here; did you mean "from"?'),
    ],
)  # fmt: skip
def test_mistakes_in_the_section(problems: Problems, section: str, expected: str) -> None:
    assert problems(f"platform: python\nnetwork: {{{section}}}\n") == [expected]


def test_the_same_requests_twice(problems: Problems) -> None:
    rule = '{from: "app:a", methods: [GET]}'
    (said,) = problems(f"platform: python\nnetwork: {{http: [{rule}, {rule}]}}\n")
    assert said.endswith("network.http[1] says the same a second time")


def test_a_mistake_in_an_environment_names_it(write: Write) -> None:
    text = "platform: python\nenvironments:\n  production:\n    network:\n      to: [10.0.0.0/8]\n"
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write(text))
    assert caught.value.message.startswith("nucleo.yml:5:12: environments.production.network.to[0] must be a rule")
