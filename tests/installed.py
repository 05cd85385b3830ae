"""The installed program as a person runs it: a subprocess, with settings and a kubeconfig of its own."""

import json
import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BIN = ROOT / ".venv" / "bin"
PROGRAM = str(BIN / "nucleo")

# Kept in the checkout, so that a run that was killed leaves a cluster which the next one finds again.
HOME = ROOT / "build" / "tests"
CLUSTER = "test"

# A context of the person's own kubeconfig to test against, instead of a cluster made for the tests.
GIVEN = os.environ.get("NUCLEO_TEST_CONTEXT", "")
CONTEXT = GIVEN or f"nucleo-{CLUSTER}"
KUBECONFIG = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config") if GIVEN else HOME / "kubeconfig"


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """stdout as the one JSON document that it has to be."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            raise AssertionError(f"stdout is not one JSON document\n{self}") from None

    @property
    def objects(self) -> list[dict[str, Any]]:
        """stdout as one JSON object a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def expect(self, code: int) -> "Result":
        """Itself, when it ended with that exit code."""
        assert self.code == code, f"expected exit code {code}\n{self}"
        return self

    def __str__(self) -> str:
        return f"$ {' '.join(self.argv)}\nexit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def environment() -> dict[str, str]:
    """This machine's environment, less what a person's own Nucleo and Python are set to.

    The cache stays the person's: images and programs in it are keyed by version and take minutes to make.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUCLEO_", "PYTHON", "PYTEST"))}
    return {
        **kept,
        "XDG_CONFIG_HOME": str(HOME / "config"),
        "XDG_STATE_HOME": str(HOME / "state"),
        "XDG_DATA_HOME": str(HOME / "data"),
        "KUBECONFIG": str(KUBECONFIG),
        "NUCLEO_CLUSTER": CONTEXT,
        "TERM": "dumb",
    }


@dataclass(frozen=True, slots=True)
class Nucleo:
    """Runs the program; every run is kept, so that a leak can be looked for in all that was ever printed."""

    env: Mapping[str, str] = field(default_factory=environment)
    program: Sequence[str] = (PROGRAM,)
    runs: list[Result] = field(default_factory=list[Result])

    def __call__(
        self, *argv: str, stdin: str = "", timeout: float = 600, env: Mapping[str, str] | None = None
    ) -> Result:
        """One run to its end. `timeout` is there to end a hanging test, never to judge speed."""
        done = subprocess.run(
            [*self.program, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**self.env, **(env or {})},
            timeout=timeout,
            check=False,
            start_new_session=True,
        )
        result = Result(argv, done.returncode, done.stdout, done.stderr)
        self.runs.append(result)
        return result

    @contextmanager
    def start(self, *argv: str, env: Mapping[str, str] | None = None) -> Generator["subprocess.Popen[str]"]:
        """A run that goes on beside the test; should it outlive the `with` block, it is killed."""
        with subprocess.Popen(
            [*self.program, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            env={**self.env, **(env or {})},
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def end(self, process: "subprocess.Popen[str]", timeout: float = 600) -> Result:
        """Waits for a started run."""
        stdout, stderr = process.communicate(timeout=timeout)
        argv = tuple(str(word) for word in process.args) if isinstance(process.args, list) else ()
        result = Result(argv[len(self.program) :], process.returncode, stdout, stderr)
        self.runs.append(result)
        return result
