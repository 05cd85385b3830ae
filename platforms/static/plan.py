"""Plans a site: which folder, which pages for what is not there, and how nginx serves it. Pure: it runs nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step
from nucleo_cli.errors import BuildFailed

from . import nginx, rules, site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleo_cli.builder.source import Source

    from .rules import Rules
    from .site import Site

# Files beside a site, when the app's folder is the site.
HIDDEN = (
    *("nucleo.yml", "nucleo", "Procfile", "static.json", "netlify.toml", "vercel.json", "_redirects", "_headers"),
    *("package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "node_modules"),
    *("Dockerfile", "docker-compose.yml", "compose.yaml", "Makefile"),
)
_SERVE, _CONFIG, _COMPRESS = "/opt/app/serve.sh", "/opt/app/nginx.conf", "/tmp/compress.sh"  # noqa: S108
_LIST = "/tmp/files"  # noqa: S108  inside the build container
_START = Start(f"sh {_SERVE}", "nginx, as platforms/static/serve.sh runs it")
_EVERYTHING = ("^(?:/+(?<p_splat>.*))?$", "^/.*$")


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml says, None where it says nothing. Raises BuildFailed with the one line
    to write where the tree is ambiguous or says too little.
    """
    chosen, because = _version(platform, version)
    said = rules.settings(source)
    found = site.find(source, said, HIDDEN)
    said = rules.with_files(said, source, found.folder)
    said, fallback = _fallback(source, found, said)
    error_page = said.error_page or ("404.html" if found.has("404.html") else None)
    said = _checked(found, said, error_page)
    root = f"{source.app}/{found.folder}".rstrip("/")
    config = nginx.config(root, found.hashed, said, fallback[0] if fallback else None, error_page)
    compressed = site.compressible(source, found)
    start = start or _START
    reasons = [
        Reason(f"nginx {chosen}", because),
        Reason(f"serves {found.folder or 'the app'}/", found.because),
        *((Reason(f"fallback: {fallback[0]}", fallback[1]),) if fallback else ()),
        *((Reason(f"error page: {error_page}", "it is there"),) if error_page else ()),
        *(
            (Reason(f"rules: {len(said.rules)}, headers: {len(said.headers)}", _files(source, found)),)
            if said.rules or said.headers
            else ()
        ),
        *(
            (Reason(f"compressed beforehand: {len(compressed)}", "files that are large, or have a hash in their name"),)
            if compressed
            else ()
        ),
        Reason(f"start: {start.line}", start.because),
    ]
    steps = (_server(config), *((_compress(root, compressed),) if compressed else ()))
    env = {"PATH": "/usr/sbin:/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "PORT": "8080"}  # noqa: S108
    env["NUCLEO_SITE"] = _tag(source, found)
    return Plan("static", chosen, start.line, tuple(reasons), steps, env, said.warnings, _left_out(found))


def _version(platform: Platform, version: str | None) -> tuple[str, str]:
    if version is None:
        return platform.default, "the platform's default"
    if version not in platform.versions:
        raise BuildFailed(
            f"nucleo.yml asks for nginx {version}, which this platform does not have",
            f"It has: {', '.join(platform.versions)}",
        )
    return version, "from nucleo.yml"


def _fallback(source: Source, found: Site, said: Rules) -> tuple[Rules, tuple[str, str] | None]:
    """A rule that leads everything to one page is the same as a single-page application's fallback."""
    whole = [rule for rule in said.rules if rule.status == 200 and rule.pattern in _EVERYTHING]
    if not whole:
        return said, site.fallback(source, found)
    others = tuple(rule for rule in said.rules if rule not in whole)
    return replace(said, rules=others), (whole[0].target.lstrip("/") or site.INDEX, "a rule leads every path to it")


def _checked(found: Site, said: Rules, error_page: str | None) -> Rules:
    """Raises BuildFailed for a page that is not there: nginx would look for it forever."""
    if said.error_page and error_page and not found.has(error_page):
        raise BuildFailed(f"static.json: the error page {error_page} is not there", "Correct error_page")
    done: list[rules.Rule] = []
    for rule in said.rules:
        if rule.status != 200:
            done.append(rule)
            continue
        path = rule.target.split("?")[0].strip("/")
        shown = next((one for one in (path, f"{path}.html", f"{path}/index.html".lstrip("/")) if found.has(one)), None)
        if shown is None:
            raise BuildFailed(
                f"A rule shows {rule.target}, and there is no such file in {found.folder or 'the site'}",
                f"The rule is the one for {rule.pattern}",
            )
        done.append(replace(rule, target=f"/{shown}"))
    return replace(said, rules=tuple(done))


def _server(config: str) -> Step:
    return Step(
        name="server",
        command=f"sh {_SERVE} -t",
        output="/opt/app",
        reason="nginx needs a configuration, and accepts it",
        once=True,
        files={_CONFIG: config, _SERVE: _script("serve.sh")},
    )


def _compress(root: str, files: tuple[str, ...]) -> Step:
    return Step(
        name="compress",
        command=f"bash {_COMPRESS} < {_LIST}",
        output=root,
        reason="files that are large or never change are compressed once, not for each request",
        inputs=files,
        changed_only=True,
        once=True,
        files={_COMPRESS: _script("compress.sh"), _LIST: "".join(f"{path}\n" for path in files)},
    )


def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def _files(source: Source, found: Site) -> str:
    names = (f"{found.prefix}{rules.REDIRECTS}", f"{found.prefix}{rules.HEADERS}", rules.REDIRECTS, rules.HEADERS)
    there = dict.fromkeys(name for name in (*names, rules.STATIC_JSON, rules.NETLIFY_TOML) if source.has(name))
    return f"from {', '.join(there)}"


def _tag(source: Source, found: Site) -> str:
    """The hash of all that is served."""
    total = hashlib.sha256()
    for path in found.files:
        total.update(f"{path}\0{source.fingerprint(f'{found.prefix}{path}')}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:20]


def _left_out(found: Site) -> tuple[str, ...]:
    """All that is not the site, as patterns of a .gitignore."""
    return tuple(_patterns(found))


def _patterns(found: Site) -> Iterator[str]:
    if found.folder:
        yield from ("/*", f"!/{_literal(found.folder)}/")
    else:
        yield from (f"/{name}" for name in HIDDEN)
    yield from (".*", "!.well-known", f"/{_literal(found.prefix)}_redirects", f"/{_literal(found.prefix)}_headers")


def _literal(path: str) -> str:
    return re.sub(r"([*?\[\\!#])", r"\\\1", path)
