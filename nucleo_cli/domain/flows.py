"""What an app's pods have talked to, as the agent has seen it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

# Without a rule that allows it, a packet is denied; audited, which lets it pass; or undecided, where the agent observes
# beside Cilium, which decides.
Verdict = Literal["allowed", "denied", "audited", "limited", "undecided"]
DROPPED = frozenset({"denied", "limited"})
UNRULED = frozenset({"denied", "audited", "undecided"})


@dataclass(frozen=True, slots=True)
class Flow:
    """Connections of one pod with one address and port.

    `direction` is "out" where the pod has opened them. `kind` and `peer` are who the address is: an app or a Service
    (NAMESPACE/NAME), a pod, the node, a host name by what DNS has answered, or only the address. `target` is the port
    behind a Service's, which rules name; 0 where the Service has no such port. `rule` is as nucleo.yml writes it, empty
    where none decided. `first` and `last` are seconds since 1970; `rtt_us` is the round-trip time of TCP, in
    microseconds and to a power of two.
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
    def passed(self) -> bool:
        """Whether it is known to have passed. Of what somebody else decides, only what has come in is: what went out
        may have been dropped behind the agent's back."""
        return self.verdict in ("allowed", "audited") or (self.verdict == "undecided" and self.packets_in > 0)

    @property
    def name(self) -> str:
        """Who is at the other end, as people say it."""
        return self.address if self.kind == "address" else self.peer
