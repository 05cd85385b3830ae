"""Finds the data folders: inside the wheel, or in the checkout of an editable install; and those of other packages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent

# An installed package names its platforms here: `hello = "nucleo_platform_hello"`.
GROUP = "nucleo.platforms"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class PlatformFolder:
    """Where platform.yml and plan.py of a platform lie.

    `package` is the installed package that brings it, with its version, and `module` the Python package whose folder it
    is; both are empty for a platform of Nucleo's own. `problem` says why it cannot be used.
    """

    name: str
    path: Path
    package: str = ""
    module: str = ""
    problem: str = ""


def folder(name: str) -> Path:
    """The folder `name`: one of platforms, chart_templates, bpf_programs, completions."""
    shipped = _PACKAGE / "_assets" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


def platform_folder(name: str) -> PlatformFolder | None:
    """The platform `name`. Installed packages are looked through only where Nucleo itself has none of that name."""
    own = folder("platforms") / name
    if _NAME.fullmatch(name) and (own / "platform.yml").is_file():
        return PlatformFolder(name, own)
    return next((found for found in installed_platforms() if found.name == name), None)


def platform_folders() -> dict[str, PlatformFolder]:
    """Every platform by its name, sorted: Nucleo's own, and those of installed packages, which never replace one."""
    found = {each.name: each for each in installed_platforms() if _NAME.fullmatch(each.name)}
    for file in folder("platforms").glob("*/platform.yml"):
        found[file.parent.name] = PlatformFolder(file.parent.name, file.parent)
    return dict(sorted(found.items()))


@cache
def installed_platforms() -> tuple[PlatformFolder, ...]:
    """What installed packages offer, sorted; of one name only the first. Imports none of them."""
    own = folder("platforms")
    found: dict[str, PlatformFolder] = {}
    for each in sorted(_offered(), key=lambda each: (each.name, each.package)):
        if (own / each.name / "platform.yml").is_file():
            each = replace(each, problem=f"Nucleo has a platform {each.name} of its own, which is used")
        elif first := found.get(each.name):
            each = replace(first, problem=f"{each.package} offers one of the same name: uninstall one of the two")
        found[each.name] = each
    return tuple(found.values())


def _offered() -> Iterator[PlatformFolder]:
    from importlib.metadata import entry_points  # takes longer than all else here, and is seldom needed

    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
        path = _folder_of(point.value)
        if not _NAME.fullmatch(point.name):
            problem = f"{point.name!r} cannot be the name of a platform: lower-case letters, digits and -"
        elif path is None:
            problem = f"its entry point names {point.value!r}, which is no Python package"
        else:
            problem = "" if (path / "platform.yml").is_file() else f"there is no platform.yml in {path}"
        yield PlatformFolder(point.name, path or Path(), package, point.value, problem)


def _folder_of(module: str) -> Path | None:
    from importlib.util import find_spec

    try:
        spec = find_spec(module)
    except Exception:  # of a dotted name the parent is imported: that is foreign code, which may do anything
        return None
    places = spec.submodule_search_locations if spec else None
    return next((Path(place) for place in places or ()), None)
