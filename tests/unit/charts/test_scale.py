"""Who decides how many pods there are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.charts.scale import Rendered, Replicas, replicas, scales
from nucleo_cli.domain.app import App, Process, Scale

NEVER = Rendered()


@pytest.mark.parametrize(
    ("live", "previous", "expected"),
    [
        pytest.param(None, NEVER, Replicas(None), id="first deploy: Kubernetes fills in one"),
        pytest.param(5, NEVER, Replicas(None), id="a scale set by hand is left alone"),
        pytest.param(5, Rendered(2), Replicas(5), id="once rendered, always rendered: as it is now"),
        pytest.param(0, Rendered(2), Replicas(0), id="stopped stays stopped"),
        pytest.param(None, Rendered(2), Replicas(None), id="somebody deleted the Deployment"),
        pytest.param(7, Rendered(4, autoscaled=True), Replicas(7), id="after a range: as the autoscaler left it"),
    ],
)
def test_without_a_scale(live: int | None, previous: Rendered, expected: Replicas) -> None:
    assert replicas(None, live, previous) == expected


@pytest.mark.parametrize(
    ("live", "previous", "expected"),
    [
        pytest.param(None, NEVER, Replicas(3), id="first deploy"),
        pytest.param(3, Rendered(3), Replicas(3), id="as before"),
        pytest.param(2, Rendered(2), Replicas(3), id="changed in nucleo.yml: nobody is overruled"),
        pytest.param(1, NEVER, Replicas(3), id="one was Kubernetes' own choice"),
        pytest.param(5, NEVER, Replicas(3, overrode=5), id="set by hand when nucleo.yml said nothing"),
        pytest.param(5, Rendered(3), Replicas(3, overrode=5), id="set by hand against nucleo.yml"),
        pytest.param(0, Rendered(3), Replicas(3, overrode=0), id="stopped by hand"),
        pytest.param(8, Rendered(3, autoscaled=True), Replicas(3), id="an autoscaler is not a person"),
        pytest.param(0, Rendered(3, autoscaled=True), Replicas(3, overrode=0), id="but zero under one is"),
    ],
)
def test_a_fixed_scale_always_wins(live: int | None, previous: Rendered, expected: Replicas) -> None:
    assert replicas(Scale(3, 3), live, previous) == expected


@pytest.mark.parametrize(
    ("live", "previous", "expected"),
    [
        pytest.param(None, NEVER, Replicas(2), id="first deploy: the least"),
        pytest.param(4, Rendered(2, autoscaled=True), Replicas(4), id="what the autoscaler has chosen stays"),
        pytest.param(9, Rendered(2, autoscaled=True), Replicas(6), id="the range got smaller"),
        pytest.param(1, Rendered(1), Replicas(2), id="from a fixed scale to a range"),
        pytest.param(20, Rendered(1), Replicas(6, overrode=20), id="set by hand beyond the range"),
        pytest.param(0, Rendered(2, autoscaled=True), Replicas(2, overrode=0), id="zero switches an autoscaler off"),
    ],
)
def test_a_range_bounds_what_is_there(live: int | None, previous: Rendered, expected: Replicas) -> None:
    assert replicas(Scale(2, 6), live, previous) == expected


@given(st.integers(1, 50), st.integers(0, 50), st.none() | st.integers(0, 200), st.none() | st.integers(0, 200))
def test_a_range_is_never_left(low: int, more: int, live: int | None, before: int | None) -> None:
    rendered = replicas(Scale(low, low + more), live, Rendered(before)).rendered
    assert rendered is not None
    assert low <= rendered <= low + more


@given(st.none() | st.integers(0, 200), st.integers(0, 200))
def test_what_was_rendered_once_is_rendered_while_the_deployment_lives(live: int | None, before: int) -> None:
    assert replicas(None, live, Rendered(before)).rendered == live


def test_each_process_is_compared_with_itself_in_the_previous_release() -> None:
    processes = (Process("web", scale=Scale(2, 2)), Process("worker"), Process("clock"))
    app = App("shop", Path(), "python", processes=processes)
    previous = {"processes": {"web": {"replicas": 4}, "worker": {"replicas": 1}}}
    assert scales(app, {"web": 7, "worker": 3, "clock": 2}, previous) == {
        "web": Replicas(2, overrode=7),
        "worker": Replicas(3),
        "clock": Replicas(None),
    }


def test_a_release_that_nucleo_did_not_make_has_no_say() -> None:
    app = App("shop", Path(), "python")
    assert scales(app, {"web": 3}, {"processes": None}) == {"web": Replicas(None)}
