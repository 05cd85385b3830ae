"""The README's script for CI, run as it stands there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.sample import Sample
from tests.installed import BIN, ROOT, environment


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = re.search(r"```sh\n(#!/bin/sh\n.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert text is not None
    file = tmp_path_factory.mktemp("ci") / "deploy.sh"
    file.write_text(text[1], "utf-8")
    file.chmod(0o755)
    return file


def _run(script: Path, directory: Path) -> "subprocess.CompletedProcess[str]":
    own = environment()
    # Names below localhost are this machine's by RFC 6761; curl knows that, whatever proxy there is.
    env = {**own, "PATH": f"{BIN}:{own['PATH']}", "NO_PROXY": "*"}
    return subprocess.run([script], cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=600)


def test_the_ci_script_deploys_and_says_what_it_did(deployed: Sample, script: Path) -> None:
    done = _run(script, deployed.directory)
    assert done.returncode == 0, done.stderr
    assert f"of {deployed.name} at http://{deployed.name}.localhost:" in done.stdout
    assert "changed: false" in done.stdout


def test_the_ci_script_fails_with_the_reason(deployed: Sample, script: Path) -> None:
    config = deployed.directory / "nucleo.yml"
    before = config.read_text("utf-8")
    try:
        config.write_text(before + "\nplatfrom: python\n", "utf-8")
        done = _run(script, deployed.directory)
    finally:
        config.write_text(before, "utf-8")
    assert done.returncode == 3
    assert 'did you mean "platform"' in done.stderr
