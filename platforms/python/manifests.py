"""The file that states the dependencies: finding the one that counts, and the step that installs from it."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleo_cli.domain.build import Platform, Step
from nucleo_cli.errors import BuildFailed

from . import locks, package, workspaces
from .versions import document

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

VENV = "/app/.venv"
# What a lock file says, in the form that uv installs.
EXPORTED = "/tmp/requirements.txt"  # noqa: S108  inside the build container
_CACHE = "/cache/uv"
_VERIFY = "/tmp/verify.py"  # noqa: S108

_INSTALL = f"uv pip install --python {VENV} --compile-bytecode"
_CREATE = f"uv venv --quiet --python /usr/bin/python3 {VENV}"
_ENV = {"UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": _CACHE, "UV_NO_PROGRESS": "1"}
# In uv_cache.json uv notes when a package of the tree was changed, which would make each build's layer another one.
_FORGET_TIMES = (
    f"find {VENV} -name uv_cache.json -delete",
    f"find {VENV} -name RECORD -exec sed -i /uv_cache.json,/d {{}} +",
)
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)")
_EDITABLE = re.compile(r"^\s*(?:-e|--editable)[\s=]*(\S+)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file, relative to the app's folder, and the manager that wrote it."""

    file: str
    manager: str

    @property
    def folder(self) -> str:
        """Where the file lies: "" beside the app, "../../" at the top of a workspace."""
        return self.file.removesuffix(posixpath.basename(self.file))


MANIFESTS = (
    Manifest("requirements.txt", "pip"),
    Manifest("uv.lock", "uv"),
    Manifest("poetry.lock", "poetry"),
    Manifest("pdm.lock", "pdm"),
    Manifest("Pipfile.lock", "pipenv"),
)
_BARE = Manifest("pyproject.toml", "pyproject")
_NEEDS = {"uv": "pyproject.toml", "poetry": "pyproject.toml", "pdm": "pyproject.toml", "pipenv": "Pipfile"}
_LOCK_HINTS = (
    ("Pipfile", "pipenv lock"),
    ("setup.py", "pip freeze > requirements.txt"),
    ("environment.yml", "pip freeze > requirements.txt"),
)


def find(source: Source) -> Manifest:
    """The one manifest at the top of the tree. Raises BuildFailed for none and for two."""
    found = [manifest for manifest in MANIFESTS if source.has(manifest.file)]
    if not found and (above := workspaces.lock_above(source)):
        return Manifest(above, "uv")
    if _states_dependencies(source) and not any(_NEEDS.get(one.manager) == _BARE.file for one in found):
        found.append(_BARE)
    if len(found) > 1:
        first, second = found[:2]
        raise BuildFailed(
            f"Both {first.file} and {second.file} state the dependencies, and they may differ",
            f"Keep one: git rm {first.file}, or git rm {second.file}"
            if second is not _BARE
            else f"Keep one: git rm {first.file}, or remove [project] from pyproject.toml",
        )
    if not found:
        raise _nothing_found(source)
    _check(source, found[0])
    return found[0]


def dependencies(source: Source, manifest: Manifest) -> frozenset[str]:
    """The normalised names of the packages that will be installed, as far as the manifest states them."""
    if manifest.manager == "pip":
        names: Iterable[str] = (name for name, _ in _requirements(source, manifest.file))
    elif manifest.manager == "pipenv":
        names = locks.pipfile_lock(source)
    elif manifest is _BARE:
        names = (found.group(1) for line in _project_dependencies(source) if (found := _NAME.match(line)))
    else:
        names = (each["name"] for each in document(source, manifest.file).get("package", []))
    return frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in names)


def warnings(source: Source, manifest: Manifest) -> Iterator[str]:
    """What makes a later build differ from this one."""
    if manifest is _BARE:
        yield "pyproject.toml has no lock file beside it: a build on another day may differ. Run `uv lock`"
    if manifest.manager == "pip":
        loose = [name for name, rest in _requirements(source, manifest.file) if not re.match(r"(==|@)", rest)]
        if loose:
            yield (
                f"{', '.join(loose[:5])}{' …' if len(loose) > 5 else ''} in {manifest.file} "
                f"{'has' if len(loose) == 1 else 'have'} no exact version: a build on another day may differ"
            )


def install(source: Source, manifest: Manifest, platform: Platform, version: str, added: tuple[str, ...]) -> Step:
    """The step that makes /app/.venv; `added` are exact requirements beside those of the manifest."""
    files: dict[str, str] = {}
    if manifest.manager in ("poetry", "pdm", "pipenv"):
        text = locks.requirements(source, manifest.manager, manifest.file)
        files = {EXPORTED: text} if text is not None else {}
    commands = _commands(source, manifest, platform, files)
    own = package.files(source, manifest.manager, version)
    if added and (manifest.manager == "uv" or commands[-1].startswith(f"{_INSTALL} --require-hashes")):
        commands.append(f"{_INSTALL} {' '.join(added)}")
    elif added:  # together with the others, so that what they need in common is one choice
        commands[-1] += f" {' '.join(added)}"
    if _local_packages(source, manifest):
        commands += _FORGET_TIMES
    if own:
        commands.append(package.INSTALL)
    commands.append(f"{VENV}/bin/python -I {_VERIFY} {VENV} {_CACHE}")
    return Step(
        name="dependencies",
        command=" && ".join(commands),
        output=VENV,
        reason=f"{manifest.file} states them",
        inputs=_inputs(source, manifest),
        env=_ENV,
        files={**files, **own, _VERIFY: Path(__file__).with_name("verify.py").read_text("utf-8")},
    )


def _commands(source: Source, manifest: Manifest, platform: Platform, files: Mapping[str, str]) -> list[str]:
    match manifest.manager:
        case "pip":
            hashes = " --require-hashes" if "--hash=" in (source.read(manifest.file) or "") else ""
            return [_CREATE, f"{_INSTALL}{hashes} -r {manifest.file}"]
        case "uv":
            # The app's own code is the source layer: only what it depends on belongs in this one.
            only = "--frozen --no-dev --no-install-project --no-editable"
            sync = f"uv sync {only} --compile-bytecode --python /usr/bin/python3"
            return [f"UV_PROJECT_ENVIRONMENT={VENV} {sync}"]
        case "poetry" | "pdm" | "pipenv":
            if files:
                return [_CREATE, f"{_INSTALL} -r {EXPORTED}"]
            tool = _tool(platform, "poetry", "poetry-plugin-export")
            export = f"{tool} poetry export --only main --format requirements.txt --output {EXPORTED}"
            return [export, _CREATE, f"{_INSTALL} -r {EXPORTED}"]
        case _:
            return [_CREATE, f"{_INSTALL} -r {manifest.file}"]


def _tool(platform: Platform, name: str, *plugins: str) -> str:
    extra = "".join(f" --with {plugin}=={platform.tools[plugin]}" for plugin in plugins)
    return f"uvx --quiet --from {name}=={platform.tools[name]}{extra}"


def _inputs(source: Source, manifest: Manifest) -> tuple[str, ...]:
    """The files that the installation reads: the manifest, what it includes, and packages that lie in the tree."""
    files = {manifest.file, manifest.folder + _NEEDS.get(manifest.manager, _BARE.file), _BARE.file}
    if manifest.manager in ("pip", "pipenv"):
        files -= {_BARE.file}
    if manifest.manager == "pip":
        files.update(_included(source, manifest.file))
    for folder in _local_packages(source, manifest):
        inside = workspaces.below(source, folder)
        if not inside:
            raise BuildFailed(
                f"{manifest.file} names the package in {folder}, which is not in the tree",
                "Correct its path; where it lies above the app, say in nucleo.yml:  build: {root: ..}",
            )
        files.update(inside)
    if manifest is _BARE and "dependencies" in document(source, _BARE.file).get("project", {}).get("dynamic", []):
        files.update(source.paths)
    return tuple(sorted(path for path in files if source.has(path)))


def _local_packages(source: Source, manifest: Manifest) -> tuple[str, ...]:
    """The folders of the tree that are installed as packages, relative to the app's."""
    match manifest.manager:
        case "pip":
            found = _local_requirements(source, manifest.file)
        case "pipenv":
            locked = locks.pipfile_lock(source).values()
            found = (str(each["path"]) for each in locked if "path" in each)
        case "uv":
            found = workspaces.local_packages(source, manifest.file)
        case "poetry" | "pdm":
            found = _local_locked(source, manifest.file)
        case _:
            found = iter(())
    places = (posixpath.normpath(manifest.folder + path.removeprefix("file:")) for path in found)
    return tuple(dict.fromkeys(place for place in places if place != "." or manifest.manager in ("pip", "pipenv")))


def _local_requirements(source: Source, file: str) -> Iterator[str]:
    for path in _included(source, file):
        for line in (source.read(path) or "").splitlines():
            editable = _EDITABLE.match(line)
            target = editable.group(1) if editable else line.split("#")[0].strip()
            if target.startswith((".", "/")) or (editable and "://" not in target):
                yield target.split("[")[0]


def _local_locked(source: Source, file: str) -> Iterator[str]:
    for each in document(source, file).get("package", []):
        origin: dict[str, Any] = each.get("source", {})
        path = origin.get("url") if origin.get("type") == "directory" else each.get("path")  # poetry, pdm
        if isinstance(path, str):
            yield path


def _included(source: Source, file: str, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A requirements file and all that it includes with -r and -c."""
    if file in seen:
        return seen
    seen = (*seen, file)
    for line in (source.read(file) or "").splitlines():
        if found := _INCLUDE.match(line):
            seen = _included(source, posixpath.normpath(f"{posixpath.dirname(file) or '.'}/{found.group(1)}"), seen)
    return seen


def _requirements(source: Source, file: str) -> Iterator[tuple[str, str]]:
    """Name and the rest of each requirement, in the file and in those that it includes."""
    for path in _included(source, file):
        text = (source.read(path) or "").replace("\\\n", " ")
        for line in text.splitlines():
            bare = line.split(" #")[0].strip()
            if bare and not bare.startswith(("-", "#", ".", "/")) and (found := _NAME.match(bare)):
                yield found.group(1), found.group(2)


def _states_dependencies(source: Source) -> bool:
    project = document(source, _BARE.file).get("project", {})
    return bool(project.get("dependencies")) or "dependencies" in project.get("dynamic", [])


def _project_dependencies(source: Source) -> list[str]:
    return list(document(source, _BARE.file).get("project", {}).get("dependencies", []))


def _check(source: Source, manifest: Manifest) -> None:
    needed = _NEEDS.get(manifest.manager)
    if needed and not source.has(needed):
        raise BuildFailed(f"{manifest.file} is there, but {needed} is not", f"Add {needed}, or git rm {manifest.file}")


def _nothing_found(source: Source) -> BuildFailed:
    top = [path for path in source.paths if "/" not in path]
    for manifest in MANIFESTS:
        likely = [name for name in top if name.lower() == manifest.file.lower()]
        likely += difflib.get_close_matches(manifest.file, top, n=1, cutoff=0.85)
        if likely:
            return BuildFailed(
                f"{likely[0]} is not read: the name is {manifest.file}", f"Run: git mv {likely[0]} {manifest.file}"
            )
    if "poetry" in document(source, _BARE.file).get("tool", {}):
        return BuildFailed("pyproject.toml is Poetry's, but there is no poetry.lock", "Run: poetry lock")
    if source.has(_BARE.file):
        return BuildFailed(
            "pyproject.toml states no dependencies",
            "Write them under [project] dependencies, or run: touch requirements.txt",
        )
    for name, command in _LOCK_HINTS:
        if source.has(name):
            return BuildFailed(f"{name} alone does not say exactly what to install", f"Run: {command}")
    names = ", ".join(manifest.file for manifest in (*MANIFESTS, _BARE))
    return BuildFailed(
        f"Nothing states the dependencies: none of {names}", "If there are none, run: touch requirements.txt"
    )
