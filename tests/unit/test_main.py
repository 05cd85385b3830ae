"""Every way a run can end has its exit code, its words and its JSON."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli import main
from nucleo_cli.commands import version
from nucleo_cli.context import Context
from nucleo_cli.domain import xdg
from nucleo_cli.errors import (
    BuildFailed,
    ConfigInvalid,
    Conflict,
    DropsFound,
    Exit,
    Interrupted,
    Locked,
    NotAllowed,
    NotFound,
    NucleoError,
    RolloutFailed,
    TimedOut,
    Unreachable,
    UsageError,
)
from nucleo_cli.terminal.terminal import Terminal


class Captured(Context):
    """A context whose terminal writes into memory."""

    out = io.StringIO()
    err = io.StringIO()

    @cached_property
    def terminal(self) -> Terminal:
        return Terminal(machine=self.options.json, stdin=io.StringIO(), stdout=self.out, stderr=self.err)


@pytest.fixture
def captured() -> Context:
    Captured.out, Captured.err = io.StringIO(), io.StringIO()
    return Captured()


def run(*argv: str, context: Context | None = None) -> int:
    return main.run(argv, context or Captured())


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None, code: int | None = None) -> None:
    """Makes `nucleo version` end like that."""

    def command(context: Context) -> int | None:
        """Print the versions of Nucleo and of what it works with."""
        if error is not None:
            raise error
        return code

    monkeypatch.setattr(version, "command", command)


ERRORS: list[tuple[type[NucleoError], int, str]] = [
    (NucleoError, 1, "failed"),
    (UsageError, 2, "usage"),
    (ConfigInvalid, 3, "config-invalid"),
    (BuildFailed, 4, "build-failed"),
    (RolloutFailed, 5, "rollout-failed"),
    (NotFound, 6, "not-found"),
    (NotAllowed, 7, "not-allowed"),
    (Unreachable, 8, "unreachable"),
    (Locked, 9, "locked"),
    (DropsFound, 10, "would-drop"),
    (Conflict, 1, "conflict"),
    (TimedOut, 11, "timed-out"),
]


@pytest.mark.parametrize(("kind", "exit_code", "word"), ERRORS)
def test_an_error_ends_with_its_own_code_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, captured: Context, kind: type[NucleoError], exit_code: int, word: str
) -> None:
    ends_with(monkeypatch, kind("it is broken", "mend it"))
    assert run("version", context=captured) == exit_code
    assert Captured.out.getvalue() == ""
    assert Captured.err.getvalue() == "error: it is broken\nhint:  mend it\n"


@pytest.mark.parametrize(("kind", "exit_code", "word"), ERRORS)
def test_with_json_an_error_is_the_one_document_on_stdout(
    monkeypatch: pytest.MonkeyPatch, captured: Context, kind: type[NucleoError], exit_code: int, word: str
) -> None:
    ends_with(monkeypatch, kind("it is broken", "mend it", {"where": "here"}))
    assert run("version", "--json", context=captured) == exit_code
    assert json.loads(Captured.out.getvalue()) == {
        "error": "it is broken",
        "code": word,
        "hint": "mend it",
        "details": {"where": "here"},
    }


@pytest.mark.parametrize("code", [None, 0, 3, 137])
def test_a_command_may_choose_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, captured: Context, code: int | None
) -> None:
    ends_with(monkeypatch, code=code)
    assert run("version", context=captured) == (code or 0)


@pytest.mark.parametrize("code", [Exit.INTERRUPTED, Exit.TERMINATED])
def test_an_interrupted_run_says_so_and_has_the_code_of_its_signal(
    monkeypatch: pytest.MonkeyPatch, captured: Context, code: Exit
) -> None:
    ends_with(monkeypatch, Interrupted(code))
    assert run("version", context=captured) == code
    assert Captured.err.getvalue().startswith("error: interrupted")


def test_an_interrupted_run_has_a_json_document_too(monkeypatch: pytest.MonkeyPatch, captured: Context) -> None:
    ends_with(monkeypatch, Interrupted(Exit.INTERRUPTED))
    run("version", "--json", context=captured)
    assert json.loads(Captured.out.getvalue())["code"] == "interrupted"


class TestUsage:
    @pytest.mark.parametrize(
        "argv",
        [
            ("verison",),
            ("version", "--jsn"),
            ("version", "surplus"),
            ("--nope",),
            ("version", "--timeout", "soon"),
            ("version", "--timeout", "-5s"),
        ],
    )
    def test_a_wrong_command_line_ends_with_2(self, captured: Context, argv: tuple[str, ...]) -> None:
        assert run(*argv, context=captured) == Exit.USAGE
        assert Captured.err.getvalue().startswith("error: ")
        assert "Traceback" not in Captured.err.getvalue()

    def test_a_misspelled_command_names_the_nearest(self, captured: Context) -> None:
        run("vresion", context=captured)
        assert Captured.err.getvalue() == (
            'error: there is no command "vresion"\nhint:  did you mean nucleo version?\n'
        )

    def test_an_unknown_option_names_the_nearest(self, captured: Context) -> None:
        run("version", "--jsn", context=captured)
        assert "--json" in Captured.err.getvalue()

    def test_a_wrong_command_line_is_json_when_json_was_asked_for(self, captured: Context) -> None:
        assert run("verison", "--json", context=captured) == Exit.USAGE
        assert json.loads(Captured.out.getvalue())["code"] == "usage"

    def test_alone_it_shows_its_help_and_fails(self, captured: Context) -> None:
        assert run(context=captured) == Exit.USAGE
        assert "deploy" in Captured.err.getvalue()

    def test_help_is_no_failure(self, captured: Context, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("version", "--help", context=captured) == Exit.DONE
        assert "--json" in capsys.readouterr().out

    @pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("0.5s", 0.5)])
    def test_a_duration_has_a_unit(
        self, monkeypatch: pytest.MonkeyPatch, captured: Context, text: str, seconds: float
    ) -> None:
        seen: list[float | None] = []

        def command(context: Context) -> None:
            """Print the versions of Nucleo and of what it works with."""
            seen.append(context.options.timeout)

        monkeypatch.setattr(version, "command", command)
        assert run("version", "--timeout", text, context=captured) == 0
        assert seen == [seconds]

    def test_an_option_is_also_read_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, captured: Context
    ) -> None:
        monkeypatch.setenv("NUCLEO_JSON", "1")
        assert run("version", context=captured) == 0
        assert set(json.loads(Captured.out.getvalue())) >= {"nucleo", "python"}


class TestBug:
    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        ends_with(monkeypatch, KeyError("surprise"))

    def report(self) -> Path:
        (found,) = (xdg.state() / "reports").iterdir()
        return found

    def test_it_ends_with_70_and_names_the_report(self, captured: Context) -> None:
        assert run("version", context=captured) == Exit.BUG
        assert "this is a bug in Nucleo: KeyError" in Captured.err.getvalue()
        assert str(self.report()) in Captured.err.getvalue()
        assert "Traceback" not in Captured.err.getvalue()

    def test_its_json_names_the_report(self, captured: Context) -> None:
        run("version", "--json", context=captured)
        document = json.loads(Captured.out.getvalue())
        assert document["code"] == "bug"
        assert document["details"]["report"] == str(self.report())

    def test_the_report_is_the_owners_alone(self, captured: Context) -> None:
        run("version", context=captured)
        assert stat.S_IMODE(self.report().stat().st_mode) == 0o600

    def test_the_report_has_the_stack_and_no_value_of_an_option(self, captured: Context) -> None:
        run("version", "--app", "my-secret-app", "--env=my-secret-env", context=captured)
        text = self.report().read_text()
        assert "Traceback" in text
        assert "surprise" in text
        assert "my-secret" not in text

    def test_where_no_report_can_be_written_the_bug_is_told_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch, captured: Context
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
        assert run("version", context=captured) == Exit.BUG
        assert "this is a bug in Nucleo: KeyError" in Captured.err.getvalue()


class TestProcess:
    """What only a process of its own can show: signals and closed pipes."""

    CODE = """
import os, sys, time
from nucleo_cli import main
from nucleo_cli.commands import version
def command(context):
    {body}
version.command = command
sys.argv = ["nucleo", "version"]
main.main()
"""

    def start(self, body: str, **options: Any) -> "subprocess.Popen[str]":
        code = self.CODE.format(body=body)
        return subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_it_with_its_code(self, number: signal.Signals, code: int) -> None:
        with self.start("print('on', flush=True); time.sleep(60)") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in stderr

    def test_a_second_signal_ends_even_what_does_not_want_to_end(self) -> None:
        stubborn = """
    try:
        print("on", flush=True)
        time.sleep(60)
    except BaseException:
        print("tidying", flush=True)
        time.sleep(60)
"""
        with self.start(stubborn.strip()) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "tidying\n"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == Exit.INTERRUPTED
        assert "run the same command again" in stderr

    def test_the_same_request_delivered_twice_is_one(self) -> None:
        patient = """
    try:
        print("on", flush=True)
        time.sleep(60)
    except BaseException:
        os.kill(os.getpid(), 15)
        print("tidied", flush=True)
        raise
"""
        with self.start(patient.strip()) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (Exit.TERMINATED, "tidied\n")
        assert "interrupted" in stderr

    def test_what_only_looks_ends_without_a_word(self) -> None:
        with self.start("print('on', flush=True); time.sleep(60)\ncommand.only_looks = True") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (Exit.INTERRUPTED, "")

    def test_what_was_told_to_ignore_hangups_ignores_them(self) -> None:
        def ignoring() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        body = "print('on', flush=True); sys.stdin.readline(); print('end', flush=True)"
        with self.start(body, stdin=subprocess.PIPE, preexec_fn=ignoring) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            stdout, _ = process.communicate("\n", timeout=60)
        assert (process.returncode, stdout) == (0, "end\n")

    @pytest.mark.parametrize("flag", [{}, {"PYTHONUNBUFFERED": "1"}])
    def test_a_closed_pipe_is_a_quiet_end(self, flag: dict[str, str]) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        code = self.CODE.format(body="context.terminal.show({}, 'x' * 100_000)")
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **flag},
            check=False,
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_locale_without_the_characters_is_no_reason_to_fail(self) -> None:
        env = {**os.environ, "PYTHONIOENCODING": "ascii"}
        with self.start("context.terminal.show({}, '✓ done')", env=env) as process:
            stdout, _ = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (0, "\\u2713 done\n")


def test_every_exit_code_of_the_table_belongs_to_an_error_or_to_the_program() -> None:
    used = {kind.exit for kind, _, _ in ERRORS}
    others = {Exit.DONE, Exit.DIFFERENT, Exit.BUG, Exit.INTERRUPTED, Exit.TERMINATED}
    assert used | others == set(Exit)


def test_each_error_class_is_in_this_files_table() -> None:
    def find(kind: type[NucleoError]) -> set[str]:
        return {kind.__name__}.union(*map(find, kind.__subclasses__()))

    assert find(NucleoError) - {kind.__name__ for kind, _, _ in ERRORS} <= {
        "NucleoInterrupted",
        "StepFailed",
        "BpfError",
    }
