"""nucleo init: what it prints, and when it asks."""

import io
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import pytest

from nucleo_cli.config.values import platforms
from nucleo_cli.context import Context
from nucleo_cli.main import run
from nucleo_cli.terminal.terminal import Terminal

Nucleo = Callable[..., tuple[int, str, str]]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def nucleo() -> Nucleo:
    """Runs a command line; its exit code, stdout and stderr. `typed` is what a person at a TTY answers."""

    def nucleo(*argv: str, typed: str | None = None) -> tuple[int, str, str]:
        stdin, stdout = Tty(typed or ""), io.StringIO()
        stderr = io.StringIO() if typed is None else Tty()

        class Here(Context):
            @cached_property
            def terminal(self) -> Terminal:
                chosen = self.options
                return Terminal(
                    machine=chosen.json, input=chosen.input, color=False, stdin=stdin, stdout=stdout, stderr=stderr
                )

        code = run(argv, Here())
        return code, stdout.getvalue(), stderr.getvalue()

    return nucleo


def test_the_platform_is_found(nucleo: Nucleo, shop: Path) -> None:
    (shop / "uv.lock").touch()
    code, out, err = nucleo("init")
    assert (code, out) == (0, "nucleo.yml is written: platform python, because uv.lock is here\n")
    assert "nucleo deploy" in err


def test_for_machines(nucleo: Nucleo, shop: Path) -> None:
    (shop / "requirements.txt").touch()
    code, out, err = nucleo("init", "--json")
    assert code == 0
    assert json.loads(out) == {
        "file": "nucleo.yml",
        "app": "shop",
        "platform": "python",
        "because": "requirements.txt",
    }
    assert err == ""


def test_a_platform_that_is_given_is_not_looked_for(nucleo: Nucleo, shop: Path) -> None:
    code, out, _ = nucleo("init", "--platform", "python:3.13")
    assert (code, out) == (0, "nucleo.yml is written: platform python:3.13\n")
    assert (shop / "nucleo.yml").read_text().endswith("\nplatform: python:3.13\n")


def test_another_folder(nucleo: Nucleo, shop: Path) -> None:
    (shop / "api").mkdir()
    (shop / "api" / "Pipfile").touch()
    code, out, _ = nucleo("init", "-C", "api")
    assert (code, out) == (0, "api/nucleo.yml is written: platform python, because Pipfile is here\n")


@pytest.mark.usefixtures("shop")
def test_nobody_is_asked_off_a_tty(nucleo: Nucleo) -> None:
    code, out, err = nucleo("init")
    assert (code, out) == (2, "")
    assert "No file here tells the platform" in err
    assert "hint:  say it with --platform NAME: nucleo platforms\n" in err


def test_two_platforms_are_both_named_off_a_tty(nucleo: Nucleo, shop: Path) -> None:
    (shop / "requirements.txt").touch()
    (shop / "go.mod").touch()
    code, out, err = nucleo("init")
    assert (code, out) == (2, "")
    assert "There are go.mod (go) and requirements.txt (python). Which platform is it?" in err
    assert "hint:  say it with --platform go or --platform python\n" in err
    assert nucleo("init", typed="go\n")[0] == 0
    assert "platform: go\n" in (shop / "nucleo.yml").read_text()


def test_a_package_json_beside_another_platform_is_for_its_assets(nucleo: Nucleo, shop: Path) -> None:
    (shop / "requirements.txt").touch()
    (shop / "package.json").touch()
    code, out, err = nucleo("init")
    assert (code, out) == (0, "nucleo.yml is written: platform python, because requirements.txt is here\n")
    assert err.startswith("package.json is here too: platform: node goes by that one\n")


@pytest.mark.usefixtures("shop")
def test_nobody_is_asked_with_no_input(nucleo: Nucleo) -> None:
    code, _, err = nucleo("init", "--no-input", typed="python\n")
    assert code == 2
    assert "--platform NAME" in err


@pytest.mark.usefixtures("shop")
def test_a_person_is_asked_until_the_answer_is_a_platform(nucleo: Nucleo) -> None:
    code, out, err = nucleo("init", typed="cobol\npython\n")
    assert (code, out) == (0, "nucleo.yml is written: platform python\n")
    assert err.count(f"Which is it? [{'/'.join(platforms())}]") == 2


@pytest.mark.usefixtures("shop")
def test_no_answer_writes_nothing(nucleo: Nucleo) -> None:
    assert nucleo("init", typed="")[0] == 2
    assert not Path("nucleo.yml").exists()


def test_a_name_is_asked_for_where_the_folder_gives_none(nucleo: Nucleo, tmp_path: Path) -> None:
    folder = tmp_path / "店"
    folder.mkdir()
    (folder / "requirements.txt").touch()
    code, _, err = nucleo("init", "-C", str(folder))
    assert code == 2
    assert "--app NAME" in err
    assert nucleo("init", "-C", str(folder), typed="Mise\n")[0] == 2
    assert nucleo("init", "-C", str(folder), typed="mise\n")[0] == 0
    assert 'name: "mise"\n' in (folder / "nucleo.yml").read_text()


def test_a_file_that_is_there(nucleo: Nucleo, shop: Path) -> None:
    (shop / "nucleo.yml").write_text("platform: python")
    code, _, err = nucleo("init")
    assert code == 2
    assert err == ("error: nucleo.yml is already there\nhint:  nucleo validate checks it; delete it to begin anew\n")
