"""CPU and memory of each pod against what it asked for and what it may have."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels, pods
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import part, parts
from nucleo_cli.domain.quantities import parse, percent
from nucleo_cli.errors import NotFound, NucleoError
from nucleo_cli.workflows.processes import check_process, read_deployments, read_pods

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]
_API = "metrics.k8s.io/v1beta1"


def read_usage(cluster: "Cluster", target: Target, process: str | None = None) -> Json:
    """The JSON of `nucleo metrics`: CPU in cores, memory in bytes, percentages of request and limit where there are.

    A pod that was not measured yet has null. NotFound: no app or process; NucleoError: the cluster measures nothing.
    """
    found = read_pods(cluster, target, process)
    if not found:
        check_process(read_deployments(cluster, target), target, process)
    measured = {each["metadata"]["name"]: each for each in _measurements(cluster, target)}
    return {"app": target.app, "pods": [_entry(pod, measured.get(pods.name(pod))) for pod in found]}


def _measurements(cluster: "Cluster", target: Target) -> list[Json]:
    where = path(_API, "pods", target.namespace)
    try:
        return parts(cluster.get(where, labelSelector=labels.of_processes(target.app)), "items")
    except NotFound as error:
        raise _unmeasured("the cluster has no metrics API") from error
    except NucleoError as error:
        if error.details.get("status") == 503:
            raise _unmeasured("the cluster's metrics API does not answer") from error
        raise


def _unmeasured(what: str) -> NucleoError:
    return NucleoError(
        f"{what}, so nothing measures CPU and memory",
        "install metrics-server (https://github.com/kubernetes-sigs/metrics-server); nucleo cluster up brings it along",
    )


def _entry(pod: Json, measured: Json | None) -> Json:
    return {
        "name": pods.name(pod),
        "process": pods.process(pod),
        "status": pods.status(pod),
        "restarts": pods.restarts(pod),
        "cpu": _resource(pod, measured, "cpu"),
        "memory": _resource(pod, measured, "memory"),
    }


def _resource(pod: Json, measured: Json | None, name: str) -> Json:
    request, limit = _sum(pod, "requests", name), _sum(pod, "limits", name)
    used = sum((parse(each["usage"][name]) for each in parts(measured, "containers")), Fraction()) if measured else None
    return {
        "used": _number(used, name),
        "request": _number(request, name),
        "limit": _number(limit, name),
        "percent_of_request": percent(used, request) if used is not None else None,
        "percent_of_limit": percent(used, limit) if used is not None else None,
    }


def _sum(pod: Json, kind: str, name: str) -> Fraction | None:
    """What all containers together ask for; None when one of them says nothing."""
    said = [part(each, "resources", kind).get(name) for each in parts(pod, "spec", "containers")]
    return sum((parse(text) for text in said if text), Fraction()) if all(said) else None


def _number(value: Fraction | None, name: str) -> float | int | None:
    if value is None:
        return None
    return round(float(value), 6) if name == "cpu" else int(value)
