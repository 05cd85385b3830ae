"""Cargo's manifests: the app's package, the workspace that it belongs to, and the programs that they make."""

from __future__ import annotations

import difflib
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

MANIFEST, LOCK = "Cargo.toml", "Cargo.lock"
_TABLES = ("dependencies", "build-dependencies", "dev-dependencies")
# What cargo wants to find of a package that it does not compile.
_TARGETS = re.compile(r"(build|src/(main|lib)|src/bin/.+|(tests|benches|examples)/.+)\.rs$|Cargo\.toml$")


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its folder relative to the app's ("" is the app's own), its name, and the programs that it makes."""

    folder: str
    name: str
    manifest: Mapping[str, Any]
    programs: tuple[str, ...]

    @property
    def default_run(self) -> str | None:
        return self.manifest["package"].get("default-run")

    @property
    def dependencies(self) -> frozenset[str]:
        """The names of the packages that its programs depend on directly."""
        own = (table for key, table in _dependency_tables(self.manifest) if key == "dependencies")
        return frozenset(_package_of(name, value) for table in own for name, value in table.items())

    @property
    def path(self) -> str:
        """Its manifest."""
        return posixpath.join(self.folder, MANIFEST)


@dataclass(frozen=True, slots=True)
class Workspace:
    """What cargo builds together: the folder of the top manifest and of the lock file, and the packages.

    `own` is the package of the app's folder, None where its manifest is a virtual one.
    """

    folder: str
    manifest: Mapping[str, Any]
    packages: tuple[Package, ...]
    own: Package | None

    @property
    def lock(self) -> str:
        return posixpath.join(self.folder, LOCK)


def document(source: Source, path: str) -> dict[str, Any]:
    """A TOML file; empty where there is none. Raises BuildFailed with the position of a mistake in it."""
    try:
        return tomllib.loads(source.read(path) or "")
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"{path} is not valid TOML: {error}", f"Correct {path}") from error


def find(source: Source) -> Workspace:
    """The workspace of the app's folder. Raises BuildFailed where a manifest or the lock file is missing."""
    if not source.has(MANIFEST):
        raise _nothing_found(source)
    own = document(source, MANIFEST)
    if "package" not in own and "workspace" not in own:
        raise BuildFailed(f"{MANIFEST} has neither [package] nor [workspace]", "A new one: cargo init")
    folder = _root(source, own)
    top = document(source, posixpath.join(folder, MANIFEST))
    package = _package(source, "", own) if "package" in own else None
    table = top.get("workspace", {})
    folders = _members(source, folder, table.get("default-members") or table.get("members", ()))
    members = [_package(source, each) for each in folders if each]
    packages = tuple(one for one in (package, *members) if one is not None)
    found = Workspace(folder, top, packages, package)
    _check(source, found, own)
    return found


def inputs(source: Source, workspace: Workspace, built: tuple[Package, ...]) -> tuple[str, ...]:
    """The files that compiling `built` may read: macros and build scripts can read any, but of the packages that these
    do not depend on cargo looks only at what they are."""
    needed = _closure(source, workspace, {package.folder for package in built})
    members = _members(source, workspace.folder, workspace.manifest.get("workspace", {}).get("members", ()))
    skipped = {*members} - needed - {workspace.folder}
    found: list[str] = []
    for path in source.tree:
        owner = owner_of(path, skipped | needed)
        if owner not in skipped or _TARGETS.match(_relative(source, path, owner or "")):
            found.append(path)
    return tuple(found)


def owner_of(path: str, folders: set[str]) -> str | None:
    """The folder, of `folders`, of the package that a file belongs to."""
    folder = posixpath.dirname(path)
    while folder not in folders:
        if folder in ("", "..") or folder.endswith("/.."):
            return None
        folder = posixpath.dirname(folder)
    return folder


def _package(source: Source, folder: str, manifest: Mapping[str, Any] | None = None) -> Package | None:
    manifest = document(source, posixpath.join(folder, MANIFEST)) if manifest is None else manifest
    name = manifest.get("package", {}).get("name")
    if name is None:
        return None
    return Package(folder, name, manifest, tuple(_programs(source, folder, manifest)))


def _programs(source: Source, folder: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Like cargo: the [[bin]] tables, then src/main.rs and src/bin that they do not name; none that needs a feature
    which is off."""
    tables: list[dict[str, Any]] = manifest.get("bin", [])
    features = _default_features(manifest)
    yield from (
        table["name"] for table in tables if "name" in table and features.issuperset(table.get("required-features", ()))
    )
    package = manifest["package"]
    if not package.get("autobins", not tables or package.get("edition", "2015") != "2015"):
        return
    named = {table.get("name") for table in tables}
    paths = {table.get("path") for table in tables}
    for path, name in _discovered(source, folder, package["name"]):
        if name not in named and path not in paths:
            yield name


def _discovered(source: Source, folder: str, name: str) -> Iterator[tuple[str, str]]:
    below = f"{folder}/" if folder else ""
    if source.has(f"{below}src/main.rs"):
        yield "src/main.rs", name
    for path in source.tree:
        inner = path.removeprefix(below)
        if path.startswith(f"{below}src/bin/") and (found := re.fullmatch(r"src/bin/([^/]+?)(\.rs|/main\.rs)", inner)):
            yield inner, found[1]


def _default_features(manifest: Mapping[str, Any]) -> set[str]:
    table: dict[str, list[str]] = manifest.get("features", {})
    found: set[str] = set()
    waiting = list(table.get("default", ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += table.get(name, [])
    return found


def _root(source: Source, own: Mapping[str, Any]) -> str:
    """The folder of the manifest with [workspace]; the app's own where no other claims it."""
    if "workspace" in own:
        return ""
    if named := own["package"].get("workspace"):
        return _folder(named)
    for depth in range(1, source.folder.count("/") + 2 if source.folder else 0):
        above = "/".join([".."] * depth)
        table = document(source, f"{above}/{MANIFEST}").get("workspace")
        if table is not None:
            return "" if _excluded(_relative(source, "", above), table) else above
    return ""


def _members(source: Source, folder: str, patterns: Iterable[str]) -> Iterator[str]:
    """The folders of packages that match the patterns of the manifest in `folder`."""
    excluded = document(source, posixpath.join(folder, MANIFEST)).get("workspace", {})
    for each in sorted({posixpath.dirname(path) for path in source.tree if posixpath.basename(path) == MANIFEST}):
        inner = _relative(source, each, folder)
        if not _excluded(inner, excluded) and any(_matches(inner, pattern) for pattern in patterns):
            yield each


def _relative(source: Source, path: str, folder: str) -> str:
    """A path as seen from a folder; both are relative to the app's, and may lie above it."""
    here = posixpath.join("/", source.folder)
    return posixpath.relpath(posixpath.join(here, path), posixpath.join(here, folder))


def _matches(folder: str, pattern: str) -> bool:
    return PurePosixPath(f"/{folder}").match(f"/{posixpath.normpath(pattern)}")


def _excluded(folder: str, table: Mapping[str, Any]) -> bool:
    return any(PurePosixPath(folder).is_relative_to(posixpath.normpath(each)) for each in table.get("exclude", ()))


def _closure(source: Source, workspace: Workspace, folders: set[str]) -> set[str]:
    """The folders of packages of the tree that those of `folders` depend on, and they themselves."""
    shared: Mapping[str, Any] = workspace.manifest.get("workspace", {}).get("dependencies", {})
    patches = workspace.manifest.get("patch", {}).values()
    waiting = [*folders, *(_folder(posixpath.join(workspace.folder, path)) for path in _paths(patches))]
    found: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if folder in found:
            continue
        found.add(folder)
        manifest = document(source, posixpath.join(folder, MANIFEST))
        tables = [table for _, table in _dependency_tables(manifest)]
        waiting += [_folder(posixpath.join(folder, path)) for path in _paths(tables)]
        inherited = {name: shared[name] for table in tables for name in table if name in shared}
        waiting += [_folder(posixpath.join(workspace.folder, path)) for path in _paths([inherited])]
    return found


def _dependency_tables(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for part in (manifest, *manifest.get("target", {}).values()):
        yield from ((key, part[key]) for key in _TABLES if key in part)


def _paths(tables: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for table in tables:
        yield from (_table(value)["path"] for value in table.values() if "path" in _table(value))


def _package_of(name: str, value: Any) -> str:
    return str(_table(value).get("package", name))


def _folder(path: str) -> str:
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def _check(source: Source, workspace: Workspace, own: Mapping[str, Any]) -> None:
    """Everything that the package names lies in the tree, and so does a lock file."""
    outside = workspace.folder == "" and "workspace" not in own and _inherits(own)
    missing = next((path for path in sorted(_closure(source, workspace, {""})) if not _has(source, path)), None)
    if outside or missing:
        raise BuildFailed(
            f"{MANIFEST} inherits from a workspace that lies outside of the app"
            if outside
            else f"{MANIFEST} depends on the package in {missing}, which is not in the tree",
            'Name the top of the repository in nucleo.yml, for example build: {root: "../.."}',
        )
    if source.has(workspace.lock):
        return
    ignored = any(LOCK in (source.read(path) or "") for path in (posixpath.join(workspace.folder, ".gitignore"),))
    raise BuildFailed(
        f"{workspace.lock} is missing: without it a build on another day may be another program",
        f"Run: cargo generate-lockfile && git add {'-f ' if ignored else ''}{workspace.lock}"
        + (", and remove it from .gitignore" if ignored else ""),
    )


def _has(source: Source, folder: str) -> bool:
    return source.has(posixpath.join(folder, MANIFEST))


def _inherits(own: Mapping[str, Any]) -> bool:
    tables = (own["package"], *(table for _, table in _dependency_tables(own)), {"lints": own.get("lints", {})})
    return any(_table(value).get("workspace") is True for table in tables for value in table.values())


def _table(value: Any) -> dict[str, Any]:
    """A value of a manifest where it is a table; else an empty one."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _nothing_found(source: Source) -> BuildFailed:
    top = [path for path in source.paths if "/" not in path]
    likely = [name for name in top if name.lower() == MANIFEST.lower()]
    likely += difflib.get_close_matches(MANIFEST, top, n=1, cutoff=0.8)
    likely = [name for name in likely if name != LOCK]
    if likely:
        return BuildFailed(f"{likely[0]} is not read: the name is {MANIFEST}", f"Run: git mv {likely[0]} {MANIFEST}")
    below = [path for path in source.paths if posixpath.basename(path) == MANIFEST]
    if below:
        return BuildFailed(
            f"There is no {MANIFEST} at the top, but {below[0]} is there",
            f"Deploy that folder (nucleo deploy -C {posixpath.dirname(below[0])}), or add a workspace's {MANIFEST}",
        )
    return BuildFailed(f"There is no {MANIFEST}", "Run: cargo init")
