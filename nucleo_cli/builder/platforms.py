"""The bundled platforms: what platforms/NAME/platform.yml and plan.py say."""

import hashlib
import importlib
import json
import platform as machine
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from nucleo_cli import assets
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Failure, Plan, Platform, PlatformVersion
from nucleo_cli.errors import NotFound

# Part of every key: to be raised when this program makes another image from the same inputs.
FORMAT = 1

Planner = Callable[[Source, Platform, str | None, str | None], Plan]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def names() -> tuple[str, ...]:
    """The names of the platforms, sorted."""
    return tuple(sorted(file.parent.name for file in assets.folder("platforms").glob("*/platform.yml")))


@cache
def load(name: str) -> Platform:
    """The platform `name`. Raises NotFound and names the ones that exist."""
    if name not in names():
        raise NotFound(f"There is no platform {name!r}", f"Platforms: {', '.join(names())}")
    document: Mapping[str, Any] = yaml.safe_load((_folder(name) / "platform.yml").read_text("utf-8"))
    packages = document["packages"]
    run, build = tuple(packages["run"]), tuple(packages["build"])
    return Platform(
        name=name,
        default=document["default"],
        detect=tuple(document["detect"]),
        versions={
            version: PlatformVersion(own["suite"], run + tuple(own.get("run", ())), build + tuple(own.get("build", ())))
            for version, own in document["versions"].items()
        },
        tools={tool: str(version) for tool, version in document["tools"].items()},
        setup=document.get("setup", ""),
        caches=tuple(document.get("caches", ())),
        host_env=tuple(document.get("host_env", ())),
        failures=tuple(Failure(**failure) for failure in document.get("failures", ())),
        read_only_root=document.get("read_only_root", True),
    )


def detect(source: Source) -> str | None:
    """The first platform that finds one of its files at the top of the tree."""
    return next((name for name in names() if any(source.has(file) for file in load(name).detect)), None)


def planner(name: str) -> Planner:
    """`plan` of platforms/NAME/plan.py: pure, source tree to Plan."""
    package = f"nucleo_platform_{name}"
    if package not in sys.modules:
        module = ModuleType(package)
        module.__path__ = [str(_folder(name))]
        sys.modules[package] = module
    return importlib.import_module(f"{package}.plan").plan


def architecture() -> str:
    """This machine's architecture, as images name it."""
    return _ARCHITECTURES.get(machine.machine().lower(), machine.machine().lower())


def setup_script(platform: Platform) -> str:
    """The build image's setup with its `{tool}` versions filled in; the empty text where there is none."""
    return platform.setup.format_map(platform.tools) if platform.setup else ""


def recipe_key(platform: Platform, version: str, architecture: str) -> str:
    """12 hexadecimal digits for all that the two images of a platform's version are made of."""
    parts = platform.versions[version]
    recipe = [FORMAT, architecture, parts.suite, parts.run, parts.build, setup_script(platform), platform.caches]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]


def image_tag(platform: Platform, version: str, architecture: str) -> str:
    """The tag that the run and the build image of a version have in every registry."""
    return f"{version}-{recipe_key(platform, version, architecture)}"


def _folder(name: str) -> Path:
    return assets.folder("platforms") / name
