"""Our programs beside another's, on the same cgroup and above it, as beside Cilium: both run, and either can refuse."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from nucleo_cli.agent import maps
from nucleo_cli.agent.enforcer import Enforcer, Member, remove
from nucleo_cli.agent.libbpf import Object
from nucleo_cli.agent.maps import Verdict
from nucleo_cli.agent.rules import Maps
from nucleo_cli.agent.rules import compiled as compile_rules
from tests.contract.network.pods import Pod
from tests.contract.network.test_enforcer import EPERM, POLICY, SERVER, UDP_CLIENT, allow, answers
from tests.unit.agent.worlds import world

CONNECT, PACKET = range(2)
# enum bpf_attach_type, and BPF_F_ALLOW_MULTI, of linux/bpf.h
ATTACH_TYPES = {"foreign_egress": 1, "foreign_connect4": 10}
ALLOW_MULTI = 2


class Foreign:
    """The other's programs. What is attached goes with the cgroup, or the file system of the pins."""

    def __init__(self, file: Path, cgroup: Path, pins: Path) -> None:
        self._object = Object(file)
        self._cgroup, self._pins = cgroup, pins

    def link(self) -> None:
        """Attached as Cilium does it from Linux 5.7 on."""
        self._pins.mkdir()
        for name in ATTACH_TYPES:
            self._object.programs[name].attach(self._cgroup, self._pins / name)

    def attach(self) -> None:
        """As it does it before."""
        calls = ctypes.CDLL("libbpf.so.1")
        folder = os.open(self._cgroup, os.O_RDONLY | os.O_DIRECTORY)
        for name, kind in ATTACH_TYPES.items():
            assert calls.bpf_prog_attach(self._object.programs[name].fd, folder, kind, ALLOW_MULTI) == 0
        os.close(folder)

    def refuse(self, what: int, port: int) -> None:
        """Port 0 is none."""
        self._object.maps["foreign_refused"][maps.number(what)] = maps.number(port)

    def seen(self, what: int) -> int:
        return int.from_bytes(self._object.maps["foreign_seen"].get(maps.number(what)) or b"", "little")

    def end(self) -> None:
        self._object.close()


@pytest.fixture(scope="module")
def foreign_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("foreign") / "foreign.bpf.o"
    source = Path(__file__).with_name("foreign.bpf.c")
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    argv = ["clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{machine}", "-c", str(source), "-o", str(made)]
    subprocess.run(argv, check=True)
    return made


@pytest.fixture
def client(pods: tuple[Pod, Pod]) -> Iterator[Pod]:
    """A pod whose cgroup is below another one that is the test's own."""
    above = pods[0]
    made = Pod(above.name, above.address, above.cgroup / "pod")
    made.cgroup.mkdir()
    yield made
    made.end()
    made.cgroup.rmdir()


@pytest.fixture
def servers(pods: tuple[Pod, Pod]) -> tuple[str, str]:
    """Two ports that answer: the first one is allowed by our rules."""
    started = pods[1].start("python3", "-u", "-c", SERVER, "80", "81")
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return f"{pods[1].address}:80", f"{pods[1].address}:81"


@pytest.fixture
def rules(pods: tuple[Pod, Pod]) -> Maps:
    return compile_rules(allow(f"{pods[1].address}/32", 80), world())


@pytest.fixture
def enforcer(begin: Callable[..., Enforcer], rules: Maps) -> Enforcer:
    """Of an agent that observes."""
    made = begin()
    made.write(rules.watching())
    return made


@pytest.fixture(params=product(("link", "attach"), ("above", "beside"), ("theirs first", "ours first")), ids=", ".join)
def foreign(
    request: pytest.FixtureRequest, foreign_file: Path, client: Pod, pins: Path, enforcer: Enforcer
) -> Iterator[Foreign]:
    """Attached, as our programs are."""
    how, where, order = request.param
    made = Foreign(foreign_file, client.cgroup if where == "beside" else client.cgroup.parent, pins / "foreign")
    steps: list[Callable[[], None]] = [
        getattr(made, how),
        lambda: enforcer.attach(Member("uid", POLICY, client.cgroup)),
    ]
    for step in steps if order == "theirs first" else reversed(steps):
        step()
    yield made
    made.end()


def test_who_observes_lets_through_what_the_other_does(
    foreign: Foreign, enforcer: Enforcer, client: Pod, servers: tuple[str, str]
) -> None:
    assert answers(client, *servers) == ["hello", "hello"]
    assert foreign.seen(CONNECT) == 2
    assert foreign.seen(PACKET) > 2
    kept = {(key.port, key.verdict) for key in map(maps.record_key, enforcer.maps["records"].keys())}
    assert kept == {(80, Verdict.ALLOWED), (81, Verdict.AUDITED)}
    foreign.refuse(CONNECT, 80)
    assert answers(client, *servers) == [EPERM, "hello"]
    foreign.refuse(PACKET, 81)
    assert answers(client, *servers, client=UDP_CLIENT) == ["hello", EPERM]


def test_where_ours_enforces_either_can_refuse(
    foreign: Foreign, enforcer: Enforcer, rules: Maps, client: Pod, servers: tuple[str, str]
) -> None:
    enforcer.write(rules)
    assert answers(client, *servers) == ["hello", EPERM]
    assert foreign.seen(CONNECT) == 2, "the other is asked of what ours refuses, too"
    foreign.refuse(CONNECT, 80)
    assert answers(client, *servers) == [EPERM, EPERM]


def test_when_ours_go_the_others_stay(
    foreign: Foreign, enforcer: Enforcer, rules: Maps, client: Pod, servers: tuple[str, str], pins: Path
) -> None:
    enforcer.write(rules)
    foreign.refuse(CONNECT, 80)
    remove(pins / "nucleo")
    assert answers(client, *servers) == [EPERM, "hello"]
    foreign.refuse(CONNECT, 0)
    foreign.refuse(PACKET, 81)
    assert answers(client, *servers, client=UDP_CLIENT) == ["hello", EPERM]
    assert foreign.seen(CONNECT) == 2
