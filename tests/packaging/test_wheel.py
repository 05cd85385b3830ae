"""The wheel carries all that the program needs, and nothing else; installed clean, it works."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from nucleo_cli import __version__
from tests.installed import HOME, ROOT

FOLDERS = ("platforms", "chart_templates", "bpf_programs", "completions")
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nucleo" / "tools" / "links"


def run(*argv: str | Path, cwd: Path = ROOT) -> str:
    """What a program prints; its complaint when it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    env = {**kept, "XDG_STATE_HOME": str(HOME / "state"), "XDG_CONFIG_HOME": str(HOME / "config")}
    done = subprocess.run([str(word) for word in argv], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def uv() -> str:
    """The uv that made .venv."""
    found = shutil.which("uv") or shutil.which("uv", path=str(TOOLS))
    assert found, "make setup brings uv"
    return found


@pytest.fixture(scope="session")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(uv, "build", "--quiet", "--wheel", "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def program(uv: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`nucleo`, installed into an environment of its own with the locked dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    locked = folder / "requirements.txt"
    run(uv, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--output-file", locked)
    run(uv, "venv", "--quiet", folder / "venv")
    run(uv, "pip", "install", "--quiet", "--python", folder / "venv", "--requirements", locked, wheel)
    return folder / "venv" / "bin" / "nucleo"


def tracked(*folders: str) -> list[str]:
    """The files of the checkout that git knows, and new ones that it does not ignore."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders)
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_data_folder_is_whole(contents: set[str], folder: str) -> None:
    assert {f"nucleo_cli/_assets/{name}" for name in tracked(folder)} <= contents


def test_every_module_and_data_file_of_the_package_is_there(contents: set[str]) -> None:
    assert set(tracked("nucleo_cli")) <= contents


def test_nothing_else_is_there(contents: set[str]) -> None:
    wanted = {f"nucleo_cli/_assets/{name}" for name in tracked(*FOLDERS)} | set(tracked("nucleo_cli"))
    assert {name for name in contents - wanted if ".dist-info/" not in name} == set()


def test_the_metadata_says_what_it_is(wheel: Path, contents: set[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"nucleo_cli-{__version__}.dist-info"
        metadata = archive.read(f"{folder}/METADATA").decode()
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
    assert f"Version: {__version__}\n" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "nucleo = nucleo_cli.main:main" in entry_points
    assert any(name.endswith("/licenses/LICENSE") for name in contents)


def test_the_same_tree_is_the_same_wheel(uv: str, wheel: Path, tmp_path: Path) -> None:
    run(uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path)
    (again,) = tmp_path.glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()


def test_the_source_distribution_builds_the_same_contents(uv: str, contents: set[str], tmp_path: Path) -> None:
    run(uv, "build", "--quiet", "--out-dir", tmp_path)
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        assert set(archive.namelist()) == contents


class TestInstalled:
    def test_it_says_its_version(self, program: Path) -> None:
        assert run(program, "--version") == f"nucleo {__version__}\n"

    def test_it_reads_its_platforms(self, program: Path, tmp_path: Path) -> None:
        shutil.copytree(ROOT / "platforms" / "python" / "example", tmp_path / "example")
        plan = json.loads(run(program, "plan", "-C", tmp_path / "example", "--json", cwd=tmp_path))
        assert plan["platform"] == "python"
        assert plan["steps"]

    def test_it_finds_every_folder_inside_itself(self, program: Path, tmp_path: Path) -> None:
        code = f"from nucleo_cli import assets; print(*[assets.folder(name) for name in {FOLDERS!r}], sep='\\n')"
        for line in run(program.parent / "python", "-c", code, cwd=tmp_path).splitlines():
            assert Path(line).is_dir()
            assert Path(line).is_relative_to(program.parents[1])

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_it_prints_the_completion_that_it_ships(self, program: Path, tmp_path: Path, shell: str) -> None:
        assert "nucleo" in run(program, "completion", shell, cwd=tmp_path)

    def test_it_helps(self, program: Path, tmp_path: Path) -> None:
        assert "deploy" in run(program, "--help", cwd=tmp_path)

    def test_it_needs_nothing_that_is_not_declared(self, uv: str, program: Path) -> None:
        run(uv, "pip", "check", "--python", program.parent / "python")
