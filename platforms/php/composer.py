"""composer.json and composer.lock: what they say, and the steps that install the packages and run the scripts."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleo_cli.domain.build import Step
from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

FILE, LOCK = "composer.json", "composer.lock"
STEP = "packages"

# Composer's settings of this machine, which it wants in a folder that it can write to.
_HOME = "mkdir -p /tmp/composer && { cp /run/nucleo/composer/* /tmp/composer/ 2>/dev/null || true; }"
_SCRIPT = "/tmp/install-packages"  # noqa: S108  in the build container
# Composer's cache is not made for two at a time, nor for one that is killed: the mark tells the next to start anew.
_INSTALL = f"""\
{_HOME}
exec 9>/cache/lock
flock 9
if [ -e /cache/unfinished ]; then rm -rf /cache/composer; fi
touch /cache/unfinished
code=0
composer install --no-dev --no-scripts --optimize-autoloader --prefer-dist --no-interaction --no-progress || code=$?
if [ "$code" -lt 128 ]; then rm /cache/unfinished; fi
flock -u 9
[ "$code" = 0 ] || exit "$code"
mkdir -p "$1"
find "$1" -name .git -prune -exec rm -rf {{}} +
"""
ENV = {
    "COMPOSER_HOME": "/tmp/composer",  # noqa: S108  in the build container
    "COMPOSER_CACHE_DIR": "/cache/composer",
    "COMPOSER_MIRROR_PATH_REPOS": "1",
    "COMPOSER_NO_DEV": "1",
}
# In the order in which `composer install` runs them.
_EVENTS = ("pre-install-cmd", "pre-autoload-dump", "post-autoload-dump", "post-install-cmd")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What composer.json and composer.lock say. `locked` are the packages of the lock file, without those for tests."""

    file: str
    require: Mapping[str, str]
    platform_php: str
    vendor: str
    autoload: tuple[str, ...]
    folders: tuple[str, ...]
    scripts: tuple[str, ...]
    locked: frozenset[str] = field(default_factory=frozenset[str])


def read(source: Source) -> Manifest | None:
    """The manifest of the tree; None for an app without one. Raises BuildFailed for one that cannot be installed."""
    if not source.has(FILE):
        _check_names(source)
        return None
    document = _json(source, FILE)
    config = _mapping(document.get("config"))
    require = {name.lower(): str(version) for name, version in _mapping(document.get("require")).items()}
    return Manifest(
        file=FILE,
        require=require,
        platform_php=str(_mapping(config.get("platform")).get("php", "")),
        vendor=str(config.get("vendor-dir", "vendor")).strip("/"),
        autoload=tuple(_scanned(_mapping(document.get("autoload")))),
        folders=tuple(_folders(document.get("repositories"))),
        scripts=tuple(event for event in _EVENTS if _mapping(document.get("scripts")).get(event)),
        locked=_locked(source, [name for name in require if "/" in name]),
    )


def install(source: Source, manifest: Manifest) -> Step:
    """The step that installs the packages. Scripts come later: they need the app's own files."""
    return Step(
        name=STEP,
        command=f"bash -eu {_SCRIPT} {source.app}/{manifest.vendor}",
        output=f"{source.app}/{manifest.vendor}",
        reason=f"{LOCK if source.has(LOCK) else FILE} states them",
        inputs=tuple(_inputs(source, manifest)),
        env=ENV,
        files={_SCRIPT: _INSTALL},
    )


def scripts(source: Source, manifest: Manifest, then: str, env: Mapping[str, str], reason: str) -> Step | None:
    """The step that runs the scripts of composer.json and the command `then`, with all of the app's files."""
    commands = [f"composer run-script --no-dev {event}" for event in manifest.scripts]
    commands += [then] if then else []
    if not commands:
        return None
    return Step(
        name="scripts",
        command=" && ".join([_HOME, *commands]),
        output=source.app,
        reason=reason,
        inputs=tuple(path for path in source.paths if not path.startswith((f"{manifest.vendor}/", "node_modules/"))),
        after=(STEP,),
        changed_only=True,
        env={**ENV, **env},
    )


def _json(source: Source, file: str) -> dict[str, Any]:
    try:
        found = json.loads(source.read(file) or "{}")
    except ValueError as error:
        raise BuildFailed(f"{file} is not valid JSON: {error}", f"Correct {file}: composer validate") from error
    if not isinstance(found, dict):
        raise BuildFailed(f"{file} is not an object", f"Correct {file}: composer validate")
    return found  # pyright: ignore[reportUnknownVariableType]


def _locked(source: Source, required: list[str]) -> frozenset[str]:
    if not source.has(LOCK):
        if not required:
            return frozenset()
        raise BuildFailed(
            f"{FILE} has no {LOCK} beside it, so it is not known exactly what to install",
            f"Run: composer update --no-install, then commit {LOCK} (it must not be in .gitignore)",
        )
    packages: list[dict[str, Any]] = _json(source, LOCK).get("packages", [])
    names = frozenset(str(package["name"]).lower() for package in packages)
    offered = names.union(*({**_mapping(p.get("provide")), **_mapping(p.get("replace"))} for p in packages))
    missing = sorted(set(required) - offered)
    if missing:
        raise BuildFailed(
            f"{LOCK} is older than {FILE}: it lacks {', '.join(missing)}",
            f"Run: composer update {' '.join(missing)}, then commit {LOCK}",
        )
    return names


def _inputs(source: Source, manifest: Manifest) -> Iterator[str]:
    files = {FILE, LOCK, "symfony.lock", "auth.json"}
    for folder in (*manifest.autoload, *manifest.folders):
        path = folder.removeprefix("./").rstrip("/")
        files.update(one for one in source.tree if one == path or one.startswith(f"{path}/"))
    return (path for path in sorted(files) if source.has(path))


def _scanned(autoload: Mapping[str, Any]) -> Iterator[str]:
    """What Composer looks for classes in whenever it installs; the other kinds of autoloading read files later."""
    yield from autoload.get("classmap", [])


def _folders(repositories: Any) -> Iterator[str]:
    """The packages that lie in the tree."""
    found: list[Any] = list(_mapping(repositories).values()) if isinstance(repositories, dict) else repositories or []
    for repository in found:
        if isinstance(repository, dict) and repository.get("type") == "path":  # pyright: ignore[reportUnknownMemberType]
            yield str(repository.get("url", "")).split("*")[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _mapping(value: Any) -> dict[str, Any]:
    """An object; PHP writes an empty one as a list."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _check_names(source: Source) -> None:
    top = [path for path in source.paths if "/" not in path]
    if source.has(LOCK):
        raise BuildFailed(f"{LOCK} is there, but {FILE} is not", f"Add {FILE}, or git rm {LOCK}")
    likely = [name for name in top if name.lower() == FILE]
    likely += difflib.get_close_matches(FILE, top, n=1, cutoff=0.85)
    if likely:
        raise BuildFailed(f"{likely[0]} is not read: the name is {FILE}", f"Run: git mv {likely[0]} {FILE}")
