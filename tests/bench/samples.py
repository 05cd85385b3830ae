"""The apps of the comparison: samples/NAME/ has each one, its Dockerfile, and what adding a dependency changes."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench import apps

_FOLDER = Path(__file__).parent / "samples"
_ANSWER = "first"
_IGNORED = ".git\n.dockerignore\nnucleo.yml\n"
# The same commit each time, for the same image each time.
_DATES = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-02T03:04:05+00:00")


@dataclass(frozen=True, slots=True)
class Sample:
    """`edit` is the file that has the app's answer. `builder` is what the peers' build image has besides Nucleo's; the
    files that it `brings` from this repository are in /run/host there."""

    name: str
    title: str
    platform: str
    edit: str
    compiled: bool = False
    builder: str = ""
    brings: tuple[str, ...] = ()

    @property
    def app(self) -> str:
        """Its name in nucleo.yml."""
        return f"nucleo-bench-{self.name}"

    @property
    def folder(self) -> Path:
        return _FOLDER / self.name

    @property
    def dependency(self) -> Path:
        """The files that adding a dependency changes; none where there is no such thing."""
        return self.folder / "dependency"


_PIP = "RUN python3 -m venv /opt/pip && /opt/pip/bin/pip install --quiet --upgrade pip"
_POETRY = (
    "RUN python3 -m venv /opt/poetry && /opt/poetry/bin/pip install --quiet poetry==2.5.1 poetry-plugin-export==1.10.1"
)

_JAVA = "src/main/java/com/example/bench"
# Java reads no PEM bundle.
_TRUSTS = "platforms/java/scripts/Trust.java"
_TRUST = (
    "RUN mkdir -p /tmp/nucleo && sed -n '/^-----BEGIN/,/^-----END/p' /run/host/ca.crt"
    " | java /run/host/Trust.java /tmp/nucleo/cacerts"
)

SAMPLES = {
    sample.name: sample
    for sample in (
        Sample("flask", "flask, uv", "python", "app.py"),
        Sample("django", "django, poetry", "python", "shop/urls.py", builder=f"{_PIP}\n{_POETRY}"),
        Sample("fastapi", "fastapi, pip", "python", "main.py", builder=_PIP),
        Sample("express", "express, npm", "node", "server.js"),
        Sample("vite", "vite, npm", "node", "src/App.jsx", compiled=True),
        Sample("spring", "spring boot, maven", "java", f"{_JAVA}/BenchApplication.java", True, _TRUST, (_TRUSTS,)),
        Sample("gin", "gin", "go", "main.go", True),
        Sample("axum", "axum", "rust", "src/main.rs", True),
        Sample("static", "static", "static", "public/index.html"),
    )
}


class Checkout:
    """A git repository of a sample's app, as somebody would have it who works on it."""

    def __init__(self, sample: Sample, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self._sample = sample
        shutil.copytree(sample.folder / "app", folder)
        (folder / ".dockerignore").write_text(_IGNORED)
        apps.git(folder, env, "init", "--quiet")
        apps.commit(folder, {**env, **_DATES})

    def edit(self, answer: str) -> None:
        """The one-line edit of what the app was at first."""
        text = (self._sample.folder / "app" / self._sample.edit).read_text()
        (self.folder / self._sample.edit).write_text(text.replace(_ANSWER, answer))

    def add_dependency(self) -> None:
        """What a package manager would have written, and a use of it where the compiler wants one."""
        shutil.copytree(self._sample.dependency, self.folder, dirs_exist_ok=True)

    def umask(self) -> None:
        """Another mode on every file, as another person's checkout has it."""
        for path in self.folder.rglob("*"):
            if ".git" not in path.parts:
                path.chmod(0o775 if path.is_dir() or os.access(path, os.X_OK) else 0o664)
