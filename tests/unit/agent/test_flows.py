"""The kernel's records become flows with names."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nucleo_cli.agent import maps
from nucleo_cli.agent.flows import Flows, Store, Subject, line
from nucleo_cli.agent.names import Names
from nucleo_cli.agent.rules import compiled
from nucleo_cli.domain.flows import Flow
from tests.unit.agent.worlds import network, pod, tcp, world


class Records:
    """A map of the kernel, in memory."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.held.items()))

    def delete(self, key: bytes) -> bool:
        return self.held.pop(key, None) is not None

    def put(self, connections: int, *, rule: int = 1, verdict: int = 0, ago: float = 0) -> None:
        key = struct.pack("=II16s2sBBB3x", 7, rule, maps.address("10.1.0.5"), (8080).to_bytes(2, "big"), 6, 0, verdict)
        last = time.monotonic_ns() - int(ago * 10**9)
        self.held[key] = struct.pack("=QQQQQQQ", last, last, connections, connections, connections * 40, 0, 0)


class Nothing:
    def get(self, key: bytes) -> None:
        return None


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def flows(records: Records, tmp_path: Path) -> Flows:
    users = {
        "rule": "app:users:8080",
        "pods": {"namespace": "shop", "labels": {"nucleo.io/app": "users"}},
        "ports": [tcp(8080)],
    }
    here = world(("pods", pod("users-1", "10.1.0.5", "users")))
    rules = compiled(network([users]), here)
    subjects = {7: Subject("shop", "shop", "shop-1", rules)}
    return Flows(records, Nothing(), Names(here), Store(tmp_path / "flows.db"), subjects)  # type: ignore[arg-type]


def found(flows: Flows, since: float = 0) -> list[Flow]:
    return [Flow.read(json.loads(line(each))) for each in flows.store.find("shop", "shop", since)]


def test_a_flow_has_names_and_adds_up(flows: Flows, records: Records) -> None:
    records.put(1)
    assert flows.drain() == 1
    assert flows.drain() == 0, "nothing new"
    records.put(3)
    assert flows.drain() == 1
    (flow,) = found(flows)
    assert (flow.peer, flow.target, flow.rule, flow.verdict) == ("shop/users", 8080, "app:users:8080", "allowed")
    assert (flow.connections, flow.bytes_out, flow.pod) == (3, 120, "shop-1")
    assert abs(flow.last - time.time()) < 60


@pytest.mark.parametrize(("observes", "verdict"), [(False, "audited"), (True, "undecided")])
def test_who_only_observes_does_not_say_that_it_let_something_pass(
    flows: Flows, records: Records, observes: bool, verdict: str
) -> None:
    flows.observes = observes
    records.put(1, rule=0, verdict=2)
    records.put(1, rule=1, verdict=0)
    flows.drain()
    assert {each.verdict for each in found(flows)} == {verdict, "allowed"}


def test_denials_have_no_rule(flows: Flows, records: Records) -> None:
    records.put(1, rule=0, verdict=1)
    flows.drain()
    assert [(each.verdict, each.rule) for each in found(flows)] == [("denied", "")]


def test_what_has_ended_makes_room_in_the_kernel(flows: Flows, records: Records) -> None:
    records.put(1, ago=300)
    flows.drain()
    assert records.held
    flows.drain()
    assert not records.held
    records.put(2)
    flows.drain()
    assert [each.connections for each in found(flows)] == [3], "it is counted from the beginning again"


def test_who_listens_hears_what_comes(flows: Flows, records: Records) -> None:
    listener = flows.listen()
    records.put(1)
    flows.drain()
    assert listener.get(timeout=5)["peer"] == "shop/users"
    flows.forget(listener)
    records.put(2)
    flows.drain()
    assert listener.empty()


def test_only_since_a_time(flows: Flows, records: Records) -> None:
    records.put(1)
    flows.drain()
    assert found(flows, time.time() - 60)
    assert not found(flows, time.time() + 60)


def test_a_pod_that_nobody_knows_is_not_told(flows: Flows, records: Records) -> None:
    flows.subjects = {}
    records.put(1)
    assert flows.drain() == 0
