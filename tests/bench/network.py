"""The pod firewall beside none and beside nftables, between two network namespaces; counted at the receiver."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nucleo_cli.agent import maps
from nucleo_cli.agent.enforcer import Enforcer, Member
from nucleo_cli.agent.flows import Flows, Store, Subject
from nucleo_cli.agent.libbpf import Object, Ring
from nucleo_cli.agent.maps import Direction
from nucleo_cli.agent.names import Names
from nucleo_cli.agent.rules import compiled, policy_number
from nucleo_cli.agent.world import World
from tests.bench import apps
from tests.bench.measure import Budget, MeasureError, Row, Timing
from tests.bench.setting import APP, Setting
from tests.contract.network import frames
from tests.contract.network.pods import Pod, bpf_file_system, cabled, compile_programs
from tests.unit.agent.worlds import Json, network, tcp

_BYTES = "2G"
_REQUESTS = 20_000
_CONNECTIONS = 20_000
_PACKETS = 1_000_000
_RULED = "nucleo-bench-ruled"
_REST_SECONDS = 60
_MEBIBYTES = 60
_PORT = 5201
# The client on one processor, the server on another: that the scheduler moves them costs more than what is measured.
_APART = ("--affinity", "0,1")
_BLOCKS = [f"172.{16 + each // 256}.{each % 256}.0/24" for each in range(499)]
_ECHO = """
import socket
listener = socket.create_server(("", 7000))
print("ready", flush=True)
while True:
    one, _ = listener.accept()
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := one.recv(100):
        one.sendall(data)
    one.close()
"""
_ASK = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7000))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
times = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter_ns()
    s.sendall(b"x")
    s.recv(1)
    times.append(time.perf_counter_ns() - began)
times.sort()
print(times[len(times) * 99 // 100])
"""


def pods(setting: Setting) -> Iterator[Row]:
    """Throughput and latency under 500 rules, the time of a decision, and what records cost."""
    programs = compile_programs(setting.work / "bpf")
    with bpf_file_system(setting.work / "pins") as pins, cabled() as (client, server):
        enforcer = Enforcer(programs, pins / "nucleo")
        server.start("iperf3", "--server", "--port", str(_PORT))
        echo = server.start("python3", "-u", "-c", _ECHO)
        if echo.stdout is None or echo.stdout.readline() != "ready\n":
            raise MeasureError("the echo server did not start")
        time.sleep(0.5)
        for what, measure in (
            (f"{_BYTES} over one connection, 500 rules", lambda: _transfer(client, server)),
            ("a request of one byte, p99, 500 rules", lambda: _latency(client, server)),
        ):
            none, ours, nft = _in_turn(4 * setting.runs(7), client, server, enforcer, measure)
            budget = Budget(1 / 0.97, relative=True) if "connection" in what else Budget(1.05, relative=True)
            yield Row(what, ours, budget, "no firewall", none, "between two network namespaces, by a cable of veth")
            yield Row(what, ours, beside="nft, the same rules as a set", theirs=nft)
    yield _decisions(setting, programs)
    yield _records(setting, programs)


def agent(setting: Setting) -> Iterator[Row]:
    """What the agent needs when nothing happens: memory with its maps, as the kubelet counts it, and requests."""
    there = json.loads(setting.nucleo("network", "install", "--json").stdout)["nodes"]
    setting.cleanup(setting.nucleo, "network", "uninstall", "--confirm", setting.context)
    text = apps.WEB["nucleo.yml"].replace(f"name: {APP}\n", f"name: {_RULED}\n") + "network: {to: []}\n"
    setting.deployed(_RULED, {**apps.WEB, "nucleo.yml": text})
    time.sleep(_REST_SECONDS)
    before = _requests(setting)
    time.sleep(_REST_SECONDS)
    asked = _requests(setting) - before
    used = max(_working_sets(setting)) / 2**20
    kept = "kept" if used < _MEBIBYTES else "MISSED"
    said = [
        f"{used:.1f} MiB with its maps, of {_MEBIBYTES} ({kept}); {asked} requests of its API in {_REST_SECONDS} s",
        f"{there} {'node' if there == 1 else 'nodes'}, one app with rules",
    ]
    yield Row("the agent at rest", (), findings=said)


def _working_sets(setting: Setting) -> Iterator[int]:
    """Bytes, of the agent's pod on each node (the kubelet's Summary API)."""
    for node in setting.api.items("/api/v1/nodes"):
        summary = setting.api.get(f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary")
        found = [each for each in summary["pods"] if each["podRef"]["name"].startswith("nucleo-agent-")]
        yield from (each["memory"]["workingSetBytes"] for each in found)


def _requests(setting: Setting) -> int:
    """For AppNetworks: of the collections that the agent follows this is the only one that is its own."""
    lines = setting.api.text("/metrics").splitlines()
    counts = [
        float(each.rpartition(" ")[2])
        for each in lines
        if each.startswith("apiserver_request_total{") and 'resource="appnetworks"' in each
    ]
    return int(sum(counts))


def _in_turn(
    runs: int, client: Pod, server: Pod, enforcer: Enforcer, measure: Callable[[], Timing]
) -> tuple[list[Timing], list[Timing], list[Timing]]:
    sides: tuple[list[Timing], list[Timing], list[Timing]] = ([], [], [])
    for run in range(runs + 1):
        for side, protect, open_again in (
            (sides[0], _nothing, _nothing),
            (sides[1], lambda: _protect(enforcer, client, server), lambda: enforcer.keep_only(set())),
            (sides[2], lambda: _nft(client, _ruleset(server)), lambda: _nft(client, "flush ruleset\n")),
        ):
            protect()
            timing = measure()
            open_again()
            if run:  # the first is to warm up
                side.append(timing)
    return sides


def _nothing() -> None:
    return


def _rules(server: Pod) -> Json:
    peers = [{"rule": f"cidr:{block}", "cidr": {"block": block}, "ports": [tcp(443)]} for block in _BLOCKS]
    last = {"rule": "server", "cidr": {"block": f"{server.address}/32"}, "ports": [tcp(_PORT), tcp(7000)]}
    return network([*peers, last])


def _protect(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    enforcer.write(compiled(_rules(server), World("here")))
    enforcer.attach(Member("bench", policy_number("shop", "shop"), client.cgroup))


def _ruleset(server: Pod) -> str:
    elements = [f"{block} . 443" for block in _BLOCKS]
    elements += [f"{server.address} . {port}" for port in (_PORT, 7000)]
    return f"""
table inet bench {{
  set allowed {{ type ipv4_addr . inet_service; flags interval; elements = {{ {", ".join(elements)} }} ; }}
  chain out {{
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    ip daddr . tcp dport @allowed accept
  }}
}}
"""


def _nft(pod: Pod, rules: str) -> None:
    subprocess.run(["ip", "netns", "exec", pod.name, "nft", "-f", "-"], input=rules, text=True, check=True)


def _transfer(client: Pod, server: Pod) -> Timing:
    argv = ("iperf3", "--client", server.address, "--port", str(_PORT), "--bytes", _BYTES, "--json", *_APART)
    document = json.loads(client.start(*argv).communicate(timeout=300)[0])
    if "error" in document:
        raise MeasureError(str(document["error"]))
    received = document["end"]["sum_received"]
    return Timing(received["seconds"], facts={"bits a second": received["bits_per_second"]})


def _latency(client: Pod, server: Pod) -> Timing:
    return Timing(int(client.python(_ASK, server.address, str(_REQUESTS))) / 1e9)


def _decisions(setting: Setting, programs: Path) -> Row:
    """A packet that no rule allows, which is judged each time: among 10 rules and among 10,000."""
    sides: dict[int, list[Timing]] = {10: [], 10_000: []}
    packet = frames.frame(frames.ip("10.96.0.2", "203.0.113.9", frames.TCP, frames.tcp(40000, 443)))
    for rules, timings in sides.items():
        loaded = Object(programs / "pod_fw.bpf.o")
        loaded.maps["policies"][maps.number(0)] = maps.policy(1, maps.POLICY_CLOSED_OUT)
        for each in range(rules):
            block = f"172.{16 + each // 4096}.{each // 16 % 256}.{each % 16 * 16}/28"
            loaded.maps["peers"][maps.peer(0, Direction.OUT, block)] = maps.number(1 + each)
            for key in maps.port_keys(1 + each, maps.TCP, 443, 443):
                loaded.maps["ports"][key] = maps.number(1)
        program = loaded.programs["pod_egress"]
        for _ in range(setting.runs(7)):
            timings.append(Timing(program.run(packet, _PACKETS)[1] / 1e9))
        loaded.close()
    return Row("a packet judged, 10,000 rules", sides[10_000], Budget(1.25, relative=True), "10 rules", sides[10])


def _records(setting: Setting, programs: Path) -> Row:
    """The agent's own work for a second of 20,000 new connections to 200 addresses; what was lost is counted."""
    loaded = Object(programs / "pod_fw.bpf.o")
    health = Object(programs / "tcp_health.bpf.o")
    loaded.maps["policies"][maps.number(0)] = maps.policy(1, 0)
    world = World("here")
    subjects = {0: Subject("shop", "shop", "shop-1", compiled(network(), world))}
    store = Store(setting.work / "flows.db")
    flows = Flows(loaded.maps["records"], health.maps["health"], Names(world), store, subjects)
    events: list[bytes] = []
    ring = Ring(loaded.maps["events"], events.append)
    timings: list[Timing] = []
    for second in range(setting.runs(7) + 1):
        for each in range(_CONNECTIONS):
            segment = frames.tcp(1024 + each, 443 + second)
            packet = frames.ip("10.96.0.2", f"203.0.113.{each % 200}", frames.TCP, segment)
            loaded.programs["pod_egress"].run(frames.frame(packet))
        before = time.thread_time()
        ring.consume()
        events.clear()
        flows.drain()
        if second:
            timings.append(Timing(time.thread_time() - before))
    lost = sum(
        int.from_bytes(each, "little")
        for counter in maps.Counter
        for each in loaded.maps["counters"].per_cpu(maps.number(counter))
    )
    seen = sum(each["connections"] for each in store.find("shop", "shop", 0))
    findings = [f"{seen} of {len(timings) * _CONNECTIONS + _CONNECTIONS} connections counted; lost: {lost}"]
    return Row(
        "computing of the agent for 20,000 new connections, each second", timings, Budget(0.05), findings=findings
    )
