"""The machine that is measured on, and the other programs that are measured beside Nucleo."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from nucleo_cli.adapters.helm import find
from nucleo_cli.domain import xdg
from nucleo_cli.errors import NucleoError
from tests.bench.measure import MeasureError, run

STERN = "1.32.0"


def helm() -> Path:
    """The helm program that Nucleo itself uses."""
    try:
        return find()
    except NucleoError as error:
        raise MeasureError(error.message) from error


def kubectl() -> Path | None:
    """The one on PATH, else the one that the local cluster's image was built with."""
    if on_path := shutil.which("kubectl"):
        return Path(on_path)
    for program in sorted((xdg.cache() / "bin").glob("hyperkube-*/hyperkube")):
        link = xdg.cache() / "bench" / "kubectl"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program)
        return link
    return None


def stern() -> Path:
    """stern, built once from its Go module. Raises MeasureError where there is no Go."""
    folder = xdg.cache() / "bench" / f"stern-{STERN}"
    program = folder / "stern"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            raise MeasureError("stern is missing, and so is Go to build it with")
        run(
            [go, "install", f"github.com/stern/stern@v{STERN}"],
            {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        )
    return program


def facts(env: Mapping[str, str]) -> str:
    """Cores, memory, kernel and versions, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    engine = _said(["docker", "version", "--format", "engine {{.Server.Version}}, its client {{.Client.Version}}"], env)
    builder = "BuildKit" if _said(["docker", "buildx", "version"], env) else "the classic builder"
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    found = [
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}",
        f"{engine} with {builder}" if engine else "",
        f"helm {_said([str(helm()), 'version', '--template={{.Version}}'], env)}",
        _said(["buildah", "--version"], env).partition(" (")[0],
        f"load {load}",
    ]
    return "; ".join(each for each in found if each)


def _said(argv: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
