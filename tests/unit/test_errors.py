"""Errors carry their remedy, and the table of exit codes is the contract."""

from nucleo_cli.errors import Exit, Interrupted, NucleoError, RolloutFailed

CONTRACT = {
    "DONE": 0,
    "FAILED": 1,
    "USAGE": 2,
    "CONFIG": 3,
    "BUILD": 4,
    "ROLLOUT": 5,
    "NOT_FOUND": 6,
    "NOT_ALLOWED": 7,
    "UNREACHABLE": 8,
    "LOCKED": 9,
    "DIFFERENT": 10,
    "TIMED_OUT": 11,
    "BUG": 70,
    "INTERRUPTED": 130,
    "TERMINATED": 143,
}


def test_exit_codes_are_the_contract() -> None:
    assert {each.name: each.value for each in Exit} == CONTRACT


def test_an_error_reads_as_its_message() -> None:
    assert str(NucleoError("it is broken", "mend it")) == "it is broken"


def test_hint_and_details_may_be_left_out() -> None:
    error = RolloutFailed("it is broken")
    assert (error.hint, dict(error.details)) == ("", {})


def test_a_signal_is_not_caught_as_an_ordinary_error() -> None:
    assert not issubclass(Interrupted, Exception)
    assert Interrupted(Exit.TERMINATED).exit == Exit.TERMINATED
