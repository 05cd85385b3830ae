"""The agent on a real cluster: installed, killed, taken away, upgraded and removed, with apps under its rules."""

import itertools
import json
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.api import Api, Json
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample
from tests.installed import CONTEXT, Nucleo, Result

SYSTEM = "/api/v1/namespaces/nucleo-system"
DAEMON_SET = "/apis/apps/v1/namespaces/nucleo-system/daemonsets/nucleo-agent"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/appnetworks.nucleo.io"
NETWORKS = "/apis/nucleo.io/v1alpha1/appnetworks"
SELECTOR = "app.kubernetes.io/name=nucleo-agent"

# Connects to hosts for some seconds, again and again, and prints how often each attempt ended how.
PROBE = """\
import collections, json, socket, sys, time

seconds, *hosts = sys.argv[1:]
end = time.monotonic() + float(seconds)
counts = collections.Counter()
while True:
    for host in hosts:
        try:
            socket.create_connection((host, 8080), timeout=5).close()
            counts[host + " open"] += 1
        except OSError as error:
            counts[host + " " + type(error).__name__] += 1
    if time.monotonic() > end:
        break
    time.sleep(0.01)
print(json.dumps(counts))
"""
# The agent's container with this in the place of its process 1: the agent is a child of it, which is killed again and
# again, before it is ready and afterwards. The container goes on, so that the kubelet puts off nothing.
KILLING = """\
import itertools, os, signal, subprocess, sys, time

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for seconds in itertools.cycle((0.3, 7, 1, 4, 2, 3)):
    agent = subprocess.Popen([sys.executable, "-m", "nucleo_cli.agent", *sys.argv[1:]])
    time.sleep(seconds)
    print("killed", "ready" if os.path.exists("/run/nucleo/ready") else "starting", agent.poll(), flush=True)
    agent.kill()
    agent.wait()
"""
# The pods whose programs are pinned: one list for each kind of links.
PINNED = """\
import glob, json, os

print(json.dumps([os.listdir(each) for each in glob.glob("/sys/fs/bpf/nucleo/links*")]))
"""
# What a node's BPF file system holds of Nucleo, and what the agent keeps on its disk.
LOOK = "import os; print([each for each in os.listdir('/sys/fs/bpf') if 'nucleo' in each] + os.listdir('/state'))"


def eventually(look: Callable[[], Any], seconds: float = 120) -> Any:
    """What `look` finds, as soon as it is something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{look} finds nothing"
        time.sleep(0.1)
    return found


def agents(api: Api) -> list[Json]:
    """The pods of the agent that are not on their way out."""
    found = api.items(f"{SYSTEM}/pods", labelSelector=SELECTOR)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def all_ready(api: Api, besides: Collection[str] = ()) -> bool:
    """Whether every node has an agent that is ready, and none of those is in `besides`."""
    status: Json = api.get(DAEMON_SET).get("status", {})
    pods = agents(api)
    return (
        bool(pods)
        and len(pods) == status.get("desiredNumberScheduled")
        and all(is_ready(pod) and pod["metadata"]["uid"] not in besides for pod in pods)
    )


def uids(api: Api) -> set[str]:
    return {pod["metadata"]["uid"] for pod in agents(api)}


class Caller:
    """An app that may reach the app `friend`, and not the app `stranger`."""

    def __init__(self, app: Sample, friend: Sample, stranger: Sample) -> None:
        self.app, self.friend, self.stranger = app, friend, stranger
        self.hosts = tuple(f"{each.name}.{each.namespace}" for each in (friend, stranger))

    def words(self, seconds: float) -> tuple[str, ...]:
        return ("exec", "-C", str(self.app.directory), "--", "python3", "-c", PROBE, str(seconds), *self.hosts)

    def counted(self, result: Result) -> dict[str, int]:
        return json.loads(result.expect(0).stdout)

    def probe(self, seconds: float = 0) -> dict[str, int]:
        return self.counted(self.app.nucleo(*self.words(seconds)))

    def expect_rules(self, counts: dict[str, int]) -> None:
        """Every allowed connection came about, and every other one was refused at once."""
        assert set(counts) == {f"{self.hosts[0]} open", f"{self.hosts[1]} PermissionError"}, counts


def look(api: Api, sample: Sample, program: str) -> str:
    """What a Python program prints that sees the node's BPF file system and the agent's disk."""
    pods = f"/api/v1/namespaces/{sample.namespace}/pods"
    image = next(each["image"] for pod in api.items(pods) for each in pod["spec"]["containers"] if each["image"])
    name = f"look-{uuid4().hex[:8]}"
    container: Json = {
        "name": "look",
        "image": image,
        "command": ["python3", "-c", program],
        "volumeMounts": [
            {"name": "bpf", "mountPath": "/sys/fs/bpf", "readOnly": True},
            {"name": "state", "mountPath": "/state", "readOnly": True},
        ],
    }
    volumes: list[Json] = [
        {"name": "bpf", "hostPath": {"path": "/sys/fs/bpf"}},
        {"name": "state", "hostPath": {"path": "/var/lib/nucleo/agent", "type": "DirectoryOrCreate"}},
    ]
    spec: Json = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    api.create(pods, {"metadata": {"name": name}, "spec": spec})
    eventually(lambda: api.get(f"{pods}/{name}").get("status", {}).get("phase") in ("Succeeded", "Failed"))
    printed = api.text(f"{pods}/{name}/log").strip()
    api.delete(f"{pods}/{name}")
    return printed


def under_rules(api: Api) -> set[str]:
    """The pods that have rules, by their uids."""
    found: set[str] = set()
    for network in api.items(NETWORKS):
        selector = ",".join(f"{name}={value}" for name, value in network["spec"]["podSelector"]["matchLabels"].items())
        pods = api.items(f"/api/v1/namespaces/{network['metadata']['namespace']}/pods", labelSelector=selector)
        found |= {pod["metadata"]["uid"] for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")}
    return found


@pytest.fixture(scope="module")
def installed(cluster: str, nucleo: Nucleo, api: Api) -> Iterator[Result]:
    """The agent on the cluster; it is gone afterwards."""
    yield nucleo("network", "install", "--json").expect(0)
    if api.get(CRD):
        nucleo("network", "uninstall", "--confirm", CONTEXT).expect(0)


@pytest.fixture(scope="module")
def caller(installed: Result, app_factory: AppFactory) -> Caller:
    friend, stranger, app = app_factory("friend"), app_factory("stranger"), app_factory("caller")
    friend.deploy()
    stranger.deploy()
    app.configure(f'network: {{to: ["app:{friend.namespace}/{friend.name}"]}}')
    app.deploy()
    return Caller(app, friend, stranger)


@pytest.fixture
def no_agent(api: Api) -> Iterator[None]:
    """The agent is nowhere, as if every one of its pods could not start."""

    def select(value: str | None) -> None:
        selector = {"nucleo.io/nowhere": value}
        api.patch(DAEMON_SET, {"spec": {"template": {"spec": {"nodeSelector": selector}}}})

    select("true")
    eventually(lambda: not api.items(f"{SYSTEM}/pods", labelSelector=SELECTOR))
    yield
    select(None)
    eventually(lambda: all_ready(api))


@contextmanager
def agents_that_are_killed(api: Api) -> Generator[Callable[[], list[str]]]:
    """Every agent is killed every few seconds; tells each time how far it was, by the logs of the pods."""
    (container,) = api.get(DAEMON_SET)["spec"]["template"]["spec"]["containers"]

    def change(found: Json) -> None:
        before = uids(api)
        api.patch(DAEMON_SET, {"spec": {"template": {"spec": {"containers": [found]}}}})
        eventually(lambda: all_ready(api, before))

    def kills() -> list[str]:
        logs = [api.text(f"{SYSTEM}/pods/{pod['metadata']['name']}/log") for pod in agents(api)]
        return [line for log in logs for line in log.splitlines() if line.startswith("killed")]

    change({**container, "command": ["/usr/bin/python3", "-c", KILLING]})
    try:
        yield kills
    finally:
        change(container)


def test_it_says_what_it_has_installed(installed: Result, api: Api) -> None:
    assert installed.json["nodes"] == installed.json["ready"] == len(api.items("/api/v1/nodes"))
    (image,) = {each["image"] for pod in agents(api) for each in pod["spec"]["containers"]}
    assert image == installed.json["image"]


def test_it_may_do_only_what_it_has_to(installed: Result, api: Api) -> None:
    (container,) = api.get(DAEMON_SET)["spec"]["template"]["spec"]["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert "privileged" not in security
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["capabilities"]["add"] in (["BPF", "NET_ADMIN", "PERFMON"], ["SYS_ADMIN"])
    assert "ports" not in container


def test_the_same_again_starts_nothing(installed: Result, nucleo: Nucleo, api: Api) -> None:
    before = uids(api)
    again = nucleo("network", "install", "--json").expect(0)
    assert again.json == installed.json
    assert uids(api) == before


def test_the_allowed_is_open_and_all_else_is_refused_at_once(caller: Caller) -> None:
    caller.expect_rules(caller.probe())


def rules_of(app: Sample) -> str:
    return f"/apis/nucleo.io/v1alpha1/namespaces/{app.namespace}/appnetworks/{app.name}"


def in_force(api: Api, app: Sample) -> bool:
    """Whether the agents say that the app's rules, as they are now, hold for all of its pods."""
    network = api.get(rules_of(app))
    now = network["metadata"]["generation"]
    ready = [each for each in network.get("status", {}).get("conditions", ()) if each["type"] == "Ready"]
    return any(each["status"] == "True" and each["observedGeneration"] == now for each in ready)


def test_the_rules_say_that_they_are_in_force(caller: Caller, api: Api) -> None:
    eventually(lambda: in_force(api, caller.app))


def test_an_agent_that_is_killed_changes_nothing(caller: Caller, api: Api) -> None:
    nucleo, before = caller.app.nucleo, uids(api)
    with nucleo.start(*caller.words(15)) as running:
        time.sleep(1)
        for pod in agents(api):
            api.delete(f"{SYSTEM}/pods/{pod['metadata']['name']}?gracePeriodSeconds=0")
        eventually(lambda: all_ready(api, before))
        caller.expect_rules(caller.counted(nucleo.end(running)))
    caller.expect_rules(caller.probe())


def test_agents_that_are_killed_every_few_seconds_for_two_minutes(
    caller: Caller, api: Api, app_factory: AppFactory
) -> None:
    nucleo, newcomer = caller.app.nucleo, Caller(app_factory("newcomer"), caller.friend, caller.stranger)
    newcomer.app.configure("network: {to: []}")
    where = rules_of(caller.app)
    egress = api.get(where)["spec"]["egress"]
    harmless: Json = {"rule": "cidr:192.0.2.0/24", "cidr": {"block": "192.0.2.0/24"}}
    with agents_that_are_killed(api) as kills, nucleo.start(*caller.words(120)) as running:
        for turn in itertools.count():
            if running.poll() is not None:
                break
            if turn == 20:
                newcomer.app.deploy()  # its pod gets ready between two kills
                assert set(newcomer.probe(1)) == {f"{host} PermissionError" for host in caller.hosts}
            if turn == 40:
                api.patch(rules_of(newcomer.app), {"spec": {"egress": egress}})
                eventually(lambda: f"{caller.hosts[0]} open" in newcomer.probe())
                newcomer.expect_rules(newcomer.probe(1))
            # So that an agent is writing when it is killed.
            api.patch(where, {"spec": {"egress": [*egress, harmless] if turn % 2 else egress}})
            time.sleep(0.4)
        caller.expect_rules(caller.counted(nucleo.end(running)))
        assert len(kills()) > 20
        assert {"killed ready None", "killed starting None"} == set(kills())
        assert all(each["restartCount"] == 0 for pod in agents(api) for each in pod["status"]["containerStatuses"])
        api.patch(where, {"spec": {"egress": egress}})
        newcomer.app("scale", "web=0", "--confirm", newcomer.app.name, "--json").expect(0)  # a pod that goes meanwhile
    caller.expect_rules(caller.probe())
    eventually(lambda: in_force(api, caller.app))

    def as_pinned() -> bool:
        (links,) = json.loads(look(api, caller.friend, PINNED))
        return set(links) == under_rules(api)

    eventually(as_pinned)


def test_an_upgrade_has_no_gap(caller: Caller, api: Api) -> None:
    nucleo, before = caller.app.nucleo, uids(api)
    template = {"metadata": {"annotations": {"nucleo.io/test": uuid4().hex}}}
    with nucleo.start(*caller.words(15)) as running:
        time.sleep(1)
        api.patch(DAEMON_SET, {"spec": {"template": template}})
        eventually(lambda: all_ready(api, before))
        caller.expect_rules(caller.counted(nucleo.end(running)))
    caller.expect_rules(caller.probe())


def test_without_an_agent_the_rules_hold_and_new_pods_wait(caller: Caller, api: Api, no_agent: None) -> None:
    caller.expect_rules(caller.probe())
    pods = f"/api/v1/namespaces/{caller.app.namespace}/pods"
    (old,) = api.items(pods)
    api.delete(f"{pods}/{old['metadata']['name']}?gracePeriodSeconds=0")

    def waits() -> list[Json]:
        fresh = [pod for pod in api.items(pods) if pod["metadata"]["uid"] != old["metadata"]["uid"]]
        return [
            pod
            for pod in fresh
            if any("running" in each["state"] for each in pod["status"].get("initContainerStatuses", ()))
        ]

    eventually(waits)
    for _ in range(10):
        time.sleep(0.3)
        (pod,) = waits()
        assert pod["status"]["phase"] == "Pending"
        assert all("running" not in each["state"] for each in pod["status"]["containerStatuses"])


def test_those_pods_go_on_when_it_is_back(caller: Caller, api: Api) -> None:
    pods = f"/api/v1/namespaces/{caller.app.namespace}/pods"
    eventually(lambda: [pod for pod in api.items(pods) if is_ready(pod)])
    caller.expect_rules(caller.probe())


class TestUninstall:
    def test_it_asks(self, caller: Caller, nucleo: Nucleo, api: Api) -> None:
        refused = nucleo("network", "uninstall", "--json")
        assert refused.code == 2
        assert "will be open to everybody" in refused.json["error"]
        assert api.get(DAEMON_SET)

    def test_nothing_is_left(self, caller: Caller, nucleo: Nucleo, api: Api) -> None:
        done = nucleo("network", "uninstall", "--confirm", CONTEXT, "--json").expect(0)
        assert {"app": caller.app.name, "namespace": caller.app.namespace} in done.json["apps"]
        assert not api.get(CRD)
        assert not api.get(DAEMON_SET)
        for kind in ("clusterroles", "clusterrolebindings"):
            assert not api.get(f"/apis/rbac.authorization.k8s.io/v1/{kind}/nucleo-agent")
        assert not api.items(f"{SYSTEM}/secrets", labelSelector="owner=helm,name=nucleo-agent")
        assert not api.items("/apis/coordination.k8s.io/v1/namespaces/nucleo-system/leases")
        labels = api.get(SYSTEM)["metadata"]["labels"]
        assert "pod-security.kubernetes.io/enforce" not in labels
        eventually(lambda: not api.items(f"{SYSTEM}/pods", labelSelector=SELECTOR))

    def test_no_program_judges_any_more(self, caller: Caller) -> None:
        assert set(caller.probe()) == {f"{host} open" for host in caller.hosts}

    def test_nothing_is_pinned_and_nothing_kept(self, caller: Caller, api: Api) -> None:
        assert look(api, caller.friend, LOOK) == "[]"

    def test_again_there_is_nothing_to_remove(self, nucleo: Nucleo, caller: Caller) -> None:
        assert nucleo("network", "uninstall", "--confirm", CONTEXT, "--json").expect(6).json["code"] == "not-found"

    def test_installed_again_the_next_deploy_brings_the_rules_back(self, nucleo: Nucleo, caller: Caller) -> None:
        nucleo("network", "install").expect(0)
        assert set(caller.probe()) == {f"{host} open" for host in caller.hosts}
        assert caller.app.deploy().json["changed"]
        caller.expect_rules(caller.probe())
        assert not caller.app.deploy().json["changed"]
