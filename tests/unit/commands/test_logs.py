from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from nucleo_cli.errors import Exit
from tests.unit.commands.observed import DEPLOYMENTS, PODS, Canned, answer, deployment, pod

FIRST = b'2026-11-23T04:17:06.1Z {"level":"error","msg":"\\u001b[31mno room","disk":"a b"}\n'
SECOND = b"2026-11-23T04:17:07.2Z \x1b[2Jplain\n"


class Printing(Canned):
    """Pods with a log each."""

    def __init__(self, **logs: bytes) -> None:
        super().__init__({PODS: [pod(f"shop-web-{name}") for name in logs], DEPLOYMENTS: [deployment()]})
        self._logs = {f"{PODS}/shop-web-{name}/log": text for name, text in logs.items()}

    @contextmanager
    def stream(self, path: str, **query: Any) -> Generator[Iterator[bytes]]:
        yield iter([self._logs[path]])


def test_json_lines_are_shown_as_level_message_and_fields() -> None:
    assert answer(Printing(a=FIRST + SECOND), "logs", "-a", "shop").out == 'ERROR no room disk="a b"\nplain\n'


def test_raw_lines_go_into_a_pipe_as_the_app_wrote_them() -> None:
    assert answer(Printing(a=SECOND), "logs", "-a", "shop", "--raw").out == "\x1b[2Jplain\n"


def test_with_two_pods_each_line_says_from_which_it_is() -> None:
    told = answer(Printing(a=FIRST, b=SECOND), "logs", "-a", "shop", "--timestamps")
    assert told.out.splitlines() == [
        'web.a  2026-11-23T04:17:06.1Z ERROR no room disk="a b"',
        "web.b  2026-11-23T04:17:07.2Z plain",
    ]


def test_machines_get_one_object_a_line() -> None:
    told = answer(Printing(a=SECOND), "logs", "-a", "shop", "--json")
    assert told.json == {
        "time": "2026-11-23T04:17:07.2Z",
        "process": "web",
        "pod": "shop-web-a",
        "message": "\x1b[2Jplain",
    }
    assert "\x1b" not in told.out


def test_what_was_before_a_restart_cannot_be_followed() -> None:
    assert answer(Printing(a=b""), "logs", "-a", "shop", "--previous", "-f").code == Exit.USAGE


def test_a_pod_that_printed_nothing_yet_is_no_error() -> None:
    told = answer(Printing(a=b""), "logs", "-a", "shop")
    assert (told.code, told.out) == (0, "")
