"""Which folder is the site, and what of it is what: pages, names with a hash, what is worth compressing."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .rules import Rules

INDEX = "index.html"
# In this order; a bundler's come after public, which may be its source.
FOLDERS = ("public", "dist", "build", "out", "_site", "www", "public_html", "site")

# A name with a hash of the content in it never has another content. Hexadecimal ones (webpack, esbuild, Parcel) are
# told from words and dates by having both letters and digits.
HASHED = (
    r"^/(?:.*/)?[^/]*[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}(?:\.[\w-]+)+$",
    r"^/(?:.*/)?(?:_next/static|_app/immutable|_nuxt)/.+$",
)
# Those of Vite and Angular have eight characters of base64 or base32: believed where they look like no word, and only
# in a folder that a tool may have written.
BUNDLED = (
    r"^/(?:.*/)?(?:assets|chunks|_astro|js|css)/(?:.*/)?[^/]*[.-]"
    r"(?=\w+[A-Z])(?=\w*[0-9]|\w+[A-Z]\w*[A-Z])(?=\w*[a-z0-9])\w{8}(?:\.[\w-]+)+$",
    r"^/(?:.*/)?(?:main|polyfills|styles|scripts|runtime|chunk)-[0-9A-Z]{8}\.(?:js|css)$",
)
_PAGE = re.compile(r"\.html?$")
_COMPRESSIBLE = re.compile(
    r"\.(?:css|js|mjs|cjs|json|map|svg|xml|txt|csv|md|ico|wasm|webmanifest|ttf|otf|eot|geojson|rss|atom)$"
)
_SMALL, _LARGE = 1024, 32 * 1024
_SOURCE_SCRIPT = re.compile(r"<script[^>]+src=[\"'](\.?/?(?:[\w./-]+\.(?:tsx?|jsx)|src/[\w./-]+\.m?js))[\"']")
_BUNDLED = re.compile(r"<script[^>]+src=[\"'][^\"']+[\"']", re.IGNORECASE)
_MOUNT = re.compile(r"<(?:div|main)[^>]+id=[\"']?(?:root|app|__nuxt|__next|svelte)\b|<app-root", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Site:
    """`folder` is relative to the app's ("" for its own); `files` are the paths below it."""

    folder: str
    because: str
    files: tuple[str, ...]

    @property
    def prefix(self) -> str:
        return f"{self.folder}/" if self.folder else ""

    def has(self, path: str) -> bool:
        return path.lstrip("/") in self.files

    @property
    def hashed(self) -> tuple[str, ...]:
        """Regular expressions for the paths whose names have a hash of their content."""
        return (*HASHED, *BUNDLED) if self.folder else HASHED

    def is_hashed(self, path: str) -> bool:
        return any(re.match(pattern, f"/{path}") for pattern in self.hashed)

    @property
    def pages(self) -> tuple[str, ...]:
        return tuple(path for path in self.files if _PAGE.search(path))


def find(source: Source, rules: Rules, hidden: tuple[str, ...]) -> Site:
    """The folder to serve; `hidden` are the files at the top that are no part of a site."""
    folder, because = _folder(source, rules)
    prefix = f"{folder}/" if folder else ""
    below = (path.removeprefix(prefix) for path in source.paths if path.startswith(prefix))
    files = tuple(path for path in below if _is_shown(path) and (folder or path.split("/")[0] not in hidden))
    _check_is_built(source, folder)
    return Site(folder, because, files)


def fallback(source: Source, site: Site) -> tuple[str, str] | None:
    """The page that a single-page application answers every path with, and why it is one."""
    if site.has("200.html"):
        return "200.html", "200.html is there"
    if site.has("404.html"):
        return None
    text = source.read(f"{site.prefix}{INDEX}") or ""
    if site.pages == (INDEX,) and _BUNDLED.search(text):
        if any(site.is_hashed(path) for path in site.files):
            return INDEX, f"{INDEX} is the only page, and a bundler made its files"
        if _MOUNT.search(text):
            return INDEX, f"{INDEX} is the only page, and a script fills it"
    return None


def compressible(source: Source, site: Site) -> tuple[str, ...]:
    """The files to compress beforehand: what browsers keep for a year, and what is too large to compress each time.

    Pages and small files are compressed as they are sent: a change of one needs no step of the build.
    """
    return tuple(
        f"{site.prefix}{path}"
        for path in site.files
        if _COMPRESSIBLE.search(path) and not site.has(f"{path}.gz") and not site.has(f"{path}.br")
        if (_SMALL if site.is_hashed(path) else _LARGE) <= _size(source, f"{site.prefix}{path}")
    )


def _size(source: Source, path: str) -> int:
    entry = source.entry(path)
    return entry.size if entry else 0


def _is_shown(path: str) -> bool:
    return not any(part.startswith(".") and part != ".well-known" for part in path.split("/")) and path not in (
        "_redirects",
        "_headers",
    )


def _folder(source: Source, rules: Rules) -> tuple[str, str]:
    if rules.folder is not None:
        folder = "" if rules.folder == "." else rules.folder
        if not any(path.startswith(f"{folder}/" if folder else "") for path in source.paths):
            raise _not_built(source, folder, rules.folder_because)
        return folder, rules.folder_because
    found = list(_candidates(source))
    if len(found) > 1 and found[0] == "public" and source.has("package.json"):
        found = found[1:]  # what the bundler copies from, and what it makes
    if len(found) > 1:
        raise BuildFailed(
            f"Both {found[0]}/ and {found[1]}/ have an {INDEX}",
            f'Say which one is the site: echo \'{{"root": "{found[0]}"}}\' > static.json',
        )
    if found:
        return found[0], f"it has an {INDEX}"
    if source.has(INDEX):
        return "", f"{INDEX} lies in the app's folder"
    raise _nothing_found(source)


def _candidates(source: Source) -> Iterator[str]:
    for folder in FOLDERS:
        if source.has(f"{folder}/{INDEX}"):
            yield folder
    # Angular's, which names the app too.
    inner = [path for path in source.paths if re.fullmatch(rf"dist/[^/]+/(?:browser/)?{INDEX}", path)]
    if len(inner) == 1 and not source.has(f"dist/{INDEX}"):
        yield inner[0].removesuffix(f"/{INDEX}")


def _check_is_built(source: Source, folder: str) -> None:
    text = source.read(f"{folder}/{INDEX}" if folder else INDEX) or ""
    found = _SOURCE_SCRIPT.search(text)
    if found and (_build_script(source) or not found[1].endswith("js")):
        raise BuildFailed(
            f"{INDEX} loads {found[1]}, which a bundler has to make something of first",
            "Let Nucleo build it: platform: node in nucleo.yml",
        )


def _not_built(source: Source, folder: str, because: str) -> BuildFailed:
    if _build_script(source):
        return BuildFailed(
            f"{folder}/ is not in the tree ({because}); npm run build makes it",
            "Let Nucleo build it: platform: node in nucleo.yml",
        )
    return BuildFailed(f"{folder}/ is not in the tree ({because})", f"If .gitignore names it: git add --force {folder}")


def _nothing_found(source: Source) -> BuildFailed:
    if _build_script(source):
        return BuildFailed(
            f"There is no {INDEX}; npm run build of package.json makes one",
            "Let Nucleo build it: platform: node in nucleo.yml",
        )
    ignored = {line.strip().strip("/") for line in (source.read(".gitignore") or "").splitlines()}
    if folder := next((folder for folder in FOLDERS if folder in ignored), None):
        return BuildFailed(
            f"There is no {INDEX}, and .gitignore leaves {folder}/ out",
            f"If that is the site, commit it: git add --force {folder}",
        )
    likely = [path for path in source.paths if re.fullmatch(r"(?:[^/]+/)?index\.html?", path, re.IGNORECASE)]
    top = [path for path in source.paths if "/" not in path and path.endswith((".html", ".htm"))]
    likely += difflib.get_close_matches(INDEX, top, 1, 0.7) or top[:1]
    if likely and not likely[0].endswith(f"/{INDEX}"):
        return BuildFailed(f"There is no {INDEX}, but there is {likely[0]}", f"Run: git mv {likely[0]} {INDEX}")
    if likely:
        folder = likely[0].removesuffix(f"/{INDEX}")
        return BuildFailed(
            f"There is no {INDEX} at the top or in {', '.join(FOLDERS)}, but there is {likely[0]}",
            f'If that is the site: echo \'{{"root": "{folder}"}}\' > static.json',
        )
    return BuildFailed(f"There is no {INDEX}, at the top or in {', '.join(FOLDERS)}", f"Write {INDEX}")


def _build_script(source: Source) -> bool:
    try:
        document: Any = json.loads(source.read("package.json") or "{}")
        return "build" in document.get("scripts", {})
    except (ValueError, AttributeError, TypeError):
        return False
