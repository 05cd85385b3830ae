"""The source tree of an app: the files that a build may see, and the hash of them."""

import hashlib
import os
import posixpath
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from nucleo_cli.builder.images import APP
from nucleo_cli.domain.events import Warned
from nucleo_cli.errors import BuildFailed, NotFound

IGNORE_FILE = ".nucleoignore"
LARGE = 100 * 1024 * 1024
_TEXT_LIMIT = 4 * 1024 * 1024
_SECRET_NAMES = (".env", ".env.local", ".env.production")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the tree. `mode` is 0o644 or 0o755; `link` is the target of a symbolic link, else None."""

    path: str
    mode: int
    size: int
    link: str | None = None


class Source:
    """What a build may see: the files under `root`, of which `folder` is the app's own part ("" when it is all of it).

    `entries` are by the path relative to `root`. Every other path is relative to the app's folder: with a `folder` of
    "services/api", `../../package-lock.json` is the lock file at the top.
    """

    def __init__(self, root: Path, entries: Iterable[Entry], folder: str = "") -> None:
        self.root = root
        self.folder = folder
        self.entries: Mapping[str, Entry] = {entry.path: entry for entry in sorted(entries, key=lambda e: e.path)}
        self._hashes: dict[str, str] = {}

    @property
    def app(self) -> str:
        """The app's folder in build containers and images: where steps and the app's commands run."""
        return f"{APP}/{self.folder}" if self.folder else APP

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path of the app's folder, sorted."""
        below = f"{self.folder}/" if self.folder else ""
        return tuple(path.removeprefix(below) for path in self.entries if path.startswith(below))

    @cached_property
    def tree(self) -> tuple[str, ...]:
        """Every path under the root: `paths`, and with a folder those outside of it too."""
        return tuple(posixpath.relpath(path, self.folder) for path in self.entries) if self.folder else self.paths

    def entry(self, path: str) -> Entry | None:
        """The file at a path, or None."""
        return self.entries.get(posixpath.normpath(posixpath.join(self.folder, path)) if self.folder else path)

    def has(self, path: str) -> bool:
        return self.entry(path) is not None

    def read(self, path: str) -> str | None:
        """The text of a file, or None where there is none; what is not UTF-8 is replaced."""
        entry = self.entry(path)
        if entry is None:
            return None
        try:
            with (self.root / entry.path).open("rb") as file:
                return file.read(_TEXT_LIMIT).decode("utf-8", "replace")
        except OSError:
            return None

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths of the app's folder that match; `*` matches `/` too."""
        return tuple(path for path in self.paths if fnmatchcase(path, pattern))

    def fingerprint(self, path: str) -> str:
        """One line for one file: mode and content, or the target of a link. KeyError where there is none."""
        entry = self.entry(path)
        if entry is None:
            raise KeyError(path)
        return f"link {entry.link}" if entry.link is not None else f"{entry.mode:o} {self.content_hash(entry.path)}"

    @cached_property
    def hash(self) -> str:
        """`sha256:…` over every path, its mode and its content."""
        total = hashlib.sha256(f"{self.folder}\n".encode() if self.folder else b"")
        for path in self.tree:
            total.update(f"{path}\0{self.fingerprint(path)}\n".encode("utf-8", "surrogateescape"))
        return f"sha256:{total.hexdigest()}"

    def warnings(self) -> tuple[Warned, ...]:
        """What should probably not be part of an image."""
        found = [
            Warned(
                f"{entry.path} is {entry.size // (1024 * 1024)} MB and becomes part of the image",
                f"To leave it out: echo '/{entry.path}' >> {IGNORE_FILE}",
            )
            for entry in self.entries.values()
            if entry.size > LARGE
        ]
        found += [
            Warned(f"{name} becomes part of the image", f"To leave it out: echo '/{name}' >> {IGNORE_FILE}")
            for name in _SECRET_NAMES
            if name in self.entries
        ]
        return tuple(found)

    def content_hash(self, path: str) -> str:
        """The SHA-256 of an entry's content, read once. Raises BuildFailed where it cannot be read."""
        if path not in self._hashes:
            try:
                with (self.root / path).open("rb") as file:
                    self._hashes[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise BuildFailed(f"{path} cannot be read: {error.strerror}", f"Or add it to {IGNORE_FILE}") from error
        return self._hashes[path]


def read_source(directory: Path, root: str = ".") -> Source:
    """The tree of the app in `directory`: what git knows or would add, else all that .gitignore does not name.

    `root` is the top of the tree, relative to `directory`: "../.." for an app of a monorepo. The .nucleoignore of both
    is obeyed. Raises BuildFailed for a symbolic link that leads out of the tree, or a root that is not above the app;
    NotFound where there is no such folder.
    """
    directory = directory.resolve()
    top = (directory / root).resolve()
    if not directory.is_dir() or not top.is_dir():
        raise NotFound(f"There is no folder {top if directory.is_dir() else directory}")
    if not directory.is_relative_to(top):
        raise BuildFailed(f"build.root {root} is not a folder above the app", 'For example build: {root: "../.."}')
    folder = directory.relative_to(top).as_posix().removeprefix(".")
    names = _git_files(top)
    paths = names or list(_walk(top))  # an app inside an ignored folder has no files for git
    ignored = [(f"{name}/" if name else "", _spec(top / name / IGNORE_FILE)) for name in dict.fromkeys(("", folder))]
    kept = (path for path in paths if not any(_matches(spec, below, path) for below, spec in ignored))
    return Source(top, _entries(top, kept), folder)


def _matches(spec: GitIgnoreSpec, below: str, path: str) -> bool:
    return path.startswith(below) and spec.match_file(path.removeprefix(below))


def _git_files(root: Path) -> list[str] | None:
    """Paths relative to `root`, or None where git is missing, does not know this folder or does not trust it."""
    # fsmonitor is a program that the repository may name: nothing of the repository runs because we look at it.
    argv = ["git", "-c", "core.fsmonitor=false", "-C", str(root), "ls-files", "-coz", "--exclude-standard"]
    try:
        listing = subprocess.run(argv, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    if listing.returncode:
        return None
    found: list[str] = []
    for name in dict.fromkeys(os.fsdecode(listing.stdout).split("\0")):
        path = root / name
        if name and path.is_dir() and not path.is_symlink():  # a submodule, or a repository inside this one
            found += [f"{name.rstrip('/')}/{inner}" for inner in _git_files(path) or []]
        elif name:
            found.append(name)
    return found


def _walk(root: Path, below: str = "", above: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> Iterator[str]:
    specs = (*above, (below, _spec(root / below / ".gitignore")))
    for item in sorted(os.scandir(root / below), key=lambda item: item.name):
        path = f"{below}{item.name}"
        is_folder = item.is_dir(follow_symlinks=False)
        name = f"{path}/" if is_folder else path
        if item.name == ".git" or any(spec.match_file(name.removeprefix(base)) for base, spec in specs):
            continue
        if is_folder:
            yield from _walk(root, name, specs)
        else:
            yield path


def _spec(file: Path) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(file.read_text("utf-8", "replace").splitlines())
    except OSError:
        return GitIgnoreSpec.from_lines([])


def _entries(root: Path, paths: Iterable[str]) -> Iterator[Entry]:
    for path in paths:
        try:
            status = (root / path).lstat()
        except OSError:  # in git's index, but deleted since
            continue
        if stat.S_ISLNK(status.st_mode):
            yield Entry(path, 0o777, 0, _inside(root, path))
        elif stat.S_ISREG(status.st_mode):
            yield Entry(path, 0o755 if status.st_mode & 0o100 else 0o644, status.st_size)


def _inside(root: Path, path: str) -> str:
    target = os.readlink(root / path)  # noqa: PTH115  Path.readlink would normalise what is written there
    resolved = Path(os.path.realpath((root / path).parent / target))
    if PurePosixPath(target).is_absolute() or not resolved.is_relative_to(root):
        raise BuildFailed(
            f"{path} is a symbolic link that leads out of the app, to {target}",
            f"Put a copy in its place, or leave it out: echo '/{path}' >> {IGNORE_FILE}",
        )
    return target
