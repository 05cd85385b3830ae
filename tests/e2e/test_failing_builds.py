"""Builds that fail: what is shown, what would help, and the shell where the step runs."""

import os
import signal
import subprocess
import time

import pexpect
import pytest

from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample

ALONE = "to try it alone: nucleo build --shell dependencies"


@pytest.fixture(scope="module")
def shared(app_factory: AppFactory) -> Sample:
    return app_factory("failing")


@pytest.fixture
def app(shared: Sample) -> Sample:
    """An app with one requirement that is quick to install."""
    shared.write("requirements.txt", "itsdangerous==2.2.0\n")
    return shared


def containers(app: Sample) -> list[str]:
    """The build containers of the app."""
    filters = ["--filter", "label=io.nucleo.role=build", "--filter", f"label=io.nucleo.app={app.name}"]
    return subprocess.run(["docker", "ps", "-aq", *filters], capture_output=True, text=True, check=True).stdout.split()


def package(app: Sample, setup: str) -> None:
    """A package of the tree that is built from source."""
    app.write("native/setup.py", setup)
    app.write("requirements.txt", "./native\n")


def test_people_see_the_last_lines_then_what_they_mean_and_what_to_do(app: Sample) -> None:
    package(
        app,
        "print('\\n'.join(f'line {n}' for n in range(100)))\nraise SystemExit('fatal error: ffi2.h: No such file')\n",
    )
    failed = app("build", "--quiet").expect(4)
    lines = failed.stderr.splitlines()
    assert failed.stdout == ""
    assert sum(line.startswith("  | ") for line in lines) == 40
    message, *hints = lines[[line.startswith("error: ") for line in lines].index(True) :]
    assert message == "error: The step 'dependencies' needs ffi2.h, which the build image does not have"
    assert hints[0].startswith("hint:  Find the Debian package that has it (https://")
    assert hints[1].endswith(ALONE)


def test_a_missing_header_is_a_line_of_nucleo_yml(app: Sample) -> None:
    package(
        app,
        "from setuptools import Extension, setup\n"
        "setup(name='native', version='1', ext_modules=[Extension('native', ['native.c'], libraries=['sodium'])])\n",
    )
    app.write(
        "native/native.c",
        "#include <Python.h>\n#include <sodium.h>\nPyMODINIT_FUNC PyInit_native(void) { return 0; }\n",
    )
    failed = app("build", "--json").expect(4).json
    assert failed["code"] == "build-failed"
    assert failed["hint"].splitlines()[0] == "Add to nucleo.yml:  apt: [libsodium-dev]"
    assert failed["details"]["step"] == "dependencies"
    assert "requirements.txt" in failed["details"]["reason"]
    assert len(failed["details"]["output"]) <= 40
    app.configure("apt: [libsodium-dev]")
    assert app("build", "--json").expect(0).json["digest"].startswith("sha256:")
    app.configure()


def test_a_step_that_does_not_exist(app: Sample) -> None:
    failed = app("build", "--shell", "deps", "--json").expect(6).json
    assert failed["error"] == 'the build has no step "deps"'
    assert failed["hint"] == "Steps: dependencies"
    assert app("build", "--shell", "dependencies", "--no-cache").code == 2


def test_without_a_terminal_the_shell_runs_what_standard_input_says(app: Sample) -> None:
    looks, runs = (
        "id -u; pwd; ls; echo $UV_CACHE_DIR; echo grumble >&2",
        "bash /run/nucleo/step; ls .venv/lib/*/*; exit 7",
    )
    ran = app("build", "--shell", "dependencies", stdin=f"{looks}\n{runs}\n").expect(7)
    assert ran.stdout.splitlines()[:4] == ["1000", "/app", "requirements.txt", "/cache/uv"]
    assert "itsdangerous" in ran.stdout
    assert "here its command is: bash /run/nucleo/step" in ran.stderr
    assert "grumble" in ran.stderr
    assert app("build", "--shell", "dependencies").expect(0).stdout == ""
    collected = (
        app("build", "--shell", "dependencies", "--json", stdin="echo out; echo err >&2; false\n").expect(1).json
    )
    assert collected == {"code": 1, "stdout": "out\n", "stderr": "err\n"}
    assert containers(app) == []


def test_on_a_terminal_it_is_a_shell(app: Sample) -> None:
    child: pexpect.spawn[str] = pexpect.spawn(
        app.nucleo.program[0],
        ["build", "--shell", "dependencies", "-C", str(app.directory)],
        env={**app.nucleo.env, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
        dimensions=(30, 99),
    )
    try:
        prompt = r"dependencies:/app\$ "
        child.expect(prompt)
        child.sendline("stty size; tty")
        child.expect("30 99")
        child.expect("/dev/pts/0")
        child.expect(prompt)
        child.setwinsize(20, 70)  # pyright: ignore[reportUnknownMemberType]
        time.sleep(0.5)
        child.sendline("stty size")
        child.expect("20 70")
        child.sendline("sleep 100")
        time.sleep(0.5)
        child.send("\x03")
        child.expect(prompt)
        child.sendline("exit 9")
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 9
    assert containers(app) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_container(app: Sample, number: int, code: int) -> None:
    read, write = os.pipe()
    with subprocess.Popen(
        [*app.nucleo.program, "build", "--shell", "dependencies", "-C", str(app.directory)],
        env=dict(app.nucleo.env),
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.write(write, b"echo ready\n")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == code
    os.close(read)
    os.close(write)
    assert containers(app) == []


def test_what_a_step_says_steers_no_terminal(app: Sample) -> None:
    package(app, "raise SystemExit('\\x1b]0;owned\\x07')\n")
    failed = app("build").expect(4)
    assert "\x1b]0;" not in failed.stderr
    assert "\x1b]0;" not in app("build", "--json").expect(4).stdout
