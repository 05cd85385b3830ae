import shutil
import subprocess

import pytest

from nucleo_cli.assets import folder
from nucleo_cli.commands.completion import FILES, Shell, generate
from nucleo_cli.errors import Exit
from tests.unit.commands.observed import Canned, answer

BASH = shutil.which("bash") or "bash"


@pytest.mark.parametrize("shell", list(Shell))
def test_the_files_are_in_step_with_the_command_line(shell: Shell) -> None:
    """`.venv/bin/python .ci/completions` writes them anew."""
    assert (folder("completions") / FILES[shell]).read_text() == generate(shell)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nucleo", "dep"), ["deploy"]),
        (("nucleo", "logs", "--fol"), ["--follow"]),
        (("nucleo", "cluster", "dow"), ["down"]),
        (("nucleo", "-a", "shop", "cluster", "u"), ["up", "use"]),
    ],
)
def test_bash_completes_commands_and_options(words: tuple[str, ...], expected: list[str]) -> None:
    script = folder("completions") / "nucleo.bash"
    typed = " ".join(f"'{word}'" for word in words)
    line = (
        f'source "$1"; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _nucleo; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run([BASH, "-c", line, "bash", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected


def test_the_script_is_printed() -> None:
    assert answer(Canned({}), "completion", "fish").out.startswith("# fish completion for nucleo")


def test_an_unknown_shell_is_wrong_usage() -> None:
    assert answer(Canned({}), "completion", "tcsh").code == Exit.USAGE
