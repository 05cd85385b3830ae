import socket
from typing import Any

from nucleo_cli.adapters.channels import ERROR, STDOUT, Channels
from nucleo_cli.errors import Exit
from tests.unit.commands.observed import DEPLOYMENTS, PODS, Canned, answer, deployment, pod


class Talking(Canned):
    """Pods that answer every command with the same frames."""

    def __init__(self, *frames: tuple[int, bytes]) -> None:
        old = pod("shop-web-old")
        old["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
        super().__init__({PODS: [old, pod("shop-web-new"), pod("shop-jobs-a", "jobs")], DEPLOYMENTS: [deployment()]})
        self._frames = frames
        self.asked: list[tuple[str, list[tuple[str, Any]]]] = []

    def websocket(self, path: str, query: list[tuple[str, Any]]) -> Channels:
        self.asked.append((path, query))
        mine, theirs = socket.socketpair()
        for channel, data in self._frames:
            theirs.sendall(bytes([0x82, len(data) + 1, channel]) + data)
        theirs.sendall(bytes([0x88, 0]))
        theirs.close()
        return Channels(mine, None)


FAILED = b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"9"}]}}'


def test_the_newest_ready_pod_of_web_and_the_commands_own_code() -> None:
    cluster = Talking((STDOUT, b"hello\n"), (ERROR, FAILED))
    told = answer(cluster, "exec", "-a", "shop", "ls", "-l")
    assert (told.code, told.out) == (9, "hello\n")
    [(path, query)] = cluster.asked
    assert path == f"{PODS}/shop-web-new/exec"
    assert [value for key, value in query if key == "command"] == ["ls", "-l"]
    assert ("tty", "false") in query


def test_a_pod_is_chosen_by_the_last_part_of_its_name() -> None:
    cluster = Talking((ERROR, b'{"status":"Success"}'))
    assert answer(cluster, "exec", "-a", "shop", "--pod", "old", "--", "ls").code == 0
    assert "shop-web-old" in cluster.asked[0][0]


def test_one_document_for_machines() -> None:
    told = answer(Talking((STDOUT, b"hi\n"), (ERROR, FAILED)), "exec", "-a", "shop", "--json", "ls")
    assert (told.code, told.json) == (9, {"code": 9, "stdout": "hi\n", "stderr": ""})


def test_no_such_program_is_127_as_in_a_shell() -> None:
    missing = b'{"status":"Failure","message":"executable file not found in $PATH"}'
    told = answer(Talking((ERROR, missing)), "exec", "-a", "shop", "nosuch")
    assert told.code == 127
    assert 'no program "nosuch"' in told.err


def test_no_such_pod_names_those_there_are() -> None:
    told = answer(Talking(), "exec", "-a", "shop", "--pod", "x", "ls")
    assert told.code == Exit.NOT_FOUND
    assert "shop-web-new (Running)" in told.err


def test_without_a_terminal_a_command_is_needed() -> None:
    assert answer(Talking(), "exec", "-a", "shop").code == Exit.USAGE


def test_a_broken_connection_is_told() -> None:
    assert answer(Talking((STDOUT, b"ha")), "exec", "-a", "shop", "ls").code == Exit.UNREACHABLE
