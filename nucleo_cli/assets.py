"""Finds the data folders: inside the wheel, or in the checkout of an editable install."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `name`: one of platforms, chart_templates, bpf_programs, completions."""
    shipped = _PACKAGE / "_assets" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
