"""The app as an installed package: its commands, entry points and metadata, without a build and without its code.

The code stays where it is, in the layer of the source, so that a changed line installs nothing anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .versions import document

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_FOLDER = "/tmp/own"  # noqa: S108  inside the build container
INSTALL = f"find {_FOLDER} -path '*/bin/*' -exec chmod +x {{}} + && cp -r {_FOLDER}/. /app/.venv"

_SCRIPT = """\
#!/app/.venv/bin/python
import sys
from {module} import {top}
sys.exit({call}())
"""


def files(source: Source, manager: str, python: str) -> dict[str, str]:
    """What an editable installation would leave in the environment; nothing where the app is no package."""
    pyproject = document(source, "pyproject.toml")
    project = _project(pyproject)
    if manager in ("pip", "pipenv") or not project.get("name") or not _is_package(pyproject):
        return {}
    name, version = str(project["name"]), str(project.get("version", "0"))
    packages = f"{_FOLDER}/lib/python{python}/site-packages"
    info = f"{packages}/{name.replace('-', '_')}-{version}.dist-info"
    found = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "nucleo\n",
        f"{packages}/{name.replace('-', '_')}.pth": f"{source.app}/src\n{source.app}\n",
    }
    if points := _entry_points(project):
        found[f"{info}/entry_points.txt"] = points
    for command, target in scripts(source).items():
        module, _, called = target.partition(":")
        values = {"module": module.strip(), "top": called.split(".")[0].strip(), "call": called.split("[")[0].strip()}
        found[f"{_FOLDER}/bin/{command}"] = _SCRIPT.format(**values)
    return found


def scripts(source: Source) -> dict[str, str]:
    """The commands that the app's package brings, and what they call."""
    listed: Mapping[str, Any] = _project(document(source, "pyproject.toml")).get("scripts", {})
    return {name: target for name, target in listed.items() if isinstance(target, str) and ":" in target}


def _project(pyproject: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**pyproject.get("tool", {}).get("poetry", {}), **pyproject.get("project", {})}


def _is_package(pyproject: Mapping[str, Any]) -> bool:
    tool = pyproject.get("tool", {})
    wanted = tool.get("uv", {}).get("package", "build-system" in pyproject)
    return bool(wanted) and tool.get("poetry", {}).get("package-mode", True) is not False


def _entry_points(project: Mapping[str, Any]) -> str:
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", project.get("plugins", {}))}
    parts = (
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items() if isinstance(target, str))
        for group, points in groups.items()
        if points
    )
    return "\n".join(parts)
