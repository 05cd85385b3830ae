"""Gemfile and Gemfile.lock: what they say, and the step that installs the gems.

Source: Gemfile.lock as Bundler 2.x writes it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Step
from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

PATH = "/opt/app/bundle"
STEP = "gems"
# In steps and in the image. Bundler's own settings in the app's folder (.bundle/config) are a developer's.
ENV = {
    "BUNDLE_PATH": PATH,
    "BUNDLE_APP_CONFIG": "/opt/app/.bundle",
    "BUNDLE_FROZEN": "true",
    "BUNDLE_WITHOUT": "development:test",
    # Debian's own, whatever version wrote the lock file: it reads them all, and Debian patches it.
    "BUNDLE_VERSION": "system",
}

_INSTALL_ENV = {
    **ENV,
    "BUNDLE_USER_CACHE": "/cache/bundle",
    "BUNDLE_GLOBAL_GEM_CACHE": "true",
    "BUNDLE_JOBS": "4",
}
# Bundler's cache is not made for two at a time, nor for one that is killed: the mark tells the next to start anew. Of
# proxy variables Bundler reads http_proxy alone. Before 2.5 BUNDLER_VERSION says what BUNDLE_VERSION says later.
# Logs and leftovers of compiling differ from one build to the next.
_SCRIPT = "/tmp/install-gems"  # noqa: S108  in the build container
_INSTALL = f"""\
exec 9>/cache/lock
flock 9
if [ -e /cache/unfinished ]; then rm -rf /cache/bundle; fi
touch /cache/unfinished
export http_proxy="${{http_proxy:-${{https_proxy:-}}}}"
export BUNDLER_VERSION="$(bundle --version | grep -o '[0-9][0-9.]*')"
code=0
bundle install || code=$?
if [ "$code" -lt 128 ]; then rm /cache/unfinished; fi
flock -u 9
[ "$code" = 0 ] || exit "$code"
mkdir -p {PATH}
cd {PATH}
rm -rf ruby/*/cache ruby/*/doc ruby/*/build_info ruby/*/plugins ruby/*/bundler/gems/*/.git
find . -name gem_make.out -delete
find ruby/*/gems ruby/*/bundler/gems -path '*/ext/*' '(' -name '*.o' -o -name '*.so' -o -name '*.a' \\
  -o -name mkmf.log -o -name Makefile -o -name '*.mk' ')' -type f -delete 2>/dev/null || true
find . -name '*.so' -type f -exec strip --strip-unneeded {{}} +
"""
# Where Debian's Bundler is, beside the older one that is part of Ruby.
_DEBIAN = "/usr/share/rubygems-integration/all"
# Gemspecs of the tree ask git for their files, whenever the app starts; an image has no git, and needs no answer.
_NO_GIT = f"{PATH}/no-git"
_WITHOUT_GIT = f"mkdir {_NO_GIT} && echo '#!/bin/sh' > {_NO_GIT}/git && chmod 755 {_NO_GIT}/git"

_NAMES = (("Gemfile", "Gemfile.lock"), ("gems.rb", "gems.locked"))
_SPEC = re.compile(r"^ {4}(\S+) \(([^)]+)\)$", re.MULTILINE)
_REMOTE = re.compile(r"^ {2}remote: (.+)$", re.MULTILINE)
_EVAL = re.compile(r"""^\s*eval_gemfile[\s(]+["']([^"']+)["']""", re.MULTILINE)
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the lock file says. `gems` are versions by name, `folders` the gems that lie in the tree."""

    gemfile: str
    lock: str
    gems: dict[str, str]
    platforms: tuple[str, ...]
    folders: tuple[str, ...]
    ruby: str
    bundler: str


def read(source: Source) -> Bundle:
    """The lock file of the tree. Raises BuildFailed where there is none, or two, or one that does not fit Linux."""
    present = [names for names in _NAMES if source.has(names[0])]
    if len(present) > 1:
        raise BuildFailed("Both Gemfile and gems.rb state the gems", "Keep one: git rm gems.rb gems.locked")
    if not present:
        raise _nothing_found(source)
    gemfile, lock = present[0]
    text = source.read(lock)
    if text is None:
        raise BuildFailed(
            f"{gemfile} has no {lock} beside it, so it is not known exactly what to install",
            f"Run: bundle lock, then commit {lock} (it must not be in .gitignore)",
        )
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise BuildFailed(f"{lock}:{line} has the marks of a merge conflict", f"Run: git checkout HEAD -- {lock}")
    sections = _sections(text)
    found = Bundle(
        gemfile,
        lock,
        dict(_SPEC.findall("\n".join(body for name, body in sections if name in ("GEM", "GIT", "PATH")))),
        tuple(line.strip() for line in _section(sections, "PLATFORMS").splitlines()),
        tuple(folder for name, body in sections if name == "PATH" for folder in _REMOTE.findall(body)),
        _section(sections, "RUBY VERSION").strip(),
        _section(sections, "BUNDLED WITH").strip(),
    )
    _check_platforms(found)
    return found


def install(source: Source, bundle: Bundle, gemfile: str | None) -> Step:
    """The step that installs the gems; `gemfile` is a text to use in place of the tree's own."""
    inputs = [path for path in _inputs(source, bundle) if gemfile is None or path != bundle.gemfile]
    files = {} if gemfile is None else {f"{source.app}/{bundle.gemfile}": gemfile}
    return Step(
        name=STEP,
        command=f"bash -eu {_SCRIPT}" + (f" && {_WITHOUT_GIT}" if bundle.folders else ""),
        output=PATH,
        reason=f"{bundle.lock} states them",
        inputs=tuple(inputs),
        env={**_INSTALL_ENV, **_named(bundle)},
        files={_SCRIPT: _INSTALL, **files},
    )


def env(bundle: Bundle, version: str) -> dict[str, str]:
    """What the image's environment needs for programs of the bundle to be found, with and without `bundle exec`."""
    home = f"{PATH}/ruby/{version}.0"
    path = f"{home}/bin:/usr/local/bin:/usr/bin:/bin" + (f":{_NO_GIT}" if bundle.folders else "")
    return {**ENV, **_named(bundle), "GEM_PATH": f"{home}:{_DEBIAN}", "PATH": path}


def _named(bundle: Bundle) -> dict[str, str]:
    return {} if bundle.gemfile == "Gemfile" else {"BUNDLE_GEMFILE": bundle.gemfile}


def _inputs(source: Source, bundle: Bundle) -> Iterator[str]:
    files = {bundle.gemfile, bundle.lock, ".ruby-version", ".tool-versions"}
    files.update(_EVAL.findall(source.read(bundle.gemfile) or ""))
    files.update(path for path in source.paths if path.startswith("vendor/cache/"))
    for folder in bundle.folders:
        below = "" if folder == "." else f"{folder.removeprefix('./').rstrip('/')}/"
        files.update(path for path in source.tree if path.startswith(below) and (below or not path.startswith("../")))
    return (path for path in sorted(files) if source.has(path))


def _sections(text: str) -> list[tuple[str, str]]:
    """Name and body of each section, in their order: GEM, GIT and PATH may come several times."""
    parts = re.split(r"^([A-Z][A-Z ]+)$", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return list(zip(parts[1::2], (body.strip("\n") for body in parts[2::2]), strict=True))


def _section(sections: list[tuple[str, str]], name: str) -> str:
    return next((body for found, body in sections if found == name), "")


def _check_platforms(bundle: Bundle) -> None:
    if bundle.platforms and not any(one == "ruby" or "linux" in one for one in bundle.platforms):
        raise BuildFailed(
            f"{bundle.lock} is made for {', '.join(bundle.platforms)} alone, and images run on Linux",
            "Run: bundle lock --add-platform x86_64-linux aarch64-linux",
        )


def _nothing_found(source: Source) -> BuildFailed:
    top = [path for path in source.paths if "/" not in path and path not in ("Gemfile.lock", "gems.locked")]
    likely = [name for name in top if name.lower() in ("gemfile", "gemfile.rb", "gemfile.txt")]
    likely += difflib.get_close_matches("Gemfile", top, n=1, cutoff=0.8)
    if likely:
        return BuildFailed(f"{likely[0]} is not read: the name is Gemfile", f"Run: git mv {likely[0]} Gemfile")
    for names in _NAMES:
        if source.has(names[1]):
            return BuildFailed(f"{names[1]} is there, but {names[0]} is not", f"Add {names[0]}")
    return BuildFailed("There is no Gemfile, so no gem would be there", "Run: bundle init && bundle add rackup puma")
