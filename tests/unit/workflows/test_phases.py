"""Phases are timed, and their ends are kept."""

import pytest

from nucleo_cli.domain.events import Notice, PhaseEnded, PhaseStarted, Work
from nucleo_cli.workflows import phases
from nucleo_cli.workflows.phases import Phase, recorded
from tests.unit.workflows.steps import attempt


def test_the_time_is_that_between_start_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 100.0, 101.23456])
    monkeypatch.setattr(phases.time, "monotonic", lambda: next(now))
    phase = Phase("build")
    assert phase.start("python") == PhaseStarted("build", "python")
    assert phase.end("done", skipped=True) == PhaseEnded("build", 1.235, True, "done")


def work() -> Work[str]:
    yield PhaseStarted("build")
    try:
        yield PhaseEnded("build", 1)
    except KeyboardInterrupt:
        yield Notice("tidied up")
        return "stopped"
    yield PhaseEnded("push", 2, skipped=True)
    return "done"


def test_every_event_passes_and_the_ends_are_kept() -> None:
    ended: list[PhaseEnded] = []
    ran = attempt(recorded(work(), PhaseEnded, ended))
    assert ran.events == attempt(work()).events
    assert ran.result == "done"
    assert [phase.name for phase in ended] == ["build", "push"]


def test_an_interruption_reaches_the_work_and_what_it_still_says_passes() -> None:
    ended: list[PhaseEnded] = []
    ran = attempt(recorded(work(), PhaseEnded, ended), 1, KeyboardInterrupt())
    assert ran.notices == ["tidied up"]
    assert ran.result == "stopped"
    assert [phase.name for phase in ended] == ["build"]


def test_an_interruption_that_the_work_does_not_take_goes_on() -> None:
    ran = attempt(recorded(work(), PhaseEnded, []), 0, KeyboardInterrupt())
    assert isinstance(ran.error, KeyboardInterrupt)


def test_work_without_events() -> None:
    def nothing() -> Work[int]:
        yield from ()
        return 7

    assert attempt(recorded(nothing(), PhaseEnded, [])).result == 7
