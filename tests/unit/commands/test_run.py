import socket
from collections.abc import Iterator
from typing import Any

from nucleo_cli.adapters.channels import STDERR, STDOUT, Channels
from nucleo_cli.errors import Exit
from tests.unit.commands.observed import DEPLOYMENTS, PODS, Canned, answer, deployment

JOBS = "/apis/batch/v1/namespaces/shop/jobs"


class Running(Canned):
    """A cluster that makes the pod of a Job, whose command prints a line and ends with 5."""

    def __init__(self, waiting: str = "") -> None:
        super().__init__({DEPLOYMENTS: [deployment()], PODS: []})
        self.jobs: list[Any] = []
        self.deleted: list[str] = []
        self._state: Any = {"waiting": {"reason": waiting}} if waiting else {"running": {}}

    def create(self, path: str, body: Any, **query: Any) -> Any:
        assert path == JOBS
        self.jobs.append(body)
        status = {"phase": "Running", "containerStatuses": [{"name": "web", "state": self._state}]}
        made = {"metadata": {"name": "run-pod", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}}
        self.answers[PODS] = [{**made, "spec": {"containers": []}, "status": status}]
        return body

    def delete(self, path: str, body: Any = None, **query: Any) -> Any:
        self.deleted.append(path)
        return {}

    def watch(self, path: str, **query: Any) -> Iterator[Any]:
        return iter(())

    def websocket(self, path: str, query: list[tuple[str, Any]]) -> Channels:
        token = self.jobs[0]["spec"]["template"]["spec"]["containers"][0]["command"][3]
        end = f"\x1e{token} 5\x1e".encode()
        mine, theirs = socket.socketpair()
        for channel, data in ((STDOUT, b"\x1e?\x1e"), (STDOUT, b"\x1e!\x1ehello\n" + end), (STDERR, b"oops\n" + end)):
            theirs.sendall(bytes([0x82, len(data) + 1, channel]) + data)
        self.other = theirs
        return Channels(mine, None)


def test_it_has_the_commands_code_and_output_and_leaves_nothing() -> None:
    cluster = Running()
    told = answer(cluster, "run", "-a", "shop", "-q", "ls", "-l")
    cluster.other.close()
    assert (told.code, told.out, told.err) == (5, "hello\n", "oops\n")
    [job] = cluster.jobs
    assert job["spec"]["template"]["spec"]["containers"][0]["command"][4:] == ["ls", "-l"]
    assert cluster.deleted == [f"{JOBS}/{job['metadata']['name']}"]


def test_one_document_for_machines() -> None:
    cluster = Running()
    told = answer(cluster, "run", "-a", "shop", "--json", "-q", "--", "ls", "-l")
    cluster.other.close()
    assert (told.code, told.json) == (5, {"code": 5, "stdout": "hello\n", "stderr": "oops\n"})


def test_an_image_that_cannot_be_pulled_is_told_and_the_job_removed() -> None:
    cluster = Running(waiting="ImagePullBackOff")
    told = answer(cluster, "run", "-a", "shop", "ls")
    assert told.code == Exit.FAILED
    assert "the image cannot be pulled" in told.err
    assert len(cluster.deleted) == 1


def test_an_unknown_process_makes_nothing() -> None:
    cluster = Running()
    told = answer(cluster, "run", "-a", "shop", "--process", "worker", "ls")
    assert (told.code, cluster.jobs, cluster.deleted) == (Exit.NOT_FOUND, [], [])


def test_a_command_is_needed() -> None:
    assert answer(Running(), "run", "-a", "shop").code == Exit.USAGE
