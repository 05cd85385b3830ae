"""What an app's pods have talked to, as the agent has seen it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

Verdict = Literal["allowed", "denied", "audited", "limited"]
DROPPED = frozenset({"denied", "limited"})


@dataclass(frozen=True, slots=True)
class Flow:
    """Connections of one pod with one address and port.

    `direction` is "out" where the pod has opened them. `kind` and `peer` are who the address is: an app or a Service
    (NAMESPACE/NAME), a pod, the node, a host name by what DNS has answered, or only the address. `target` is the port
    behind a Service's, which rules name. `rule` is as nucleo.yml writes it, empty where none decided. `first` and
    `last` are seconds since 1970; `rtt_us` is the round-trip time of TCP, in microseconds and to a power of two.
    """

    pod: str
    direction: Literal["in", "out"]
    kind: str
    peer: str
    address: str
    port: int
    target: int
    protocol: str
    verdict: Verdict
    rule: str
    first: float
    last: float
    connections: int
    packets_out: int
    bytes_out: int
    packets_in: int
    bytes_in: int
    retransmits: int
    resets: int
    rtt_us: int | None

    @staticmethod
    def read(document: Mapping[str, Any]) -> "Flow":
        """Of a line of the agent, which may know more fields than this version does."""
        return Flow(**{name: document[name] for name in cast("tuple[str, ...]", Flow.__slots__)})

    @property
    def name(self) -> str:
        """Who is at the other end, as people say it."""
        return self.address if self.kind == "address" else self.peer
