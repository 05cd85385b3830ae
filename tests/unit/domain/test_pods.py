from typing import Any

import pytest

from nucleo_cli.domain import pods

RUNNING: dict[str, Any] = {"name": "web", "ready": True, "restartCount": 1, "state": {"running": {}}}
READY = [{"type": "Ready", "status": "True"}]


def made(deleted: bool = False, **status: Any) -> dict[str, Any]:
    metadata = {"name": "a", "labels": {"nucleo.io/process": "web"}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {**metadata, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
        "spec": {"initContainers": [{"name": "i"}] if "initContainerStatuses" in status else []},
        "status": status,
    }


def of(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "web", "state": state}]


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (made(phase="Pending"), "Pending"),
        (made(), "Unknown"),
        (made(phase="Failed", reason="Evicted"), "Evicted"),
        (made(phase="Running", containerStatuses=[RUNNING]), "Running"),
        (made(phase="Running", deleted=True), "Terminating"),
        (made(phase="Failed", deleted=True, containerStatuses=of(terminated={"reason": "Error"})), "Error"),
        (made(phase="Running", deleted=True, reason="NodeLost"), "Unknown"),
        (made(phase="Pending", containerStatuses=of(waiting={"reason": "ContainerCreating"})), "ContainerCreating"),
        (made(phase="Running", containerStatuses=of(waiting={"reason": "CrashLoopBackOff"})), "CrashLoopBackOff"),
        (made(phase="Succeeded", containerStatuses=of(terminated={"reason": "Completed"})), "Completed"),
        (made(phase="Failed", containerStatuses=of(terminated={"exitCode": 3})), "ExitCode:3"),
        (made(phase="Failed", containerStatuses=of(terminated={"exitCode": 137, "signal": 9})), "Signal:9"),
        (
            made(
                phase="Running", conditions=READY, containerStatuses=[*of(terminated={"reason": "Completed"}), RUNNING]
            ),
            "Running",
        ),
        (made(phase="Running", containerStatuses=[*of(terminated={"reason": "Completed"}), RUNNING]), "NotReady"),
        (made(phase="Pending", initContainerStatuses=of(running={})), "Init:0/1"),
        (
            made(phase="Pending", initContainerStatuses=of(waiting={"reason": "ImagePullBackOff"})),
            "Init:ImagePullBackOff",
        ),
        (made(phase="Pending", initContainerStatuses=of(terminated={"exitCode": 1, "reason": "Error"})), "Init:Error"),
        (made(phase="Running", initContainerStatuses=of(terminated={"exitCode": 0})), "Running"),
        (
            made(
                phase="Running",
                initContainerStatuses=[{"name": "i", "started": True, "ready": True, "state": {"running": {}}}],
            ),
            "Running",
        ),
    ],
)
def test_a_pod_is_told_in_the_words_of_kubectl(pod: dict[str, Any], expected: str) -> None:
    assert pods.status(pod) == expected


def test_a_pod_that_is_being_deleted_is_not_ready() -> None:
    assert pods.ready(made(conditions=READY))
    assert not pods.ready(made(conditions=READY, deleted=True))


def test_small_facts() -> None:
    pod = made(phase="Running", containerStatuses=[RUNNING])
    assert (pods.process(pod), pods.restarts(pod), pods.container(pod, "web"), pods.container(pod, "x")) == (
        "web",
        1,
        RUNNING,
        {},
    )
    assert pods.age(pod) > 0
    assert pods.finished(made(phase="Succeeded"))
