"""Objects of the Kubernetes API as plain JSON: what is missing, or null, reads as empty."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def part(of: Json, *keys: str) -> Json:
    """The object at `keys`; empty when any of them is missing."""
    for key in keys:
        of = of.get(key) or {}
    return of


def entries(of: Json, *keys: str) -> Sequence[Json]:
    """The list of objects at `keys`; empty when any of them is missing."""
    return part(of, *keys[:-1]).get(keys[-1]) or []


def texts(of: Json, *keys: str) -> Mapping[str, str]:
    """The object at `keys` when its values are strings: labels, annotations, data."""
    return part(of, *keys)
