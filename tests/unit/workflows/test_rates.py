"""Flows as they come become rates."""

import threading
import time

import pytest

from nucleo_cli.errors import Unreachable
from nucleo_cli.workflows.rates import Rates
from tests.unit.network.test_learn import flow


def test_flows_with_one_peer_are_one_row_and_the_busiest_is_first() -> None:
    rates = Rates(seconds=10)
    rates.add(flow(verdict="allowed", connections=10, bytes_out=100, bytes_in=900, rtt_us=96))
    rates.add(flow(verdict="allowed", connections=10, bytes_out=100, bytes_in=900, rtt_us=192, retransmits=5))
    rates.add(flow(kind="app", peer="shop/users", verdict="allowed", connections=1, bytes_in=10_000))
    rates.add(flow(verdict="denied", connections=20))
    rates.add(flow(verdict="undecided", kind="app", peer="shop/users", bytes_in=10_000))
    first, second = rates.read()
    assert (first.peer, first.bytes_in, first.dropped) == ("shop/users", 2000, 0)
    assert (second.connections, second.bytes_out, second.bytes_in) == (2, 20, 180)
    assert (second.retransmits, second.dropped, second.rtt_us) == (0.5, 2, 192)


def test_what_is_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(seconds=10)
    rates.add(flow(verdict="allowed"))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11)
    assert rates.read() == []


def test_an_agent_that_goes_is_told() -> None:
    def broken() -> None:
        raise Unreachable("the connection to the cluster broke")
        yield

    rates = Rates()
    rates.start(broken())  # type: ignore[arg-type]
    for thread in threading.enumerate():
        if thread.name == "flows":
            thread.join()
    with pytest.raises(Unreachable):
        rates.read()
