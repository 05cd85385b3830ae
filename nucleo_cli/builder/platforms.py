"""The platforms: what platform.yml and plan.py of each say, of Nucleo's own and of installed packages."""

import hashlib
import importlib
import json
import platform as machine
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import ModuleType
from typing import Any

from nucleo_cli import assets
from nucleo_cli.builder import foreign
from nucleo_cli.builder.source import Source
from nucleo_cli.config.kinds import did_you_mean
from nucleo_cli.domain.build import Failure, HostFile, Plan, Platform, PlatformVersion, Start
from nucleo_cli.errors import NotFound, NucleoError

# Part of every key: to be raised when this program makes another image from the same inputs.
FORMAT = 3

Planner = Callable[[Source, Platform, str | None, Start | None], Plan]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def names() -> tuple[str, ...]:
    """The names of the platforms, sorted."""
    return tuple(assets.platform_folders())


@cache
def load(name: str) -> Platform:
    """The platform `name`. Raises NotFound and names those there are; NucleoError for one that cannot be used."""
    folder = _folder(name)
    document = foreign.read(folder)
    try:
        return _platform(name, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise foreign.broken(folder, f"platform.yml: {type(error).__name__}: {error}") from error


def _platform(name: str, document: Mapping[str, Any]) -> Platform:
    packages, tools = document.get("packages", {}), _texts(document.get("tools", {}))
    run, build = tuple(packages.get("run", ())), tuple(packages.get("build", ()))
    return Platform(
        name=name,
        default=document["default"],
        detect=tuple(document["detect"]),
        versions={
            version: PlatformVersion(
                own["suite"],
                run + tuple(own.get("run", ())),
                build + tuple(own.get("build", ())),
                tools | _texts(own.get("tools", {})),
                own.get("until"),
            )
            for version, own in document["versions"].items()
        },
        tools=tools,
        setup=document.get("setup", ""),
        runtime=tuple(document.get("runtime", ())),
        cross=document.get("cross", False),
        caches=tuple(document.get("caches", ())),
        app_caches=tuple(document.get("app_caches", ())),
        cache_damage=document.get("cache_damage", ""),
        host_env=tuple(document.get("host_env", ())),
        host_files={
            name: HostFile(_listed(file["from"]), file.get("env", ""))
            for name, file in document.get("host_files", {}).items()
        },
        failures=tuple(Failure(**failure) for failure in document.get("failures", ())),
        read_only_root=document.get("read_only_root", True),
    )


def _listed(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def usable() -> Iterator[Platform]:
    """Every platform but those of other packages that are broken."""
    for name in names():
        with suppress(NucleoError):
            yield load(name)


def planner(name: str) -> Planner:
    """`plan` of the platform's plan.py: pure, source tree to Plan."""
    folder = _folder(name)
    if folder.package:
        return foreign.planner(folder)
    package = f"nucleo_platform_{name}"
    if package not in sys.modules:
        module = ModuleType(package)
        module.__path__ = [str(folder.path)]
        sys.modules[package] = module
    return importlib.import_module(f"{package}.plan").plan


def architecture() -> str:
    """This machine's architecture, as images name it."""
    return _ARCHITECTURES.get(machine.machine().lower(), machine.machine().lower())


def setup_script(platform: Platform, version: str, architecture: str) -> str:
    """The build image's setup with `{tool}` versions and `{arch}` filled in; the empty text where there is none."""
    values = {"arch": architecture, **platform.versions[version].tools}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), platform.setup)


def recipe_key(platform: Platform, version: str, architecture: str, apt: Sequence[str] = ()) -> str:
    """12 hexadecimal digits for all that the two images of a platform's version are made of."""
    parts = platform.versions[version]
    setup = setup_script(platform, version, architecture)
    caches = [*platform.caches, *platform.app_caches]
    recipe = [FORMAT, architecture, parts.suite, parts.run, parts.build, setup, platform.runtime, caches, sorted(apt)]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]


def image_tag(platform: Platform, version: str, architecture: str, apt: Sequence[str] = ()) -> str:
    """The tag that the run and the build image of a version have in every registry; `apt` are packages beside it."""
    return f"{version}-{recipe_key(platform, version, architecture, apt)}"


def _folder(name: str) -> assets.PlatformFolder:
    folder = assets.platform_folder(name)
    if folder is None:
        known = names()
        near = did_you_mean(name, list(known)).removeprefix("; ")
        raise NotFound(f'there is no platform "{name}"', near or f"there are {', '.join(known)}", {"platforms": known})
    return folder
