"""The lazy table: what --help says is what the commands say, and --help pays for none of them."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nucleo_cli import commands
from nucleo_cli.commands import SECTIONS, TABLE
from nucleo_cli.commands.shell import load, root

FOLDER = Path(commands.__file__).parent
HELPERS = {"__init__", "shell", "options"}

# What takes long to import, or may be imported by adapters alone.
SDKS = ("kubernetes", "docker", "git", "keyring", "httpx", "requests", "urllib3")
HEAVY = (*SDKS, "rich", "pydantic", "jinja2", "yaml", "pathspec", "asyncio")


def module(name: str) -> ModuleType:
    return import_module(f"nucleo_cli.commands.{name}")


def summary(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


@pytest.mark.parametrize("name", TABLE)
def test_the_summary_of_the_table_is_the_commands_own(name: str) -> None:
    found = module(name)
    if hasattr(found, "subcommands"):
        assert found.subcommands
        assert all(summary(function.__doc__) for function in found.subcommands.values())
    else:
        assert summary(found.command.__doc__) == TABLE[name]


def test_each_module_of_the_folder_is_in_the_table() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    assert modules == set(TABLE)


def test_no_command_is_in_two_sections() -> None:
    names = [entry.name for entries in SECTIONS.values() for entry in entries]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", TABLE)
def test_a_summary_is_a_short_sentence(name: str) -> None:
    assert TABLE[name][0].isupper()
    assert TABLE[name].endswith(".")
    assert len(TABLE[name]) <= 70


@pytest.mark.parametrize("name", TABLE)
def test_each_command_takes_the_options_of_every_command(name: str) -> None:
    built = load(name)
    for command in built.commands.values() if hasattr(built, "commands") else [built]:
        names = {parameter.name for parameter in command.params}
        assert names >= {"directory", "environment", "app", "json", "quiet", "no_color", "no_input", "timeout"}


@pytest.mark.parametrize("name", TABLE)
def test_each_option_has_a_help_text_and_a_variable(name: str) -> None:
    built = load(name)
    for command in built.commands.values() if hasattr(built, "commands") else [built]:
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert parameter.help, f"--{parameter.name} of {name} says nothing"
                assert str(parameter.envvar).startswith("NUCLEO_"), f"--{parameter.name} of {name} reads no variable"


def test_the_table_is_what_the_command_line_lists() -> None:
    command: Any = root()
    context = command.make_context("nucleo", ["version"], obj=None)
    assert command.list_commands(context) == list(TABLE)
    assert command.get_command(context, "nonsense") is None


def modules_after(*argv: str) -> set[str]:
    """The modules that a run of the program has imported."""
    code = (
        "import sys\n"
        "from nucleo_cli.context import Context\n"
        "from nucleo_cli.main import run\n"
        "code = run(sys.argv[1:], Context())\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("completion", "bash"), ("completion", "zsh")])
def test_help_and_completion_import_nothing_heavy(argv: tuple[str, ...]) -> None:
    imported = modules_after(*argv)
    assert not {name for name in HEAVY if name in imported}
    loaded = {name.rpartition(".")[2] for name in imported if name.startswith("nucleo_cli.commands.")} - HELPERS
    assert loaded <= {argv[0]}


@pytest.mark.parametrize("name", ["init", "validate", "version"])
def test_what_needs_no_cluster_and_no_engine_imports_no_sdk(name: str) -> None:
    imported = modules_after(name, "--help")
    assert not {sdk for sdk in SDKS if sdk in imported}
