"""Lock files of poetry, pdm and pipenv as requirements that uv installs.

Read here rather than exported by each tool: that takes seconds, and breaks with every change of the tool's own
dependencies. Sources: poetry.lock 2.1, pdm.lock 4.x and Pipfile.lock (pipfile-spec 6) as those tools write them.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nucleo_cli.errors import BuildFailed

from .versions import document

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_PYPI = "pypi.org"

Package = Mapping[str, Any]


def requirements(source: Source, manager: str, file: str) -> str | None:
    """The text of a requirements file; None where only the tool itself can read the lock (poetry before 2.0)."""
    readers = {"poetry": _poetry, "pdm": _pdm, "pipenv": _pipenv}
    if manager == "poetry" and not is_readable(source, file):
        return None
    return "\n".join([*dict.fromkeys(readers[manager](source, file)), ""])


def is_readable(source: Source, file: str) -> bool:
    """Whether poetry wrote down which packages belong to which group, as it does since lock version 2.1."""
    version = str(document(source, file).get("metadata", {}).get("lock-version", "1.0"))
    return version.split(".")[0] == "2" and version != "2.0"


def pipfile_lock(source: Source) -> dict[str, dict[str, Any]]:
    """The packages of Pipfile.lock that are not for development."""
    return _pipfile(source, "Pipfile.lock").get("default", {})


def _poetry(source: Source, file: str) -> Iterator[str]:
    for package in document(source, file).get("package", []):
        if "main" not in package.get("groups", ()) or package.get("optional"):
            continue
        markers = package.get("markers", "")
        marker = markers if isinstance(markers, str) else markers.get("main", "")
        origin: Package = package.get("source", {})
        if origin.get("type") == "legacy":
            yield f"--extra-index-url {origin['url']}"
        yield _line(package["name"], _poetry_version(source, package, origin), marker, _hashes(package))


def _poetry_version(source: Source, package: Package, origin: Package) -> str:
    match origin.get("type"):
        case "git":
            reference = origin.get("resolved_reference") or origin.get("reference", "")
            return _git(origin["url"], reference, origin.get("subdirectory"))
        case "directory" | "file":
            return _at(source, origin["url"])
        case "url":
            return f" @ {origin['url']}"
        case _:
            return f"=={package['version']}"


def _pdm(source: Source, file: str) -> Iterator[str]:
    packages = document(source, file).get("package", [])
    if packages and not any("groups" in package for package in packages):
        raise BuildFailed(
            f"{file} does not say which packages are for development", "Run: pdm lock -S inherit_metadata"
        )
    for package in packages:
        if "default" in package.get("groups", ()):
            extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
            version = _pdm_version(source, package)
            yield _line(package["name"] + extras, version, package.get("marker", ""), _hashes(package))


def _pdm_version(source: Source, package: Package) -> str:
    if "git" in package:
        return _git(package["git"], package.get("revision") or package.get("ref", ""), package.get("subdirectory"))
    if "path" in package:
        return _at(source, package["path"])
    return f" @ {package['url']}" if "url" in package else f"=={package['version']}"


def _pipenv(source: Source, file: str) -> Iterator[str]:
    for origin in _pipfile(source, file).get("_meta", {}).get("sources", []):
        # A variable in an index's address is the user's secret: it comes by the machine's own settings.
        if _PYPI not in origin["url"] and "$" not in origin["url"]:
            yield f"--extra-index-url {origin['url']}"
    for name, package in pipfile_lock(source).items():
        extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
        version = _pipenv_version(source, package)
        yield _line(name + extras, version, package.get("markers", ""), package.get("hashes", ()))


def _pipenv_version(source: Source, package: Package) -> str:
    if "git" in package:
        return _git(package["git"], package.get("ref", ""), package.get("subdirectory"))
    if "path" in package:
        return _at(source, package["path"])
    return f" @ {package['file']}" if "file" in package else str(package.get("version", ""))


def _line(name: str, version: str, marker: str, hashes: Iterable[str]) -> str:
    pinned = version.startswith("==")
    # A marker after a URL needs the space before its semicolon.
    condition = f" ; {marker}" if marker else ""
    return name + version + condition + "".join(f" --hash={one}" for one in sorted(hashes) if pinned)


def _git(url: str, reference: str, subdirectory: str | None) -> str:
    prefix = "" if url.startswith("git+") else "git+"
    return f" @ {prefix}{url}@{reference}" + (f"#subdirectory={subdirectory}" if subdirectory else "")


def _at(source: Source, path: str) -> str:
    return f" @ file://{posixpath.normpath(posixpath.join(source.app, path))}"


def _hashes(package: Package) -> list[str]:
    return [file["hash"] for file in package.get("files", ()) if "hash" in file]


def _pipfile(source: Source, file: str) -> dict[str, Any]:
    try:
        found = json.loads(source.read(file) or "{}")
    except ValueError as error:
        raise BuildFailed(f"{file} is not valid JSON: {error}", "Run: pipenv lock") from error
    if not isinstance(found, dict):
        raise BuildFailed(f"{file} is not a lock file of pipenv", "Run: pipenv lock")
    return found  # pyright: ignore[reportUnknownVariableType]
