"""What is certainly wrong with a pod, row by row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.workflows.diagnosis import (
    UNSCHEDULABLE_SECONDS,
    Listener,
    diagnose,
    listeners,
    wrong_port,
)
from tests.unit.workflows.fake_cluster import HANG, READY, waiting

PULL = 'failed to resolve reference "r.example/shop@sha256:1": r.example/shop@sha256:1: '


def pod(status: dict[str, Any], **limits: str) -> dict[str, Any]:
    container = {"name": "web", "resources": {"limits": limits}} if limits else {"name": "web"}
    return {"metadata": {"name": "shop-web-1"}, "spec": {"containers": [container]}, "status": status}


def ended(reason: str, code: int) -> dict[str, Any]:
    """A container that ended just now and was not started again yet."""
    terminated = {"reason": reason, "exitCode": code}
    return {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"terminated": terminated}}]}


@pytest.mark.parametrize(
    ("code", "summary", "hint"),
    [
        (0, "ended by itself (exit code 0), but a process has to keep running", "background"),
        (1, "exits at once with code 1", "log"),
        (126, "not executable (exit code 126)", "chmod +x"),
        (127, "was not found (exit code 127)", "dependency"),
        (137, "was killed (signal 9)", "resources.memory"),
        (139, "segmentation fault", "log"),
        (143, "told to stop (signal 15)", "log"),
        (255, "exits at once with code 255", "log"),
    ],
)
def test_a_crash_loop(code: int, summary: str, hint: str) -> None:
    found = diagnose(pod(waiting("CrashLoopBackOff", exitCode=code)), 1)
    assert found is not None
    assert (found.reason, found.pod, found.container, found.previous) == ("CrashLoopBackOff", "shop-web-1", "web", True)
    assert summary in found.summary
    assert hint in found.hint


RESTARTED: dict[str, Any] = {
    "containerStatuses": [
        {"name": "web", "state": {"running": {}}, "lastState": {"terminated": {"reason": "OOMKilled"}}},
    ]
}


@pytest.mark.parametrize(
    ("status", "previous"),
    [
        (ended("OOMKilled", 137), False),
        (waiting("CrashLoopBackOff", reason="OOMKilled", exitCode=137), True),
        (RESTARTED, True),
    ],
)
def test_out_of_memory_names_the_limit(status: dict[str, Any], previous: bool) -> None:
    found = diagnose(pod(status, memory="256Mi"), 1)
    assert found is not None
    assert (found.reason, found.previous) == ("OOMKilled", previous)
    assert found.summary == "it used more memory than its limit of 256Mi and was killed"
    assert "resources.memory" in found.hint
    without = diagnose(pod(status), 1)
    assert without is not None
    assert without.summary == "it used more memory than its limit and was killed"


@pytest.mark.parametrize(
    ("reason", "message", "summary"),
    [
        ("ImagePullBackOff", "Back-off pulling image", "the image cannot be pulled: Back-off pulling image"),
        ("ErrImagePull", PULL + "not found", f"the image cannot be pulled: {PULL}not found"),
        ("ErrImagePull", PULL + "unexpected status: 401 unauthorized", "unauthorized"),
        ("ErrImagePull", "pull access denied", "denied"),
        ("ErrImageNeverPull", "", "the image is not on the node"),
        ("InvalidImageName", "couldn't parse", "the image's name is invalid: couldn't parse"),
        ("CreateContainerConfigError", 'secret "x" not found', 'cannot be configured: secret "x" not found'),
        ("CreateContainerError", "", "the container cannot be created: CreateContainerError"),
        ("RunContainerError", "exec {braces}: no such file", "cannot be started: exec {braces}: no such file"),
        ("StartError", "exec format error", "cannot be started: exec format error"),
        ("PreStartHookError", "it said no", "a start hook failed: it said no"),
    ],
)
def test_a_container_that_cannot_start(reason: str, message: str, summary: str) -> None:
    found = diagnose(pod(waiting(reason, message)), 1)
    assert found is not None
    assert summary in found.summary
    assert found.hint


def test_an_init_container_counts_too() -> None:
    status = {"initContainerStatuses": [{"name": "first", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    found = diagnose(pod(status), 1)
    assert found is not None
    assert found.container == "first"


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Pending"},
        READY,
        HANG,
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        waiting("ErrImagePull", "dial tcp: i/o timeout"),
        ended("Error", 1),
        {"phase": "Failed", "reason": "Evicted"},
    ],
)
def test_what_may_still_become_healthy_is_no_failure(status: dict[str, Any]) -> None:
    assert diagnose(pod(status), 1_000) is None


def test_a_forbidden_sysctl() -> None:
    message = 'forbidden sysctl: "net.core.somaxconn" not allowlisted'
    found = diagnose(pod({"phase": "Failed", "reason": "SysctlForbidden", "message": message}), 1)
    assert found is not None
    assert found.summary.endswith(message)
    assert "allowedUnsafeSysctls" in found.hint


@pytest.mark.parametrize("reason", ["UnexpectedAdmissionError", "NodeAffinity", "OutOfcpu", "OutOfmemory"])
def test_a_node_that_refuses(reason: str) -> None:
    found = diagnose(pod({"phase": "Failed", "reason": reason}), 1)
    assert found is not None
    assert found.summary == f"the node refused the pod: {reason}"


def test_no_room_only_after_a_while() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
    }
    status = {"phase": "Pending", "conditions": [condition]}
    assert diagnose(pod(status), UNSCHEDULABLE_SECONDS) is None
    found = diagnose(pod(status), UNSCHEDULABLE_SECONDS + 1)
    assert found is not None
    assert found.reason == "Unschedulable"
    assert "Insufficient memory" in found.summary
    assert diagnose(pod({"conditions": [{**condition, "reason": "SchedulingGated"}]}), 1_000) is None


# As printed by Linux 6: header, a listener on 0.0.0.0:8000, one on 127.0.0.1:5432, an established connection.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000000000000000 100
   1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31338 1 0000000000000000 100
   2: 0200F40A:1F40 0100F40A:D2A4 01 00000000:00000000 00:00000000 00000000  1000        0 31339 1 0000000000000000 20 4
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   1: 00000000000000000000000001000000:2328 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   2: 0000000000000000FFFF00000100007F:2329 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""


def test_the_kernels_tables_are_read() -> None:
    v4 = {Listener(8000, False), Listener(5432, True)}
    v6 = {Listener(3000, False), Listener(9000, True), Listener(9001, True)}
    assert listeners(TCP) == v4
    assert listeners(TCP6) == v6
    assert listeners(TCP + TCP6) == v4 | v6
    assert listeners("") == frozenset()


@given(st.one_of(st.text(), st.lists(st.text(" :0123456789ABCDEFxyz/\n"), min_size=4).map(" ".join)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert all(0 <= each.port < 65536 for each in listeners(text))


@given(st.text(" :0A"), st.text(" :0A"))
def test_a_line_that_looks_like_a_listener_but_is_none(address: str, rest: str) -> None:
    listeners(f"0: {address}:{rest} 0 0A")


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        ({Listener(8080, False)}, None, ()),
        ({Listener(8080, False), Listener(8080, True), Listener(9229, True)}, None, ()),
        (set[Listener](), None, ()),
        ({Listener(8080, True)}, "LoopbackOnly", ("127.0.0.1:8080 only", "0.0.0.0:8080")),
        ({Listener(3000, False)}, "WrongPort", ("port 3000, but nucleo.yml says 8080", 'ports: ["3000:80"]')),
        ({Listener(9000, False), Listener(3000, True)}, "WrongPort", ("port 3000, 9000", "$PORT")),
    ],
)
def test_listening_somewhere_else(found: set[Listener], reason: str | None, words: tuple[str, ...]) -> None:
    failure = wrong_port(frozenset(found), 8080)
    assert (failure.reason if failure else None) == reason
    for word in words:
        assert failure is not None
        assert word in failure.summary + failure.hint


def test_a_container_that_never_ran_says_why_although_it_is_tried_again() -> None:
    said = 'exec: "gunicornn": executable file not found in $PATH'
    status = {
        "name": "web",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "StartError", "exitCode": 128, "message": said}},
    }
    failure = diagnose({"metadata": {"name": "shop-web-1"}, "status": {"containerStatuses": [status]}}, 5.0)
    assert failure is not None
    assert (failure.reason, failure.summary) == ("StartError", f"the container cannot be started: {said}")
