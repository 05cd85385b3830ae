"""The agent of one node: follows the cluster, and keeps the kernel as the rules say."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.agent.cgroups import Pods
from nucleo_cli.agent.enforcer import Enforcer, Member
from nucleo_cli.agent.rules import compiled, policy_number
from nucleo_cli.agent.watching import News, Watches
from nucleo_cli.agent.world import Json, World, key
from nucleo_cli.errors import NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

KINDS = {
    "appnetworks": path("nucleo.io/v1alpha1", "appnetworks"),
    "pods": path("v1", "pods"),
    "services": path("v1", "services"),
    "nodes": path("v1", "nodes"),
    "endpointslices": path("discovery.k8s.io/v1", "endpointslices", "default"),
}
# News that come together are looked at together; a pod has its cgroup a moment after its node is chosen.
_TOGETHER_SECONDS = 0.01
_WAITING_SECONDS = 0.02


@dataclass
class Agent:
    """Brings the pods of `world.node` under their rules.

    `here` tells the addresses of this machine, which may get another one at any time; `ready` is called once, when all
    that was there at the start has been looked at.
    """

    cluster: Cluster
    world: World
    enforcer: Enforcer
    pods: Pods
    here: Callable[[], frozenset[str]] | None = None
    ready: Callable[[], None] | None = None
    _seen: set[str] = field(default_factory=set[str])
    _said: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def run(self) -> None:
        """For ever."""
        watches = Watches(self.cluster)
        for kind, where in KINDS.items():
            watches.follow(kind, where)
        waiting = False
        swept = False
        while True:
            changed = self._take(watches.news, _WAITING_SECONDS if waiting else None)
            if len(self._seen) < len(KINDS) or not (changed or waiting):
                continue
            waiting = self.reconcile()
            if not swept:
                self.enforcer.sweep({policy_number(*key(each)) for each in self.world.of("appnetworks")})
                swept = True
                if self.ready:
                    self.ready()

    def _take(self, news: queue.SimpleQueue[News], seconds: float | None) -> bool:
        """Take in what has happened; wait for it, as long as that."""
        try:
            self._apply(news.get(timeout=seconds))
            while True:
                self._apply(news.get(timeout=_TOGETHER_SECONDS))
        except queue.Empty:
            return True

    def _apply(self, news: News) -> None:
        self._seen.add(news.kind)
        if news.event == "RESET":
            self.world.reset(news.kind, news.items)
        else:
            self.world.take(news.kind, news.event, news.items[0])

    def reconcile(self) -> bool:
        """Bring the kernel to what is wanted; whether a pod has no cgroup yet."""
        waiting = False
        if self.here:
            self.world.here = self.here()
        members: dict[str, Member] = {}
        policies: set[int] = set()
        for network in self.world.of("appnetworks"):
            local = self.world.local_pods(network)
            if not local:
                continue
            number = policy_number(*key(network))
            policies.add(number)
            attached = 0
            self.enforcer.write(compiled(network, self.world, self.enforcer.known_names(number)))
            for pod in local:
                uid = pod["metadata"]["uid"]
                folder = self.pods.find(uid)
                if folder is None:
                    waiting = True
                    continue
                members[uid] = Member(uid, number, folder)
                self.enforcer.attach(members[uid])
                attached += 1
            self._report(network, attached, len(local))
        self.enforcer.keep_only(set(members))
        for gone in self.enforcer.policies - policies:
            self.enforcer.forget(gone)
        return waiting

    def _report(self, network: Json, attached: int, pods: int) -> None:
        """Say in the object's status how far its rules are in force."""
        generation = network["metadata"]["generation"]
        ready = attached == pods
        status = {"observedGeneration": generation, "pods": attached}
        if self._said.get(key(network)) == repr(status):
            return
        before = next(iter((network.get("status") or {}).get("conditions") or ()), {})
        condition = {
            "type": "Ready",
            "status": str(ready),
            "reason": "Attached" if ready else "Attaching",
            "message": f"{attached} of {pods} pods on {self.world.node}",
            "observedGeneration": generation,
            "lastTransitionTime": before.get("lastTransitionTime") if before.get("status") == str(ready) else _now(),
        }
        namespace, name = key(network)
        where = path("nucleo.io/v1alpha1", "appnetworks", namespace, name, "status")
        try:
            self.cluster.patch(where, {"status": {**status, "conditions": [condition]}})
        except NucleoError:
            return
        self._said[key(network)] = repr(status)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
