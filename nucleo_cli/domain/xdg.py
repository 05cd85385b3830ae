"""Where Nucleo keeps files on this machine, by the XDG Base Directory Specification."""

import os
from pathlib import Path


def _base(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification: a relative path in these variables is invalid and must be ignored.
    return (Path(value) if value.startswith("/") else Path.home() / default) / "nucleo"


def cache() -> Path:
    """What can be made again: images, build tools."""
    return _base("XDG_CACHE_HOME", ".cache")


def config() -> Path:
    """What a person chose: the user file config.yml."""
    return _base("XDG_CONFIG_HOME", ".config")


def state() -> Path:
    """What is remembered between runs: reports of bugs."""
    return _base("XDG_STATE_HOME", ".local/state")
