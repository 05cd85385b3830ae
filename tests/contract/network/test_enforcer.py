"""Rules in force on processes of network namespaces, as they are on the pods of a node."""

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.agent import maps
from nucleo_cli.agent.enforcer import Enforcer, Member, remove
from nucleo_cli.agent.maps import Verdict
from nucleo_cli.agent.rules import compiled as compile_rules
from nucleo_cli.agent.rules import hosts, policy_number
from tests.contract.network.pods import SOURCES, Pod
from tests.unit.agent.worlds import Json, network, pod, tcp, world

POLICY = policy_number("shop", "shop")
SERVER = """
import socket, sys, threading
def tcp(family, port):
    listener = socket.create_server(("", port), family=family)
    while True:
        one, _ = listener.accept()
        one.sendall(b"hello")
        one.close()
def udp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    while True:
        data, whom = s.recvfrom(2000)
        s.sendto(data, whom)
for port in map(int, sys.argv[1:]):
    threading.Thread(target=tcp, args=(socket.AF_INET, port), daemon=True).start()
    threading.Thread(target=udp, args=(port,), daemon=True).start()
socket.create_server(("::", 9999), family=socket.AF_INET6)
print("ready", flush=True)
sys.stdin.read()
"""
# Prints, for each HOST:PORT, what came or the errno.
CLIENT = """
import socket, sys
for each in sys.argv[1:]:
    host, _, port = each.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as s:
            print(s.recv(5).decode())
    except OSError as error:
        print(error.errno or type(error).__name__)
"""
UDP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for each in sys.argv[1:]:
    host, _, port = each.rpartition(":")
    try:
        s.sendto(b"hello", (host, int(port)))
        print(s.recv(5).decode())
    except OSError as error:
        print(error.errno or type(error).__name__)
"""
# Asks again and again until its input ends; prints how many answers there were and the longest wait for one.
ASKING = """
import select, socket, sys, time
host, port = sys.argv[1], int(sys.argv[2])
good = bad = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        with socket.create_connection((host, port), timeout=5) as s:
            good += s.recv(5) == b"hello"
    except OSError:
        bad += 1
print(good, bad)
"""
# Asks once more, from the same port, for each line of its input.
SAME_PORT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for _ in sys.stdin:
    try:
        s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
        print(s.recv(5).decode(), flush=True)
    except OSError as error:
        print(error.errno or type(error).__name__, flush=True)
"""
EPERM = str(errno.EPERM)


def allow(address: str, *ports: int, **more: Any) -> Json:
    rule: Json = {"rule": f"cidr:{address}", "cidr": {"block": address}}
    return network([{**rule, "ports": [tcp(port) for port in ports]} if ports else rule], **more)


def answers(pod: Pod, *addresses: str, client: str = CLIENT) -> list[str]:
    return pod.python(client, *addresses).split()


@pytest.fixture
def server(pods: tuple[Pod, Pod]) -> Pod:
    started = pods[1].start("python3", "-u", "-c", SERVER, "80", "81")
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return pods[1]


@pytest.fixture
def client(pods: tuple[Pod, Pod]) -> Pod:
    return pods[0]


def put(enforcer: Enforcer, pod: Pod, rules: Json) -> None:
    enforcer.write(compile_rules(rules, world(), enforcer.known_names(POLICY)))
    enforcer.attach(Member(f"uid-{pod.name}", POLICY, pod.cgroup))


def test_what_no_rule_allows_fails_at_once(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == ["hello", "hello"]
    put(enforcer, client, allow(server.address + "/32", 80))
    closed = (f"{server.address}:81", "203.0.113.9:443", "fd99::2:9999", "127.0.0.1:1")
    assert answers(client, f"{server.address}:80", *closed) == ["hello", EPERM, EPERM, EPERM, EPERM]
    kept = {(key.port, key.verdict) for key in map(maps.record_key, enforcer.maps["records"].keys())}
    assert {(80, Verdict.ALLOWED), (81, Verdict.DENIED), (443, Verdict.DENIED)} <= kept


def test_udp_too(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    ports = [{"protocol": "UDP", "first": 80, "last": 80}]
    rules = network([{"rule": "r", "cidr": {"block": f"{server.address}/32"}, "ports": ports}])
    put(enforcer, client, rules)
    found = answers(client, f"{server.address}:80", f"{server.address}:81", client=UDP_CLIENT)
    assert found == ["hello", EPERM]


# Answers every question for an address with as many as it is told to, but over UDP with none: ask again over TCP.
RESOLVER = """
import socket, struct, sys, threading
count, truncate = int(sys.argv[1]), sys.argv[2] == "tcp"

def answer(message, whole):
    end = message.index(b"\\0", 12) + 5
    records = [bytes((10, 99, 0, 2))] + [bytes((198, 51, 100, each)) for each in range(count - 1)]
    records = records if whole and message[end - 3] == 1 else []
    flags = 0x8180 if whole else 0x8380
    head = message[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    return head + message[12:end] + b"".join(struct.pack("!HHHIH", 0xc00c, 1, 1, 30, 4) + each for each in records)

def stream():
    listener = socket.create_server(("", 53))
    while True:
        one, _ = listener.accept()
        with one:
            while head := one.recv(2):
                said = answer(one.recv(int.from_bytes(head, "big")), True)
                one.sendall(len(said).to_bytes(2, "big") + said)

threading.Thread(target=stream, daemon=True).start()
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("", 53))
print("ready", flush=True)
while True:
    message, sender = out.recvfrom(4096)
    out.sendto(answer(message, not truncate), sender)
"""


@pytest.fixture
def resolver_of(client: Pod, server: Pod) -> Iterator[Callable[..., None]]:
    """Starts a resolver in the server's namespace, which the client asks."""
    folder = Path("/etc/netns") / client.name
    folder.mkdir(parents=True)

    def start(*argv: str) -> None:
        (folder / "resolv.conf").write_text(f"nameserver {server.address}\n")
        started = server.start("python3", "-u", "-c", RESOLVER, *argv)
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"

    yield start
    shutil.rmtree(folder)


@pytest.mark.parametrize(("count", "transport"), [("1", "udp"), ("64", "udp"), ("64", "tcp")])
def test_a_host_by_its_name(
    enforcer: Enforcer,
    client: Pod,
    server: Pod,
    resolver_of: Callable[..., None],
    count: str,
    transport: str,
) -> None:
    """The C library asks a resolver for both kinds of addresses, and connects at once to what it was told."""
    resolver_of(count, transport)
    ports = [{"protocol": protocol, "first": 53, "last": 53} for protocol in ("TCP", "UDP")]
    dns = {"rule": "dns:api.test:80", "dns": {"name": "api.test"}, "ports": [tcp(80)]}
    put(enforcer, client, network([{"rule": "r", "cidr": {"block": f"{server.address}/32"}, "ports": ports}, dns]))
    assert answers(client, f"{server.address}:80") == [EPERM]
    asked = "import socket; socket.getaddrinfo('other.test', 80)"
    client.python(asked)
    assert answers(client, f"{server.address}:80") == [EPERM]
    connect = "import socket; print(len({each[4] for each in socket.getaddrinfo('api.test', 80)}))"
    assert client.python(connect) == f"{count}\n"
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == ["hello", EPERM]
    assert len(list(enforcer.maps["learned"].keys())) == int(count)


def test_no_address_is_the_pods_own_business(enforcer: Enforcer, client: Pod) -> None:
    """getaddrinfo() connects to it for whoever listens everywhere: that is no denied flow."""
    put(enforcer, client, network(egress=[]))
    connect = "import socket\nfor kind, to in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):\n"
    connect += "    socket.socket(kind, socket.SOCK_DGRAM).connect((to, 8080))\nprint('both')"
    assert client.python(connect) == "both\n"
    assert not list(enforcer.maps["records"].keys())


def test_who_may_come_in(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    inbound = [{"rule": "r", "cidr": {"block": f"{client.address}/32"}, "ports": [tcp(80)]}]
    put(enforcer, server, network(ingress=inbound))
    assert answers(client, f"{server.address}:80") == ["hello"]
    assert answers(client, f"{server.address}:81") == ["TimeoutError"]
    put(enforcer, server, network(egress=[], ingress=[]))
    assert answers(client, f"{server.address}:80") == ["TimeoutError"]


def test_an_app_with_rules_for_both_ways_answers_whom_it_lets_in(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    inbound = [{"rule": "r", "cidr": {"block": f"{client.address}/32"}}]
    put(enforcer, server, network(egress=[], ingress=inbound))
    assert answers(client, f"{server.address}:80") == ["hello"]
    assert answers(client, f"{server.address}:80", client=UDP_CLIENT) == ["hello"]


AGENT = """
import json, sys, time
from collections.abc import Callable, Iterator
from pathlib import Path
from nucleo_cli.agent.enforcer import Enforcer, Member
from nucleo_cli.agent.rules import compiled
from tests.unit.agent.worlds import world
enforcer = Enforcer(Path(sys.argv[1]), Path(sys.argv[2]))
rules = compiled(json.loads(sys.argv[3]), world())
print("begins", flush=True)
enforcer.write(rules)
enforcer.attach(Member("uid", rules.policy, Path(sys.argv[4])))
print("ready", flush=True)
time.sleep(60)
"""


def kill_an_agent(compiled: Path, pins: Path, client: Pod, rules: Json, when: str) -> None:
    """Start a process that does the agent's work, and kill it as soon as it says this."""
    argv = [sys.executable, "-c", AGENT, str(compiled), str(pins / "nucleo"), json.dumps(rules), str(client.cgroup)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        while agent.stdout.readline() != f"{when}\n":
            assert agent.poll() is None
        agent.send_signal(signal.SIGKILL)


def test_agents_that_are_killed_again_and_again_lose_nothing_and_let_nothing_through(
    compiled: Path, pins: Path, client: Pod, server: Pod
) -> None:
    rules = allow(f"{server.address}/32", 80)
    kill_an_agent(compiled, pins, client, rules, "ready")
    allowed = client.start("python3", "-u", "-c", ASKING, server.address, "80")
    forbidden = client.start("python3", "-u", "-c", ASKING, server.address, "81")
    for each in (allowed, forbidden):
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for turn in range(10):
        kill_an_agent(compiled, pins, client, rules, "begins" if turn % 2 else "ready")
    good, bad = map(int, allowed.communicate("\n", timeout=30)[0].split())
    assert good > 100
    assert bad == 0
    good, bad = map(int, forbidden.communicate("\n", timeout=30)[0].split())
    assert good == 0
    assert bad > 100


def test_what_is_attached_outlives_who_attached_it(
    compiled: Path, pins: Path, client: Pod, server: Pod, begin: Callable[..., Enforcer]
) -> None:
    kill_an_agent(compiled, pins, client, allow(f"{server.address}/32", 80), "ready")
    wanted = ["hello", EPERM]
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == wanted
    again = begin()
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == wanted
    again.write(compile_rules(allow(f"{server.address}/32", 81), world()))
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == [EPERM, "hello"]
    remove(pins / "nucleo")
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == ["hello", "hello"]


def test_no_request_is_lost_while_rules_and_programs_change(
    enforcer: Enforcer, client: Pod, server: Pod, begin: Callable[..., Enforcer]
) -> None:
    asking = client.start("python3", "-u", "-c", ASKING, server.address, "80")
    assert asking.stdout is not None
    assert asking.stdout.readline() == "ready\n"
    put(enforcer, client, allow(f"{server.address}/32", 80))
    for port in range(100, 140):
        enforcer.write(compile_rules(allow("10.99.0.0/24", 80, port), world()))
        enforcer.write(compile_rules(allow(f"{server.address}/32", 80), world()))
    for _ in range(3):
        again = begin()
        again.write(compile_rules(allow(f"{server.address}/32", 80), world()))
        again.attach(Member(f"uid-{client.name}", POLICY, client.cgroup))
    good, bad = asking.communicate("\n", timeout=30)[0].split()
    assert int(good) > 100
    assert bad == "0"


def test_a_connection_ends_when_its_rule_goes(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    put(enforcer, client, allow(f"{server.address}/32", 80))
    asking = client.start("python3", "-u", "-c", ASKING, server.address, "80")
    assert asking.stdout is not None
    assert asking.stdout.readline() == "ready\n"
    time.sleep(0.3)
    enforcer.write(compile_rules(network([]), world()))
    time.sleep(0.3)
    good, bad = map(int, asking.communicate("\n", timeout=30)[0].split())
    assert good > 0
    assert bad > 0


@pytest.mark.parametrize("name", ["shop", "other"])
def test_other_rules_know_nothing_of_the_flows_before_them(
    enforcer: Enforcer, client: Pod, server: Pod, name: str
) -> None:
    asking = client.start("python3", "-u", "-c", SAME_PORT, server.address, "80")

    def asked() -> str:
        assert asking.stdin is not None
        assert asking.stdout is not None
        asking.stdin.write("\n")
        asking.stdin.flush()
        return asking.stdout.readline().strip()

    put(enforcer, client, allow(f"{server.address}/32"))
    assert asked() == "hello"
    enforcer.keep_only(set())
    enforcer.forget(POLICY)
    assert asked() == "hello"
    following = {**network([]), "metadata": {"namespace": "shop", "name": name}}
    enforcer.write(compile_rules(following, world()))
    enforcer.attach(Member(f"uid-{client.name}", policy_number("shop", name), client.cgroup))
    assert asked() == EPERM


def test_letting_go_of_a_pod_leaves_nothing(enforcer: Enforcer, client: Pod, server: Pod, pins: Path) -> None:
    put(enforcer, client, allow(f"{server.address}/32", 80))
    enforcer.attach(Member(f"uid-{client.name}", POLICY, client.cgroup, (client.address,)))
    assert list(enforcer.maps["own"].keys())
    assert answers(client, f"{server.address}:81") == [EPERM]
    assert enforcer.keep_only(set()) == [f"uid-{client.name}"]
    enforcer.forget(POLICY)
    assert answers(client, f"{server.address}:81") == ["hello"]
    assert not list(enforcer.maps["own"].keys())
    enforcer.maps["own"][maps.own(7, client.address)] = maps.number(1)  # of one that an earlier process has let go
    enforcer.sweep(set())
    for name in ("peers", "ports", "policies", "names", "name_ports", "own"):
        assert not list(enforcer.maps[name].keys()), name
    assert shutil.which("bpftool") is None or "uid-" not in _attached(client.cgroup)
    remove(pins / "nucleo")
    assert not (pins / "nucleo").exists()


def _attached(cgroup: Path) -> str:
    return subprocess.run(
        ["bpftool", "cgroup", "show", str(cgroup)], capture_output=True, text=True, check=False
    ).stdout


def test_five_hundred_rules(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    blocks = [f"172.{16 + each // 256}.{each % 256}.0/24" for each in range(500)]
    peers = [{"rule": f"cidr:{block}", "cidr": {"block": block}, "ports": [tcp(443)]} for block in blocks]
    put(
        enforcer,
        client,
        network([*peers, {"rule": "r", "cidr": {"block": f"{server.address}/32"}, "ports": [tcp(80)]}]),
    )
    assert answers(client, f"{server.address}:80", f"{server.address}:81") == ["hello", EPERM]


def test_the_health_of_connections(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    put(enforcer, client, allow(f"{server.address}/32", 80))
    assert answers(client, *[f"{server.address}:80"] * 5) == ["hello"] * 5
    found = list(enforcer.maps["health"].items())
    assert len(found) == 1
    key, value = found[0]
    assert key[4:20] == maps.address(server.address)
    assert key[20:22] == (80).to_bytes(2, "big")
    assert sum(memoryview(value).cast("Q")[:32]) >= 5


def test_a_host_keeps_its_place_over_a_start(enforcer: Enforcer, begin: Callable[..., Enforcer]) -> None:
    """The addresses of a host are known by its place: in that of another one they would have the other's ports."""

    def write(to: Enforcer, *names: str) -> dict[str, int]:
        rules = network([{"rule": name, "dns": {"name": name}, "ports": [tcp(443)]} for name in names])
        to.write(compile_rules(rules, world(), to.known_names(POLICY, hosts(rules))))
        kept = {key: maps.name_index(value) for key, value in to.maps["names"].items()}
        return {name: kept[maps.name(POLICY, name)] for name in names}

    assert write(enforcer, "a.test", "b.test", "*.c.test") == {"a.test": 0, "b.test": 1, "*.c.test": 2}
    again = begin()
    assert write(again, "new.test", "*.c.test", "b.test") == {"b.test": 1, "*.c.test": 2, "new.test": 0}
    assert write(again, "b.test", "a.test")["b.test"] == 1


def changed_programs(text: str, other: str, folder: Path) -> Path:
    """The compiled programs of a later version, whose maps are not all what they were."""
    shutil.copytree(SOURCES, folder / "sources", ignore=shutil.ignore_patterns("build"))
    header = folder / "sources" / "maps.h"
    assert text in header.read_text()
    header.write_text(header.read_text().replace(text, other, 1))
    subprocess.run(["make", "-s", "-C", str(header.parent), f"OUT={folder / 'next'}"], check=True)
    return folder / "next"


@pytest.mark.parametrize(
    ("text", "other", "pad"),
    [
        pytest.param("max_entries, 131072", "max_entries, 65536", b"", id="a map"),
        pytest.param("struct pod {\n", "struct pod {\n  __u64 one_more;\n", bytes(8), id="the storage of a pod"),
    ],
)
def test_a_version_with_other_maps_takes_over_without_a_gap(
    enforcer: Enforcer,
    begin: Callable[..., Enforcer],
    pins: Path,
    client: Pod,
    server: Pod,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    other: str,
    pad: bytes,
) -> None:
    following_programs = changed_programs(text, other, tmp_path)
    rules, folder, pod = allow(f"{server.address}/32", 80), pins / "nucleo", maps.pod
    put(enforcer, client, rules)
    allowed = client.start("python3", "-u", "-c", ASKING, server.address, "80")
    denied = client.start("python3", "-u", "-c", ASKING, server.address, "81")
    for each in (allowed, denied):
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"

    def padded(policy: int, which: int) -> bytes:
        return pad + pod(policy, which)

    monkeypatch.setattr(maps, "pod", padded)
    following = begin(following_programs)
    time.sleep(0.2)
    put(following, client, rules)
    following.sweep({POLICY})
    time.sleep(0.2)
    good, bad = map(int, allowed.communicate("end")[0].split())
    assert (good > 0, bad) == (True, 0)
    good, bad = map(int, denied.communicate("end")[0].split())
    assert (good, bad > 0) == (0, True)
    names = [each.name.rpartition("-")[0] for each in (folder / "maps").iterdir()]
    assert len(names) == len(set(names))
    assert len(list(folder.glob("links*"))) == 1
    following.keep_only(set())
    assert answers(client, f"{server.address}:81") == ["hello"]


def test_two_hundred_pods(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    rules = allow(f"{server.address}/32", 80)
    folders = [client.cgroup.parent / f"{client.name}-{each}" for each in range(200)]
    try:
        for folder in folders:
            folder.mkdir()
        enforcer.write(compile_rules(rules, world()))
        for each, folder in enumerate(folders):
            enforcer.attach(Member(f"uid-{each}", POLICY, folder))
        put(enforcer, client, rules)
        assert answers(client, f"{server.address}:80", f"{server.address}:81") == ["hello", EPERM]
        assert len(list(enforcer.maps["pods"].keys())) == 201
        assert len(enforcer.keep_only({f"uid-{client.name}"})) == 200
        assert answers(client, f"{server.address}:81") == [EPERM]
    finally:
        for folder in folders:
            folder.rmdir()


def test_an_address_that_another_pod_gets_is_closed_at_once(enforcer: Enforcer, client: Pod, server: Pod) -> None:
    users = {"rule": "app:users", "pods": {"namespace": "shop", "labels": {"nucleo.io/app": "users"}}}
    rules = network([users])
    here = world(("pods", pod("users-1", server.address, "users")))
    enforcer.write(compile_rules(rules, here))
    enforcer.attach(Member(f"uid-{client.name}", POLICY, client.cgroup))
    asking = client.start("python3", "-u", "-c", ASKING, server.address, "80")
    assert asking.stdout is not None
    assert asking.stdout.readline() == "ready\n"
    time.sleep(0.3)
    here.take("pods", "DELETED", pod("users-1", server.address, "users"))
    here.take("pods", "ADDED", pod("other-1", server.address, "other"))
    enforcer.write(compile_rules(rules, here))
    assert answers(client, f"{server.address}:80") == [EPERM]
    good, bad = map(int, asking.communicate("\n", timeout=30)[0].split())
    assert good > 0
    assert bad > 0
