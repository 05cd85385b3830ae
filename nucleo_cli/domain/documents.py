"""Reading JSON documents of the cluster, where any part may be missing or null."""

from collections.abc import Mapping
from typing import Any, cast

Json = dict[str, Any]


def part(document: Mapping[str, Any], *keys: str) -> Json:
    """The object at `keys`, one inside the other; empty when any of them is missing or null."""
    found: Any = document
    for key in keys:
        found = cast(Mapping[str, Any], found).get(key) or {}
    return cast(Json, found)


def parts(document: Mapping[str, Any], *keys: str) -> list[Json]:
    """The list of objects at `keys`; empty when any of them is missing or null."""
    *path, last = keys
    return cast(list[Json], part(document, *path).get(last) or [])


def number(document: Mapping[str, Any], *keys: str) -> int:
    """The whole number at `keys`; 0 when it is missing, as the API leaves zeros out."""
    *path, last = keys
    return int(part(document, *path).get(last) or 0)


def labels(document: Mapping[str, Any]) -> dict[str, str]:
    """metadata.labels."""
    return part(document, "metadata", "labels")


def annotations(document: Mapping[str, Any]) -> dict[str, str]:
    """metadata.annotations."""
    return part(document, "metadata", "annotations")
