"""Several agents write one status, and agree on it."""

from typing import Any, cast

from nucleo_cli.agent.status import change
from nucleo_cli.agent.world import World
from tests.unit.agent.worlds import Json, network


def node(name: str) -> World:
    """The world as the agent of one of three nodes sees it."""
    made = World(name)
    made.reset("nodes", [{"metadata": {"name": each}} for each in ("a", "b", "c")])
    return made


def patched(document: Json, patch: dict[str, Any] | None) -> Json:
    """The object after a merge patch of its status."""
    return document if patch is None else {**document, "status": merged(document.get("status", {}), patch)}


def merged(before: Json, patch: Json) -> Json:
    """A merge patch (RFC 7386)."""
    after = {key: each for key, each in before.items() if key not in patch}
    for key, each in patch.items():
        if isinstance(each, dict):
            after[key] = merged(before.get(key) or {}, cast("Json", each))
        elif each is not None:
            after[key] = each
    return after


def ready(document: Json) -> tuple[str, str]:
    (condition,) = document["status"]["conditions"]
    return condition["status"], condition["message"]


def test_one_node() -> None:
    document = patched(network(), change(network(), node("a"), 1, 2))
    assert ready(document) == ("False", "1 of 2 pods, on 1 node")
    document = patched(document, change(document, node("a"), 2, 2))
    assert ready(document) == ("True", "2 of 2 pods, on 1 node")
    assert change(document, node("a"), 2, 2) is None, "nothing is written twice"


def test_nodes_that_write_at_the_same_time_agree_in_the_end() -> None:
    empty = network()
    both = [change(empty, node(name), 1, 1) for name in ("a", "b")]
    document = patched(patched(empty, both[0]), both[1])
    for name in ("a", "b", "a", "b"):
        document = patched(document, change(document, node(name), 1, 1))
    assert document["status"]["pods"] == 2
    assert ready(document) == ("True", "2 of 2 pods, on 2 nodes")
    assert all(change(document, node(name), 1, 1) is None for name in ("a", "b"))


def test_a_node_that_has_no_pod_any_more_or_is_gone() -> None:
    document = patched(network(), change(network(), node("a"), 1, 1))
    document = patched(document, change(document, node("b"), 1, 1))
    document = patched(document, change(document, node("a"), 0, 0))
    assert set(document["status"]["nodes"]) == {"b"}
    alone = World("a")
    alone.reset("nodes", [{"metadata": {"name": "a"}}])
    document = patched(document, change(document, alone, 1, 1))
    assert set(document["status"]["nodes"]) == {"a"}


def test_rules_that_another_node_has_not_seen_yet() -> None:
    document = patched(network(), change(network(), node("a"), 1, 1))
    newer = {**document, "metadata": {**document["metadata"], "generation": 2}}
    newer = patched(newer, change(newer, node("b"), 1, 1))
    assert ready(newer) == ("False", "2 of 2 pods, on 2 nodes")
    newer = patched(newer, change(newer, node("a"), 1, 1))
    assert ready(newer)[0] == "True"


def test_the_time_is_that_of_the_change() -> None:
    document = patched(network(), change(network(), node("a"), 1, 1))
    document["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    newer = patched(document, change(document, node("b"), 1, 1))
    assert newer["status"]["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_rules_that_one_node_cannot_enforce() -> None:
    document = patched(network(), change(network(), node("a"), 1, 1))
    document = patched(document, change(document, node("b"), 0, 1, "too many hosts"))
    (condition,) = document["status"]["conditions"]
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Invalid", "b: too many hosts")
    assert change(document, node("b"), 0, 1, "too many hosts") is None
    document = patched(document, change(document, node("a"), 1, 1))
    assert ready(document) == ("False", "b: too many hosts"), "another node changes nothing of it"
    document = patched(document, change(document, node("b"), 1, 1))
    assert ready(document) == ("True", "2 of 2 pods, on 2 nodes")
    assert change(document, node("b"), 1, 1) is None
