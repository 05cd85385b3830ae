"""Builds with Maven: the wrapper's version or the platform's, the whole reactor or the app's part of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

from . import mains, poms, projects, trees
from .poms import Pom
from .projects import Project

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

WRAPPER = ".mvn/wrapper/maven-wrapper.properties"
# Plugins that put the libraries into the jar, or beside it where its manifest looks.
_PACKAGERS = frozenset(
    {
        "spring-boot-maven-plugin",
        "maven-shade-plugin",
        "maven-assembly-plugin",
        "maven-dependency-plugin",
        "quarkus-maven-plugin",
        "micronaut-maven-plugin",
        "helidon-maven-plugin",
        "appassembler-maven-plugin",
    }
)
# What poms call the Java that they compile for; the last two are of well-known parents.
_PROPERTIES = (
    "maven.compiler.release",
    "java.version",
    "maven.compiler.target",
    "maven.compiler.source",
    "jdk.version",
    "release.version",
)
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:{version}:copy-dependencies -DincludeScope=runtime"


def project(source: Source, platform: Platform) -> Project:
    """How Maven builds the app. Raises BuildFailed for a pom.xml or a wrapper that cannot be read."""
    root, reactor = _reactor(source)
    chain = list(_chain(reactor, source.folder))
    folders = poms.closure(reactor, source.folder) if root != source.folder else frozenset(reactor)
    others = [folder for folder in reactor if folder not in folders and folder != root]
    built = [reactor[folder] for folder in sorted(folders)]
    needs_tests = any(_mentions(pom, "test-jar") for pom in built)
    program, because = _program(source, platform, root)
    arguments = ["package", "-DskipTests" if needs_tests else "-Dmaven.test.skip=true"]
    if root != source.folder:
        module = source.folder.removeprefix(f"{root}/" if root else "")
        arguments += ["--projects", shlex.quote(module), "--also-make"]
    main = mains.find(source, [pom.folder for pom in built], _named_main(chain))
    if _packs_nothing([*built, *chain]):
        arguments.append(_COPY.format(version=platform.tools["maven-dependency-plugin"]))
    if settings := _own_settings(source, root):
        arguments += ["--settings", settings]
    text = "\n".join(trees.read(source, pom.path) or "" for pom in (*built, *chain))
    return Project(
        tool=f"maven {because[0]}",
        because=because[1],
        root=root,
        command=f"{program} {' '.join(arguments)}",
        inputs=trees.inputs(source, root, others, tests=needs_tests),
        frameworks=projects.frameworks(text),
        tools=dict(_tools(chain)),
        wishes=tuple(_wishes(chain)),
        main=main,
    )


def _reactor(source: Source) -> tuple[str, Mapping[str, Pom]]:
    """The highest folder whose modules lead to the app's, and all modules."""
    for folder in reversed([source.folder, *trees.above(source.folder)]):
        found = poms.reactor(source, folder)
        if source.folder in found:
            return folder, found
    raise BuildFailed("pom.xml is missing", "Deploy the folder that has one")  # pragma: no cover


def _chain(reactor: Mapping[str, Pom], folder: str) -> Iterator[Pom]:
    """The app's pom.xml, its parents in the tree, then all other modules."""
    by_name = {pom.artifact: pom for pom in reactor.values()}
    seen: set[str] = set()
    pom: Pom | None = reactor[folder]
    while pom is not None and pom.folder not in seen:
        seen.add(pom.folder)
        yield pom
        pom = by_name.get(pom.parent)
    yield from (pom for pom in reactor.values() if pom.folder not in seen)


def _program(source: Source, platform: Platform, root: str) -> tuple[str, tuple[str, str]]:
    """The shell words that run Maven, its version and why: the wrapper's, or the platform's own."""
    own = platform.tools["maven"]
    for folder in dict.fromkeys((source.folder, root)):
        path = trees.join(folder, WRAPPER)
        text = trees.read(source, path)
        if text is None:
            continue
        url = wrapper_url(text)
        version = re.search(r"maven-(?:mvnd-)?([0-9][\w.]*(?:-\w+-\d+)?)-(?:bin|\w+-amd64)\.", url)
        if version is None:
            raise BuildFailed(f"{path} names no distribution of Maven: distributionUrl={url}", "mvn wrapper:wrapper")
        if version[1] == own:
            return "maven mvn", (own, f"from {path}")
        checked = re.search(r"^distributionSha256Sum\s*=\s*(\w+)", text, re.MULTILINE)
        words = ["distribution", shlex.quote(url), checked[1] if checked else ""]
        # Before 3.9 Maven has no locks for a repository that several builds use.
        lock = "" if _numbers(version[1]) >= (3, 9) else "exec 8> /cache/m2.lock; flock 8; "
        return f'{" ".join(words).rstrip()}; {lock}maven "$distribution"bin/mvn', (version[1], f"from {path}")
    return "maven mvn", (own, "the platform's, there is no wrapper")


def wrapper_url(text: str) -> str:
    """The distributionUrl of a wrapper's properties, in which a colon may be escaped."""
    found = re.search(r"^\s*distributionUrl\s*[=:]\s*(\S+)", text, re.MULTILINE)
    return found[1].replace("\\", "") if found else ""


def _own_settings(source: Source, root: str) -> str:
    """A settings.xml of the repository, as Heroku reads it."""
    return next(
        (f for f in ("settings.xml", ".mvn/settings.xml") if trees.read(source, trees.join(root, f)) is not None), ""
    )


def _packs_nothing(found: Iterable[Pom]) -> bool:
    """Whether there are libraries, and no plugin that puts them where the jar finds them."""
    known = list(found)
    foreign_parent = any(pom.parent and not any(pom.parent == one.artifact for one in known) for pom in known)
    if any(pom.plugins & _PACKAGERS or pom.parent.startswith("micronaut") for pom in known):
        return False
    return foreign_parent or any(pom.runtime for pom in known)


def _mentions(pom: Pom, word: str) -> bool:
    return any((element.text or "").strip() == word for element in pom.document.iter())


def _named_main(chain: Iterable[Pom]) -> str:
    for pom in chain:
        for name in ("exec.mainClass", "mainClass", "main.class", "start-class"):
            if found := pom.properties.get(name):
                return poms.resolve(found, pom.properties)
        if found := pom.configured("mainClass"):
            return found
    return ""


def _tools(chain: list[Pom]) -> Iterator[tuple[str, str]]:
    properties = {name: value for pom in reversed(chain) for name, value in pom.properties.items()}
    for pom in chain:
        if pom.parent == "spring-boot-starter-parent":
            yield "Spring Boot", pom.parent_version
        for element in pom.document.iter("dependency"):
            if element.findtext("artifactId") == "lombok" and element.findtext("version"):
                yield "Lombok", poms.resolve(element.findtext("version", ""), properties)
            if element.findtext("artifactId") == "spring-boot-dependencies" and element.findtext("version"):
                yield "Spring Boot", poms.resolve(element.findtext("version", ""), properties)
    for name, tool in (("quarkus.platform.version", "Quarkus"), ("kotlin.version", "Kotlin")):
        if version := properties.get(name):
            yield tool, version


def _wishes(chain: list[Pom]) -> Iterator[tuple[str, str, bool]]:
    """What the poms say about Java: a toolchain exactly, the rest as the least that will do."""
    properties = {name: value for pom in reversed(chain) for name, value in pom.properties.items()}
    for pom in chain:
        if found := _configured(pom, "maven-toolchains-plugin", ".//jdk/version"):
            yield poms.resolve(found, properties), f"the toolchain in {pom.path}", True
    for pom in chain:
        for element in ("release", "target", "source"):
            if found := _configured(pom, "maven-compiler-plugin", f"./configuration/{element}"):
                yield poms.resolve(found, properties), f"{element} in {pom.path}", False
        for name in _PROPERTIES:
            if found := pom.properties.get(name):
                yield poms.resolve(found, properties), f"{name} in {pom.path}", False


def _configured(pom: Pom, plugin: str, path: str) -> str:
    found = (one.findtext(path) for one in pom.document.iter("plugin") if one.findtext("artifactId") == plugin)
    return next((text.strip() for text in found if text), "")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
