"""nucleo config: how values come in, and that secrets never come out by themselves."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.shop import Shop, make_shop

CANARY = "hunter2-canary"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    found.deploy()
    return found


@pytest.fixture
def nucleo(app: Shop) -> Program:
    return Program(app)


def config(app: Shop) -> dict[str, str]:
    return app.running.values["config"]


def test_set_and_get(app: Shop, nucleo: Program) -> None:
    done = nucleo("config", "set", "LOG_LEVEL=debug", "EQUALS=a=b", "EMPTY=")
    assert (done.code, done.out) == (0, "")
    assert "shop runs release 2" in done.err
    assert config(app) == {"LOG_LEVEL": "debug", "EQUALS": "a=b", "EMPTY": ""}
    assert nucleo("config", "get", "EQUALS").out == "a=b\n"
    assert nucleo("config", "get", "EQUALS", "--json").json == {"app": "shop", "name": "EQUALS", "value": "a=b"}
    assert nucleo("config", "get", "NONE").code == 6


def test_set_for_machines(nucleo: Program) -> None:
    assert nucleo("config", "set", "A=1", "--json").json == {"app": "shop", "release": 2}


def test_unset(app: Shop, nucleo: Program) -> None:
    nucleo("config", "set", "A=1", "B=2")
    assert nucleo("config", "unset", "A").code == 0
    assert config(app) == {"B": "2"}
    assert nucleo("config", "unset", "A").code == 6


def test_a_value_from_standard_input_loses_one_newline(app: Shop, nucleo: Program) -> None:
    nucleo("config", "set", "KEY", stdin="two\nlines\n\n")
    assert config(app) == {"KEY": "two\nlines\n"}


def test_a_secret_from_standard_input(app: Shop, nucleo: Program) -> None:
    done = nucleo("config", "set", "--secret", "KEY", stdin=f"{CANARY}\n")
    assert done.code == 0
    assert CANARY not in done.out + done.err
    listed = nucleo("config", "list")
    assert [line.split() for line in listed.out.splitlines()] == [
        ["NAME", "VALUE", "FROM"],
        ["KEY", "••••••", "(secret)", "config"],
    ]
    assert nucleo("config", "list", "--json").json == {
        "app": "shop",
        "config": [{"name": "KEY", "value": None, "secret": True, "source": "config"}],
    }
    assert nucleo("config", "get", "KEY").out == f"{CANARY}\n"


def test_a_secret_typed_by_a_person_is_not_shown(app: Shop, nucleo: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: CANARY)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    done = nucleo("config", "set", "--secret", "KEY", typed="")
    assert done.code == 0
    assert CANARY not in done.out + done.err
    assert nucleo("config", "get", "KEY").out == f"{CANARY}\n"


def test_a_person_who_gives_no_value_is_told_how(nucleo: Program) -> None:
    done = nucleo("config", "set", "KEY", typed="")
    assert done.code == 2
    assert "nucleo config set KEY=VALUE" in done.err


DOTENV = f"""
# a comment
  # another one
export A=1
B = " spaced "
C='quo"ted'
D=a=b#c
KEY={CANARY}
"""


def test_lines_as_in_a_dotenv_file(app: Shop, nucleo: Program) -> None:
    assert nucleo("config", "set", "-", stdin=DOTENV).code == 0
    assert config(app) == {"A": "1", "B": " spaced ", "C": 'quo"ted', "D": "a=b#c", "KEY": CANARY}


def test_the_same_as_secrets(app: Shop, nucleo: Program) -> None:
    done = nucleo("config", "set", "--secret", "-", stdin=DOTENV)
    assert done.code == 0
    assert CANARY not in done.out + done.err + str(app.running)
    assert app.running.values["secret"]["keys"] == ["A", "B", "C", "D", "KEY"]


@pytest.mark.parametrize("line", ["bm90IGEgbmFtZQ+/canary==", "canary", "=canary", "1A=canary"])
def test_a_line_that_is_none_is_told_by_its_number_alone(app: Shop, nucleo: Program, line: str) -> None:
    done = nucleo("config", "set", "--secret", "-", "--json", stdin=f"A=1\n{line}\n")
    assert done.code == 2
    assert done.json["error"] == "standard input, line 2: expected NAME=VALUE"
    assert "canary" not in done.out + done.err
    assert len(app.revisions) == 1


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(app: Shop, nucleo: Program) -> None:
    done = nucleo("config", "set", "--secret", f"KEY={CANARY}", "--json")
    assert done.code == 2
    assert CANARY not in done.out + done.err
    assert done.json["hint"] == "nucleo config set --secret KEY < FILE"
    assert len(app.revisions) == 1


@pytest.mark.parametrize("word", ["1A=x", "A-B=x", "=x", "A B=x", "PORT=80"])
def test_a_name_that_cannot_be(app: Shop, nucleo: Program, word: str) -> None:
    assert nucleo("config", "set", word).code == 2
    assert len(app.revisions) == 1


def test_standard_input_is_read_for_one_name_alone(nucleo: Program) -> None:
    assert nucleo("config", "set", "A", "B", stdin="x").code == 2
    assert nucleo("config", "set", "A", "-", stdin="x").code == 2


def test_before_the_first_deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    fresh = make_shop(folder, monkeypatch)
    nucleo = Program(fresh)
    assert nucleo("config", "list").code == 6
    done = nucleo("config", "set", "A=1")
    assert done.code == 0
    assert "nucleo deploy will use it" in done.err
    assert nucleo("config", "set", "A=1", "--json").json == {"app": "shop", "release": None}
    assert nucleo("config", "list").out.splitlines()[1].split() == ["A", "1", "staged"]


def test_nothing_is_set(nucleo: Program) -> None:
    assert nucleo("config", "list") == (0, "", "")
