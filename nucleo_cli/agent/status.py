"""What an AppNetwork's status says: each agent writes its own node's part, and the sum of all that it sees. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nucleo_cli.agent.world import Json, World
from nucleo_cli.domain.documents import part, parts

READY = "Ready"


def change(network: Json, world: World, attached: int, pods: int, problem: str = "") -> dict[str, Any] | None:
    """The patch of the status (RFC 7386) for this node, which has so many of the app's pods; None where it says so.

    A `problem` is why these rules could not be put in force here; what was in force before still is.

    Agents that write at the same time see each other's part with the next event, and then agree.
    """
    generation = network["metadata"]["generation"]
    before = part(network, "status", "nodes")
    there = {each["metadata"]["name"] for each in world.of("nodes")}
    nodes = {name: each for name, each in before.items() if name in there and name != world.node}
    if pods:
        nodes[world.node] = {"pods": pods, "attached": attached, "observedGeneration": generation}
        if problem:
            nodes[world.node]["problem"] = problem
    total, wanted = (sum(each[count] for each in nodes.values()) for count in ("attached", "pods"))
    problems = [f"{name}: {each['problem']}" for name, each in nodes.items() if each.get("problem")]
    ready = (
        not problems and total == wanted and all(each["observedGeneration"] == generation for each in nodes.values())
    )
    condition = {
        "type": READY,
        "status": str(ready),
        "reason": "Invalid" if problems else "Attached" if ready else "Attaching",
        "message": "; ".join(problems)
        or f"{total} of {wanted} pods, on {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}",
        "observedGeneration": generation,
    }
    condition["lastTransitionTime"] = _since(network, condition["status"])
    wanted_status = {"observedGeneration": generation, "pods": total, "nodes": nodes, "conditions": [condition]}
    if part(network, "status") == wanted_status:
        return None
    gone: dict[str, Any] = {name: None for name in before if name not in nodes}
    # A merge patch keeps what it does not name.
    here = {world.node: {"problem": None, **nodes[world.node]}} if world.node in nodes else {}
    return {**wanted_status, "nodes": {**gone, **nodes, **here}}


def _since(network: Json, status: str) -> str:
    """Since when the condition has been what it is now."""
    for before in parts(network, "status", "conditions"):
        if before.get("type") == READY and before.get("status") == status:
            return before["lastTransitionTime"]
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
