"""package.json: reading it, the workspace that it belongs to, and the part of it that an installation depends on."""

from __future__ import annotations

import difflib
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import yaml

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

NAME = "package.json"
_PNPM_WORKSPACE = "pnpm-workspace.yaml"
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
# What decides nothing about an installation: editing it does not install anew.
_NOT_INSTALLED = (
    *("scripts", "main", "module", "browser", "exports", "types", "typings", "files", "sideEffects", "description"),
    *("keywords", "author", "contributors", "license", "homepage", "bugs", "repository", "funding", "browserslist"),
    *("eslintConfig", "prettier", "lint-staged", "husky", "jest", "babel", "nodemonConfig", "stylelint", "prisma"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package.json. `folder` is where it lies, relative to the app's folder: "" or ends in `/`."""

    folder: str
    data: Mapping[str, Any]

    @property
    def path(self) -> str:
        return self.folder + NAME

    @property
    def name(self) -> str:
        return str(self.data.get("name", ""))

    @property
    def scripts(self) -> dict[str, str]:
        return {name: text for name, text in self.section("scripts").items() if isinstance(text, str)}

    @property
    def production(self) -> frozenset[str]:
        """The names of what is installed in production."""
        return frozenset(self.section("dependencies")) | frozenset(self.section("optionalDependencies"))

    @property
    def dependencies(self) -> frozenset[str]:
        """The names of all direct dependencies."""
        return frozenset(name for kind in _DEPENDENCIES for name in self.section(kind))

    def section(self, name: str) -> dict[str, Any]:
        """A part that is an object; empty where it is missing or something else."""
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    def text(self, name: str) -> str:
        """A part that is text; empty where it is missing or something else."""
        found = self.data.get(name)
        return found if isinstance(found, str) else ""

    def reduced(self) -> str:
        """The part that an installation depends on, as a package.json."""
        return (
            json.dumps({key: value for key, value in self.data.items() if key not in _NOT_INSTALLED}, indent=1) + "\n"
        )


@dataclass(frozen=True, slots=True)
class Project:
    """The app's package, and the workspace that it is part of.

    `root` is where the lock file is; without a workspace it is the app itself. `members` are all packages of the
    workspace besides its root, `needed` those of them that the app depends on, in the order in which they are built.
    """

    app: Package
    root: Package
    members: tuple[Package, ...] = ()
    needed: tuple[Package, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package.json that the installation reads."""
        return tuple({package.folder: package for package in (self.root, *self.members, self.app)}.values())

    def place(self, source: Source) -> str:
        """The app's folder in its workspace; "" where it is the root."""
        return "" if self.root is self.app else posixpath.relpath(source.app, absolute(source, self.root.folder))

    @property
    def own(self) -> tuple[Package, ...]:
        """The app's package, and in a workspace that of its root."""
        return (self.app,) if self.root is self.app else (self.app, self.root)

    @property
    def is_workspace(self) -> bool:
        return bool(self.members)


def find(source: Source, locks: tuple[str, ...]) -> Project:
    """The app's package.json and its workspace. Raises BuildFailed where there is none or it cannot be read."""
    app = read(source, "")
    if app is None:
        raise _missing(source)
    for folder in _above(source):
        root = app if folder == "" else read(source, folder)
        if root is None:
            continue
        members = tuple(_members(source, root))
        if folder == "" or any(member.folder == "" for member in members):
            if folder == "" and not members and not any(source.has(lock) for lock in locks) and len(_above(source)) > 1:
                continue  # perhaps a member of a workspace above, which has the lock file
            return Project(app, root, members, _needed(app, members))
    return Project(app, app)


def read(source: Source, folder: str) -> Package | None:
    """The package.json of a folder, or None. Raises BuildFailed with the position of a mistake in it."""
    path = folder + NAME
    text = source.read(path)
    if text is None:
        return None
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise BuildFailed(f"{path} is not valid JSON: {error}", f"Correct {path}") from error
    if not isinstance(data, dict):
        raise BuildFailed(f"{path} is not valid: it must be an object", "Run: npm init --yes, for one that is")
    return Package(folder, data)  # pyright: ignore[reportUnknownArgumentType]


def absolute(source: Source, folder: str) -> str:
    """Where a folder of the tree is in the container."""
    return posixpath.normpath(posixpath.join(source.app, folder))


def _above(source: Source) -> tuple[str, ...]:
    """The app's folder and those above it, up to the root of the tree."""
    depth = len([part for part in source.folder.split("/") if part])
    return tuple("../" * level for level in range(depth + 1))


def _members(source: Source, root: Package) -> Iterator[Package]:
    patterns = _patterns(source, root)
    if not patterns:
        return
    for path in source.tree:
        if posixpath.basename(path) != NAME or "node_modules/" in path or path == root.path:
            continue
        folder = path.removesuffix(NAME)
        place = posixpath.relpath(
            posixpath.join("/", source.folder, folder), posixpath.join("/", source.folder, root.folder)
        )
        if place.startswith("../"):
            continue
        if _matches(place, patterns) and (package := read(source, folder)) is not None:
            yield package


def _patterns(source: Source, root: Package) -> list[str]:
    found: Any = root.data.get("workspaces")
    if isinstance(found, dict):
        found = found.get("packages")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if (text := source.read(root.folder + _PNPM_WORKSPACE)) is not None:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            where = str(error).replace("\n", " ")
            raise BuildFailed(f"{_PNPM_WORKSPACE} is not valid YAML: {where}", f"Correct {_PNPM_WORKSPACE}") from error
        found = document.get("packages") if isinstance(document, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return [str(pattern) for pattern in found] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _matches(folder: str, patterns: list[str]) -> bool:
    """Whether the globs of a workspace name a folder; a `!` in front takes what it matches away again."""
    named = False
    for pattern in patterns:
        glob = pattern.removeprefix("!").removeprefix("./").strip("/")
        if _glob(folder.split("/"), glob.split("/")):
            named = not pattern.startswith("!")
    return named


def _glob(parts: list[str], globs: list[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_glob(parts[skipped:], globs[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _glob(parts[1:], globs[1:])


def _needed(app: Package, members: tuple[Package, ...]) -> tuple[Package, ...]:
    """The members that the app depends on, each after those that it depends on itself."""
    by_name = {member.name: member for member in members if member.name}
    found: dict[str, Package] = {}
    entered: set[str] = {app.name}

    def enter(package: Package) -> None:
        for name in sorted(package.dependencies & by_name.keys()):
            if name not in entered:
                entered.add(name)
                enter(by_name[name])
                found[name] = by_name[name]

    enter(app)
    return tuple(found.values())


def _missing(source: Source) -> BuildFailed:
    top = [path for path in source.paths if "/" not in path]
    likely = [path for path in top if path.lower() == NAME] + difflib.get_close_matches(NAME, top, n=1, cutoff=0.85)
    likely = [path for path in likely if path != "package-lock.json"]
    if likely:
        return BuildFailed(f"{likely[0]} is not read: the name is {NAME}", f"Run: git mv {likely[0]} {NAME}")
    below = sorted(
        (path for path in source.paths if path.endswith(f"/{NAME}") and "node_modules/" not in path), key=len
    )
    if below:
        return BuildFailed(
            f"There is no {NAME} here, but there is {below[0]}",
            f"Run nucleo there: nucleo -C {posixpath.dirname(below[0])}",
        )
    return BuildFailed(f"There is no {NAME}", "Run: npm init --yes")
