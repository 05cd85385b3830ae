"""Platforms of other packages: code and files that nobody here has seen. What is wrong with one is told by its name."""

import importlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import yaml

from nucleo_cli.assets import PlatformFolder
from nucleo_cli.config.kinds import did_you_mean
from nucleo_cli.domain.build import Plan
from nucleo_cli.errors import NucleoError

KEYS: Mapping[str, type] = {
    **dict.fromkeys(("default", "setup", "cache_damage"), str),
    **dict.fromkeys(("detect", "runtime", "caches", "app_caches", "host_env", "failures"), list),
    **dict.fromkeys(("versions", "packages", "tools", "host_files"), dict),
    **dict.fromkeys(("cross", "read_only_root"), bool),
}
VERSION_KEYS: Mapping[str, type] = {"suite": str, "until": date, "tools": dict, "run": list, "build": list}
_FAILURE = ("match", "message", "hint")
_REQUIRED = ("detect", "default", "versions")
_KINDS = {str: "text, in quotes", list: "a list", dict: "a mapping", bool: "true or false", date: "a day: 2028-04-30"}


def broken(folder: PlatformFolder, what: str) -> NucleoError:
    """The error of a platform that cannot be used."""
    origin = f"{folder.package} " if folder.package else ""
    hint = f"pip install --upgrade {folder.package.split()[0]}, or tell its makers" if folder.package else ""
    return NucleoError(f"The platform {folder.name} of {origin or 'Nucleo '}cannot be used: {what}", hint)


def read(folder: PlatformFolder) -> Mapping[str, Any]:
    """What platform.yml says. Raises NucleoError where it cannot be what `platforms.load` reads."""
    if folder.problem:
        raise broken(folder, folder.problem)
    try:
        document = yaml.safe_load((folder.path / "platform.yml").read_text("utf-8"))
        _check(document)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise broken(folder, f"platform.yml: {' '.join(str(error).split())}") from error
    return cast("Mapping[str, Any]", document)


def planner(folder: PlatformFolder) -> Callable[..., Plan]:
    """`plan` of the package's plan.py. What it raises that is no error of Nucleo's is told as the package's fault."""
    try:
        found: Any = importlib.import_module(f"{folder.module}.plan")
        function: Callable[..., Any] = found.plan
    except Exception as error:
        raise broken(folder, f"plan.py: {_said(error)}") from error

    def plan(*arguments: Any) -> Plan:
        try:
            made = function(*arguments)
        except NucleoError:
            raise
        except Exception as error:
            raise broken(folder, f"plan.py: {_said(error)}") from error
        if not isinstance(made, Plan):
            raise broken(folder, f"plan.py: plan() returned {type(made).__name__}, not a Plan")
        return made

    return plan


def _said(error: Exception) -> str:
    """The error with the line of the file it came from, which is what the package's makers need."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" ({Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno})" if at else ""
    return f"{type(error).__name__}: {error}{place}"


def _check(document: Any) -> None:
    """Raises ValueError with the first mistake."""
    _check_keys("", document, KEYS)
    for key in _REQUIRED:
        if not document.get(key):
            raise ValueError(f"{key} is missing")
    for name, version in document["versions"].items():
        if not isinstance(name, str):
            raise ValueError(f"versions: {name} needs quotes")
        _check_keys(f"versions.{name}.", version, VERSION_KEYS)
        if "suite" not in version:
            raise ValueError(f"versions.{name}.suite is missing")
    if document["default"] not in document["versions"]:
        raise ValueError(f"default {document['default']!r} is not one of versions")
    for failure in document.get("failures", ()):
        _check_keys("failures.", failure, dict.fromkeys(_FAILURE, str))
        if missing := [key for key in _FAILURE if key not in failure]:
            raise ValueError(f"failures.{missing[0]} is missing")
        try:
            re.compile(failure["match"])
        except re.error as error:
            raise ValueError(f"failures.match {failure['match']!r}: {error}") from error


def _check_keys(where: str, found: Any, known: Mapping[str, type]) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"{where.rstrip('.') or 'it'} must be a mapping")
    for key, value in cast("dict[Any, Any]", found).items():
        if key not in known:
            raise ValueError(f"{where}{key} is not a key here{did_you_mean(str(key), list(known))}")
        if not isinstance(value, known[key]):
            raise ValueError(f"{where}{key} must be {_KINDS[known[key]]}")
