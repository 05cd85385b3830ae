"""The modules that a build reads: the app's own, those of its workspace, and those that lie beside it."""

from __future__ import annotations

import difflib
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

from . import gomod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleo_cli.builder.source import Source

    from .gomod import Manifest

_OTHER_MANAGERS = ("Gopkg.toml", "glide.yaml", "Godeps/Godeps.json", "vendor/vendor.json")


@dataclass(frozen=True, slots=True)
class Project:
    """`modules` may have the app's main packages, `others` are local ones that they may import."""

    modules: tuple[Manifest, ...]
    others: tuple[Manifest, ...] = ()
    work: Manifest | None = None
    vendored: bool = False

    @property
    def all(self) -> tuple[Manifest, ...]:
        """Every go.mod that Go will read."""
        return self.modules + self.others

    @property
    def requires(self) -> frozenset[str]:
        """The module paths that any of them requires."""
        return frozenset(path for manifest in self.all for path, _ in manifest.requires)


def absolute(source: Source, path: str) -> str:
    """A path of the tree as seen from its top, with a slash before it."""
    return posixpath.normpath(posixpath.join("/", source.folder, path))


def find(source: Source) -> Project:
    """Raises BuildFailed where nothing says what the app depends on, or not exactly."""
    own, work = _nearest(source, "go.mod"), _nearest(source, "go.work")
    workspace = gomod.read(source, work) if work else None
    used = tuple(_used(source, workspace)) if workspace else ()
    module = _module(source, own) if own else None
    if module is None:
        modules = tuple(one for one in used if absolute(source, one.file).startswith(absolute(source, ".")))
        if not modules:
            raise _nothing_found(source)
    elif any(absolute(source, one.file) == absolute(source, module.file) for one in used):
        modules = (module,)
    else:
        modules, used, workspace = (module,), (), None  # a workspace of which this module is no part
    others = tuple(_beside(source, (*modules, *used)))
    vendor = posixpath.join(posixpath.dirname(workspace.file) if workspace else modules[0].folder, "vendor")
    project = Project(modules, others, workspace, source.has(f"{vendor}/modules.txt"))
    if not project.vendored:
        _check_sums(source, project)
    return project


def _nearest(source: Source, name: str) -> str | None:
    """The file in the app's folder or in the nearest one above it."""
    depth = source.folder.count("/") + 1 if source.folder else 0
    return next((path for path in (f"{'../' * up}{name}" for up in range(depth + 1)) if source.has(path)), None)


def _module(source: Source, file: str) -> Manifest:
    manifest = gomod.read(source, file)
    if not manifest.module:
        raise BuildFailed(f"{file} has no module line", "Write it, for example: go mod edit -module=example.com/app")
    return manifest


def _used(source: Source, work: Manifest) -> Iterator[Manifest]:
    for folder in work.uses:
        file = posixpath.normpath(posixpath.join(work.folder, folder, "go.mod"))
        if not source.has(file):
            raise BuildFailed(
                f"{work.file} uses {folder}, where there is no go.mod in the tree",
                f"Remove it: go work edit -dropuse={folder}",
            )
        yield _module(source, file)


def _beside(source: Source, known: tuple[Manifest, ...]) -> Iterator[Manifest]:
    """The modules of the workspace, and those that replace directives lead to, and theirs."""
    seen = {absolute(source, manifest.file) for manifest in known[:1]}
    waiting = list(known)
    while waiting:
        manifest = waiting.pop(0)
        if absolute(source, manifest.file) not in seen:
            seen.add(absolute(source, manifest.file))
            yield manifest
        for path, folder in manifest.replaces:
            file = posixpath.normpath(posixpath.join(manifest.folder, folder, "go.mod"))
            if not source.has(file):
                raise BuildFailed(
                    f"{manifest.file} replaces {path} by {folder}, which is not in the app's tree",
                    "Name the folder above both in nucleo.yml, for example: build: {root: ..}",
                )
            if absolute(source, file) not in seen:
                waiting.append(_module(source, file))


def _check_sums(source: Source, project: Project) -> None:
    local = {manifest.module for manifest in project.all}
    replaced = {path for manifest in project.all for path, _ in manifest.replaces}
    for manifest in project.modules:
        needs = [path for path, _ in manifest.requires if path not in local | replaced]
        sums = posixpath.join(manifest.folder, "go.sum")
        shared = posixpath.join(posixpath.dirname(project.work.file), "go.work.sum") if project.work else sums
        if needs and not source.has(sums) and not source.has(shared):
            raise BuildFailed(
                f"{manifest.file} requires {needs[0]}, but there is no go.sum to say what exactly that is",
                "Run: go mod tidy; then: git add go.sum",
            )


def _nothing_found(source: Source) -> BuildFailed:
    top = [path for path in source.paths if "/" not in path]
    close = [name for name in top if name.lower() == "go.mod"] or difflib.get_close_matches("go.mod", top, 1, 0.8)
    if close:
        return BuildFailed(f"{close[0]} is not read: the name is go.mod", f"Run: git mv {close[0]} go.mod")
    for name in _OTHER_MANAGERS:
        if source.has(name):
            return BuildFailed(
                f"{name} is of a tool from before Go's modules", "Run: go mod init && go mod tidy, then: git add go.mod"
            )
    below = [path for path in source.paths if path.endswith("/go.mod")]
    if below:
        return BuildFailed(
            f"There is no go.mod here, but there is {below[0]}", f"Deploy that folder: -C {posixpath.dirname(below[0])}"
        )
    return BuildFailed("There is no go.mod", "Run: go mod init example.com/app && go mod tidy")
