"""Gems made of Debian's packaged libraries, and the index that Bundler asks for them.

A gem is served under the version that the lock files of tests/apps name, should Debian's own move on by a patch.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tests.packages import debian, server

# Name of the gem: its version in the lock files, and the Debian package that has it.
GEMS: Mapping[str, tuple[str, str]] = {
    name: (version, package)
    for name, version, package in (
        line.split() for line in (Path(__file__).parent / "gems.txt").read_text("utf-8").splitlines() if line
    )
}
# What Debian compiled takes the place of what an extension's own sources would become: those are not in its packages.
_EXTCONF = """\
objects = Dir.chdir(__dir__) { Dir["**/*.so"] }
lines = objects.map do |object|
  "\\tinstall -D #{__dir__}/#{object} $(DESTDIR)$(sitearchdir)/#{object}"
end
require "mkmf"
File.write("Makefile", <<~MAKE)
  sitearchdir = #{RbConfig::CONFIG["sitearchdir"]}
  all clean:
  install:
  #{lines.join("\\n")}
MAKE
"""
_NEED = re.compile(r"runtime_dependency\(%q<([^>]+)>(.*)\)")
_REQUIREMENT = "!ruby/object:Gem::Requirement"
_VERSION = "!ruby/object:Gem::Version"


@dataclass(frozen=True)
class Gem:
    """A gem and its files: `files` are the contents by path, `needs` the requirements by name."""

    name: str
    version: str
    needs: tuple[tuple[str, tuple[str, ...]], ...]
    ruby: tuple[str, ...]
    bindir: str
    executables: tuple[str, ...] = ()
    require_paths: tuple[str, ...] = ("lib",)
    extensions: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.gem"

    @cached_property
    def content(self) -> bytes:
        """The .gem file, the same bytes each time."""
        parts = {
            "metadata.gz": gzip.compress(self._metadata().encode(), mtime=0),
            "data.tar.gz": gzip.compress(_tar(self.files), mtime=0),
        }
        sums = "".join(f"  {name}: {hashlib.sha256(part).hexdigest()}\n" for name, part in parts.items())
        parts["checksums.yaml.gz"] = gzip.compress(f"---\nSHA256:\n{sums}".encode(), mtime=0)
        return _tar(parts)

    @property
    def info(self) -> str:
        """The gem's line in the index."""
        needs = ",".join(f"{name}:{'&'.join(requirements)}" for name, requirements in self.needs)
        ruby = f",ruby:{'&'.join(self.ruby)}" if self.ruby else ""
        return f"{self.version} {needs}|checksum:{hashlib.sha256(self.content).hexdigest()}{ruby}\n"

    def _metadata(self) -> str:
        lines = ["--- !ruby/object:Gem::Specification", f"name: {self.name}"]
        lines += [f"version: {_VERSION}", f"  version: {json.dumps(self.version)}", "platform: ruby"]
        lines += ["authors: [nobody]", f"bindir: {self.bindir}", "summary: of Debian's package"]
        lines += ["dependencies:"] if self.needs else ["dependencies: []"]
        for name, requirements in self.needs:
            lines += ["- !ruby/object:Gem::Dependency", f"  name: {name}", "  type: :runtime", "  prerelease: false"]
            lines += [f"  requirement: {_REQUIREMENT}", *_requirements(requirements, "    ")]
            lines += [f"  version_requirements: {_REQUIREMENT}", *_requirements(requirements, "    ")]
        for key in ("executables", "require_paths", "extensions"):
            lines.append(f"{key}: {json.dumps(getattr(self, key))}")
        lines.append(f"files: {json.dumps(sorted(self.files))}")
        lines += [f"required_ruby_version: {_REQUIREMENT}", *_requirements(self.ruby or (">= 0",), "  ")]
        lines += [f"required_rubygems_version: {_REQUIREMENT}", *_requirements((">= 0",), "  ")]
        return "\n".join([*lines, "specification_version: 4", ""])


def package_server() -> AbstractContextManager[dict[str, str]]:
    """Serve the gems of GEMS as rubygems.org; the variables to run `nucleo` with."""
    return server.serving(responses(gems()), ("rubygems.org", "index.rubygems.org"))


def gems() -> dict[str, Gem]:
    """All of GEMS, by the name of their file."""
    trees = debian.unpacked([package for _, package in GEMS.values()])
    found = [_gem(trees / package, name) for name, (_, package) in GEMS.items()]
    return {gem.file: gem for gem in (_pinned(gem) for gem in found)}


def responses(served: Mapping[str, Gem]) -> dict[str, bytes]:
    """What a gem server answers, by path."""
    infos = {f"/info/{gem.name}": f"---\n{gem.info}".encode() for gem in served.values()}
    versions = "".join(
        f"{gem.name} {gem.version} {hashlib.md5(infos[f'/info/{gem.name}'], usedforsecurity=False).hexdigest()}\n"
        for gem in served.values()
    )
    names = "".join(f"{gem.name}\n" for gem in served.values())
    return {
        "/versions": f"created_at: 2025-01-01T00:00:00Z\n---\n{versions}".encode(),
        "/names": f"---\n{names}".encode(),
        **infos,
        **{f"/gems/{file}": gem.content for file, gem in served.items()},
    }


def _gem(tree: Path, name: str) -> Gem:
    spec = next(path for path in tree.rglob("*.gemspec") if re.fullmatch(rf"{name}-\d[\w.]*\.gemspec", path.name))
    text = spec.read_text("utf-8")
    if spec.parent.name == "default":  # it is part of Ruby, where it is found in place of nothing
        return replace(_read(text, name), files={"lib/.keep": b""})
    folder = spec.parent.parent / "gems" / spec.name.removesuffix(".gemspec")
    files = dict(_files(folder)) if folder.is_dir() else {}
    require_paths = _list(text, "require_paths") or ("lib",)
    if not files:  # the older way: with the libraries of Ruby itself
        vendor = tree / "usr/lib/ruby/vendor_ruby"
        files = {f"{require_paths[0]}/{path}": content for path, content in _files(vendor)}
    objects = dict(_objects(tree))
    extensions = (*_list(text, "extensions")[:1], *((f"ext/{name}/extconf.rb",) if objects else ()))[:1]
    if extensions:
        files |= {f"{Path(extensions[0]).parent}/{path}": content for path, content in objects.items()}
        files[extensions[0]] = _EXTCONF.encode()
    gem = _read(text, name)
    for program in _list(text, "executables"):
        if f"{gem.bindir}/{program}" not in files and (tree / "usr/bin" / program).is_file():
            files[f"{gem.bindir}/{program}"] = (tree / "usr/bin" / program).read_bytes()
    programs = tuple(one for one in _list(text, "executables") if f"{gem.bindir}/{one}" in files)
    return replace(gem, files=files, executables=programs, extensions=extensions, require_paths=require_paths)


def _read(text: str, name: str) -> Gem:
    """What a gemspec says, as far as it needs no files."""
    return Gem(
        name=name,
        version="",
        needs=tuple((need, _strings(rest)) for need, rest in _NEED.findall(text)),
        ruby=_strings((re.search(r"required_ruby_version = (.*)", text) or ("", ""))[1]),
        bindir=(re.search(r's\.bindir = "([^"]+)"', text) or ("", "bin"))[1],
    )


def _pinned(gem: Gem) -> Gem:
    """With the versions of GEMS, also where another gem wants exactly this one. Those not served are not needed."""
    needs = tuple(
        (name, (f"= {GEMS[name][0]}",) if name in GEMS and requirements[0].startswith("= ") else requirements)
        for name, requirements in gem.needs
    )
    return replace(gem, version=GEMS[gem.name][0], needs=needs)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _objects(tree: Path) -> Iterator[tuple[str, bytes]]:
    """Compiled libraries, by the path that Ruby requires them by."""
    for path in sorted((tree / "usr/lib").rglob("*.so")):
        parts = path.relative_to(tree).parts
        start = next((at + 2 for at, part in enumerate(parts) if part == "vendor_ruby"), None)
        if "extensions" in parts:  # extensions/x86_64-linux-gnu/3.3.0/NAME-VERSION/…
            start = parts.index("extensions") + 4
        if start is not None:
            yield "/".join(parts[start:]), path.read_bytes()


def _list(text: str, attribute: str) -> tuple[str, ...]:
    found = re.search(rf"s\.{attribute} = \[(.*)\]", text)
    return _strings(found[1]) if found else ()


def _strings(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"([^"]*)"', text))


def _requirements(requirements: Sequence[str], indent: str) -> Iterator[str]:
    yield f"{indent}requirements:"
    for requirement in requirements:
        operator, _, version = requirement.rpartition(" ")
        yield f"{indent}- - {json.dumps(operator or '=')}"
        yield f"{indent}  - {_VERSION}"
        yield f"{indent}    version: {json.dumps(version)}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
