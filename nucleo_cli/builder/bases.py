"""The two platform images: found in the registry, copied from a published one, or made and put there."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.builder import debian, images, platforms
from nucleo_cli.builder.debian import Role
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import Base, Layer
from nucleo_cli.domain import xdg
from nucleo_cli.domain.build import Platform
from nucleo_cli.domain.events import Notice, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.registry import Registry

_BLOCK = 1 << 20
_STALE_SECONDS = 3600


def repository(registry: Registry, platform: Platform, role: Role) -> str:
    """Where a registry keeps the images of a platform."""
    return registry.repository("platforms", f"{platform.name}-{role}")


def lookup(registry: Registry, platform: Platform, version: str, role: Role, architecture: str) -> Base | None:
    """The platform image that the registry has, or None."""
    name = repository(registry, platform, role)
    found = registry.manifest(name, platforms.image_tag(platform, version, architecture))
    if found is None:
        return None
    config = registry.document(name, found.body["config"]["digest"])
    return Base(name, found.digest, images.layers_of(found.body, config))


def ensure(
    registry: Registry,
    platform: Platform,
    version: str,
    role: Role,
    architecture: str,
    settings: Settings,
    host: Host,
) -> Work[Base]:
    """The platform image in the registry; put there first where it is missing.

    It is copied from `settings.platform_images` where that names a registry which has it; else made of Debian packages,
    and kept in the cache folder for the next registry.
    """
    if found := lookup(registry, platform, version, role, architecture):
        return found
    tag = platforms.image_tag(platform, version, architecture)
    if settings.platform_images:
        with _published(settings) as published:
            if found := lookup(published, platform, version, role, architecture):
                yield Notice(f"Copying the {role} image of {platform.name} {version} from {published.address}")
                return _copy(published, found, registry, repository(registry, platform, role), tag)
    stem = xdg.cache() / "platforms" / f"{platform.name}-{role}-{tag}"
    layer = _cached(stem)
    if layer is None:
        yield Notice(f"Making the {role} image of {platform.name} {version} from Debian packages: once, for all apps")
        layer = yield from _made(stem, platform, version, role, host)
    return _store(registry, repository(registry, platform, role), tag, layer, _archive(stem, layer), architecture)


@contextmanager
def _published(settings: Settings) -> Generator[Registry]:
    from nucleo_cli.adapters.registry import Registry  # the common case needs no second registry

    with closing(Registry(settings.platform_images)) as published:
        yield published


def _made(stem: Path, platform: Platform, version: str, role: Role, host: Host) -> Work[Layer]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    _forget_unfinished(stem)
    tar = stem.with_name(f"{stem.name}.{os.getpid()}.part.tar")
    try:
        yield from debian.make(platform, version, role, tar, host)
        return _compressed(tar, stem)
    finally:
        tar.unlink(missing_ok=True)


def _forget_unfinished(stem: Path) -> None:
    """Remove what a build that was killed left behind: it is large, and nobody will look for it."""
    for file in stem.parent.glob(f"{stem.name}.*.part*"):
        if file.stat().st_mtime < time.time() - _STALE_SECONDS:
            file.unlink(missing_ok=True)


def _compressed(tar: Path, stem: Path) -> Layer:
    """Compress the tar into the cache. Its facts come last and name it: two builds may do this at the same time."""
    plain = hashlib.sha256()
    part = stem.with_name(f"{stem.name}.{os.getpid()}.part")
    with tar.open("rb") as source, part.open("wb") as packed, gzip.GzipFile("", "wb", 1, packed, mtime=0) as target:
        while block := source.read(_BLOCK):
            plain.update(block)
            target.write(block)
    with part.open("rb") as packed:
        digest = hashlib.file_digest(packed, "sha256").hexdigest()
    layer = Layer(f"sha256:{digest}", part.stat().st_size, f"sha256:{plain.hexdigest()}")
    part.replace(_archive(stem, layer))
    part.write_text(json.dumps(asdict(layer)), "utf-8")
    part.replace(_facts(stem))
    return layer


def _cached(stem: Path) -> Layer | None:
    try:
        layer = Layer(**json.loads(_facts(stem).read_text("utf-8")))
        return layer if _archive(stem, layer).stat().st_size == layer.size else None
    except (OSError, ValueError, TypeError):
        return None


def _store(registry: Registry, name: str, tag: str, layer: Layer, archive: Path, architecture: str) -> Base:
    def content() -> Iterator[bytes]:
        with archive.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block

    if not registry.has_blob(name, layer.digest):
        registry.upload(name, layer.digest, layer.size, content)
    digest = put_image(registry, name, tag, (layer,), architecture)
    return Base(name, digest, (layer,))


def put_image(registry: Registry, name: str, tag: str, layers: tuple[Layer, ...], architecture: str) -> str:
    """A tagged image of layers that the repository already has; its digest."""
    config = images.plain_config(layers, architecture)
    registry.upload(name, config.digest, config.size, lambda: [config.raw])
    manifest = images.manifest(config, layers, {images.DIFF_ID: layers[0].diff_id})
    return registry.put_manifest(name, tag, manifest.raw)


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
