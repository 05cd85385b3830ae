from nucleo_cli import __version__
from nucleo_cli.errors import Unreachable
from tests.unit.commands.observed import Canned, answer


def test_the_clusters_version_is_told_when_it_answers() -> None:
    found = answer(Canned({"/version": {"gitVersion": "v1.34.4"}}), "version", "--json").json
    assert (found["nucleo"], found["cluster"]) == (__version__, "v1.34.4")


def test_what_does_not_answer_is_left_out() -> None:
    told = answer(Canned({"/version": Unreachable("nobody there")}), "version")
    assert told.code == 0
    assert "cluster" not in told.out
