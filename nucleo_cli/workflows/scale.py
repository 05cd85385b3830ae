"""nucleo scale and nucleo restart: the same release, with another number of pods or with new ones."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json, annotations, labels, part
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.labels import of_app
from nucleo_cli.errors import Interrupted, NotFound, NucleoError, UsageError
from nucleo_cli.workflows.history import read_history
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.rollout import roll_out

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

# kubectl's own annotation: `kubectl rollout restart` does the same.
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def scale(
    cluster: "Cluster", target: Target, wanted: dict[str, int], *, timeout: float | None = None
) -> Work[dict[str, Any]]:
    """Sets the number of pods of each process in `wanted`; the JSON of `nucleo scale`.

    Raises NotFound for a process that does not exist, UsageError for one that scales itself.
    """
    with (yield from acquire(cluster, target, create=False)) as lease:
        deployments = _deployments(cluster, target)
        _refuse_unknown(target, wanted, deployments)
        _refuse_autoscaled(cluster, target, wanted)
        before = {process: int(deployments[process]["spec"].get("replicas", 1)) for process in wanted}
        phase = Phase("scale")
        yield phase.start(", ".join(f"{process} {before[process]} → {count}" for process, count in wanted.items()))
        for process, count in wanted.items():
            cluster.patch(f"{_path(target, deployments[process])}/scale", {"spec": {"replicas": count}})
        ready = yield from roll_out(cluster, target, timeout, lease)
        yield phase.end(f"{ready.total} ready")
    return {
        "app": target.app,
        "processes": [
            {"name": process, "replicas": count, "previous": before[process]} for process, count in wanted.items()
        ],
    }


def restart(
    cluster: "Cluster", target: Target, processes: list[str], *, timeout: float | None = None
) -> Work[dict[str, Any]]:
    """Replaces the pods of the processes (none named: of all), new ones first; the JSON of `nucleo restart`.

    When the new pods do not become healthy, the old ones, which never stopped serving, stay.
    """
    with (yield from acquire(cluster, target, create=False)) as lease:
        deployments = _deployments(cluster, target)
        chosen = {name: deployments.get(name) for name in processes} if processes else dict(deployments)
        _refuse_unknown(target, chosen, deployments)
        phase = Phase("restart")
        yield phase.start(", ".join(chosen))
        before = {name: _restarted(deployments[name]) for name in chosen}
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            for name in chosen:
                _annotate(cluster, target, deployments[name], now)
            ready = yield from roll_out(cluster, target, timeout, lease)
        except (NucleoError, Interrupted):
            for name in chosen:
                _annotate(cluster, target, deployments[name], before[name])
            raise
        yield phase.end(f"{ready.total} ready")
    return {"app": target.app, "processes": [{"name": name, "ready": ready.pods.get(name, 0)} for name in chosen]}


def _deployments(cluster: "Cluster", target: Target) -> dict[str, Json]:
    where = path("apps/v1", "deployments", target.namespace)
    found = cluster.items(where, labelSelector=of_app(target.app))
    if not found:
        read_history(cluster, target).running()
    return {labels(each).get("nucleo.io/process", "web"): each for each in found}


def _refuse_unknown(target: Target, wanted: dict[str, Any], deployments: dict[str, Json]) -> None:
    if unknown := sorted(set(wanted) - set(deployments)):
        raise NotFound(
            f'"{target.app}" has no process {", ".join(unknown)}', f"its processes: {', '.join(sorted(deployments))}"
        )


def _refuse_autoscaled(cluster: "Cluster", target: Target, wanted: dict[str, int]) -> None:
    scalers = cluster.items(
        path("autoscaling/v2", "horizontalpodautoscalers", target.namespace),
        labelSelector=of_app(target.app),
    )
    for scaler in scalers:
        process, spec = labels(scaler).get("nucleo.io/process", "web"), part(scaler, "spec")
        # Zero switches an autoscaler off, and any other number switches it on again.
        if process in wanted and wanted[process] != 0 and not _is_stopped(cluster, target, scaler):
            raise UsageError(
                f"{process} scales itself between {spec.get('minReplicas', 1)} and {spec['maxReplicas']}",
                "change scale.replicas in nucleo.yml and deploy",
            )


def _is_stopped(cluster: "Cluster", target: Target, scaler: Json) -> bool:
    name = part(scaler, "spec", "scaleTargetRef")["name"]
    found = cluster.get(path("apps/v1", "deployments", target.namespace, name))
    return found["spec"].get("replicas", 1) == 0


def _restarted(deployment: Json) -> str | None:
    return annotations(part(deployment, "spec", "template")).get(_RESTARTED)


def _annotate(cluster: "Cluster", target: Target, deployment: Json, value: str | None) -> None:
    body = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: value}}}}}
    cluster.patch(_path(target, deployment), body)


def _path(target: Target, deployment: Json) -> str:
    return path("apps/v1", "deployments", target.namespace, deployment["metadata"]["name"])
