"""Builds and all that can go wrong around them: each ends in one clear error, or succeeds with the right image."""

import dataclasses
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.adapters.registry import Registry
from nucleo_cli.builder import bases, platforms
from nucleo_cli.builder.bases import Wanted
from nucleo_cli.builder.container import KEPT, OWNER, ROLE
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.app import Build
from nucleo_cli.domain.build import Image, Step
from nucleo_cli.domain.events import Warned, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import BuildFailed, Exit, NotAllowed, NotFound, NucleoError, Unreachable
from tests.contract.conftest import RegistryServer
from tests.contract.faults import PLATFORM, Builder, Fault, FaultProxy, known, make_app
from tests.waiting import staying

# docker-py leaves the socket of a finished exec to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = Engine()
    found.ping()
    with known():
        yield found
    for volume in found.volumes({}):
        if volume["Name"].startswith(("nucleo-cache-faults-", "nucleo-cache-app-faulty-", "nucleo-cache-app-warm-")):
            found.remove_volume(volume["Name"])
    for app in ("faulty", "warm"):
        for image in found.images({ROLE: KEPT, "io.nucleo.app": app}):
            found.remove_image(image)
    found.close()
    listed = ["docker", "images", "--quiet", "--no-trunc", "--filter", "reference=*/platforms/faults-*"]
    if images := sorted(set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())):
        subprocess.run(["docker", "rmi", "--force", *images], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def builder(registry: RegistryServer, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A builder into the registry, which has the platform's images now."""
    found = Builder(registry.address, engine)
    found.build(make_app(tmp_path_factory.mktemp("apps") / "warm"))
    return found


@pytest.fixture
def app(tmp_path: Path) -> Path:
    made = make_app(tmp_path / "faulty")
    (made / "one.txt").write_text(f"{tmp_path}\n")  # nobody has made its layer yet
    return made


@pytest.fixture
def proxy(registry: RegistryServer) -> Iterator[FaultProxy]:
    found = FaultProxy(registry.port)
    yield found
    found.close()


def left_over(engine: Engine) -> list[str]:
    """The containers of the app's builds, and those of this process."""
    mine = f"/{os.getpid()}/"
    return [
        one["Id"]
        for one in engine.containers({ROLE: "build"})
        if one["Labels"]["io.nucleo.app"] == "faulty" or mine in one["Labels"][OWNER]
    ]


def described(engine: Engine) -> str:
    """All that the engine tells of these containers."""
    found: list[object] = []
    for one in left_over(engine):
        with suppress(NotFound):  # it has gone since
            found.append(engine.inspect(one))
    return json.dumps(found)


def through(proxy: FaultProxy, engine: Engine, *faults: Fault) -> Builder:
    """A builder that reaches the registry through the proxy, which begins to misbehave now."""
    proxy.faults = list(faults)
    return Builder(proxy.address, engine)


# The registry


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("request_", ["^GET /v2/platforms/", "^POST /v2/", "^PUT /v2/faulty/manifests/"])
def test_a_registry_that_refuses(
    builder: Builder, engine: Engine, proxy: FaultProxy, app: Path, status: int, request_: str
) -> None:
    with pytest.raises(NotAllowed, match=f"^The registry {proxy.address} refuses: {status}") as caught:
        through(proxy, engine, Fault(request_, status)).build(app, no_cache=True)
    assert caught.value.hint == f"Run: docker login {proxy.address}"
    assert caught.value.exit == Exit.NOT_ALLOWED
    assert staying(lambda: left_over(engine)) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_waited_for(builder: Builder, engine: Engine, proxy: FaultProxy, app: Path, status: int) -> None:
    (app / "one.txt").write_text(f"waited for {status}\n")
    requests = ("^GET /v2/platforms/", "^HEAD /v2/", "^POST /v2/", "^PUT /v2/steps/", "^PUT /v2/faulty/manifests/")
    faults = [Fault(request, status, {"retry-after": "3"}, times=2) for request in requests]
    slow = through(proxy, engine, *faults)
    digest = slow.build(app).digest
    assert [fault.seen > fault.times for fault in faults] == [True] * len(faults)
    assert digest == builder.build(app, no_cache=True).digest
    assert [pause for pause in slow.pauses if pause >= 3] == slow.pauses != []


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("request_", ["^GET /v2/platforms/", "^POST /v2/steps/", "^PUT /v2/faulty/manifests/"])
def test_what_does_not_pass_is_one_error(
    builder: Builder, engine: Engine, proxy: FaultProxy, app: Path, status: int, request_: str
) -> None:
    (app / "one.txt").write_text(f"{status} {request_}\n")
    with pytest.raises(Unreachable, match=f"^The registry {proxy.address} does not serve: {status}") as caught:
        through(proxy, engine, Fault(request_, status)).build(app, no_cache=True)
    assert caught.value.hint == "Run the same command again"
    assert staying(lambda: left_over(engine)) == []


def test_a_blob_on_its_way_up_is_cut(builder: Builder, engine: Engine, proxy: FaultProxy, app: Path) -> None:
    image = builder.build(app, no_cache=True)
    (app / "two.txt").write_text("other\n")
    cut = Fault("^PUT /v2/steps/blobs/", cut=100, times=2)
    other = through(proxy, engine, cut).build(app)
    assert cut.seen > cut.times
    assert other.digest == builder.build(app, no_cache=True).digest != image.digest


def test_a_blob_on_its_way_down_is_cut(builder: Builder, engine: Engine, proxy: FaultProxy, app: Path) -> None:
    (app / "one.txt").write_bytes(bytes(range(256)) * 2000)
    builder.build(app)
    (app / "two.txt").write_text("another\n")
    cut = Fault("^GET /v2/steps/blobs/", cut=700, times=2)
    other = through(proxy, engine, cut).build(app)
    assert cut.seen > cut.times
    assert other.digest == builder.build(app, no_cache=True).digest


@pytest.mark.parametrize("request_", ["^PUT /v2/steps/blobs/", "^GET /v2/steps/blobs/"])
def test_a_connection_that_is_cut_again_and_again(
    builder: Builder, engine: Engine, proxy: FaultProxy, app: Path, request_: str
) -> None:
    builder.build(app)
    (app / "two.txt").write_text(f"{request_}\n")
    with pytest.raises(Unreachable, match=f"^The registry {proxy.address} does not answer") as caught:
        through(proxy, engine, Fault(request_, cut=10)).build(app)
    assert caught.value.hint == "Run: nucleo doctor"
    assert staying(lambda: left_over(engine)) == []


@pytest.fixture
def own_registry(registry: RegistryServer, builder: Builder, tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry with the same content, whose storage a test may break."""
    subprocess.run(["cp", "-al", registry.folder / "data", tmp_path / "data"], check=True)
    server = RegistryServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[Path, str], Path]]:
    """Makes a folder a disk of its own, of the given size."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "none", folder], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


Small = Callable[[Path, str], Path]


def test_the_disk_of_the_registry_is_full(
    own_registry: RegistryServer, engine: Engine, app: Path, small: Small
) -> None:
    small(own_registry.folder / "data/docker/registry/v2/repositories/steps/_uploads", "64k")
    random = Step("random", "head -c 1000000 /dev/urandom > /opt/app/x", "/opt/app", "it is large")
    found = Builder(own_registry.address, engine)
    with pytest.raises(NucleoError) as caught:
        found.build(app, [random])
    assert caught.value.message == f"The disk of the registry {own_registry.address} is full"
    assert "garbage-collect" in caught.value.hint
    assert found.pauses == []
    assert staying(lambda: left_over(engine)) == []


def blob(server: RegistryServer, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return server.folder / "data/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


def step_layers(found: Builder, app: Path, image: Image) -> list[str]:
    client = Registry(found.address)
    manifest = client.manifest(app.name, image.digest)
    client.close()
    assert manifest is not None
    return [layer["digest"] for layer in manifest.body["layers"][-3:-1]]


def test_a_layer_that_the_registry_lost_is_made_again(own_registry: RegistryServer, engine: Engine, app: Path) -> None:
    found = Builder(own_registry.address, engine)
    image = found.build(app)
    first, second = step_layers(found, app, image)
    blob(own_registry, first).unlink()
    assert found.build(app) == image
    assert blob(own_registry, first).exists()
    blob(own_registry, second).unlink()
    assert found.build(app) == image
    assert blob(own_registry, second).exists()


def test_a_layer_that_the_registry_altered_is_never_used(
    own_registry: RegistryServer, engine: Engine, app: Path
) -> None:
    found = Builder(own_registry.address, engine)
    image = found.build(app)
    file = blob(own_registry, step_layers(found, app, image)[0])
    content = file.read_bytes()
    file.unlink()  # the file itself is shared with the other registry
    file.write_bytes(content[:-20] + bytes(20))
    (app / "two.txt").write_text("again\n")
    with pytest.raises(NucleoError, match="sent something else than") as caught:
        found.build(app)
    assert file.parent.name in caught.value.hint
    assert staying(lambda: left_over(engine)) == []
    file.unlink()
    assert found.build(app).digest == Builder(own_registry.address, engine).build(app, no_cache=True).digest


# The machine


def test_the_temporary_folder_is_full(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    (app / "two.txt").write_bytes(os.urandom(1_000_000))
    folder = small(tmp_path / "small", "512k")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(BuildFailed, match=f"^A temporary file could not be written in {folder}") as caught:
        builder.build(app)
    assert "TMPDIR" in caught.value.hint
    assert staying(lambda: left_over(engine)) == []


def test_the_temporary_folder_is_full_when_a_layer_comes_back(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Step("random", "head -c 2000000 /dev/urandom > /opt/app/x", "/opt/app", "it is large")
    other = Step("other", "cp two.txt /opt/app", "/opt/app", "it needs it", ("two.txt",), after=("random",))
    builder.build(app, [random, other])
    (app / "two.txt").write_text("again\n")
    folder = small(tmp_path / "small", "512k")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(BuildFailed, match=f"^A temporary file could not be written in {folder}"):
        builder.build(app, [random, other])
    assert staying(lambda: left_over(engine)) == []


def test_the_cache_folder_is_full(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(small(tmp_path / "small", "16k")))
    with pytest.raises(BuildFailed, match=r"^The cache folder cannot be written: No space left on device") as caught:
        builder.build(app, how=Build(apt=("bc",)))
    assert caught.value.hint.startswith(f"Make room in {tmp_path}/small")
    assert staying(lambda: left_over(engine)) == []


def test_the_disk_of_the_engine_is_full(builder: Builder, engine: Engine, app: Path) -> None:
    # /dev/shm of a container is a disk of 64 MB.
    fill = Step("fill", "head -c 100000000 /dev/zero > /dev/shm/x", "/opt/app", "it needs room")
    with pytest.raises(BuildFailed, match=r"^The container engine's disk is full$") as caught:
        builder.build(app, [fill])
    assert caught.value.hint.startswith("Make room: docker system prune\n")
    assert "fill runs because it needs room" in caught.value.hint
    assert staying(lambda: left_over(engine)) == []


def test_a_full_cache_is_emptied_and_the_build_goes_on(builder: Builder, engine: Engine, app: Path) -> None:
    name = "nucleo-cache-app-faulty-own"
    engine.remove_volume(name)
    small = ["--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=2m,mode=1777"]
    subprocess.run(["docker", "volume", "create", *small, name], check=True, stdout=subprocess.DEVNULL)
    use = Step("use", "head -c 1500000 /dev/zero > /own/x && cp one.txt /opt/app", "/opt/app", "", ("one.txt",))
    keeper = engine.create_container(images_of(builder), command=["sleep", "600"], volumes={name: "/own"}, init=True)
    try:
        engine.start(keeper)
        assert engine.exec(keeper, ["bash", "-c", "head -c 1500000 /dev/zero > /own/old"], user="0:0").code == 0
        image = builder.build(app, [use])
        assert [event.text for event in builder.events if isinstance(event, Warned)] == [
            "a cache of the platform faults was damaged or full: it was emptied"
        ]
        assert image.digest == builder.build(app, [use], no_cache=True).digest
    finally:
        engine.remove_container(keeper)
        engine.remove_volume(name)


def images_of(builder: Builder) -> str:
    """The build image of the tests' platform, which the engine has."""
    client = Registry(builder.address)
    wanted = Wanted(PLATFORM, "1", platforms.architecture(), (), client, Engine, Settings(), Host())
    base = bases.lookup(wanted, "build")
    client.close()
    assert base is not None
    return client.reference(base.repository, base.digest)


def test_a_damaged_cache_is_emptied_and_the_build_goes_on(builder: Builder, engine: Engine, app: Path) -> None:
    use = Step(
        "use",
        "[ ! -e /cache/x ] || cat /cache/x | grep -qx good || { echo the cache is damaged; exit 1; }\n"
        "echo good > /cache/x && cp /cache/x one.txt /opt/app",
        "/opt/app",
        "it has a cache",
        ("one.txt",),
    )
    spoil = Step(
        "spoil",
        "chmod -R 777 /cache; head -c 99 /dev/urandom > /cache/x; cp two.txt /opt/app",
        "/opt/app",
        "",
        ("two.txt",),
    )
    image = builder.build(app, [use], no_cache=True)
    builder.build(app, [dataclasses.replace(spoil, command=f"{spoil.command} # {time.time()}")])
    (app / "one.txt").write_text("changed\n")
    changed = builder.build(app, [use])
    assert [event.text for event in builder.events if isinstance(event, Warned)] == [
        "a cache of the platform faults was damaged or full: it was emptied"
    ]
    assert changed.digest == builder.build(app, [use], no_cache=True).digest != image.digest


def test_a_step_may_write_into_what_an_earlier_build_made(builder: Builder, app: Path) -> None:
    first = Step("first", "mkdir /opt/app/x && cp one.txt /opt/app/x", "/opt/app/x", "", ("one.txt",))
    second = Step(
        "second",
        "cat two.txt >> x/one.txt; cp two.txt x",
        "/opt/app/x",
        "",
        ("two.txt",),
        ("first",),
        changed_only=True,
    )
    second = dataclasses.replace(second, command=f"cd /opt/app; {second.command.replace('two.txt', '/app/two.txt')}")
    builder.build(app, [first, second])
    (app / "two.txt").write_text("changed\n")
    image = builder.build(app, [first, second])
    assert image.digest == builder.build(app, [first, second], no_cache=True).digest


# The source tree


def test_a_tree_that_changes_while_it_is_read(builder: Builder, engine: Engine, app: Path) -> None:
    for change in ("other\n", "longer than before\n", ""):
        (app / "one.txt").write_text("one\n")
        source = read_source(app)
        assert source.hash
        (app / "one.txt").write_text(change)
        with pytest.raises(BuildFailed, match=r"^one.txt changed while it was read$") as caught:
            builder.build(app, source=source)
        assert caught.value.hint == "Run the same command again"
    (app / "one.txt").unlink()
    with pytest.raises(BuildFailed, match=r"^one.txt changed while it was read$"):
        builder.build(app, source=source)
    assert staying(lambda: left_over(engine)) == []


def test_a_file_that_changes_while_steps_run_is_never_half_of_an_image(builder: Builder, app: Path) -> None:
    ends: list[object] = [builder.build(app, no_cache=True), "two.txt changed while it was read"]
    for moment in (1, 2, 4):
        (app / "two.txt").write_text("two\n")
        work = builder.begin(app, no_cache=True)
        for _ in range(moment):
            next(work)
        (app / "two.txt").write_text("changed\n")
        assert ended(work) in ends


def ended(work: Work[Image]) -> Image | str:
    """The image, or what went wrong."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value
    except BuildFailed as error:
        return error.message


def test_a_huge_file_is_told_before_it_is_read(builder: Builder, app: Path) -> None:
    with (app / "dump.sql").open("wb") as file:
        file.truncate(2 << 30)
    work = builder.begin(app)
    seen = [next(work), next(work)]
    work.close()
    assert seen[1] == Warned(
        "dump.sql is 2048 MB and becomes part of the image", "To leave it out: echo '/dump.sql' >> .nucleoignore"
    )
    (app / ".nucleoignore").write_text("/dump.sql\n")
    assert builder.build(app)


def test_a_link_out_of_the_tree(builder: Builder, app: Path) -> None:
    (app / "secrets").symlink_to("../../etc/passwd")
    with pytest.raises(BuildFailed, match=r"^secrets is a symbolic link that leads out of the app"):
        builder.build(app)


# The process


def run_killed(app: Path, address: str, event: int, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.contract.faults", str(app), address, str(event)],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_build_that_is_killed_anywhere_is_finished_by_the_next(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    for event in (1, 2, 4, 8, 10):
        (app / "one.txt").write_text(f"{event}\n")
        killed = run_killed(app, builder.address, event, folder)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert staying(lambda: left_over(engine)) == []
        finished = run_killed(app, builder.address, 0, folder)
        assert finished.returncode == 0, finished.stderr
        assert staying(lambda: left_over(engine)) == []
        assert list(folder.iterdir()) == []
        assert finished.stdout.strip() == builder.build(app, no_cache=True).digest
    volumes = {volume["Name"] for volume in engine.volumes({}) if "faul" in volume["Name"]}
    assert volumes <= {"nucleo-cache-faults-cache", "nucleo-cache-app-faulty-own", "nucleo-cache-app-warm-own"}


def test_what_cached_steps_have_made_is_kept_unpacked_and_without_secrets(
    builder: Builder, engine: Engine, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine example.invalid login ada password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    (app / "one.txt").write_text(f"{tmp_path}\n")
    labels = {ROLE: KEPT, "io.nucleo.app": "faulty"}
    builder.build(app)
    before = set(engine.images(labels))

    def edited(text: str) -> set[str]:
        (app / "two.txt").write_text(text)
        digest = builder.build(app).digest
        assert digest == builder.build(app, no_cache=True).digest
        return set(engine.images(labels)) - before

    (kept,) = edited("second")
    assert edited("third") == {kept}
    assert all(CANARY.encode() not in chunk for chunk in engine.save_image(kept))
    engine.remove_image(kept)
    assert edited("fourth") == {kept}
    assert staying(lambda: left_over(engine)) == []


# Secrets

CANARY = "canary-5c8e1"


def commands() -> str:
    """The process list, as anybody on the machine may see it."""
    found: list[bytes] = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes())
    return b"\n".join(found).decode("utf-8", "replace")


def test_secrets_of_the_build_reach_its_steps_and_nothing_else(
    registry: RegistryServer,
    builder: Builder,
    engine: Engine,
    app: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine example.invalid login ada password {CANARY}-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NPM_TOKEN", f"{CANARY}-token")
    monkeypatch.setenv("FAULTS_INDEX_URL", f"https://ada:{CANARY}-index@example.invalid/simple")
    spy = Step(
        "spy",
        'seen=0; for each in "$NPM_TOKEN" "$FAULTS_INDEX_URL" "$(cat $NETRC)"; do\n'
        '  case "$each" in *nary-5c8e1*) seen=$((seen + 1));; esac; done\n'
        "echo seen $seen: $NPM_TOKEN $FAULTS_INDEX_URL >&2; sleep 0.5; echo $seen > /opt/app/seen",
        "/opt/app",
        "it looks around",
        ("one.txt",),
    )
    fail = dataclasses.replace(spy, name="fail", command='echo "failed with $NPM_TOKEN"; exit 1', after=("spy",))
    told, shown, images = "", "", list[Image]()
    how = Build(secrets=("NPM_TOKEN",))
    for steps in ([spy], [spy, fail]):
        work = builder.begin(app, steps, no_cache=True, how=how)
        try:
            while True:
                told += f"{next(work)}\n"
                shown += commands() + described(engine)
        except StopIteration as end:
            images.append(end.value)
        except BuildFailed as failed:
            told += json.dumps([failed.message, failed.hint, dict(failed.details)])
    assert "seen 3: ***" in told
    assert "failed with ***" in told
    assert CANARY not in told
    assert CANARY not in shown
    assert "sleep 0.5" in shown, "the process list was looked at while the step ran"
    stored = [file for file in (registry.folder / "data").rglob("*") if file.is_file()]
    assert len(stored) > 10
    for file in stored:
        content = file.read_bytes()
        assert CANARY.encode() not in content
        if content[:2] == b"\x1f\x8b":
            assert CANARY.encode() not in gzip.decompress(content)
    assert images == [builder.build(app, [spy], how=how)]
