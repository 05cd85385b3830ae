"""What a framework's build leaves behind: files for browsers, a server that has all it needs, or neither."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

from .manifests import Package

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_EXTENSIONS = ("ts", "mts", "js", "mjs", "cjs")


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of files for browsers. With `fallback` a path that names no file gets index.html."""

    framework: str
    folder: str
    fallback: bool


@dataclass(frozen=True, slots=True)
class Server:
    """How the framework's server is started.

    `folder` is what it consists of where that is all it needs, without node_modules; else "". Its own files are in
    `place` of it: in a workspace it has those of other packages too.
    """

    framework: str
    line: str
    folder: str = ""
    place: str = ""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Static:
    """A tool that writes files for browsers: the package that it is, and where they go unless its settings say else."""

    package: str
    framework: str
    folder: str
    fallback: bool
    config: str = ""
    option: str = ""


_STATIC = (
    _Static("gatsby", "Gatsby", "public", fallback=False),
    _Static("@docusaurus/core", "Docusaurus", "build", fallback=False),
    _Static("@11ty/eleventy", "Eleventy", "_site", fallback=False),
    _Static("astro", "Astro", "dist", fallback=False, config="astro.config", option="outDir"),
    _Static("react-scripts", "Create React App", "build", fallback=True),
    _Static("@vue/cli-service", "Vue CLI", "dist", fallback=True, config="vue.config", option="outputDir"),
    _Static("@angular/cli", "Angular", "dist", fallback=True),
    _Static("vite", "Vite", "dist", fallback=True, config="vite.config", option="outDir"),
    _Static("parcel", "Parcel", "dist", fallback=True),
)
_ANY_ADDRESS = (("HOST", "0.0.0.0"),)  # noqa: S104  an app is reached from other machines
# Servers whose build has all they need in one folder.
_NITRO = ("nuxt", "@solidjs/start", "vinxi", "nitro", "nitropack")


def server(source: Source, app: Package, place: str = "") -> Server | None:
    """The framework's own server, where the app is built with one. `place` is the app's folder in its workspace."""
    has = app.dependencies
    if "next" in has and not _is_next_export(source):
        return _next(source, place)
    if (nitro := next((name for name in _NITRO if name in has), None)) and "nuxt generate" not in _build(app):
        name = {"nuxt": "Nuxt", "@solidjs/start": "SolidStart"}.get(nitro, "Nitro")
        return Server(name, "node .output/server/index.mjs", ".output", env=_ANY_ADDRESS)
    if "@sveltejs/kit" in has and "@sveltejs/adapter-static" not in has:
        if "@sveltejs/adapter-node" not in has:
            raise BuildFailed(
                "SvelteKit has no adapter here that makes a server of the app",
                "Run: npm install --save-dev @sveltejs/adapter-node, and import it in svelte.config.js",
            )
        return Server("SvelteKit", "node build", env=_ANY_ADDRESS)
    if "@react-router/serve" in has and not _says(source, "react-router.config", r"ssr:\s*false"):
        return Server("React Router", "react-router-serve ./build/server/index.js")
    if "@remix-run/serve" in has:
        return Server("Remix", "remix-serve ./build/server/index.js")
    if "astro" in has and "@astrojs/node" in has:
        return Server("Astro", "node ./dist/server/entry.mjs", env=_ANY_ADDRESS)
    if "@nestjs/core" in has:
        return Server("NestJS", "node dist/main.js")
    if "@adonisjs/core" in has:
        return Server("AdonisJS", "node build/bin/server.js", env=_ANY_ADDRESS)
    return None


def site(source: Source, app: Package) -> Site | None:
    """The files for browsers that the build writes, where it writes nothing else."""
    has = app.dependencies
    if "next" in has and _is_next_export(source):
        return Site("Next.js", _option(source, "next.config", "distDir") or "out", fallback=False)
    if "nuxt" in has and "nuxt generate" in _build(app):
        return Site("Nuxt", ".output/public", fallback=False)
    if "@sveltejs/adapter-static" in has:
        return Site("SvelteKit", "build", fallback=_says(source, "svelte.config", r"fallback:"))
    if "@react-router/dev" in has and _says(source, "react-router.config", r"ssr:\s*false"):
        return Site("React Router", "build/client", fallback=True)
    for tool in _STATIC:
        if tool.package in has:
            folder = _angular(source) if tool.package == "@angular/cli" else _folder(source, app, tool)
            return Site(tool.framework, folder, tool.fallback)
    return None


def is_next(app: Package) -> bool:
    return "next" in app.dependencies


def next_folder(source: Source) -> str:
    """Where Next.js builds."""
    return _option(source, "next.config", "distDir") or ".next"


def names_its_build(source: Source) -> bool:
    """Whether the app tells Next.js what to call a build."""
    return _says(source, "next.config", r"generateBuildId|deploymentId")


def is_standalone(source: Source) -> bool:
    """Whether Next.js is told to write a server that brings the packages it needs."""
    return _says(source, "next.config", r"""output:\s*["']standalone["']""")


def _next(source: Source, place: str) -> Server:
    if is_standalone(source):
        standalone = f"{next_folder(source)}/standalone"
        own = posixpath.normpath(posixpath.join(standalone, place))
        # In a container HOSTNAME is the container's name, and the server would listen there alone.
        env = (("HOSTNAME", "0.0.0.0"),)  # noqa: S104
        return Server("Next.js, standalone", f"node {own}/server.js", standalone, own, env)
    return Server("Next.js", "next start")


def _is_next_export(source: Source) -> bool:
    return _says(source, "next.config", r"""output:\s*["']export["']""")


def _build(app: Package) -> str:
    return app.scripts.get("build", "")


def _folder(source: Source, app: Package, tool: _Static) -> str:
    found = _option(source, tool.config, tool.option) if tool.config else None
    if tool.package == "vite" and (flag := re.search(r"--outDir[= ](\S+)", _build(app))):
        found = flag.group(1)
    return (found or tool.folder).removeprefix("./").rstrip("/")


def _angular(source: Source) -> str:
    """The folder of the default project: what angular.json says, else dist/NAME/browser."""
    try:
        projects = json.loads(source.read("angular.json") or "{}").get("projects", {})
        name, project = next(iter(projects.items()))
        options = project["architect"]["build"]
        output = options.get("options", {}).get("outputPath", f"dist/{name}")
    except (ValueError, KeyError, AttributeError, StopIteration):
        return "dist"
    if isinstance(output, dict):
        return f"{output.get('base', f'dist/{name}')}/{output.get('browser', 'browser')}".rstrip("/")  # pyright: ignore[reportUnknownMemberType]
    # The older builder writes into the folder itself.
    return str(output) if str(options.get("builder", "")).endswith(":browser") else f"{output}/browser"


def _says(source: Source, name: str, pattern: str) -> bool:
    return any(re.search(pattern, text) for text in _configs(source, name))


def _option(source: Source, name: str, option: str) -> str | None:
    """The text that a setting of a JavaScript file is given, without its comments."""
    for text in _configs(source, name):
        if found := re.search(rf"""\b{option}:\s*["']([^"']+)["']""", text):
            return found.group(1)
    return None


def _configs(source: Source, name: str) -> Iterator[str]:
    for extension in _EXTENSIONS:
        text = source.read(f"{name}.{extension}")
        if text is not None:
            yield re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)
