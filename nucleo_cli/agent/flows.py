"""Flows of the pods of this node: from the kernel's records to lines with names, kept for a week."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from nucleo_cli.agent import maps
from nucleo_cli.agent.libbpf import Map
from nucleo_cli.agent.maps import Direction, Health, Record, RecordKey, Verdict
from nucleo_cli.agent.names import Names
from nucleo_cli.agent.rules import Maps

Json = dict[str, Any]

HOUR_SECONDS = 3600
KEPT_SECONDS = 8 * 24 * HOUR_SECONDS
# The kernel's record of what has ended makes room for others.
_QUIET_SECONDS = 120
_PROTOCOLS = {maps.TCP: "TCP", maps.UDP: "UDP", maps.ICMP: "ICMP", maps.ICMPV6: "ICMPv6"}
_TABLE = """
create table if not exists flow (
  hour integer, namespace text, app text, pod text, direction text, kind text, peer text, address text, port integer,
  target integer, protocol text, verdict text, rule text, first real, last real, connections integer,
  packets_out integer, bytes_out integer, packets_in integer, bytes_in integer,
  retransmits integer, resets integer, rtt_us integer,
  primary key (hour, namespace, app, pod, direction, peer, address, port, protocol, verdict, rule)
) without rowid
"""
_NAMED = (
    *(
        "namespace",
        "app",
        "pod",
        "direction",
        "kind",
        "peer",
        "address",
        "port",
        "target",
        "protocol",
        "verdict",
        "rule",
    ),
    *("first", "last", "connections", "packets_out", "bytes_out", "packets_in", "bytes_in"),
    *("retransmits", "resets", "rtt_us"),
)
# From `first` on they are of one hour; what comes before says which flow it is.
_COUNTED = 10
_ADD = f"""
insert into flow values ({", ".join("?" * (1 + len(_NAMED)))})
on conflict do update set last = excluded.last, connections = connections + excluded.connections,
  packets_out = packets_out + excluded.packets_out, bytes_out = bytes_out + excluded.bytes_out,
  packets_in = packets_in + excluded.packets_in, bytes_in = bytes_in + excluded.bytes_in,
  retransmits = retransmits + excluded.retransmits, resets = resets + excluded.resets,
  rtt_us = coalesce(excluded.rtt_us, rtt_us)
"""  # noqa: S608  names of columns


class Subject(NamedTuple):
    """A pod that records are of."""

    namespace: str
    app: str
    pod: str
    rules: Maps


class Store:
    """Flows by the hour, in a file. Several processes may read it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute(_TABLE)
        self._swept = 0.0

    def add(self, flows: list[Json]) -> None:
        now = time.time()
        hour = int(now // HOUR_SECONDS)
        self._database.execute("begin")
        self._database.executemany(_ADD, [(hour, *(each[name] for name in _NAMED)) for each in flows])
        if now - self._swept > HOUR_SECONDS:
            self._database.execute("delete from flow where hour < ?", (hour - KEPT_SECONDS // HOUR_SECONDS,))
            self._swept = now
        self._database.execute("commit")

    def find(self, namespace: str, app: str, since: float) -> Iterator[Json]:
        """Flows of an app that had packets after `since` (seconds since 1970), the oldest first; hours together."""
        columns = ", ".join(_NAMED[:-_COUNTED])
        sums = ", ".join(f"sum({name})" for name in _NAMED[2 - _COUNTED : -1])
        found = self._database.execute(
            f"select {columns}, min(first), max(last), {sums}, max(rtt_us) from flow"  # noqa: S608  names of columns
            f" where namespace = ? and app = ? and last >= ? group by {columns} order by max(last)",
            (namespace, app, since),
        )
        for row in found:
            yield dict(zip(_NAMED, row, strict=True))


@dataclass
class Flows:
    """Turns the kernel's records into flows.

    `subjects` is whose pod a number is; `records` and `health` are those of the kernel. With `observes` somebody else
    decides of what no rule allows.
    """

    records: Map
    health: Map
    names: Names
    store: Store
    subjects: Mapping[int, Subject] = field(default_factory=dict[int, Subject])
    observes: bool = False
    _before: dict[bytes, Record] = field(default_factory=dict[bytes, Record])
    _healthy: dict[bytes, Health] = field(default_factory=dict[bytes, Health])
    _listeners: list[SimpleQueue[Json]] = field(default_factory=list[SimpleQueue[Json]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def drain(self) -> int:
        """Take in what has happened since the last time; how many flows that were."""
        now, clock = time.monotonic_ns(), time.time()
        found: list[Json] = []
        for data, value in self.records.items():
            record = maps.record(value)
            before = self._before.get(data)
            if before == record:
                if now - record.last > _QUIET_SECONDS * 10**9:
                    self.records.delete(data)
                    del self._before[data]
                    self._healthy.pop(data, None)
                continue
            self._before[data] = record
            flow = self._flow(maps.record_key(data), record, before, clock - now / 10**9)
            if flow is not None:
                flow |= self._health(data)
            if flow is not None:
                found.append(flow)
        if found:
            self.store.add(found)
            with self._lock:
                for listener in self._listeners:
                    for each in found:
                        listener.put(each)
        return len(found)

    def _health(self, data: bytes) -> Json:
        """How the connections of a record have done since the last time."""
        key = maps.record_key(data)
        value = self.health.get(maps.health_key(key)) if key.protocol == maps.TCP else None
        found = maps.health(value) if value else Health()
        since = found.since(self._healthy.get(data, Health()))
        self._healthy[data] = found
        return {"retransmits": since.retransmits, "resets": since.resets, "rtt_us": since.median}

    def listen(self) -> SimpleQueue[Json]:
        """All flows from now on; `forget` ends it."""
        listener: SimpleQueue[Json] = SimpleQueue()
        with self._lock:
            self._listeners.append(listener)
        return listener

    def forget(self, listener: SimpleQueue[Json]) -> None:
        with self._lock:
            self._listeners.remove(listener)

    def _flow(self, key: RecordKey, record: Record, before: Record | None, began: float) -> Json | None:
        """What a record has gained, with names. `began` is when the monotonic clock was 0."""
        subject = self.subjects.get(key.pod)
        if subject is None:
            return None
        peer, protocol = self.names.peer(key.remote), _PROTOCOLS.get(key.protocol, str(key.protocol))
        gained = {
            name: getattr(record, name) - (getattr(before, name) if before else 0)
            for name in ("connections", "packets_out", "bytes_out", "packets_in", "bytes_in")
        }
        return {
            "namespace": subject.namespace,
            "app": subject.app,
            "pod": subject.pod,
            "direction": "out" if key.direction == Direction.OUT else "in",
            "kind": peer.kind,
            "peer": peer.name,
            "address": str(key.remote),
            "port": key.port,
            "target": peer.target(protocol, key.port),
            "protocol": protocol,
            "verdict": "undecided" if self.observes and key.verdict is Verdict.AUDITED else key.verdict.name.lower(),
            "rule": subject.rules.rule(key.rule) or "",
            "first": began + record.first / 10**9,
            "last": began + record.last / 10**9,
            **gained,
        }


def line(flow: Json) -> bytes:
    return json.dumps(flow, separators=(",", ":")).encode() + b"\n"
