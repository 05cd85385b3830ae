from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleo_cli.domain.events import Event, Notice, Warned
from nucleo_cli.workflows.logs import follower as module
from nucleo_cli.workflows.logs.follower import Follower
from nucleo_cli.workflows.logs.lines import Line
from nucleo_cli.workflows.logs.source import sources

NodeOf = Callable[..., Any]

START = 1_790_000_000_000_000_000
# Many lines in one instant, the same text again, and gaps of more than a second.
RECORDS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 400_000_000, 2_000_000_000]), st.sampled_from([b"a", b"b", b"", b"caf\xc3\xa9"])
    ),
    max_size=12,
)
BREAKS = st.lists(st.tuples(st.integers(0, 2000), st.booleans()), max_size=8)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF_SECONDS", (0.0, 0.0))


def timed(runs: list[list[tuple[int, bytes]]]) -> list[list[tuple[int, bytes]]]:
    """Records with absolute times that never go back, from one run to the next either."""
    now = START
    found: list[list[tuple[int, bytes]]] = []
    for run in runs:
        found.append([])
        for step, text in run:
            now += step
            found[-1].append((now, text))
        now += 1
    return found


def followed(node: Any) -> list[Line | Event]:
    shown: list[Line | Event] = []
    follower = Follower(node, sources(node.pod)[0], node.pod, shown.append)
    follower.run()
    return shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=3), BREAKS)
def test_no_line_is_lost_or_doubled_wherever_the_connection_breaks(
    node: NodeOf, runs: list[list[tuple[int, bytes]]], breaks: list[tuple[int, bool]]
) -> None:
    records = timed(runs)
    messages = [item.message for item in followed(node(records, breaks)) if isinstance(item, Line)]
    assert messages == [text.decode() for run in records for _, text in run]


def test_it_goes_on_where_it_was(node: NodeOf) -> None:
    records = [[(START, b"one"), (START + 5_000_000_000, b"two"), (START + 9_000_000_000, b"three")]]
    broken = node(records, [(80, True)])
    assert [item.message for item in followed(broken) if isinstance(item, Line)] == ["one", "two", "three"]
    assert "sinceTime" not in broken.asked[0]
    assert broken.asked[1]["sinceTime"] == "2026-09-21T14:13:24Z"


def test_a_restart_is_said_and_the_next_run_is_shown_from_its_first_line(node: NodeOf) -> None:
    shown = followed(node([[(START, b"first")], [(START + 1, b"second")]]))
    assert [item.message for item in shown if isinstance(item, Line)] == ["first", "second"]
    assert Notice("shop-web-5d9-abcde: the container was restarted") in shown


def test_a_broken_cluster_is_told_after_a_few_failures(node: NodeOf) -> None:
    shown = followed(node([[(START, b"late")]], [(0, False)] * 6))
    assert [type(item) for item in shown] == [Warned, Line]


def test_a_pod_that_is_gone_ends_it(node: NodeOf) -> None:
    away = node([[(START, b"never")]])
    away.gone = True
    assert followed(away) == []


def test_bytes_that_are_not_text_are_shown_with_replacements(node: NodeOf) -> None:
    shown = followed(node([[(START, b"a\xffb")]]))
    assert [item.message for item in shown if isinstance(item, Line)] == ["a�b"]
