"""The agent of one node: follows the cluster, and keeps the kernel as the rules say."""

from __future__ import annotations

import queue
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.agent import maps
from nucleo_cli.agent.cgroups import Pods
from nucleo_cli.agent.enforcer import Enforcer, Member
from nucleo_cli.agent.flows import Flows, Subject
from nucleo_cli.agent.libbpf import BpfError, Ring
from nucleo_cli.agent.rules import compiled, hosts, pod_number, policy_number
from nucleo_cli.agent.status import change
from nucleo_cli.agent.watching import News, Watches
from nucleo_cli.agent.world import Json, World, addresses, key
from nucleo_cli.domain.documents import labels, part
from nucleo_cli.domain.labels import APP
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
_WAITING_SECONDS, _LONGEST_SECONDS = 0.02, 1.0
_DRAIN_SECONDS = 5
_ONLY_OBSERVES = "the agent only observes here: nucleo deploy gives the rules to what enforces them"
_FRESH_SECONDS = 0.2


@dataclass
class Agent:
    """Brings the pods of `world.node` under their rules.

    `here` tells the addresses of this machine, which may get another one at any time; `ready` is called once, when all
    that was there at the start has been looked at. With `observes` nothing is dropped, whatever the rules say.
    """

    cluster: Cluster
    world: World
    enforcer: Enforcer
    pods: Pods
    flows: Flows
    here: Callable[[], frozenset[str]] | None = None
    ready: Callable[[], None] | None = None
    observes: bool = False
    _seen: set[str] = field(default_factory=set[str])

    def run(self) -> None:
        """For ever."""
        threading.Thread(target=self._observe, name="flows", daemon=True).start()
        watches = Watches(self.cluster)
        for kind, where in KINDS.items():
            watches.follow(kind, where)
        waiting = False
        swept = False
        pause = _WAITING_SECONDS
        while True:
            changed = self._take(watches.news, pause if waiting else None)
            # A pod that waits for long is asked after less often.
            pause = min(2 * pause, _LONGEST_SECONDS) if waiting and not changed else _WAITING_SECONDS
            if len(self._seen) < len(KINDS) or not (changed or waiting):
                continue
            waiting = self.reconcile()
            if not swept:
                self.enforcer.sweep({policy_number(*key(each)) for each in self.world.of("appnetworks")})
                swept = True
                if self.ready:
                    self.ready()

    def _observe(self) -> None:
        """Turn what the kernel counts into flows: at once where a flow is new, else every few seconds."""
        events: list[maps.RecordKey | tuple[int, bytes]] = []
        ring = Ring(self.enforcer.maps["events"], lambda data: events.append(maps.event(data)))
        poll = select.poll()
        poll.register(ring.fileno(), select.POLLIN)
        drained = 0.0
        while True:
            left = drained + _DRAIN_SECONDS - time.monotonic()
            poll.poll(max(left, 0) * 1000)
            time.sleep(_FRESH_SECONDS)
            ring.consume()
            new = False
            for each in events:
                if isinstance(each, tuple):
                    self.flows.names.learn(each[1])
                else:
                    new = True
            events.clear()
            # Resolvers may answer all the time: of that alone nothing is told sooner.
            if new or time.monotonic() - drained >= _DRAIN_SECONDS:
                self.flows.drain()
                drained = time.monotonic()

    def _take(self, news: queue.SimpleQueue[News], seconds: float | None) -> bool:
        """Take in what has happened; wait for it, as long as that. Whether something has."""
        happened = False
        try:
            self._apply(news.get(timeout=seconds))
            happened = True
            while True:
                self._apply(news.get(timeout=_TOGETHER_SECONDS))
        except queue.Empty:
            return happened

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
        uids: set[str] = set()
        subjects: dict[int, Subject] = {}
        policies: set[int] = set()
        for network in list(self.world.of("appnetworks")):
            local = self.world.local_pods(network)
            if not local:
                if self.world.node in part(network, "status", "nodes"):
                    self._report(network, 0, 0)
                continue
            number = policy_number(*key(network))
            policies.add(number)
            own = {pod["metadata"]["uid"] for pod in local}
            # What is attached stays so, whatever goes wrong: a pod that is let go is open.
            uids |= own
            try:
                rules = compiled(network, self.world, self.enforcer.known_names(number, hosts(network)))
                self.enforcer.write(rules.watching() if self.observes else rules)
            except (ValueError, LookupError, BpfError) as error:  # of this object alone: the others go on
                if self.observes:  # an agent before this one may have enforced
                    uids -= own
                self._report(network, 0, len(local), str(error))
                continue
            attached = 0
            for pod in local:
                uid = pod["metadata"]["uid"]
                namespace, name = key(pod)
                subjects[pod_number(uid)] = Subject(namespace, labels(pod).get(APP, ""), name, rules)
                if self._attach(uid, number, tuple(addresses(pod))):
                    attached += 1
                else:
                    waiting = True
            enforces = network["spec"]["mode"] == "Enforce"
            self._report(network, attached, len(local), _ONLY_OBSERVES if self.observes and enforces else "")
        # A record of a pod that is gone is still told.
        self.flows.subjects = {**self.flows.subjects, **subjects}
        self.enforcer.keep_only(uids)
        for gone in self.enforcer.policies - policies:
            self.enforcer.forget(gone)
        return waiting

    def _attach(self, uid: str, policy: int, own: tuple[str, ...]) -> bool:
        """Whether the pod is under its policy now. It has its cgroup later than its node, and loses it sooner."""
        folder = self.pods.find(uid)
        if folder is None:
            return False
        try:
            self.enforcer.attach(Member(uid, policy, folder, own))
        except (OSError, BpfError):
            return False
        return True

    def _report(self, network: Json, attached: int, pods: int, problem: str = "") -> None:
        """Say in the object's status how far its rules are in force on this node, or why they are not."""
        status = change(network, self.world, attached, pods, problem)
        if status is None:
            return
        namespace, name = key(network)
        with suppress(NucleoError):  # the next change tries again
            where = path("nucleo.io/v1alpha1", "appnetworks", namespace, name, "status")
            self.world.take("appnetworks", "MODIFIED", self.cluster.patch(where, {"status": status}))
