"""Builds with the real engine and a real registry: every package manager, the same digest, and nothing that leaks."""

import gzip
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, NoReturn, TypeVar

import pytest

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.adapters.registry import Registry
from nucleo_cli.builder import bases, platforms
from nucleo_cli.builder.bases import Wanted
from nucleo_cli.builder.build import build, cached
from nucleo_cli.builder.container import OWNER, ROLE
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.plans import plan_app
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.app import App, Build
from nucleo_cli.domain.build import GitFacts, Image
from nucleo_cli.domain.events import Event, Output, PhaseEnded, StepEnded, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import BuildFailed, Exit, Interrupted, NotFound
from tests.contract.conftest import RegistryServer
from tests.waiting import staying

# docker-py leaves the socket of a finished exec to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

APPS = Path(__file__).parents[1] / "apps" / "python"
ASKS = "import os, urllib.request as r; print(r.urlopen('http://127.0.0.1:' + os.environ['PORT'], timeout=5).read())"
COMMIT = GitFacts("c0ffee", False, 1_700_000_000)
CANARY = "canary-8c1f2"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    found = Engine()
    found.ping()
    yield found
    found.close()


E = TypeVar("E")


class Builder:
    """Builds apps into one registry, and keeps the events of the last build."""

    def __init__(self, registry: RegistryServer, engine: Engine) -> None:
        self.client = Registry(registry.address)
        self.settings = Settings(registry_push=registry.address, registry_pull="registry.example.com/apps")
        self.engine = engine
        self.events: list[Event] = []

    def begin(self, folder: Path, *, name: str = "", no_cache: bool = False, idle: bool = False) -> Work[Image]:
        app, source = App(name or folder.name, folder, "python"), read_source(folder)
        engine = refuse if idle else lambda: self.engine
        plan = plan_app(app, source)
        return build(app, source, plan, self.settings, engine, self.client, COMMIT, no_cache=no_cache)

    def build(self, folder: Path, *, name: str = "", no_cache: bool = False, idle: bool = False) -> Image:
        work = self.begin(folder, name=name, no_cache=no_cache, idle=idle)
        self.events = []
        try:
            while True:
                self.events.append(next(work))
        except StopIteration as end:
            return end.value

    def built(self, app: App, *, idle: bool = False) -> Image:
        """A build of an app that is described here rather than by a nucleo.yml."""
        source = read_source(app.directory, app.build.root)
        engine = refuse if idle else lambda: self.engine
        work = build(app, source, plan_app(app, source), self.settings, engine, self.client, COMMIT)
        try:
            while True:
                next(work)
        except StopIteration as end:
            return end.value

    def manifest(self, name: str, image: Image) -> dict[str, Any]:
        found = self.client.manifest(name, image.digest)
        assert found is not None
        return found.body

    def events_of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def skipped(self) -> dict[str, bool]:
        return {event.name: event.skipped for event in self.events if isinstance(event, PhaseEnded)}


def refuse() -> NoReturn:
    raise AssertionError("a container was asked for")


@pytest.fixture(scope="session")
def builder(registry: RegistryServer, engine: Engine) -> Iterator[Builder]:
    found = Builder(registry, engine)
    yield found
    python = platforms.load("python")
    for role in ("run", "build"):
        wanted = Wanted(python, python.default, platforms.architecture(), (), found.client, refuse, Settings(), Host())
        base = bases.lookup(wanted, role)
        if base is not None:
            engine.remove_image(found.client.reference(base.repository, base.digest))
    found.client.close()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the app with a plain requirements file, to be changed."""
    return Path(shutil.copytree(APPS / "requirements", tmp_path / "shop"))


def answer(engine: Engine, reference: str) -> str:
    """What the image's own command says over HTTP, with everything that a cluster takes away taken away."""
    engine.pull(reference)
    container = engine.create_container(
        reference, env={"SECRET_KEY": "x"}, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"]
    )
    try:
        engine.start(container)
        for _ in range(100):
            asked = engine.exec(container, ["python", "-c", ASKS])
            said = b"".join(chunk for stream, chunk in asked if stream == "stdout")
            if asked.code == 0:
                return said.decode()
            time.sleep(0.1)
        raise AssertionError("the app does not answer")
    finally:
        engine.remove_container(container, volumes=True)
        engine.remove_image(reference)


def asked(engine: Engine, reference: str) -> str:
    """What the image of any architecture says over HTTP, with its own command."""
    engine.pull(reference)
    ports = {"8080/tcp": ("127.0.0.1", None)}
    container = engine.create_container(reference, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"], ports=ports)
    try:
        engine.start(container)
        port = engine.inspect(container)["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
        for _ in range(100):
            with suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
            time.sleep(0.1)
        raise AssertionError("the app does not answer")
    finally:
        engine.remove_container(container, volumes=True)
        engine.remove_image(reference)


def left_over(engine: Engine) -> list[dict[str, Any]]:
    return engine.containers({ROLE: "build"})


@pytest.mark.parametrize("name", ["requirements", "hashes", "uv", "poetry", "pdm", "pipenv", "pyproject", "django"])
def test_an_app_of_each_kind_is_built_and_answers(builder: Builder, engine: Engine, name: str) -> None:
    image = builder.build(APPS / name)
    assert image.repository == f"registry.example.com/apps/{name}"
    assert name in answer(engine, builder.client.reference(name, image.digest))
    assert staying(lambda: left_over(engine)) == []


def test_the_same_tree_from_scratch_is_the_same_image(builder: Builder, app: Path) -> None:
    first = builder.build(app, no_cache=True)
    second = builder.build(app, no_cache=True)
    assert first == second
    assert builder.skipped() == {"build": False, "push": True}


def test_a_package_of_the_tree_does_not_make_each_build_another(builder: Builder, app: Path) -> None:
    (app / "local").mkdir()
    (app / "local" / "setup.py").write_text("from setuptools import setup\nsetup(name='local', py_modules=[])\n")
    (app / "requirements.txt").write_text("flask==3.1.3\ngunicorn==27.0.1\n./local\n")
    assert builder.build(app, no_cache=True) == builder.build(app, no_cache=True)


@pytest.mark.parametrize("platform", ["go", "rust", "static"])
def test_one_image_for_two_architectures_runs_on_both(builder: Builder, engine: Engine, platform: str) -> None:
    folder = Path(__file__).parents[2] / "platforms" / platform / "example"
    app = App(f"{platform}-both", folder, platform, build=Build(architectures=("amd64", "arm64")))
    image = builder.built(app)
    assert image.architectures == ("amd64", "arm64")
    parts = builder.manifest(app.name, image)["manifests"]
    assert [part["platform"]["architecture"] for part in parts] == ["amd64", "arm64"]
    for part in parts:
        assert "Hello from Nucleo" in asked(engine, builder.client.reference(app.name, part["digest"]))
    assert builder.built(app, idle=True) == image


def test_a_platform_for_one_architecture_says_so(builder: Builder, app: Path) -> None:
    other = "arm64" if platforms.architecture() == "amd64" else "amd64"
    wanted = App("shop", app, "python", build=Build(architectures=(other,)))
    with pytest.raises(BuildFailed, match=f"wanted is {other}") as caught:
        builder.built(wanted)
    assert "Build on a machine of that architecture" in caught.value.hint


def test_packages_of_nucleo_yml_are_in_both_images(builder: Builder, engine: Engine, app: Path) -> None:
    described = App("shop", app, "python", build=Build(apt=("tree",)))
    reference = builder.client.reference("shop", builder.built(described).digest)
    engine.pull(reference)
    container = engine.create_container(reference, command=["tree", "--version"])
    try:
        engine.start(container)
        assert engine.wait(container) == 0
    finally:
        engine.remove_container(container, volumes=True)
        engine.remove_image(reference)


def test_a_package_that_does_not_exist_is_told(builder: Builder, app: Path) -> None:
    with pytest.raises(BuildFailed, match="platform image could not be made") as caught:
        builder.built(App("shop", app, "python", build=Build(apt=("no-such-package-of-nucleo",))))
    assert "no-such-package-of-nucleo" in "".join(caught.value.details["output"])
    assert "apt" in caught.value.hint


def test_nothing_changed_starts_nothing_and_sends_nothing(builder: Builder, app: Path) -> None:
    first = builder.build(app)
    assert builder.build(app, idle=True) == first
    assert builder.skipped() == {"build": True, "push": True}


def test_a_changed_line_starts_no_container_and_changes_one_layer(builder: Builder, app: Path) -> None:
    before = builder.manifest("shop", builder.build(app))["layers"]
    (app / "app.py").write_text((app / "app.py").read_text().replace("requirements", "changed"))
    after = builder.manifest("shop", builder.build(app, idle=True))["layers"]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, True, False]


def test_another_app_with_the_same_requirements_runs_no_step(builder: Builder, app: Path) -> None:
    builder.build(app)
    image = builder.build(app, name="sister", idle=True)
    assert builder.manifest("sister", image)["layers"]


def test_the_plan_knows_what_was_built(builder: Builder, app: Path) -> None:
    source = read_source(app)
    described = App("shop", app, "python")
    plan = plan_app(described, source)
    builder.build(app)
    assert cached(described, plan, source, builder.settings, builder.client) == [True]
    (app / "requirements.txt").write_text("flask==3.1.2\ngunicorn==27.0.1\n")
    assert cached(described, plan, read_source(app), builder.settings, builder.client) == [False]


def test_the_image_says_what_it_is_and_runs_as_nobody(builder: Builder, app: Path) -> None:
    image = builder.build(app)
    manifest = builder.manifest("shop", image)
    config = builder.client.document("shop", manifest["config"]["digest"])
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["config"]["User"] == "1000:1000"
    labels = config["config"]["Labels"]
    assert labels["io.nucleo.commit"] == labels["org.opencontainers.image.revision"] == "c0ffee"
    assert labels["io.nucleo.source-hash"] == read_source(app).hash
    assert labels["io.nucleo.inputs"].startswith("sha256:")


def test_secrets_of_the_machine_reach_the_build_and_nothing_else(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine pypi.invalid login ada password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("UV_INDEX_CANARY_PASSWORD", CANARY)
    monkeypatch.setenv("NO_PROXY", f"{CANARY}.invalid")
    # A package built from source runs code of ours in the step, and so tells what it sees.
    (app / "spy").mkdir()
    (app / "spy" / "setup.py").write_text(
        "import os, sys\nfrom setuptools import setup\n"
        "seen = [os.environ['UV_INDEX_CANARY_PASSWORD'], os.environ['no_proxy'], open(os.environ['NETRC']).read()]\n"
        f"canary = {CANARY[:6]!r} + {CANARY[6:]!r}\n"
        "assert all(canary in one for one in seen) and os.path.exists(os.environ['SSL_CERT_FILE'])\n"
        "setup(name='spy', version='1', packages=[])\n"
    )
    (app / "requirements.txt").write_text("flask==3.1.3\ngunicorn==27.0.1\n./spy\n")
    work, described = builder.begin(app, no_cache=True), ""
    try:
        while True:
            if isinstance(next(work), Output):
                for one in left_over(engine):
                    with suppress(NotFound):  # it has gone since
                        described += json.dumps(engine.inspect(one["Id"]))
    except StopIteration as end:
        image: Image = end.value
    assert described
    assert CANARY not in described
    manifest = builder.manifest("shop", image)
    assert CANARY not in json.dumps([manifest, builder.client.document("shop", manifest["config"]["digest"])])
    for layer in manifest["layers"]:
        content = gzip.decompress(b"".join(builder.client.blob("shop", layer["digest"])))
        assert CANARY.encode() not in content
        assert b"run/nucleo" not in content


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        ("flask==3.1.3\nwerkzeug==1.0.0\ngunicorn==27.0.1\n", "The requirements cannot be resolved"),
        ("flask==999\n", "The index has no version that fits flask==999"),
        ("no-such-package-of-nucleo==1\n", "There is no package no-such-package-of-nucleo in the index"),
    ],
)
def test_requirements_that_cannot_be_had(
    builder: Builder, engine: Engine, app: Path, requirements: str, message: str
) -> None:
    (app / "requirements.txt").write_text(requirements)
    with pytest.raises(BuildFailed) as caught:
        builder.build(app)
    assert caught.value.message == message
    assert caught.value.details["step"] == "dependencies"
    assert caught.value.details["output"]
    assert staying(lambda: left_over(engine)) == []


def test_a_build_that_is_interrupted_leaves_no_container(builder: Builder, engine: Engine, app: Path) -> None:
    work = builder.begin(app, no_cache=True)
    while not isinstance(next(work), Output):
        pass
    assert len(left_over(engine)) == 1
    with pytest.raises(Interrupted):
        work.throw(Interrupted(Exit.INTERRUPTED))
    assert staying(lambda: left_over(engine)) == []


def test_static_files_are_collected_again_only_when_what_they_come_from_changes(
    builder: Builder, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(APPS / "django", tmp_path / "shop"))
    settings, urls, style = (folder / name for name in ("shop/settings.py", "shop/urls.py", "assets/style.css"))

    def collected() -> bool:
        builder.build(folder)
        return any(event.name == "static files" and not event.cached for event in builder.events_of(StepEnded))

    def edited(path: Path) -> bool:
        path.write_text(f"{path.read_text('utf-8')}\n", "utf-8")
        return collected()

    style.write_text(f"/* {token_hex()} */")
    assert collected()
    assert not edited(urls)
    assert edited(settings)
    assert edited(style)
    (folder / "shop" / "late.py").write_text("")
    assert collected()
    settings.write_text(f"{settings.read_text('utf-8')}\nimport subprocess; subprocess.run(['true'])\n", "utf-8")
    assert collected()
    assert edited(urls)


def test_what_a_killed_build_left_is_removed_by_the_next(builder: Builder, engine: Engine, app: Path) -> None:
    import socket

    image = builder.build(app)
    reference = builder.client.reference("shop", image.digest)
    engine.pull(reference)
    dead = {ROLE: "build", OWNER: f"{socket.gethostname()}/4194303/1"}
    foreign = {ROLE: "build", OWNER: "another-machine/1/1"}
    orphan = engine.create_container(reference, command=["sleep", "600"], labels=dead)
    other = engine.create_container(reference, command=["sleep", "600"], labels=foreign)
    try:
        builder.build(app, no_cache=True)
        assert [one["Id"] for one in staying(lambda: left_over(engine))] == [other]
    finally:
        engine.remove_container(other)
        engine.remove_container(orphan)
        engine.remove_image(reference)
