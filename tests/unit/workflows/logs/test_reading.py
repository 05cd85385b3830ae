import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from nucleo_cli.domain.app import Target
from nucleo_cli.domain.events import Event, Notice, Warned
from nucleo_cli.errors import NotAllowed, NotFound
from nucleo_cli.workflows.logs import follower, following
from nucleo_cli.workflows.logs.query import Query
from nucleo_cli.workflows.logs.reading import read_logs

NodeOf = Callable[..., Any]
Json = dict[str, Any]
START = 1_790_000_000_000_000_000
SHOP = Target("shop", "shop")


class Pods:
    """Several pods, each a Node of its own."""

    def __init__(self, nodes: dict[str, Any], deployments: tuple[str, ...] = ("web",)) -> None:
        self.nodes = nodes
        self.deployments = deployments
        self.listed = list(nodes)
        self.events: list[Json] = []
        self.refused = False

    def pod(self, name: str) -> Json:
        pod = self.nodes[name].pod
        return {**pod, "metadata": {**pod["metadata"], "name": name, "uid": name}}

    def get(self, path: str, **query: Any) -> Json:
        name = path.rpartition("/")[2]
        if name != "pods":
            if self.nodes[name].gone:
                raise NotFound(name)
            return self.pod(name)
        return {"metadata": {"resourceVersion": "7"}, "items": [self.pod(name) for name in self.listed]}

    def items(self, path: str, **query: Any) -> list[Json]:
        return [{"metadata": {"labels": {"nucleo.io/process": name}}, "spec": {}} for name in self.deployments]

    def stream(self, path: str, **query: Any) -> Any:
        return self.nodes[path.split("/")[-2]].stream(path, **query)

    def watch(self, path: str, **query: Any) -> Iterator[Json]:
        yield from self.events
        if self.refused:
            raise NotAllowed("no more")
        threading.Event().wait()

    def server_time(self) -> float:
        return START / 1_000_000_000 + 60


class Endless(Pods):
    """Containers that print nothing more and do not end while they are followed."""

    def stream(self, path: str, **query: Any) -> Any:
        return nullcontext(_never()) if query.get("follow") else super().stream(path, **query)


def _never() -> Iterator[bytes]:
    threading.Event().wait()
    yield b""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_BACKOFF_SECONDS", (0.0, 0.0))


def shown(cluster: Any, query: Query) -> list[str]:
    return [line.message for each in read_logs(cluster, SHOP, query) if isinstance(each, list) for line in each]


def told(cluster: Any, query: Query) -> list[Event]:
    return [each for each in read_logs(cluster, SHOP, query) if not isinstance(each, list | frozenset)]


def test_the_last_lines_of_all_pods_come_in_the_order_of_their_times(node: NodeOf) -> None:
    cluster: Any = Pods(
        {
            "shop-web-1-a": node([[(START, b"1"), (START + 2, b"3")]]),
            "shop-web-1-b": node([[(START + 1, b"2"), (START + 3, b"4")]]),
        }
    )
    assert shown(cluster, Query(tail=3)) == ["2", "3", "4"]
    assert shown(cluster, Query(tail=None)) == ["1", "2", "3", "4"]


def test_since_is_counted_by_the_clusters_own_clock(node: NodeOf) -> None:
    one = node([[(START, b"old"), (START + 50_000_000_000, b"new")]])
    assert shown(Pods({"shop-web-1-a": one}), Query(since=30, tail=None)) == ["new"]
    assert one.asked[0]["sinceTime"] == "2026-09-21T14:13:50Z"


def test_the_log_before_a_restart(node: NodeOf) -> None:
    one = node([[(START, b"before")], [(START + 1, b"after")]])
    one.run = 1
    assert shown(Pods({"shop-web-1-a": one}), Query(previous=True)) == ["before"]


def test_no_restart_means_no_earlier_log(node: NodeOf) -> None:
    cluster: Any = Pods({"shop-web-1-a": node([[(START, b"now")]])})
    assert told(cluster, Query(previous=True)) == [
        Notice("shop-web-1-a: the container was not restarted, there is no earlier log")
    ]


def test_no_pod_says_how_to_get_one() -> None:
    [warned] = told(Pods({}), Query())
    assert warned == Warned("shop has no pod now", "nucleo scale web=1 starts one; nucleo ps shows the scale")


def test_no_app_and_no_process_are_errors() -> None:
    with pytest.raises(NotFound, match='no app "shop"'):
        shown(Pods({}, ()), Query())
    with pytest.raises(NotFound, match='no process "worker"') as found:
        shown(Pods({}), Query(process="worker"))
    assert found.value.hint == "it has web"


def test_following_shows_history_then_what_comes_and_no_line_twice(node: NodeOf) -> None:
    one = node([[(START, b"1"), (START + 1, b"2")], [(START + 2, b"3")]])
    cluster: Any = Pods({"shop-web-1-a": one})
    reading = read_logs(cluster, SHOP, Query(follow=True))
    lines = (line.message for each in reading if isinstance(each, list) for line in each)
    assert list(itertools.islice(lines, 3)) == ["1", "2", "3"]


def test_a_pod_that_appears_later_is_followed_from_its_first_line(node: NodeOf) -> None:
    later = node([[(START - 5, b"first"), (START + 6, b"second")]])
    cluster: Any = Pods({"shop-web-1-a": node([[(START, b"1")]]), "shop-web-1-b": later})
    cluster.listed = ["shop-web-1-a"]
    cluster.events = [{"type": "ADDED", "object": cluster.pod("shop-web-1-b")}]
    reading = read_logs(cluster, SHOP, Query(follow=True, tail=0))
    lines = (line.message for each in reading if isinstance(each, list) for line in each)
    assert list(itertools.islice(lines, 2)) == ["first", "second"]


def test_what_cannot_be_mended_while_following_is_raised(node: NodeOf) -> None:
    cluster: Any = Pods({"shop-web-1-a": node([[(START, b"1")]])})
    cluster.refused = True
    with pytest.raises(NotAllowed, match="no more"):
        shown(cluster, Query(follow=True))


def test_more_containers_than_may_be_followed_wait_for_their_turn(
    node: NodeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_STREAMS", 1)
    cluster: Any = Endless({f"shop-web-1-{name}": node([[(START, name.encode())]]) for name in "abc"})
    reading = read_logs(cluster, SHOP, Query(follow=True))
    warned = [each for each in itertools.islice(reading, 4) if isinstance(each, Warned)]
    assert [each.text for each in warned] == [
        "following 1 containers; 1 wait until one of them ends",
        "following 1 containers; 2 wait until one of them ends",
    ]
