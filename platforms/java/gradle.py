"""Builds with Gradle: with the version of its wrapper, one task of one module."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

from . import mains, projects, trees
from .maven import wrapper_url
from .projects import Project

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

WRAPPER = "gradle/wrapper/gradle-wrapper.properties"
_BUILD = ("build.gradle.kts", "build.gradle")
_SETTINGS = ("settings.gradle.kts", "settings.gradle")
# The task that leaves the app as it is to run, by the plugin that brings it; the first that is applied.
TASKS = {
    "quarkusBuild": r"io\.quarkus['\"]",
    "bootJar": r"org\.springframework\.boot['\"]",
    "shadowJar": r"(com\.github\.johnrengelman|com\.gradleup)\.shadow['\"]|io\.ktor\.plugin['\"]",
    "installDist": (
        r"\bid\s*\(?\s*['\"]application['\"]|^\s*`?application`?\s*$|plugin\s*:\s*['\"]application['\"]|"
        r"io\.micronaut\.(?:minimal\.)?application"
    ),
}
_STAGE = re.compile(r"\btask\s+stage\b|tasks\.(?:register|create)\(\s*['\"]stage['\"]|tasks\.stage\b")
_VERSION = {
    "Spring Boot": r"org\.springframework\.boot['\"]\)?\s*version\s*\(?\s*['\"]([\d.]+)",
    "Kotlin": r"(?:kotlin\(['\"]jvm['\"]\)|org\.jetbrains\.kotlin\.jvm['\"]\)?)\s*version\s*\(?\s*['\"]([\d.]+)",
}


def project(source: Source) -> Project:
    """How Gradle builds the app. Raises BuildFailed where there is no wrapper to say which Gradle."""
    root = _root(source)
    files = dict(_build_files(source, root))
    own = next((files[path] for name in _BUILD if (path := trees.join(source.folder, name)) in files), "")
    text = "\n".join([own, *files.values()])
    program, version, where = _program(source, root)
    task = _task(own, text)
    module = source.folder.removeprefix(root).strip("/").replace("/", ":")
    return Project(
        tool=f"gradle {version}",
        because=f"from {where}",
        root=root,
        command=f"{program} {shlex.quote(f':{module}:{task}' if module else task)}",
        inputs=trees.inputs(source, root),
        frameworks=projects.frameworks(text),
        tools={"Gradle": version, **dict(_tools(source, root, text))},
        wishes=tuple(_wishes(files)),
        main=mains.find(source, [source.folder], ""),
        has_options=task == "installDist",
    )


def _root(source: Source) -> str:
    """The nearest folder with a settings file: it names the modules."""
    for folder in (source.folder, *trees.above(source.folder)):
        if any(trees.read(source, trees.join(folder, name)) is not None for name in _SETTINGS):
            return folder
    return source.folder


def _build_files(source: Source, root: str) -> Iterator[tuple[str, str]]:
    below = f"{root}/" if root else ""
    for path in source.entries:
        if path.startswith(below) and path.endswith((".gradle", ".gradle.kts", "libs.versions.toml")):
            yield path, _uncommented(trees.read(source, path) or "")


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^\s*//.*$|/\*.*?\*/", "", text, flags=re.DOTALL | re.MULTILINE) if len(text) < 1 << 18 else text


def _program(source: Source, root: str) -> tuple[str, str, str]:
    for folder in dict.fromkeys((root, source.folder)):
        path = trees.join(folder, WRAPPER)
        text = trees.read(source, path)
        if text is None:
            continue
        url = wrapper_url(text)
        version = re.search(r"gradle-([0-9][\w.]*(?:-\w+-\d+)?)-(?:bin|all)\.zip", url)
        if version is None:
            raise BuildFailed(f"{path} names no distribution of Gradle: distributionUrl={url}", "gradle wrapper")
        checked = re.search(r"^distributionSha256Sum\s*=\s*(\w+)", text, re.MULTILINE)
        words = ["distribution", shlex.quote(url), checked[1] if checked else ""]
        return f'{" ".join(words).rstrip()}; gradle "$distribution"bin/gradle', version[1], path
    raise BuildFailed(
        "There is a Gradle build, but no wrapper that says which Gradle builds it",
        "gradle wrapper && git add gradlew gradle/wrapper",
    )


def _task(own: str, text: str) -> str:
    if _STAGE.search(own):
        return "stage"
    for candidates in (own, text):
        for task, pattern in TASKS.items():
            if re.search(pattern, candidates, re.MULTILINE):
                return task
    return "assemble"


def _tools(source: Source, root: str, text: str) -> Iterator[tuple[str, str]]:
    for tool, pattern in _VERSION.items():
        if found := re.search(pattern, text):
            yield tool, found[1]
    properties = trees.read(source, trees.join(root, "gradle.properties")) or ""
    if found := re.search(r"^quarkusPlatformVersion\s*=\s*(\S+)", properties, re.MULTILINE):
        yield "Quarkus", found[1]


def _wishes(files: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """A toolchain asks for exactly one Java; a compatibility is the least that will do."""
    for pattern, what, exact in (
        (r"JavaLanguageVersion\.of\(\s*['\"]?(\d+)|jvmToolchain\(\s*(\d+)", "the toolchain in", True),
        (
            r"(?:sourceCompatibility|targetCompatibility|release(?:\.set)?)\s*[=(]?\s*(?:JavaVersion\.VERSION_)?"
            r"['\"]?((?:1[._])?\d+)",
            "sourceCompatibility in",
            False,
        ),
    ):
        for path, text in files.items():
            if found := re.search(pattern, text):
                yield next(group for group in found.groups() if group).replace("1_", "1."), f"{what} {path}", exact
