"""The wheel carries all that the program needs, and nothing else; installed clean, it works."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
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


def compiled() -> set[str]:
    """The BPF programs as the kernel loads them, which git does not know: one for each source."""
    sources = (ROOT / "bpf_programs").glob("*.bpf.c")
    return {f"nucleo_cli/_assets/bpf_programs/build/{each.name.removesuffix('.c')}.o" for each in sources}


def tracked(*folders: str) -> list[str]:
    """The files of the checkout that git knows, and new ones that it does not ignore."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders)
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_data_folder_is_whole(contents: set[str], folder: str) -> None:
    assert {f"nucleo_cli/_assets/{name}" for name in tracked(folder)} <= contents


def test_every_module_and_data_file_of_the_package_is_there(contents: set[str]) -> None:
    assert set(tracked("nucleo_cli")) <= contents


def test_each_bpf_program_is_there_compiled(contents: set[str]) -> None:
    assert compiled()
    assert compiled() <= contents


def test_nothing_else_is_there(contents: set[str]) -> None:
    wanted = {f"nucleo_cli/_assets/{name}" for name in tracked(*FOLDERS)} | set(tracked("nucleo_cli")) | compiled()
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


SAMPLE = Path(__file__).parent / "nucleo-platform-hello"
BROKEN = {
    "noyml": ({"plan.py": ""}, "there is no platform.yml in "),
    "badyml": (
        {"platform.yml": "detect: [x]\ndefalut: 1\n"},
        'platform.yml: defalut is not a key here; did you mean "default"?',
    ),
    "badplan": ({"platform.yml": "", "plan.py": "import no_such_module\n"}, "No module named 'no_such_module'"),
    "noplan": ({"platform.yml": "", "plan.py": ""}, "has no attribute 'plan'"),
    "raises": (
        {"platform.yml": "", "plan.py": "def plan(*_):\n    return 1 / 0\n"},
        "ZeroDivisionError: division by zero",
    ),
}
WHOLE = 'detect: [nothing]\ndefault: "1"\nversions: {"1": {suite: trixie}}\n'


def said(program: Path, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *argv], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def extended(uv: str, program: Path) -> Iterator[Path]:
    """`program`, with the sample platform beside it."""
    python = program.parent / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", SAMPLE)
    yield program
    run(uv, "pip", "uninstall", "--quiet", "--python", python, "nucleo-platform-hello")


class TestPlatformsOfOtherPackages:
    @pytest.fixture
    def app(self, tmp_path: Path) -> Path:
        (tmp_path / "hello.sh").write_text("busybox httpd -f -p $PORT\n")
        (tmp_path / "nucleo.yml").write_text("platform: hello\n")
        return tmp_path

    def test_it_is_listed_with_the_others(self, extended: Path, app: Path) -> None:
        listed = json.loads(run(extended, "platforms", "--json", cwd=app))
        by_name = {each["platform"]: each for each in listed["platforms"]}
        assert by_name["hello"]["package"] == "nucleo-platform-hello 1.2"
        assert by_name["python"]["bundled"]
        assert listed["problems"] == []

    def test_it_is_shown_with_its_package(self, extended: Path, app: Path) -> None:
        text = run(extended, "platforms", "show", "hello", cwd=app)
        assert "comes from       nucleo-platform-hello 1.2" in text
        assert "busybox" in text

    def test_it_plans(self, extended: Path, app: Path) -> None:
        plan = json.loads(run(extended, "plan", "--json", cwd=app))
        assert (plan["platform"], plan["start"]) == ("hello", "sh hello.sh")
        assert {"choice": "start: sh hello.sh", "because": "hello.sh is here"} in plan["reasons"]

    def test_it_is_valid_and_found(self, extended: Path, app: Path) -> None:
        assert json.loads(run(extended, "validate", "--json", cwd=app))["platform"] == "hello"
        (app / "nucleo.yml").unlink()
        assert json.loads(run(extended, "init", "--json", cwd=app))["platform"] == "hello"

    def test_its_own_errors_are_errors(self, extended: Path, app: Path) -> None:
        (app / "hello.sh").unlink()
        done = said(extended, "plan", cwd=app)
        assert (done.returncode, "There is no hello.sh" in done.stderr) == (4, True)

    @pytest.mark.parametrize("name", BROKEN)
    def test_a_broken_one_is_one_error_that_names_its_package(self, extended: Path, app: Path, name: str) -> None:
        files, message = BROKEN[name]
        (site,) = extended.parents[1].glob("lib/python*/site-packages")
        package = {f"{name}/__init__.py": "", **{f"{name}/{file}": text for file, text in files.items()}}
        package[f"{name}-1.2.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n"
        package[f"{name}-1.2.dist-info/entry_points.txt"] = f"[nucleo.platforms]\n{name} = {name}\n"
        try:
            for path, text in package.items():
                (site / path).parent.mkdir(exist_ok=True)
                (site / path).write_text(text or (WHOLE if path.endswith(".yml") else ""))
            (app / "nucleo.yml").write_text(f"platform: {name}\n")
            done = said(extended, "plan", cwd=app)
            others = json.loads(run(extended, "platforms", "--json", cwd=app))
        finally:
            for path in (site / name, site / f"{name}-1.2.dist-info"):
                shutil.rmtree(path)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert done.stderr.startswith(f"error: The platform {name} of {name} 1.2 cannot be used: ")
        assert message in done.stderr
        assert {"hello", "python"} <= {each["platform"] for each in others["platforms"]}
