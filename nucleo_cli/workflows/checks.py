"""What has to hold for Nucleo to work here: each check on its own, so that one failure hides no other."""

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import xdg
from nucleo_cli.domain.documents import number, part
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError
from nucleo_cli.workflows.urls import GATEWAY, INGRESS

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

CHECK_SECONDS = 10.0
_SKEW_SECONDS = 5.0
_FREE_BYTES = 5 * 1024**3
_OLDEST_MINOR = 30

# What a deploy does: verb, API group, resource.
NEEDED: Sequence[tuple[str, str, str]] = (
    *((verb, "apps", "deployments") for verb in ("create", "patch", "list", "watch", "delete")),
    *((verb, "", "secrets") for verb in ("create", "update", "list", "delete")),
    *((verb, "coordination.k8s.io", "leases") for verb in ("create", "patch", "delete")),
    ("create", "", "services"),
    ("create", "", "serviceaccounts"),
    ("create", "batch", "jobs"),
    ("list", "", "pods"),
    ("get", "", "pods/log"),
    ("create", "", "pods/exec"),
    ("create", "", "pods/attach"),
)


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check: what was found, and for a failure what to do."""

    name: str
    state: State
    detail: str
    hint: str = ""


class SkippedError(Exception):
    """A check that does not apply here, and why."""


Check = tuple[str, Callable[[], str]]
"""A name, and a function that returns what it found; it raises NucleoError to fail, SkippedError not to apply."""


def run_checks(checks: Sequence[Check]) -> Iterator[Result]:
    """All checks at once, their results in the order of the list; one that hangs fails after CHECK_SECONDS."""
    began = time.monotonic()
    running = [(name, _started(name, check)) for name, check in checks]
    for name, answer in running:
        try:
            result = answer.get(timeout=max(0.01, began + CHECK_SECONDS - time.monotonic()))
        except queue.Empty:
            result = Result(name, State.FAILED, f"no answer within {CHECK_SECONDS:g} s")
        if isinstance(result, Exception):
            raise result
        yield result


def _started(name: str, check: Callable[[], str]) -> "queue.Queue[Result | Exception]":
    # A daemon, not a pool: a check that hangs must not keep the program from ending.
    answer: queue.Queue[Result | Exception] = queue.Queue()

    def work() -> None:
        try:
            answer.put(_outcome(name, check))
        except Exception as error:
            answer.put(error)

    threading.Thread(target=work, name=f"check {name}", daemon=True).start()
    return answer


def _outcome(name: str, check: Callable[[], str]) -> Result:
    try:
        return Result(name, State.OK, check())
    except SkippedError as why:
        return Result(name, State.SKIPPED, str(why))
    except NucleoError as error:
        return Result(name, State.FAILED, error.message, error.hint)


def disk() -> str:
    """Free space where images and caches are kept."""
    folder = xdg.cache()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 1024**3:.0f} GiB free at {folder}"
    if free < _FREE_BYTES:
        raise NucleoError(said, "make room: builds need about 5 GiB")
    return said


def reachable(cluster: "Cluster") -> str:
    """The cluster answers, in a version that is supported."""
    version = cluster.get("/version")
    minor = int("".join(filter(str.isdigit, str(version.get("minor", "0")))) or 0)
    said = f"{cluster.context} at {cluster.server}, Kubernetes {version['gitVersion']}"
    if minor < _OLDEST_MINOR:
        raise NucleoError(f"{said} is too old", f"Kubernetes 1.{_OLDEST_MINOR} or later is needed")
    return said


def clock(cluster: "Cluster") -> str:
    """This machine's clock against the cluster's: tokens and certificates depend on it."""
    skew = abs(cluster.server_time() - time.time())
    if skew > _SKEW_SECONDS:
        raise NucleoError(f"the cluster's clock differs by {skew:.0f} s", "set the clocks by NTP")
    return "agrees with the cluster's"


def certificate(cluster: "Cluster") -> str:
    """How long the client certificate of the kubeconfig still holds."""
    days = cluster.certificate_days()
    if days is None:
        raise SkippedError("the kubeconfig has no client certificate")
    if days < 0:
        raise NotAllowed("your client certificate has expired", "get a new kubeconfig for this cluster")
    return f"your client certificate holds for {days:.0f} days"


def rights(cluster: "Cluster", namespace: str) -> str:
    """Whether one may do in the namespace what a deploy does."""
    missing = [
        f"{verb} {resource}" for verb, group, resource in NEEDED if not _may(cluster, namespace, verb, group, resource)
    ]
    if missing:
        raise NotAllowed(
            f'you may not {", ".join(missing)} in namespace "{namespace}"',
            "ask the cluster's administrators for these rights",
        )
    return f'you may deploy to namespace "{namespace}"'


def _may(cluster: "Cluster", namespace: str, verb: str, group: str, resource: str) -> bool:
    name, _, sub = resource.partition("/")
    asked = {"namespace": namespace, "verb": verb, "group": group, "resource": name, "subresource": sub}
    body: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = cluster.create(path("authorization.k8s.io/v1", "selfsubjectaccessreviews"), body)
    return bool(part(answer, "status").get("allowed"))


def settings_known(settings: Settings) -> str:
    """The cluster says where images go."""
    if not settings.registry_push:
        raise NotFound(
            "the cluster does not say which registry to use", "nucleo cluster configure --registry-push HOST[/PREFIX]"
        )
    return f"images go to {settings.registry_push}"


def routes(cluster: "Cluster", settings: Settings) -> str:
    """The Gateway or the ingress class that the settings name is there, and so is a domain."""
    if settings.routes == "none":
        raise SkippedError("the cluster has no HTTP routes: apps are reached by port numbers alone")
    if settings.routes == "gateway":
        namespace, _, name = settings.gateway.partition("/")
        cluster.get(path(GATEWAY, "gateways", namespace, name))
        found = f"Gateway {settings.gateway}"
    else:
        if settings.ingress_class:
            cluster.get(path(INGRESS, "ingressclasses", None, settings.ingress_class))
        found = f"ingress class {settings.ingress_class or '(default)'}"
    if not settings.base_domain:
        raise NucleoError(f"{found}, but no base domain", "nucleo cluster configure --base-domain DOMAIN")
    return f"{found}, apps at NAME.{settings.base_domain}"


def metrics(cluster: "Cluster") -> str:
    """Something measures CPU and memory: needed for `nucleo metrics` and for scaling by load."""
    try:
        cluster.get(path("metrics.k8s.io/v1beta1", "nodes"), limit=1)
    except NotAllowed:
        return "the metrics API is there"
    except NotFound:
        raise NucleoError(
            "the cluster has no metrics API: nothing scales by load", "install metrics-server on the cluster"
        ) from None
    return "the metrics API answers"


def rules(cluster: "Cluster", settings: Settings, app_has_rules: bool) -> str:
    """What enforces network rules. Fails where nothing does and the app has some."""
    from nucleo_cli.workflows.probe import enforces_policies
    from nucleo_cli.workflows.settings import with_back_end

    found = with_back_end(cluster, settings)
    back_end = found.network
    if back_end == "agent":
        daemons = cluster.get(path("apps/v1", "daemonsets", "nucleo-system", "nucleo-agent"))
        ready, wanted = (number(daemons, "status", each) for each in ("numberReady", "desiredNumberScheduled"))
        if ready < wanted:
            raise NucleoError(
                f"Nucleo's agent is ready on {ready} of {wanted} nodes: new pods of apps with rules wait on the others",
                "nucleo network install brings it back",
            )
        return f"Nucleo's agent enforces them, ready on {ready} of {wanted} nodes"
    if back_end == "cilium":
        return "Cilium enforces them" + (", and Nucleo's agent observes" if found.observed else "")
    if back_end == "none":
        raise SkippedError("the cluster's setting says that nothing enforces them")
    enforced = enforces_policies(cluster)
    if enforced is None:
        raise SkippedError("not known: no app runs here to try a NetworkPolicy with")
    if enforced:
        return "a NetworkPolicy is enforced, as a trial showed"
    said = "this cluster takes a NetworkPolicy and does not enforce it, as a trial showed"
    if app_has_rules:
        raise NucleoError(f"{said}: the app's rules do nothing", "nucleo network install enforces them")
    raise SkippedError(f"{said}: rules would do nothing without nucleo network install")
