"""The platform images: found in the registry, copied from a published one, or made layer by layer and put there.

run image      Debian → packages → runtime, where the platform takes it from its build image
build image    Debian → packages → build packages and set-up
with `apt:`    either of them → the app's own packages
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from nucleo_cli.builder import debian, images, platforms
from nucleo_cli.builder.container import PACKER, ROOT_USER, BuildContainer, lines
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import APP, OUTPUT, Base, Layer
from nucleo_cli.domain import xdg
from nucleo_cli.domain.build import Platform
from nucleo_cli.domain.events import Notice, Output, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import BuildFailed, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.registry import Registry

Role = Literal["run", "build"]

_BLOCK = 1 << 20
_STALE_SECONDS = 3600
_LAST_LINES = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images: those of a platform's version, for an architecture, with `apt` packages beside its own.

    `engine` is called when a container is needed, and not before.
    """

    platform: Platform
    version: str
    architecture: str
    apt: tuple[str, ...]
    registry: Registry
    engine: Callable[[], Engine]
    settings: Settings
    host: Host

    @property
    def tag(self) -> str:
        return platforms.image_tag(self.platform, self.version, self.architecture, self.apt)

    @property
    def title(self) -> str:
        return f"{self.platform.name} {self.version}"


def repository(registry: Registry, platform: Platform, role: Role) -> str:
    """Where a registry keeps the images of a platform."""
    return registry.repository("platforms", f"{platform.name}-{role}")


def lookup(wanted: Wanted, role: Role) -> Base | None:
    """The platform image that the registry has, or None."""
    return _found(wanted.registry, repository(wanted.registry, wanted.platform, role), wanted.tag)


def ensure(wanted: Wanted, role: Role) -> Work[Base]:
    """The platform image in the registry; put there first where it is missing.

    It is copied from `settings.platform_images` where that names a registry which has it; else made of Debian packages,
    each layer kept in the cache folder for the next registry. Raises BuildFailed, NotAllowed, Unreachable.
    """
    if found := lookup(wanted, role):
        return found
    name = repository(wanted.registry, wanted.platform, role)
    if wanted.apt:
        below = yield from ensure(replace(wanted, apt=()), role)
        yield Notice(f"Adding {', '.join(wanted.apt)} to the {role} image of {wanted.title}: once")
        return (yield from _with_packages(wanted, below, name, wanted.tag, wanted.apt))
    if copied := (yield from _copied(wanted, name, wanted.tag, f"the {role} image of {wanted.title}")):
        return copied
    yield Notice(f"Making the {role} image of {wanted.title} from Debian packages: once, for all apps")
    return (yield from (_make_build(wanted, name) if role == "build" else _make_run(wanted, name)))


def extract(wanted: Wanted, name: str, tag: str, script: str, archive: str) -> Work[Base]:
    """An image of one layer alone, `name` in the registry's platforms: the tar at `archive` that a script leaves behind
    in a container of the platform's packages. It is copied or made as the other images are."""
    whole = wanted.registry.repository("platforms", name)
    if found := _found(wanted.registry, whole, tag):
        return found
    if copied := (yield from _copied(wanted, whole, tag, f"the image of {wanted.platform.name}")):
        return copied
    yield Notice(f"Making the image of {wanted.platform.name} from Debian packages: once")

    def make(stem: Path) -> Work[Layer]:
        below = yield from _packages(wanted)
        with _container(wanted, below) as container:
            yield from _run(wanted, container, script)
            return _kept(stem, container.read(archive))

    return (yield from _stacked(wanted, whole, tag, Base(whole, "", ()), make))


def _copied(wanted: Wanted, name: str, tag: str, what: str) -> Work[Base | None]:
    """The image from `settings.platform_images`, where that names a registry which has it."""
    if not wanted.settings.platform_images:
        return None
    with _published(wanted.settings) as published:
        other = _found(published, published.repository("platforms", name.rpartition("/")[2]), tag)
        if other is None:
            return None
        yield Notice(f"Copying {what} from {published.address}")
        return _copy(published, other, wanted.registry, name, tag)


def _make_run(wanted: Wanted, name: str) -> Work[Base]:
    below = yield from _packages(wanted)
    if not wanted.platform.runtime:
        return _tagged(wanted, name, wanted.tag, below, ())
    build = yield from ensure(wanted, "build")

    def make(stem: Path) -> Work[Layer]:
        with _container(wanted, build) as container:
            paths = " ".join(path.lstrip("/") for path in wanted.platform.runtime)
            yield from _run(wanted, container, f"cd / && mkdir -p /tmp/runtime && cp -a --parents {paths} /tmp/runtime")
            yield from _run(wanted, container, "cd /tmp/runtime && tar --create --file=/tmp/runtime.tar --sort=name *")
            return _kept(stem, container.read("/tmp/runtime.tar"))  # noqa: S108

    return (yield from _stacked(wanted, name, wanted.tag, below, make))


def _make_build(wanted: Wanted, name: str) -> Work[Base]:
    below, version = (yield from _packages(wanted)), wanted.platform.versions[wanted.version]
    folders = " ".join((APP, OUTPUT, *wanted.platform.caches, *wanted.platform.app_caches))
    script = "\n".join(
        (
            debian.install_script((PACKER, *version.build)),
            f"mkdir -p {folders}",
            f"chown 1000:1000 {folders}",
            platforms.setup_script(wanted.platform, wanted.version, wanted.architecture),
        )
    )
    return (yield from _changed(wanted, name, wanted.tag, below, script))


def _packages(wanted: Wanted) -> Work[Base]:
    """The layers that run and build image have in common."""
    version = wanted.platform.versions[wanted.version]
    below = yield from _debian(wanted, version.suite)
    if not version.run:
        return below
    key = hashlib.sha256(json.dumps([below.digest, version.run]).encode()).hexdigest()[:12]
    name = wanted.registry.repository("platforms", f"{wanted.platform.name}-packages")
    return (yield from _with_packages(wanted, below, name, f"{wanted.version}-{key}", version.run))


def _with_packages(wanted: Wanted, below: Base, name: str, tag: str, packages: Sequence[str]) -> Work[Base]:
    return (yield from _changed(wanted, name, tag, below, debian.install_script(packages)))


def _debian(wanted: Wanted, suite: str) -> Work[Base]:
    """The base that all platforms on a Debian suite share."""
    recipe = json.dumps([platforms.FORMAT, suite, wanted.architecture, debian.PACKAGES])
    tag = f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    name = wanted.registry.repository("platforms", "debian")

    def make(stem: Path) -> Work[Layer]:
        tar = stem.with_name(f"{stem.name}.{os.getpid()}.part.tar")
        try:
            yield from debian.make_base(suite, wanted.architecture, tar, wanted.host)
            with tar.open("rb") as file:
                return _kept(stem, iter(lambda: file.read(_BLOCK), b""))
        finally:
            tar.unlink(missing_ok=True)

    return (yield from _stacked(wanted, name, tag, Base(name, "", ()), make))


def _changed(wanted: Wanted, name: str, tag: str, below: Base, script: str) -> Work[Base]:
    """The image `below` with one more layer: what the script, run in it as root, wrote."""

    def make(stem: Path) -> Work[Layer]:
        with _container(wanted, below) as container:
            yield from _run(wanted, container, f"touch /tmp/.nucleo-mark; sleep 0.02\n{script}")
            packed = container.pack_folders("/", debian.TRANSIENT, changed=True)
            return _kept(stem, container.read(packed.path), packed.layer)

    return (yield from _stacked(wanted, name, tag, below, make))


def _stacked(wanted: Wanted, name: str, tag: str, below: Base, make: Callable[[Path], Work[Layer]]) -> Work[Base]:
    """The image at a tag; where it is missing, `below` with the layer that is in the cache folder or is made now."""
    if found := _found(wanted.registry, name, tag):
        return found
    key = hashlib.sha256(json.dumps([below.digest, tag]).encode()).hexdigest()[:12]
    stem = xdg.cache() / "platforms" / f"{name.rpartition('/')[2]}-{tag}-{key}"
    layer = _cached(stem)
    if layer is None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        _forget_unfinished(stem)
        layer = yield from make(stem)
    archive = _archive(stem, layer)

    def content() -> Iterator[bytes]:
        with archive.open("rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")

    if not wanted.registry.has_blob(name, layer.digest):
        wanted.registry.upload(name, layer.digest, layer.size, content)
    return _tagged(wanted, name, tag, below, (layer,))


def _tagged(wanted: Wanted, name: str, tag: str, below: Base, added: tuple[Layer, ...]) -> Base:
    """A tagged image of the layers of another one and of some that are in its repository already."""
    for layer in below.layers:
        borrow(wanted.registry, name, layer, below.repository)
    layers = (*below.layers, *added)
    return Base(name, put_image(wanted.registry, name, tag, layers, wanted.architecture), layers)


def _container(wanted: Wanted, base: Base) -> BuildContainer:
    engine, reference = wanted.engine(), wanted.registry.reference(base.repository, base.digest)
    if not engine.has_image(reference):
        engine.pull(reference)
    return BuildContainer(engine, reference, wanted.host, user=ROOT_USER, workdir="/")


def _run(wanted: Wanted, container: BuildContainer, script: str) -> Work[None]:
    printed: list[str] = []
    execution = container.execute(script)
    for line in lines(chunk for _, chunk in execution):
        printed.append(line)
        yield Output("platform", line)
    if execution.code:
        others = f" with {', '.join(wanted.apt)}" if wanted.apt else ""
        names = "the names under apt in nucleo.yml, and " if wanted.apt else ""
        raise BuildFailed(
            f"A platform image could not be made of {wanted.title}{others}",
            f"Check {names}that the Debian mirror and the package registry answer; then run the same command again",
            {"output": printed[-_LAST_LINES:]},
        )


@contextmanager
def _published(settings: Settings) -> Generator[Registry]:
    from nucleo_cli.adapters.registry import Registry  # the common case needs no second registry

    with closing(Registry(settings.platform_images)) as published:
        yield published


def _forget_unfinished(stem: Path) -> None:
    """Remove what a build that was killed left behind: it is large, and nobody will look for it."""
    for file in stem.parent.glob(f"{stem.name}.*.part*"):
        if file.stat().st_mtime < time.time() - _STALE_SECONDS:
            file.unlink(missing_ok=True)


def _kept(stem: Path, content: Iterable[bytes], layer: Layer | None = None) -> Layer:
    """Keep a layer in the cache folder; `content` is a tar, or packed already where `layer` is given.

    Its facts come last and name it: two builds may do this at the same time.
    """
    part = stem.with_name(f"{stem.name}.{os.getpid()}.part")
    plain = hashlib.sha256()
    try:
        with part.open("wb") as file, _packing(file) if layer is None else nullcontext(file) as target:
            for block in content:
                plain.update(block)
                target.write(block)
        with part.open("rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if layer is None:
            layer = Layer(digest, part.stat().st_size, f"sha256:{plain.hexdigest()}")
        elif layer.digest != digest:
            raise NucleoError("A layer changed on its way out of the build container", "Run the same command again")
        part.replace(_archive(stem, layer))
        part.write_text(json.dumps(asdict(layer)), "utf-8")
        part.replace(_facts(stem))
    except OSError as error:
        raise BuildFailed(
            f"The cache folder cannot be written: {error.strerror or error}", f"Make room in {stem.parent}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return layer


def _packing(file: IO[bytes]) -> gzip.GzipFile:
    return gzip.GzipFile("", "wb", 5, file, mtime=0)


def _cached(stem: Path) -> Layer | None:
    """The layer in the cache folder, unless it is not what its facts say."""
    try:
        layer = Layer(**json.loads(_facts(stem).read_text("utf-8")))
        with _archive(stem, layer).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return layer if layer.digest == f"sha256:{digest}" else None
    except (OSError, ValueError, TypeError):
        return None


def _found(registry: Registry, name: str, tag: str) -> Base | None:
    found = registry.manifest(name, tag)
    if found is None:
        return None
    config = registry.document(name, found.body["config"]["digest"])
    return Base(name, found.digest, images.layers_of(found.body, config))


def put_image(
    registry: Registry,
    name: str,
    tag: str,
    layers: tuple[Layer, ...],
    architecture: str,
    annotations: Mapping[str, str] | None = None,
) -> str:
    """A tagged image of layers that the repository already has; its digest."""
    config = images.plain_config(layers, architecture)
    registry.upload(name, config.digest, config.size, lambda: [config.raw])
    manifest = images.manifest(config, layers, {images.DIFF_ID: layers[-1].diff_id, **(annotations or {})})
    return registry.put_manifest(name, tag, manifest.raw)


def borrow(registry: Registry, name: str, layer: Layer, origin: str) -> None:
    """Give a repository a blob of another one; a registry that does not mount gets it once more."""
    if name == origin or registry.has_blob(name, layer.digest) or registry.mount(name, layer.digest, origin):
        return
    registry.upload(name, layer.digest, layer.size, lambda: registry.blob(origin, layer.digest))


def _copy(published: Registry, found: Base, registry: Registry, name: str, tag: str) -> Base:
    source = published.manifest(found.repository, found.digest)
    if source is None:
        raise NucleoError(
            f"{published.reference(found.repository, found.digest)} is gone", "Run the same command again"
        )
    for part in (*source.body["layers"], source.body["config"]):
        digest: str = part["digest"]
        if not registry.has_blob(name, digest):
            registry.upload(name, digest, part["size"], lambda digest=digest: published.blob(found.repository, digest))
    registry.put_manifest(name, tag, source.raw, source.media_type)
    return Base(name, found.digest, found.layers)


def _archive(stem: Path, layer: Layer) -> Path:
    return stem.with_name(f"{stem.name}.{layer.digest.removeprefix('sha256:')[:12]}.tar.gz")


def _facts(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.json")
