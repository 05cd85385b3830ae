"""Every platform's example and the apps of tests/apps: each is deployed, answers, and is the same image twice.

An app is listed in tests/apps/PLATFORM/apps.yml with a path and a text that its answer has in it. The second build is
one that nothing is shared with: another folder, home, time zone, locale, umask and number of cores, and no cache.
"""

import importlib
import os
import shutil
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.adapters.git import facts
from nucleo_cli.adapters.registry import Registry
from nucleo_cli.builder import platforms
from nucleo_cli.builder.build import build
from nucleo_cli.builder.plans import plan_app
from nucleo_cli.builder.source import read_source
from nucleo_cli.config import load
from nucleo_cli.domain.settings import Settings
from tests.e2e.api import Api
from tests.installed import ROOT, Nucleo

# docker-py leaves the socket of a finished exec to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

APPS = ROOT / "tests" / "apps"
ANSWERS_WITHIN = 60.0


@dataclass(frozen=True)
class Sample:
    """An app of the repository. `folder` is where its nucleo.yml is, below `tree`; `packages` names its server."""

    platform: str
    name: str
    tree: Path
    folder: str
    path: str
    answers: str
    packages: str


def samples() -> Iterator[Sample]:
    for file in sorted(APPS.glob("*/apps.yml")):
        platform = file.parent.name
        for name, given in yaml.safe_load(file.read_text("utf-8")).items():
            tree = ROOT / "platforms" / platform / "example" if name == "example" else file.parent / name
            folder, packages = given.get("folder", "."), given.get("packages", "")
            yield Sample(platform, name, tree, folder, given.get("path", "/"), given["answers"], packages)


SAMPLES = tuple(samples())
OTHER_VERSIONS = [
    (name, version)
    for name in sorted({each.platform for each in SAMPLES})
    for version in platforms.load(name).versions
    if version != platforms.load(name).default
]
# Where an example is written for the newest, as are the compiled gems of tests/packages.
_OTHER_RELEASE = {
    "java": {"<maven.compiler.release>21<": "<maven.compiler.release>{version}<"},
    "ruby": {
        'gem "puma"': 'gem "rackup"\ngem "webrick"',
        "    nio4r (2.7.3)\n    puma (6.6.0)\n      nio4r (~> 2.0)\n": "",
        "    rack (3.1.20)\n": "    rack (3.1.20)\n    rackup (2.1.0)\n      rack (>= 3)\n      webrick (~> 1.8)\n"
        "    webrick (1.9.1)\n",
        "  puma\n  rack\n": "  rack\n  rackup\n  webrick\n",
    },
}


class OneCore(Engine):
    """The engine with containers that see one core."""

    def create_container(self, image: str, **options: Any) -> str:
        return super().create_container(image, **options, cpuset_cpus="0")


def test_every_platform_has_an_example_and_two_apps() -> None:
    found: dict[str, int] = {}
    for each in SAMPLES:
        found[each.platform] = found.get(each.platform, 0) + (1 if each.name == "example" else 1000)
    assert found.keys() == {folder.parent.name for folder in (ROOT / "platforms").glob("*/platform.yml")}
    assert all(count % 1000 == 1 and count >= 2001 for count in found.values()), found


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.platform}-{sample.name}")
def test_an_app_is_deployed_answers_and_is_the_same_image_twice(
    sample: Sample, nucleo: Nucleo, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _repository(sample, tmp_path / "one") / sample.folder
    name = f"{sample.platform}-{sample.name}"
    with _packages(sample) as env:
        try:
            deployed = nucleo("deploy", "-C", str(app), "--no-cache", "--json", timeout=1800, env=env).expect(0).json
            assert sample.answers in _answer(deployed["url"].rstrip("/") + sample.path)
        finally:
            api.delete(f"/api/v1/namespaces/{name}")
        other = tmp_path / "another folder"
        subprocess.run(["git", "clone", "--quiet", str(tmp_path / "one"), str(other)], check=True)
        with monkeypatch.context() as changed, _umask(0o077):
            for key, value in {**env, "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}.items():
                changed.setenv(key, value)
            changed.setenv("HOME", str(tmp_path))
            time.tzset()
            digest = _built_anew(other / sample.folder, _settings(api))
        time.tzset()
    assert deployed["image"].rpartition("@")[2] == digest


@pytest.mark.parametrize(("platform", "version"), OTHER_VERSIONS)
def test_each_other_version_makes_an_app_that_answers(
    platform: str, version: str, nucleo: Nucleo, api: Api, tmp_path: Path
) -> None:
    sample = next(each for each in SAMPLES if (each.platform, each.name) == (platform, "example"))
    app = _repository(sample, tmp_path / "app", version)
    for old, new in _OTHER_RELEASE.get(platform, {}).items():
        _rewrite(app, old, new.format(version=version))
    with _packages(sample) as env:
        try:
            deployed = nucleo("deploy", "-C", str(app), "--json", timeout=1800, env=env).expect(0).json
            assert sample.answers in _answer(deployed["url"].rstrip("/") + sample.path)
        finally:
            api.delete(f"/api/v1/namespaces/{platform}-example")


def _rewrite(folder: Path, old: str, new: str) -> None:
    """Replace a text that is in one of the folder's files."""
    files = [path for path in folder.iterdir() if path.is_file() and old in path.read_text("utf-8")]
    assert files, f"no file has {old!r}"
    for path in files:
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def _repository(sample: Sample, folder: Path, version: str = "") -> Path:
    """A commit of the sample, under a name of its own: many examples share one."""
    shutil.copytree(sample.tree, folder, symlinks=True)
    file = folder / sample.folder / "nucleo.yml"
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("name:")]
    if version:
        lines = [f'platform: "{sample.platform}:{version}"' if line.startswith("platform:") else line for line in lines]
    file.write_text("\n".join([f"name: {sample.platform}-{sample.name}", *lines, ""]), "utf-8")
    for command in (["init", "--quiet"], ["add", "--all", "--force"], ["commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def _packages(sample: Sample) -> AbstractContextManager[dict[str, str]]:
    """The environment in which the package server of the sample's language is found."""
    if not sample.packages:
        return nullcontext({})
    return importlib.import_module(f"tests.packages.{sample.packages}").package_server()


def _answer(url: str) -> str:
    """What the app says, as soon as the route leads to it."""
    deadline = time.monotonic() + ANSWERS_WITHIN
    while True:
        done = subprocess.run(
            ["curl", "-sS", "--fail", "--noproxy", "*", "--max-time", "20", url],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return done.stdout
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.5)


def _built_anew(app: Path, settings: Settings) -> str:
    """The digest of a build from scratch, on one core."""
    described, engine, registry = load(app, None), OneCore(), Registry(settings.registry_push)
    try:
        source = read_source(app, described.build.root)
        plan = plan_app(described, source)
        commit = facts(app / described.build.root)
        work = build(described, source, plan, settings, lambda: engine, registry, commit, no_cache=True)
        while True:
            next(work)
    except StopIteration as end:
        return end.value.digest
    finally:
        engine.close()
        registry.close()


def _settings(api: Api) -> Settings:
    data = api.get("/api/v1/namespaces/nucleo-system/configmaps/nucleo")["data"]
    return Settings(registry_push=data["registry-push"], registry_pull=data.get("registry-pull", ""))


@contextmanager
def _umask(mask: int) -> Generator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
