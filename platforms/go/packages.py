"""The Go files of the tree: which folders are programs, what needs cgo, what a compilation reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .project import absolute

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .gomod import Manifest
    from .project import Project

# Modules that are wrappers of a C library: without cgo they do not compile, or fail when they are first used.
_CGO_MODULES = (
    "github.com/mattn/go-sqlite3",
    "gorm.io/driver/sqlite",
    "github.com/confluentinc/confluent-kafka-go",
    "github.com/marcboeker/go-duckdb",
    "github.com/duckdb/duckdb-go",
    "github.com/h2non/bimg",
    "github.com/davidbyttow/govips",
    "github.com/godror/godror",
    "github.com/linxGnu/grocksdb",
    "github.com/libgit2/git2go",
    "github.com/pebbe/zmq4",
    "gocv.io/x/gocv",
    "gopkg.in/gographics/imagick.v3",
)
_OTHER_SYSTEMS = frozenset(
    ("windows", "darwin", "freebsd", "netbsd", "openbsd", "plan9", "solaris", "js", "wasip1", "wasm", "android", "ios")
)
_OURS = frozenset(("linux", "unix", "amd64", "arm64", "gc", "cgo"))
_NOT_GO = re.compile(r"(?:^|/)(?:[_.][^/]*|testdata|node_modules|vendor)/")
_BESIDE = re.compile(r"(?:^|/)(?:examples?|tools?|scripts?|hack|tests?|e2e|docs?|internal|build|ci|dev)(?:/|$)")
_COMMENTS = re.compile(r"/\*.*?\*/|^\s*//[^\n]*$", re.DOTALL | re.MULTILINE)
_PACKAGE = re.compile(r"^\s*package\s+(\w+)", re.MULTILINE)
_BUILD = re.compile(r"^//go:build\s+(.+)$", re.MULTILINE)
_IMPORTS_C = re.compile(r'^\s*(?:import\s+)?"C"\s*$', re.MULTILINE)
_IMPORT = re.compile(r'^\s*(?:import\s+)?(?:[\w.]+\s+)?"([^"]+)"\s*$', re.MULTILINE)
_EMBED = re.compile(r"^//go:embed\s+(.+)$", re.MULTILINE)
_PATTERN = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\S+)')
_SOURCES = (".go", ".s", ".S", ".h", ".syso")
# default.pgo is a profile: go build optimises by it where the main package has one.
_READ_BY_GO = frozenset(("go.mod", "go.sum", "go.work", "go.work.sum", "default.pgo"))


@dataclass(frozen=True, slots=True)
class Program:
    """A main package: its folder relative to the app's ("" for the app's own), and what its binary is called."""

    folder: str
    name: str

    @property
    def package(self) -> str:
        """As `go build` takes it."""
        return f"./{self.folder}" if self.folder else "."

    @property
    def is_beside(self) -> bool:
        """Whether its folder's name says that it is not what the app serves with."""
        return bool(_BESIDE.search(self.folder))


def programs(source: Source, project: Project) -> tuple[Program, ...]:
    """The main packages of the app's modules, the shallow first; of two with one name the first."""
    homes = {posixpath.dirname(absolute(source, manifest.file)): manifest for manifest in project.modules}
    nested = {posixpath.dirname(absolute(source, path)) for path in source.paths if path.endswith("go.mod")} - {*homes}
    found: dict[str, Program] = {}
    folders = {posixpath.dirname(path) for path in source.paths if _is_main(source, path)}
    for folder in sorted(folders, key=lambda one: (bool(_BESIDE.search(one)), one.count("/"), one)):
        place = absolute(source, folder)
        home = _home(place, {*homes, *nested})
        if home in homes:
            name = homes[home].name if place == home else posixpath.basename(place)
            found.setdefault(name, Program(folder, name))
    return tuple(found.values())


def needs_cgo(source: Source, project: Project) -> str | None:
    """What makes cgo necessary, or None."""
    for path in _go_files(source, project.all):
        text = source.read(path) or ""
        if '"C"' in text and _IMPORTS_C.search(text) and not _is_excluded(path, text):
            return f"{path} imports C"
        if any(module in text for module in _CGO_MODULES):
            for imported in _IMPORT.findall(text):
                if module := next((one for one in _CGO_MODULES if f"{imported}/".startswith(f"{one}/")), None):
                    return f"{path} imports {module}"
    return None


def inputs(source: Source, project: Project, cgo: bool) -> tuple[str, ...]:
    """The files that a compilation of the app may read."""
    homes = tuple(posixpath.dirname(absolute(source, manifest.file)).rstrip("/") for manifest in project.all)
    sums = () if project.work is None else (project.work.file, f"{project.work.file}.sum")
    vendor = posixpath.join(posixpath.dirname((project.work or project.modules[0]).file), "vendor/")
    found = {path for path in sums if source.has(path)}
    for path in source.tree:
        place = absolute(source, path)
        inside = any(place.startswith(f"{home}/") for home in homes)
        if (inside and (cgo or _is_read(path))) or (project.vendored and path.startswith(vendor)):
            found.add(path)
    for path in _go_files(source, project.all):
        text = source.read(path) or ""
        if "//go:embed" in text:
            found.update(_embedded(source, path, text))
    return tuple(sorted(found))


def _go_files(source: Source, manifests: tuple[Manifest, ...]) -> Iterator[str]:
    homes = tuple(posixpath.dirname(absolute(source, manifest.file)).rstrip("/") for manifest in manifests)
    for path in source.tree:
        if path.endswith(".go") and not path.endswith("_test.go") and not _NOT_GO.search(path.replace("../", "")):
            place = absolute(source, path)
            if any(place.startswith(f"{home}/") for home in homes):
                yield path


def _is_read(path: str) -> bool:
    name = posixpath.basename(path)
    return name in _READ_BY_GO or (name.endswith(_SOURCES) and not name.endswith("_test.go"))


def _is_main(source: Source, path: str) -> bool:
    if not path.endswith(".go") or path.endswith("_test.go") or _NOT_GO.search(path):
        return False
    text = source.read(path) or ""
    clause = _PACKAGE.search(_COMMENTS.sub("", text)) if "package main" in text else None
    return clause is not None and clause[1] == "main" and not _is_excluded(path, text)


def _is_excluded(path: str, text: str) -> bool:
    """Whether the file is certainly no part of a build for Linux: by its name, or by a tag that nobody sets."""
    parts = posixpath.basename(path).removesuffix(".go").split("_")[1:]
    if _OTHER_SYSTEMS.intersection(parts[-2:]):
        return True
    constraint = _BUILD.search(text.partition("\npackage ")[0])
    if constraint is None or "||" in constraint[1]:
        return False
    tags = [tag.strip(" ()") for tag in constraint[1].split("&&")]
    return any(not tag.startswith("!") and tag not in _OURS and not re.fullmatch(r"go1\.\d+", tag) for tag in tags)


def _home(place: str, homes: set[str]) -> str | None:
    """The nearest folder above that has a go.mod."""
    while place not in homes:
        if place == "/":
            return None
        place = posixpath.dirname(place)
    return place


def _embedded(source: Source, path: str, text: str) -> Iterator[str]:
    """The files that //go:embed lines name, and all that lies below the folders that they name."""
    folder = posixpath.dirname(path)
    below = f"{folder}/" if folder else ""
    for line in _EMBED.findall(text):
        for match in _PATTERN.finditer(line):
            pattern = next(group for group in match.groups() if group is not None)
            pattern = posixpath.normpath(pattern.removeprefix("all:"))
            depth = pattern.count("/") + 1
            for other in source.tree:
                if other.startswith(below) and (below or not other.startswith("../")):
                    first = "/".join(other.removeprefix(below).split("/")[:depth])
                    if fnmatchcase(first, pattern):
                        yield other
