import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.workflows.gate import UNHEARD_CODE, Beginning, Ending, gated

TOKEN = "nucleo-0123"


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.binary(), st.lists(st.integers(0, 1000), max_size=6))
def test_the_output_is_what_lies_between_the_marks_however_it_arrives(output: bytes, cuts: list[int]) -> None:
    said: list[bytes] = []
    beginning, ending = Beginning(said.append), Ending(TOKEN)
    beginning.ask()
    stream = b"\r\n\x1e?\x1ego\r\n\x1e!\x1e" + output + f"\x1e{TOKEN} 42\x1e".encode()
    shown = b"".join(ending.passed(beginning.passed(chunk)) for chunk in chunked(stream, cuts))
    assert (shown, ending.code) == (output, 42)
    assert said == [b"\n", b"go\n"]


@given(st.binary(), st.lists(st.integers(0, 1000), max_size=6))
def test_without_an_end_mark_everything_is_shown(output: bytes, cuts: list[int]) -> None:
    ending = Ending(TOKEN)
    shown = b"".join(ending.passed(chunk) for chunk in chunked(output, cuts)) + ending.rest()
    assert (shown, ending.code) == (output, None)


def test_it_asks_until_it_is_heard() -> None:
    said: list[bytes] = []
    beginning = Beginning(said.append)
    beginning.ask()
    beginning.ask()
    assert beginning.passed(b"\x1e?\x1e\x1e?\x1e") == b""
    beginning.ask()
    assert said == [b"\n", b"\n", b"go\n"]


@pytest.mark.parametrize(
    ("command", "given", "shown", "code"),
    [
        (["echo", "$HOME", "a  b"], b"", b"$HOME a  b\n", 0),
        (["sh", "-c", "cat; exit 3"], b"in\nput", b"in\nput", 3),
        (["exit", "5"], b"", b"", 127),
    ],
)
def test_the_script_runs_the_command_once_it_is_told_to(
    command: list[str], given: bytes, shown: bytes, code: int
) -> None:
    with subprocess.Popen(
        gated(command, TOKEN), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n\ngo\n" + given)
        process.stdin.close()
        ending = Ending(TOKEN)
        output = Beginning(lambda data: None).passed(b"")
        beginning = Beginning(lambda data: None)
        while ending.code is None:
            output += ending.passed(beginning.passed(os.read(process.stdout.fileno(), 65536)))
        process.terminate()
    assert (output, ending.code) == (shown, code)
    # It lingers until it is told to stop, and then has the command's code.
    assert process.returncode == code


def test_nobody_there_means_nothing_is_run() -> None:
    done = subprocess.run(gated(["echo", "run"], TOKEN), input=b"\n", capture_output=True, check=False)
    assert (done.returncode, b"run" in done.stdout) == (UNHEARD_CODE, False)
