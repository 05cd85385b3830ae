"""The build system: Maven or Gradle. What both have in common; maven.py and gradle.py say the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

POM = "pom.xml"
GRADLE = ("build.gradle.kts", "build.gradle", "settings.gradle.kts", "settings.gradle")


@dataclass(frozen=True, slots=True)
class Project:
    """How the app is built.

    `root` is the folder of the tree in which the build begins, `command` what runs there, `inputs` what it reads.
    `tools` are those that not every Java runs, `wishes` the versions that the build names: text, where, and whether no
    other will do. `frameworks` decide how the port is told; `main` is the main class where no jar names one.
    """

    tool: str
    because: str
    root: str
    command: str
    inputs: tuple[str, ...]
    frameworks: frozenset[str]
    tools: Mapping[str, str]
    wishes: tuple[tuple[str, str, bool], ...]
    main: str = ""
    has_options: bool = False
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def system(source: Source) -> str:
    """`maven` or `gradle`. Raises BuildFailed for both, for none, and for a name that is misspelled."""
    gradle = next((file for file in GRADLE if source.has(file)), None)
    if source.has(POM) and gradle is not None:
        raise BuildFailed(
            f"Both {POM} and {gradle} say how the app is built",
            f"Remove the one that is not used: git rm {gradle}; or leave it out: echo '/{gradle}' >> .nucleoignore",
        )
    if source.has(POM):
        return "maven"
    if gradle is not None:
        return "gradle"
    for name in source.paths:
        close = get_close_matches(name.lower(), (POM, *GRADLE), 1, 0.8) if "/" not in name else []
        if close:
            raise BuildFailed(f"There is {name}, but no {close[0]}", f"Is it meant to be? git mv {name} {close[0]}")
    raise BuildFailed(
        "There is neither pom.xml nor build.gradle at the top of the app",
        "Deploy the folder that has one, or choose another platform in nucleo.yml",
    )


FRAMEWORKS = {
    "spring-boot": ("org.springframework.boot",),
    "quarkus": ("io.quarkus",),
    "micronaut": ("io.micronaut",),
    "helidon": ("io.helidon",),
}


def frameworks(text: str) -> frozenset[str]:
    """The frameworks that the build files mention."""
    return frozenset(name for name, marks in FRAMEWORKS.items() if any(mark in text for mark in marks))
