"""The platforms that apps can be built with: what `nucleo platforms` shows. Nothing is run, nobody is asked."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from nucleo_cli import __version__, assets
from nucleo_cli.builder import platforms
from nucleo_cli.domain.build import Platform, PlatformVersion
from nucleo_cli.errors import NucleoError

Json = dict[str, Any]


def read_platforms(today: date) -> Json:
    """The JSON of `nucleo platforms`. What cannot be used is under `problems`, and does not disturb the others."""
    found: list[Json] = []
    problems = [_problem(each.package, each.problem) for each in assets.installed_platforms() if each.problem]
    for name, folder in assets.platform_folders().items():
        if folder.problem:
            continue
        try:
            found.append(_summary(platforms.load(name), folder, today))
        except NucleoError as error:
            problems.append(_problem(folder.package, error.message))
    return {"platforms": found, "problems": problems}


def read_platform(name: str, today: date) -> Json:
    """The JSON of `nucleo platforms show`. Raises NotFound, NucleoError for one that cannot be used."""
    platform = platforms.load(name)
    platforms.planner(name)
    folder = assets.platform_folders()[name]
    return {
        **_summary(platform, folder, today),
        "folder": str(folder.path),
        "packages": {
            "run": _common(version.run for version in platform.versions.values()),
            "build": _common(version.build for version in platform.versions.values()),
        },
        "tools": dict(platform.tools),
        "caches": {"platform": list(platform.caches), "app": list(platform.app_caches)},
        "host": {
            "variables": list(platform.host_env),
            "files": [place for file in platform.host_files.values() for place in file.places],
        },
        "cross": platform.cross,
        "read_only_root": platform.read_only_root,
    }


def _summary(platform: Platform, folder: assets.PlatformFolder, today: date) -> Json:
    return {
        "platform": platform.name,
        "package": folder.package or f"nucleo-cli {__version__}",
        "bundled": not folder.package,
        "detect": list(platform.detect),
        "versions": [_version(platform, name, version, today) for name, version in platform.versions.items()],
    }


def _version(platform: Platform, name: str, version: PlatformVersion, today: date) -> Json:
    until = version.until
    own = {tool: number for tool, number in version.tools.items() if platform.tools.get(tool) != number}
    return {
        "version": name,
        "default": name == platform.default,
        "suite": version.suite,
        "until": until.isoformat() if until else None,
        "days_left": (until - today).days if until else None,
        "tools": own,
    }


def _common(lists: Iterable[tuple[str, ...]]) -> list[str]:
    """What all versions have, in the order of the first."""
    first, *others = lists
    return [each for each in first if all(each in other for other in others)]


def _problem(package: str, what: str) -> Json:
    return {"package": package, "problem": what}
