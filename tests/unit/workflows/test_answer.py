"""A new route is asked until the app behind it answers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nucleo_cli.domain.events import PhaseEnded
from nucleo_cli.workflows import answer
from nucleo_cli.workflows.answer import first_answer

Server = tuple[str, list[int], list[str]]


@pytest.fixture
def server() -> Iterator[Server]:
    """A URL, the statuses that it will answer with (the last one for ever), and the hosts it was asked for."""
    statuses: list[int] = []
    hosts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["Host"])
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://shop.localhost:{http.server_port}", statuses, hosts
        http.shutdown()
        thread.join()


def ended(url: str) -> PhaseEnded:
    *_, last = first_answer(url)
    assert isinstance(last, PhaseEnded)
    return last


def test_the_proxys_own_refusals_are_waited_out(server: Server) -> None:
    url, statuses, hosts = server
    statuses += [404, 503, 200]
    assert ended(url).detail == f"{url} answers 200"
    assert hosts == [url.removeprefix("http://")] * 3


def test_an_app_that_has_nothing_there_is_not_waited_for_without_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "WAIT_SECONDS", 0.0)
    url, statuses, _ = server
    statuses.append(404)
    assert ended(url).detail == f"{url} answers 404"


def test_a_route_that_this_machine_cannot_reach_is_no_failure() -> None:
    done = ended("http://shop.localhost:1")
    assert (done.skipped, done.detail) == (True, "not reachable from here")
