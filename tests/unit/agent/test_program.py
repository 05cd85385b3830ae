"""One look at the cluster: whatever is wrong with one app's rules or pods, no pod that is attached is let go."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nucleo_cli.agent import maps
from nucleo_cli.agent.enforcer import Member
from nucleo_cli.agent.libbpf import BpfError
from nucleo_cli.agent.program import Agent
from nucleo_cli.agent.rules import Maps
from tests.unit.agent.worlds import Json, network, pod, world


class FakeEnforcer:
    """Remembers what it was asked for; attaching a pod of `broken` fails."""

    def __init__(self, broken: dict[str, Exception]) -> None:
        self.broken = broken
        self.attached: list[str] = []
        self.kept: set[str] = set()
        self.policies: set[int] = set()
        self.flags: list[int] = []

    def known_names(self, policy: int, wanted: list[str]) -> tuple[str, ...]:
        return ()

    def write(self, wanted: Maps) -> bool:
        self.policies.add(wanted.policy)
        self.flags.append(wanted.flags)
        return True

    def attach(self, member: Member) -> None:
        if error := self.broken.get(member.uid):
            raise error
        self.attached.append(member.uid)

    def keep_only(self, uids: set[str]) -> list[str]:
        self.kept = uids
        return []

    def forget(self, policy: int) -> None:
        self.policies.discard(policy)


class FakePods:
    def __init__(self, absent: set[str]) -> None:
        self.absent = absent

    def find(self, uid: str) -> Path | None:
        return None if uid in self.absent else Path("/cgroup") / uid


class FakeCluster:
    def __init__(self) -> None:
        self.conditions: dict[str, Json] = {}

    def patch(self, where: str, body: Json) -> Json:
        namespace, name = where.split("/")[5], where.split("/")[7]
        self.conditions[namespace] = body["status"]["conditions"][0]
        return {"metadata": {"namespace": namespace, "name": name, "generation": 1}, **body}


def looked(
    *objects: tuple[str, Json],
    broken: dict[str, Exception] | None = None,
    absent: set[str] | None = None,
    observes: bool = False,
) -> tuple[bool, FakeEnforcer, dict[str, Json]]:
    """Whether something is waited for, what the kernel was told, and the conditions by namespace."""
    enforcer, cluster = FakeEnforcer(broken or {}), FakeCluster()
    parts: tuple[Any, ...] = (
        cluster,
        world(*objects),
        enforcer,
        FakePods(absent or set()),
        SimpleNamespace(subjects={}),
    )
    return Agent(*parts, observes=observes).reconcile(), enforcer, cluster.conditions


def of(namespace: str, block: str) -> Json:
    rules = network([{"rule": f"cidr:{block}", "cidr": {"block": block}}])
    return {**rules, "metadata": {**rules["metadata"], "namespace": namespace}}


def test_rules_that_cannot_be_read_are_told_and_stop_no_others() -> None:
    waiting, enforcer, conditions = looked(
        ("appnetworks", of("bad", "999.0.0.0/8")),
        ("appnetworks", of("shop", "10.0.0.0/8")),
        ("pods", pod("bad-1", "10.1.0.1", "shop", "bad")),
        ("pods", pod("shop-1", "10.1.0.2", "shop")),
    )
    assert not waiting
    assert enforcer.attached == ["uid-shop-1"]
    assert enforcer.kept == {"uid-bad-1", "uid-shop-1"}, "what was attached before stays so"
    assert (conditions["bad"]["status"], conditions["bad"]["reason"]) == ("False", "Invalid")
    assert "999.0.0.0" in conditions["bad"]["message"]
    assert conditions["shop"]["status"] == "True"


def test_who_only_observes_never_enforces_and_says_so() -> None:
    """Not even what an agent before it has left attached, to rules that cannot be read."""
    audit = of("watched", "10.0.0.0/8")
    audit["spec"]["mode"] = "Audit"
    _, enforcer, conditions = looked(
        ("appnetworks", of("bad", "999.0.0.0/8")),
        ("appnetworks", of("shop", "10.0.0.0/8")),
        ("appnetworks", audit),
        ("pods", pod("bad-1", "10.1.0.1", "shop", "bad")),
        ("pods", pod("shop-1", "10.1.0.2", "shop")),
        ("pods", pod("watched-1", "10.1.0.3", "shop", "watched")),
        observes=True,
    )
    assert enforcer.flags == [maps.POLICY_CLOSED_OUT | maps.POLICY_AUDIT] * 2
    assert enforcer.kept == {"uid-shop-1", "uid-watched-1"}
    assert (conditions["shop"]["status"], conditions["watched"]["status"]) == ("False", "True")
    assert "only observes" in conditions["shop"]["message"]


def test_a_pod_whose_cgroup_is_not_seen_is_not_let_go() -> None:
    waiting, enforcer, conditions = looked(
        ("appnetworks", of("shop", "10.0.0.0/8")), ("pods", pod("shop-1", "10.1.0.2", "shop")), absent={"uid-shop-1"}
    )
    assert waiting
    assert enforcer.kept == {"uid-shop-1"}
    assert conditions["shop"]["reason"] == "Attaching"


def test_a_pod_that_cannot_be_attached_is_tried_again_and_holds_up_no_other() -> None:
    for error in (FileNotFoundError("gone"), BpfError("attaching", 22)):
        waiting, enforcer, conditions = looked(
            ("appnetworks", of("shop", "10.0.0.0/8")),
            ("pods", pod("shop-1", "10.1.0.2", "shop")),
            ("pods", pod("shop-2", "10.1.0.3", "shop")),
            broken={"uid-shop-1": error},
        )
        assert waiting
        assert enforcer.attached == ["uid-shop-2"]
        assert enforcer.kept == {"uid-shop-1", "uid-shop-2"}
        assert conditions["shop"]["message"].startswith("1 of 2 pods")
