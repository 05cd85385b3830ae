"""Who reaches whom under which rules, cell by cell: after Kubernetes' own matrix of policies (test/e2e/network/netpol).

Namespaces x, y and z have the pods a, b and c each, which listen on ports 80 and 81, TCP and UDP, IPv4 and IPv6. In a
table everybody reaches everybody at first; a test says what differs, and all cells are tried.
"""

import errno
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from copy import deepcopy
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from nucleo_cli.agent.enforcer import Enforcer
from nucleo_cli.agent.program import Agent
from nucleo_cli.agent.world import Json, World
from tests.contract.network.pods import Pod, bpf_file_system, routed

NAMESPACES, PODS, PORTS = "xyz", "abc", (80, 81)
NAMES = [f"{namespace}/{pod}" for namespace in NAMESPACES for pod in PODS]
ADDRESSES = {
    name: (
        f"10.99.{1 + NAMESPACES.index(name[0])}.{1 + PODS.index(name[2])}",
        f"fd99::{name[0:1].encode().hex()}:{name[2]}",
    )
    for name in NAMES
}
# The Service `web` of namespace y: its port 8000 leads to the port of y/b that is named web.
VIRTUAL = "10.96.0.8"
PROXY = f"""
table ip proxy {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    ip daddr {VIRTUAL} tcp dport 8000 dnat to {ADDRESSES["y/b"][0]}:81
    ip daddr {VIRTUAL} tcp dport 8001 dnat to {ADDRESSES["y/b"][0]}:80
  }}
}}
"""
# How long no answer means that there is none; where there should be one, it is asked for again and for longer.
EPERM = errno.EPERM
SILENCE_SECONDS, PATIENCE_SECONDS = 1.0, 20.0

# A pod: says its name to whoever connects to it or sends it a datagram, and keeps what SCTP it hears. For each line
# with seconds and probes it answers with what each of them came to: a name, an errno, or None for silence.
POD = """
import json, selectors, socket, sys, threading, time

NAME = sys.argv[1].encode()
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
SCTP = 132
heard = []


def serve():
    ready = selectors.DefaultSelector()
    for family in FAMILIES.values():
        for port in (80, 81):
            for kind in KINDS.values():
                one = socket.socket(family, kind)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(("", port))
                if kind == socket.SOCK_STREAM:
                    one.listen(1000)
                ready.register(one, selectors.EVENT_READ, kind)
        ready.register(socket.socket(family, socket.SOCK_RAW, SCTP), selectors.EVENT_READ, socket.SOCK_RAW)
    print("ready", flush=True)
    while True:
        for each, _ in ready.select():
            if each.data == socket.SOCK_STREAM:
                try:
                    with each.fileobj.accept()[0] as connection:
                        connection.sendall(NAME)
                except OSError:  # whoever asked has gone
                    pass
                continue
            data, whom = each.fileobj.recvfrom(2000)
            if each.data == socket.SOCK_RAW:
                heard.append(whom[0])
                continue
            try:
                each.fileobj.sendto(NAME, whom)
            except OSError:  # a rule that has closed meanwhile
                pass


def begun(protocol, family, host, port):
    if protocol == "SCTP":
        with socket.socket(FAMILIES[family], socket.SOCK_RAW, SCTP) as one:
            one.sendto(bytes(16), (host, 0))
        return None
    one = socket.socket(FAMILIES[family], KINDS[protocol])
    one.setblocking(False)
    try:
        if protocol == "UDP":
            one.sendto(b"?", (host, port))
        else:
            one.connect((host, port))
    except BlockingIOError:
        pass
    except OSError:
        one.close()
        raise
    return one


def probe(seconds, probes):
    results = [None] * len(probes)
    answers = selectors.DefaultSelector()
    for index, each in enumerate(probes):
        try:
            if one := begun(*each):
                answers.register(one, selectors.EVENT_READ, index)
        except OSError as error:
            results[index] = error.errno
    end = time.monotonic() + seconds
    while answers.get_map() and (left := end - time.monotonic()) > 0:
        for each, _ in answers.select(left):
            try:
                results[each.data] = each.fileobj.recv(100).decode()
            except OSError as error:
                results[each.data] = error.errno
            answers.unregister(each.fileobj)
            each.fileobj.close()
    for each in list(answers.get_map().values()):
        each.fileobj.close()
    return results


threading.Thread(target=serve, daemon=True).start()
for line in sys.stdin:
    print(json.dumps(heard if line == "heard\\n" else probe(*json.loads(line))), flush=True)
"""


class Way(NamedTuple):
    """How a pod is asked."""

    protocol: str
    port: int
    family: int


WAYS = [Way(*each) for each in itertools.product(("TCP", "UDP"), PORTS, (4, 6))]


class Cell(NamedTuple):
    source: str
    target: str
    way: Way

    def __str__(self) -> str:
        return f"{self.source} → {self.target} {self.way.protocol} {self.way.port} IPv{self.way.family}"


class Table:
    """Who is expected to reach whom. A pod always reaches itself."""

    def __init__(self) -> None:
        self.cells = {Cell(*each): True for each in itertools.product(NAMES, NAMES, WAYS)}

    def expect(
        self,
        source: str,
        target: str,
        open: bool,
        *,
        protocol: str = "",
        port: int = 0,
        family: int = 0,
    ) -> "Table":
        """From now on, for pods by their names ("x/*") and ways that are not told apart."""
        for cell in self.cells:
            if (
                cell.source != cell.target
                and fnmatchcase(cell.source, source)
                and fnmatchcase(cell.target, target)
                and protocol in ("", cell.way.protocol)
                and port in (0, cell.way.port)
                and family in (0, cell.way.family)
            ):
                self.cells[cell] = open
        return self


def labels(name: str) -> dict[str, str]:
    return {"pod": name[2], "all": "yes"}


def uid(name: str) -> str:
    return name.replace("/", "-")


def pod_object(name: str, **more: str) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": 81}, {"name": "admin", "containerPort": 80}]
    return {
        "metadata": {"namespace": name[0], "name": name[2], "uid": uid(name), "labels": labels(name) | more},
        "spec": {"nodeName": "here", "containers": [{"name": "web", "ports": ports}]},
        "status": {"phase": "Running", "podIPs": [{"ip": each} for each in ADDRESSES[name]]},
    }


def service_object() -> Json:
    ports = [{"port": 8000, "targetPort": "web"}, {"port": 8001, "targetPort": "admin"}]
    return {
        "metadata": {"namespace": "y", "name": "web"},
        "spec": {"selector": {"pod": "b"}, "clusterIP": VIRTUAL, "ports": ports},
    }


class Ground:
    """The pods, the agent's own loop over a world that the test makes, and the kernel under them."""

    def __init__(self, pods: Mapping[str, Pod], enforcer: Enforcer) -> None:
        self.pods = pods
        self.world = World("here")
        cgroups = {uid(name): pod.cgroup for name, pod in pods.items()}
        parts: tuple[Any, ...] = (
            self,
            self.world,
            enforcer,
            SimpleNamespace(find=cgroups.get),
            SimpleNamespace(subjects={}),
        )
        self.agent = Agent(*parts)
        self._generations = itertools.count(1)
        self._processes = {name: pod.start(sys.executable, "-u", "-c", POD, name) for name, pod in pods.items()}
        for each in self._processes.values():
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def begin(self) -> None:
        """No rules, and all pods as they are at first."""
        self.world.reset("appnetworks", [])
        self.world.reset("services", [service_object()])
        self.world.reset("pods", [pod_object(each) for each in self.pods])
        self.look()

    def patch(self, where: str, body: Json) -> Json:
        """What the API server answers to the agent, which tells of itself."""
        *_, namespace, _, name, _ = where.split("/")
        found = self.world.get("appnetworks", namespace, name)
        assert found is not None
        return {**found, **body}

    def look(self) -> None:
        assert not self.agent.reconcile()

    def put(self, *networks: Json) -> None:
        for each in networks:
            each["metadata"]["generation"] = next(self._generations)
            self.world.take("appnetworks", "MODIFIED", each)
        self.look()
        # The agent tells of rules only where it has pods.
        told = [each["status"]["conditions"][0] for each in self.world.of("appnetworks") if "status" in each]
        assert all(each["status"] == "True" for each in told), told

    def change(self, kind: str, event: str, found: Json) -> None:
        self.world.take(kind, event, found)
        self.look()

    def told(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """One line for the process of each pod, all at once; what they answer."""
        for name, each in wanted.items():
            stdin = self._processes[name].stdin
            assert stdin is not None
            stdin.write(each if isinstance(each, str) else json.dumps(each) + "\n")
            stdin.flush()
        answers: dict[str, Any] = {}
        for name in wanted:
            stdout = self._processes[name].stdout
            assert stdout is not None
            answers[name] = json.loads(stdout.readline())
        return answers

    def tried(self, cells: list[Cell], seconds: float) -> dict[Cell, bool]:
        """Whether the target of each cell was reached."""
        sources = sorted({each.source for each in cells})
        by_source = {name: [each for each in cells if each.source == name] for name in sources}
        probes = {
            name: (
                seconds,
                [(way.protocol, way.family, ADDRESSES[target][way.family == 6], way.port) for _, target, way in each],
            )
            for name, each in by_source.items()
        }
        answers = self.told(probes)
        found = {cell: said for name, of in by_source.items() for cell, said in zip(of, answers[name], strict=True)}
        strangers = {str(cell): said for cell, said in found.items() if isinstance(said, str) and said != cell.target}
        assert not strangers, "somebody else has answered"
        return {cell: isinstance(said, str) for cell, said in found.items()}

    def expect(self, table: Table) -> None:
        """Each cell is as the table says. Only an answer that is missing may just be late."""
        found = self.tried(list(table.cells), SILENCE_SECONDS)
        late = [cell for cell, open_ in table.cells.items() if open_ and not found[cell]]
        if late:
            found |= self.tried(late, PATIENCE_SECONDS)
        wrong = [
            f"{cell}: {'open' if found[cell] else 'closed'}" for cell in table.cells if found[cell] != table.cells[cell]
        ]
        assert not wrong, f"{len(wrong)} of {len(table.cells)} cells are not as expected\n" + "\n".join(wrong[:40])

    def answer(self, source: str, host: str, port: int) -> str | int | None:
        """What a connection to an address outside of the table comes to."""
        (found,) = self.told({source: (PATIENCE_SECONDS, [("TCP", 4, host, port)])})[source]
        return found


@pytest.fixture(scope="module")
def whole(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with (
        bpf_file_system(tmp_path_factory.mktemp("matrix") / "bpf") as pins,
        routed(ADDRESSES, PROXY) as pods,
        closing(Enforcer(compiled, pins / "nucleo")) as enforcer,
    ):
        yield Ground(pods, enforcer)


@pytest.fixture
def ground(whole: Ground) -> Ground:
    whole.begin()
    return whole


def rules(
    where: str, ingress: list[Json] | None = None, egress: list[Json] | None = None, **more: Any
) -> dict[str, Any]:
    """The AppNetwork of a pod ("x/a") or of all pods of a namespace ("x/*")."""
    namespace, pod = where.split("/")
    selector = {"all": "yes"} if pod == "*" else {"pod": pod}
    spec: dict[str, Any] = {"mode": "Enforce", "podSelector": {"matchLabels": selector}, **more}
    spec |= {kind: peers for kind, peers in (("ingress", ingress), ("egress", egress)) if peers is not None}
    return {"metadata": {"namespace": namespace, "name": "all" if pod == "*" else pod}, "spec": spec}


def pods(namespace: str, *ports: Json, **selected: str) -> Json:
    return _peer({"pods": {"namespace": namespace, "labels": selected}}, ports)


def cidr(block: str, *ports: Json, excluded: tuple[str, ...] = ()) -> Json:
    return _peer({"cidr": {"block": block, "excluded": list(excluded)}}, ports)


def _peer(peer: dict[str, Any], ports: tuple[Json, ...]) -> Json:
    return {"rule": json.dumps([peer, ports]), **peer, **({"ports": list(ports)} if ports else {})}


def tcp(first: int, last: int = 0) -> Json:
    return {"protocol": "TCP", "first": first, "last": last or first}


def udp(first: int, last: int = 0) -> Json:
    return {**tcp(first, last), "protocol": "UDP"}


def everybody(*ports: Json) -> list[Json]:
    return [cidr("0.0.0.0/0", *ports), cidr("::/0", *ports)]


def test_without_rules_everybody_reaches_everybody(ground: Ground) -> None:
    ground.expect(Table())


class TestAllOrNothing:
    def test_nobody_comes_in(self, ground: Ground) -> None:
        ground.put(rules("x/*", ingress=[]))
        ground.expect(Table().expect("*", "x/*", False))

    def test_nobody_gets_out(self, ground: Ground) -> None:
        ground.put(rules("x/*", egress=[]))
        ground.expect(Table().expect("x/*", "*", False))

    def test_neither(self, ground: Ground) -> None:
        ground.put(rules("x/*", ingress=[], egress=[]))
        ground.expect(Table().expect("x/*", "*", False).expect("*", "x/*", False))

    def test_every_namespace(self, ground: Ground) -> None:
        ground.put(*(rules(f"{each}/*", ingress=[], egress=[]) for each in NAMESPACES))
        ground.expect(Table().expect("*", "*", False))

    def test_all_of_it_allowed(self, ground: Ground) -> None:
        ground.put(rules("x/*", ingress=everybody(), egress=everybody()), rules("y/*", ingress=everybody()))
        ground.expect(Table())

    def test_one_pod_of_a_namespace(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[]), rules("y/b", egress=[]))
        ground.expect(Table().expect("*", "x/a", False).expect("y/b", "*", False))

    def test_audit_closes_nothing(self, ground: Ground) -> None:
        ground.put(rules("x/*", ingress=[], egress=[], mode="Audit"))
        ground.expect(Table())


class TestPods:
    """By their labels, in their namespaces."""

    @pytest.mark.parametrize(
        ("peer", "who"),
        [
            pytest.param(pods("x", pod="b"), ["x/b"], id="of the same namespace"),
            pytest.param(pods("y", pod="a"), ["y/a"], id="of another namespace"),
            pytest.param(pods("y"), ["y/*"], id="all of a namespace"),
            pytest.param(pods("x"), ["x/*"], id="all of the same namespace"),
            pytest.param(pods("y", pod="c", all="yes"), ["y/c"], id="by two labels"),
            pytest.param(pods("y", pod="c", all="no"), [], id="by two labels that no pod has"),
            pytest.param(pods("nowhere", pod="c"), [], id="of a namespace that is not there"),
        ],
    )
    def test_they_come_in_and_are_reached(self, ground: Ground, peer: Json, who: list[str]) -> None:
        ground.put(rules("x/a", ingress=[peer]))
        inbound = Table().expect("*", "x/a", False)
        for each in who:
            inbound.expect(each, "x/a", True)
        ground.expect(inbound)
        ground.begin()
        ground.put(rules("x/a", egress=[peer]))
        outbound = Table().expect("x/a", "*", False)
        for each in who:
            outbound.expect("x/a", each, True)
        ground.expect(outbound)


class TestBlocks:
    def test_without_a_part_in(self, ground: Ground) -> None:
        y, y_b = "10.99.2.0/24", "10.99.2.2/32"
        ground.put(rules("x/a", ingress=[cidr(y, excluded=(y_b,))]))
        table = Table().expect("*", "x/a", False).expect("y/*", "x/a", True, family=4)
        ground.expect(table.expect("y/b", "x/a", False))

    def test_without_a_part_out(self, ground: Ground) -> None:
        ground.put(rules("x/a", egress=[cidr("10.99.0.0/16", excluded=("10.99.3.0/24", "10.99.2.2/32"))]))
        table = Table().expect("x/a", "*", False).expect("x/a", "[xy]/*", True, family=4)
        ground.expect(table.expect("x/a", "y/b", False))

    def test_without_a_part_in_ipv6(self, ground: Ground) -> None:
        peers = [cidr("fd99::/64", excluded=(f"{ADDRESSES['y/b'][1]}/128",))]
        ground.put(rules("x/a", ingress=peers), rules("z/c", egress=peers))
        table = Table()
        table.expect("*", "x/a", False).expect("*", "x/a", True, family=6).expect("y/b", "x/a", False)
        table.expect("z/c", "*", False).expect("z/c", "*", True, family=6).expect("z/c", "y/b", False)
        ground.expect(table.expect("z/c", "x/a", False, family=4))

    def test_what_one_excludes_another_may_allow(self, ground: Ground) -> None:
        y = cidr("10.99.2.0/24", excluded=("10.99.2.2/32",))
        ground.put(rules("x/a", ingress=[y, cidr("10.99.2.2/32", tcp(80))]))
        table = Table().expect("*", "x/a", False).expect("y/*", "x/a", True, family=4).expect("y/b", "x/a", False)
        ground.expect(table.expect("y/b", "x/a", True, family=4, protocol="TCP", port=80))


RANGES = [(80, 80), (81, 81), (1, 79), (79, 80), (80, 81), (81, 90), (82, 65535), (1, 65535), (64, 80), (81, 127)]


class TestPorts:
    @pytest.mark.parametrize(("first", "last"), RANGES)
    def test_a_range_has_both_its_ends(self, ground: Ground, first: int, last: int) -> None:
        ground.put(
            rules("x/a", ingress=[pods("y", tcp(first, last))]), rules("z/a", egress=[pods("y", udp(first, last))])
        )
        table = Table().expect("*", "x/a", False).expect("z/a", "*", False)
        for port in PORTS:
            table.expect("y/*", "x/a", first <= port <= last, protocol="TCP", port=port)
            table.expect("z/a", "y/*", first <= port <= last, protocol="UDP", port=port)
        ground.expect(table)

    @pytest.mark.parametrize(("protocol", "port"), [("TCP", tcp(80)), ("UDP", udp(80))])
    def test_a_port_is_of_one_protocol(self, ground: Ground, protocol: str, port: Json) -> None:
        ground.put(rules("x/*", ingress=everybody(port)), rules("z/*", egress=everybody(port)))
        table = Table().expect("*", "x/*", False).expect("z/*", "*", False)
        table.expect("[xy]/*", "x/*", True, protocol=protocol, port=80)
        ground.expect(table.expect("z/*", "*", True, protocol=protocol, port=80))

    def test_a_named_port_of_a_service(self, ground: Ground) -> None:
        peer = {"rule": "service:y/web:8000", "service": {"namespace": "y", "name": "web"}, "ports": [tcp(8000)]}
        assert ground.answer("x/a", VIRTUAL, 8000) == ground.answer("x/a", VIRTUAL, 8001) == "y/b"
        ground.put(rules("x/a", egress=[peer]))
        ground.expect(Table().expect("x/a", "*", False).expect("x/a", "y/b", True, protocol="TCP", port=81))
        assert ground.answer("x/a", VIRTUAL, 8000) == "y/b"
        assert ground.answer("x/a", VIRTUAL, 8001) == EPERM

    def test_the_service_of_pods(self, ground: Ground) -> None:
        ground.put(rules("x/a", egress=[pods("y", tcp(80), pod="b")]))
        ground.expect(Table().expect("x/a", "*", False).expect("x/a", "y/b", True, protocol="TCP", port=80))
        assert ground.answer("x/a", VIRTUAL, 8001) == "y/b"
        assert ground.answer("x/a", VIRTUAL, 8000) == EPERM


class TestSeveral:
    def test_rules_add_up(self, ground: Ground) -> None:
        peers = [pods("y", tcp(80)), pods("y", udp(81), pod="b"), cidr("10.99.2.0/24", tcp(81)), pods("z", pod="a")]
        ground.put(rules("x/a", ingress=peers), rules("x/b", egress=peers))
        table = Table().expect("*", "x/a", False).expect("x/b", "*", False)
        for source, target in (("{}", "x/a"), ("x/b", "{}")):
            for peer, protocol, port, family in (
                ("y/*", "TCP", 80, 0),
                ("y/b", "UDP", 81, 0),
                ("y/*", "TCP", 81, 4),
                ("z/a", "", 0, 0),
            ):
                there = source.format(peer), target.format(peer)
                table.expect(*there, True, protocol=protocol, port=port, family=family)
        ground.expect(table)

    def test_both_sides_have_to_allow(self, ground: Ground) -> None:
        ground.put(
            rules("x/a", egress=[pods("y")]), rules("y/b", ingress=[pods("x", tcp(80))]), rules("y/c", ingress=[])
        )
        table = Table().expect("x/a", "*", False).expect("*", "y/[bc]", False).expect("x/a", "y/a", True)
        ground.expect(table.expect("x/*", "y/b", True, protocol="TCP", port=80))

    def test_one_that_may_only_answer_and_one_that_may_only_ask(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=everybody(), egress=[]), rules("y/a", ingress=[], egress=everybody()))
        ground.expect(Table().expect("x/a", "*", False).expect("*", "y/a", False))

    def test_the_same_name_and_labels_elsewhere_are_not_meant(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[]), rules("y/a", ingress=everybody(tcp(80))))
        table = Table().expect("*", "x/a", False).expect("*", "y/a", False)
        ground.expect(table.expect("*", "y/a", True, protocol="TCP", port=80))


class TestChanges:
    def test_a_rule_that_goes_closes_and_one_that_comes_opens(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[pods("y"), pods("z")]))
        closed = Table().expect("x/*", "x/a", False)
        ground.expect(closed)
        ground.put(rules("x/a", ingress=[pods("z")]))
        ground.expect(closed.expect("y/*", "x/a", False))
        ground.put(rules("x/a", ingress=[pods("x", tcp(81)), pods("z")]))
        ground.expect(closed.expect("x/*", "x/a", True, protocol="TCP", port=81))

    def test_a_direction_without_rules_is_open_again(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[], egress=[]))
        ground.expect(Table().expect("x/a", "*", False).expect("*", "x/a", False))
        ground.put(rules("x/a", egress=[]))
        ground.expect(Table().expect("x/a", "*", False))
        ground.change("appnetworks", "DELETED", rules("x/a"))
        ground.expect(Table())

    def test_the_label_of_a_peer(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[pods("y", team="blue")]))
        closed = Table().expect("*", "x/a", False)
        ground.expect(closed)
        ground.change("pods", "MODIFIED", pod_object("y/b", team="blue"))
        ground.expect(deepcopy(closed).expect("y/b", "x/a", True))
        ground.change("pods", "MODIFIED", pod_object("y/b", team="red"))
        ground.expect(closed)

    def test_the_label_of_a_pod_under_rules(self, ground: Ground) -> None:
        selector = {"matchLabels": {"team": "blue"}}
        ground.put(rules("x/a", ingress=[], podSelector=selector))
        ground.expect(Table())
        ground.change("pods", "MODIFIED", pod_object("x/c", team="blue"))
        ground.expect(Table().expect("*", "x/c", False))
        ground.change("pods", "MODIFIED", pod_object("x/c"))
        ground.expect(Table())

    def test_a_pod_that_comes_and_goes(self, ground: Ground) -> None:
        ground.change("pods", "DELETED", pod_object("y/c"))
        ground.put(rules("x/a", ingress=[pods("y")], egress=[pods("y")]))
        table = Table().expect("*", "x/a", False).expect("x/a", "*", False)
        table.expect("x/a", "y/*", True).expect("y/*", "x/a", True)
        without = deepcopy(table).expect("y/c", "x/a", False).expect("x/a", "y/c", False)
        ground.expect(without)
        ground.change("pods", "ADDED", pod_object("y/c"))
        ground.expect(table)
        ground.change("pods", "DELETED", pod_object("y/c"))
        ground.expect(without)

    def test_a_pod_that_has_ended_has_no_address_any_more(self, ground: Ground) -> None:
        ground.put(rules("x/a", ingress=[pods("y")]))
        ended = pod_object("y/c")
        ended["status"]["phase"] = "Succeeded"
        ground.change("pods", "MODIFIED", ended)
        table = Table().expect("*", "x/a", False).expect("y/*", "x/a", True)
        ground.expect(table.expect("y/c", "x/a", False))

    def test_a_service_that_leads_elsewhere(self, ground: Ground) -> None:
        peer = {"rule": "service:y/web:8000", "service": {"namespace": "y", "name": "web"}, "ports": [tcp(8000)]}
        ground.put(rules("x/a", egress=[peer]))
        closed = Table().expect("x/a", "*", False)
        ground.expect(deepcopy(closed).expect("x/a", "y/b", True, protocol="TCP", port=81))
        moved = deepcopy(dict(service_object()))
        moved["spec"]["selector"] = {"pod": "c"}
        moved["spec"]["ports"] = [{"port": 8000, "targetPort": "admin"}]
        ground.change("services", "MODIFIED", moved)
        ground.expect(closed.expect("x/a", "y/c", True, protocol="TCP", port=80))


class TestSctp:
    """No rule can name it: it passes open directions alone."""

    @pytest.fixture
    def sctp(self, ground: Ground) -> Any:
        def passes(source: str, target: str) -> tuple[int | None, bool]:
            """The errno of the sender, and whether the other has heard it."""
            before = len(ground.told({target: "heard\n"})[target])
            probes = [("SCTP", family, ADDRESSES[target][family == 6], 0) for family in (4, 6)]
            # What is sent later on the same cable, and is answered, comes after it.
            probes.append(("UDP", 4, ADDRESSES[target][0], 80))
            one, other, _ = ground.told({source: (SILENCE_SECONDS, probes)})[source]
            assert one == other
            after = ground.told({target: "heard\n"})[target]
            assert len(after) - before in (0, 2)
            return one, len(after) > before

        return passes

    def test_no_rules(self, ground: Ground, sctp: Any) -> None:
        assert sctp("x/a", "y/a") == (None, True)

    @pytest.mark.parametrize("peers", [[], everybody()], ids=["nothing allowed", "every address allowed"])
    def test_closed(self, ground: Ground, sctp: Any, peers: list[Json]) -> None:
        ground.put(rules("x/a", egress=peers), rules("y/a", ingress=peers))
        assert sctp("x/a", "z/a") == (EPERM, False)
        assert sctp("z/a", "y/a") == (None, False)

    def test_the_other_direction_is_open(self, ground: Ground, sctp: Any) -> None:
        ground.put(rules("x/a", egress=[]), rules("y/a", ingress=[]))
        assert sctp("z/a", "x/a") == (None, True)
        assert sctp("y/a", "z/a") == (None, True)
