"""Composer packages made of Debian's packaged libraries, and the repository that Composer asks for them.

A package is served under the version that the lock files of tests/apps name, should Debian's own move on by a patch.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.packages import debian, server

# Name of the package, its version in the lock files, the Debian package that has it, and its folder there, which is
# also the namespace of its classes.
_LINES = (Path(__file__).parent / "composer.txt").read_text("utf-8").splitlines()
_TOP = "usr/share/php"
# What Debian's autoload.php reads: other packages' own, and files of functions.
_NEED = re.compile(r"^\s*require_once\s*(?:(__DIR__)\s*\.\s*)?'([^']+)/autoload\.php'", re.MULTILINE)
_FILE = re.compile(r"^\s*require_once\s*__DIR__\s*\.\s*'/((?!\.\.)[^']+(?<!autoload)\.php)'", re.MULTILINE)
_PLUGINS = {"symfony/runtime": "Symfony\\Component\\Runtime\\Internal\\ComposerPlugin"}


@dataclass(frozen=True)
class Package:
    """A package: what its composer.json says, and the files by path."""

    name: str
    version: str
    document: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def reference(self) -> str:
        """What a commit's hash is on GitHub; here the same whatever Debian's package holds today."""
        return hashlib.sha1(f"{self.name} {self.version}".encode(), usedforsecurity=False).hexdigest()

    @property
    def path(self) -> str:
        return f"/repos/{self.name}/zipball/{self.reference}"

    @property
    def metadata(self) -> dict[str, Any]:
        dist = {"type": "zip", "url": f"https://api.github.com{self.path}", "reference": self.reference, "shasum": ""}
        return {**self.document, "version": self.version, "dist": dist}

    def zip(self) -> bytes:
        buffer = io.BytesIO()
        top = f"{self.name.replace('/', '-')}-{self.reference[:7]}"
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**self.files, "composer.json": json.dumps(self.document).encode()}.items():
                archive.writestr(zipfile.ZipInfo(f"{top}/{name}"), content)
        return buffer.getvalue()


def package_server() -> AbstractContextManager[dict[str, str]]:
    """Serve the packages as packagist.org and GitHub; the variables to run `nucleo` with."""
    return server.serving(responses(packages()), ("repo.packagist.org", "packagist.org", "api.github.com"))


def packages() -> list[Package]:
    """All packages of composer.txt."""
    rows = [line.split() for line in _LINES if line]
    trees = debian.unpacked([deb for _, _, deb, _ in rows])
    by_folder = {folder: name for name, _, _, folder in rows}
    return [_package(trees / deb / _TOP, name, version, folder, by_folder) for name, version, deb, folder in rows]


def responses(served: list[Package]) -> dict[str, bytes]:
    """What a repository answers, by path."""
    index: dict[str, Any] = {"packages": [], "metadata-url": "/p2/%package%.json"}
    found = {"/packages.json": json.dumps(index).encode()}
    for package in served:
        found[f"/p2/{package.name}.json"] = json.dumps({"packages": {package.name: [package.metadata]}}).encode()
        found[package.path] = package.zip()
    return found


def _package(tree: Path, name: str, version: str, folder: str, by_folder: Mapping[str, str]) -> Package:
    autoload = (tree / folder / "autoload.php").read_text("utf-8")
    needs = dict.fromkeys(_needs(autoload.split("// Suggest")[0], folder, by_folder), "*")
    document: dict[str, Any] = {
        "name": name,
        "description": "of Debian's package",
        "type": "library",
        "require": {"php": ">=7.2", **needs},
        "autoload": {"psr-4": {f"{folder.replace('/', chr(92))}\\": ""}, "files": _FILE.findall(autoload)},
    }
    if name in _PLUGINS:
        document["type"] = "composer-plugin"
        document["extra"] = {"class": _PLUGINS[name]}
        document["require"]["composer-plugin-api"] = "^2.0"
    return Package(name, version, document, dict(_files(tree / folder)))


def _needs(autoload: str, folder: str, by_folder: Mapping[str, str]) -> Iterator[str]:
    for own, path in _NEED.findall(autoload):
        absolute = posixpath.normpath(f"/{_TOP}/{folder}/{path}") if own else path
        if (name := by_folder.get(absolute.removeprefix(f"/{_TOP}/"))) is not None:
            yield name


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "autoload.php":
            yield path.relative_to(folder).as_posix(), path.read_bytes()
