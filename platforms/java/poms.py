"""Reads pom.xml files: what a module is called, needs, builds with, and which modules a reactor has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from nucleo_cli.errors import BuildFailed

from . import trees

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

FILE = "pom.xml"
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Pom:
    """A pom.xml: `folder` is where it is in the tree; modules, parents, dependencies and plugins are artifact names."""

    folder: str
    artifact: str
    packaging: str
    parent: str
    parent_version: str
    properties: Mapping[str, str]
    modules: tuple[str, ...]
    runtime: frozenset[str]
    needs: frozenset[str]
    plugins: frozenset[str]
    document: Xml.Element

    @property
    def path(self) -> str:
        return trees.join(self.folder, FILE)

    def configured(self, *names: str) -> str:
        """What the first of these elements in a plugin's configuration says, resolved; empty without one."""
        for plugin in self.document.iterfind("./build/plugins/plugin"):
            for name in names:
                if found := plugin.findtext(f".//{name}"):
                    return resolve(found.strip(), self.properties)
        return ""


def read(source: Source, folder: str = "") -> Pom | None:
    """The pom.xml of a folder; None where there is none. Raises BuildFailed with the position of a mistake."""
    path = trees.join(folder, FILE)
    text = trees.read(source, path)
    if text is None:
        return None
    try:
        # The user's own file, and ElementTree expands no external entity.
        root = Xml.fromstring(text.lstrip("\ufeff"))  # noqa: S314
    except Xml.ParseError as error:
        line, column = error.position
        message = str(error).partition(":")[0]
        raise BuildFailed(f"{path}:{line}:{column + 1}: is not valid XML: {message}", f"Correct {path}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return _pom(folder, root)


def reactor(source: Source, folder: str) -> dict[str, Pom]:
    """The pom.xml of a folder and of all modules below it, by folder."""
    found: dict[str, Pom] = {}
    waiting = [folder]
    while waiting:
        pom = read(source, here := waiting.pop())
        if pom is not None and here not in found:
            found[here] = pom
            waiting += [trees.join(here, module.removesuffix(f"/{FILE}")) for module in pom.modules]
    return found


def closure(poms: Mapping[str, Pom], folder: str) -> frozenset[str]:
    """The folders of a module and of those it needs, as `mvn -pl MODULE -am` builds them."""
    by_name = {pom.artifact: pom for pom in poms.values()}
    found: set[str] = set()
    waiting = [poms[folder]]
    while waiting:
        pom = waiting.pop()
        if pom.folder not in found:
            found.add(pom.folder)
            waiting += [by_name[name] for name in (*pom.needs, pom.parent) if name in by_name]
    return frozenset(found)


def resolve(text: str, properties: Mapping[str, str]) -> str:
    """`text` with its ${references} to properties put in, as far as they are known."""
    for _ in range(_DEPTH):
        text = _REFERENCE.sub(lambda match: properties.get(match[1], match[0]), text)
    return text


def _pom(folder: str, root: Xml.Element) -> Pom:
    parent = root.find("parent")
    parent_name, parent_version = "", ""
    if parent is not None:
        parent_name, parent_version = _text(parent, "artifactId"), _text(parent, "version")
    properties = {child.tag: (child.text or "").strip() for child in root.iterfind("./properties/*")}
    return Pom(
        folder=folder,
        artifact=_text(root, "artifactId"),
        packaging=_text(root, "packaging") or "jar",
        parent=parent_name,
        parent_version=resolve(parent_version, properties),
        properties=properties,
        modules=tuple((module.text or "").strip() for module in root.iterfind("./modules/module")),
        runtime=frozenset(_dependencies(root, runtime=True)),
        needs=frozenset(_dependencies(root, runtime=False)),
        plugins=frozenset(_text(plugin, "artifactId") for plugin in root.iterfind("./build/plugins/plugin")),
        document=root,
    )


def _dependencies(root: Xml.Element, runtime: bool) -> Iterator[str]:
    for dependency in root.iterfind("./dependencies/dependency"):
        if not runtime or _text(dependency, "scope") not in ("test", "provided"):
            yield _text(dependency, "artifactId")


def _text(element: Xml.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()
