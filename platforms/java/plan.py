"""Plans a Java app: which JDK, which build, which layers, which start command and why. Pure: it runs nothing."""

from __future__ import annotations

import posixpath
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step

from . import gradle, maven, projects, versions

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .projects import Project

ENV = {
    "PATH": "/opt/java/bin:/usr/local/bin:/usr/bin:/bin",
    "JAVA_HOME": "/opt/java",
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "LANG": "C.UTF-8",
    "PORT": "8080",
}
OUT = "/opt/app"
JAR = f"{OUT}/app.jar"
# How a framework is told the port. A system property wins over its configuration files.
PORTS = {
    "spring-boot": "-Dserver.port=$PORT",
    "quarkus": "-Dquarkus.http.host=0.0.0.0 -Dquarkus.http.port=$PORT",
    "micronaut": "-Dmicronaut.server.host=0.0.0.0 -Dmicronaut.server.port=$PORT",
    "helidon": "-Dserver.host=0.0.0.0 -Dserver.port=$PORT",
}
# Sources are of no use in the image; what else is in the tree an app may read.
LEAVE_OUT = (
    "*.java",
    "*.kt",
    "*.kts",
    "*.groovy",
    "*.gradle",
    "*.iml",
    "**/src/test/",
    "target/",
    "build/",
    "pom.xml",
    "mvnw*",
    "gradlew*",
    ".mvn/",
    "gradle/wrapper/",
)
# A command of the repository that names what a build left, by where the build leaves it.
_PRODUCED = re.compile(r"(?:^|[\s=:'\"/])(?:target|build)/")
_SCRIPTS = Path(__file__).parent / "scripts"
_PLACE = "/tmp/nucleo-java"  # noqa: S108  of the build container


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml says, None where it says nothing. Raises BuildFailed with the one line
    to write where the tree is ambiguous or says too little.
    """
    project = maven.project(source, platform) if projects.system(source) == "maven" else gradle.project(source)
    chosen, because = versions.choose(source, platform, project, version)
    command = start or _start(project)
    in_place = start is not None and _PRODUCED.search(start.line) is not None
    steps = (_in_place(source, project),) if in_place else _steps(source, project)
    reasons = [
        Reason(f"java {chosen}", because),
        Reason(project.tool, project.because),
        *(Reason(step.name, step.reason) for step in steps),
        Reason(f"start: {command.line}", command.because),
    ]
    leave_out = LEAVE_OUT if not in_place else tuple(one for one in LEAVE_OUT if one not in ("target/", "build/"))
    return Plan("java", chosen, command.line, tuple(reasons), steps, ENV, leave_out=leave_out)


def _start(project: Project) -> Start:
    known = [name for name in PORTS if name in project.frameworks]
    options = [PORTS[name] for name in known[:1]]
    if project.has_options:
        options.insert(0, f"@{OUT}/jvm.args")
    because = f"the jar of the build, {known[0]}" if known else "the jar of the build"
    return Start(" ".join(["java", *options, "$JAVA_OPTS", "-jar", JAR]), because)


def _steps(source: Source, project: Project) -> tuple[Step, ...]:
    """One build, two layers: the libraries, which seldom change, and what the app itself is made of."""
    pack = ["bash", f"{_PLACE}/pack.sh", _folder(source, project), *filter(None, [project.main])]
    command = f"{_built(source, project)}; {' '.join(shlex.quote(word) for word in pack)}"
    files = _files()
    return (
        Step(
            name="build",
            command=command,
            output=f"{OUT}/lib",
            reason=f"{project.tool.split()[0]} builds the app; its libraries are a layer of their own",
            inputs=project.inputs,
            files=files,
        ),
        Step(
            name="app",
            # The step before left it; not when that one's layer came from the cache.
            command=f"if [ ! -e {JAR} ]; then {command}; fi",
            output=OUT,
            exclude=(f"{OUT}/lib",),
            reason="the app without its libraries: the layer that a change of code changes",
            inputs=project.inputs,
            after=("build",),
            files=files,
        ),
    )


def _in_place(source: Source, project: Project) -> Step:
    left = ("test-classes", "generated-*", "maven-*", "surefire-reports", "tmp", "*.original")
    return Step(
        name="build",
        command=f"{_built(source, project)}; bash {_PLACE}/tidy.sh",
        output="/app",
        changed_only=True,
        exclude=tuple(f"/app/*/{name}" for name in left),
        reason=f"the start command names what {project.tool.split()[0]} builds, so it stays where it is",
        inputs=project.inputs,
        files=_files(),
    )


def _built(source: Source, project: Project) -> str:
    folder = posixpath.relpath(project.root or ".", source.folder or ".")
    enter = "" if folder == "." else f"cd {shlex.quote(folder)}; "
    return f". {_PLACE}/java.sh; {enter}{project.command}"


def _folder(source: Source, project: Project) -> str:
    """The app's own folder as seen from where the build ran."""
    return posixpath.relpath(source.folder or ".", project.root or ".")


def _files() -> dict[str, str]:
    return {f"{_PLACE}/{file.name}": file.read_text("utf-8") for file in sorted(_SCRIPTS.iterdir())}
