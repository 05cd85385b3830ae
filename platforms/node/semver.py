"""Ranges of versions as package.json writes them: `>=18 <21`, `^20.1 || 22.x`, `18 - 20`."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_PART = r"v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+][\w.+-]*)?"
_COMPARATOR = re.compile(rf"(>=|<=|>|<|=|\^|~>?)?\s*{_PART}$")
_HYPHEN = re.compile(rf"^\s*({_PART})\s+-\s+({_PART})\s*$")
_GAP = re.compile(r"(>=|<=|>|<|=|\^|~>?)\s+")
_NO_END: Version = (1 << 30, 0, 0)


def parse(text: str) -> Version:
    """`24.21.0` as numbers."""
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch


def allows(wanted: str, version: Version) -> bool | None:
    """Whether the range `wanted` allows `version`; None where it cannot be read."""
    alternatives = [_alternative(part.strip(), version) for part in wanted.split("||")]
    return None if None in alternatives else any(alternatives)


def _alternative(text: str, version: Version) -> bool | None:
    if hyphen := _HYPHEN.match(text):
        first, last = hyphen.group(1), hyphen.group(5)
        text = f">={first} <={last}"
    bounds = [_bounds(clause) for clause in _GAP.sub(r"\1", text).split()]
    if None in bounds:
        return None
    return all(low <= version < high for bound in bounds if bound for low, high in [bound])


def _bounds(clause: str) -> tuple[Version, Version] | None:
    """From which version on and below which one a clause is true."""
    found = _COMPARATOR.match(clause)
    if found is None:
        return None
    operator = found.group(1) or ""
    numbers = [int(part) for part in found.groups()[1:] if part and part.isdecimal()]
    start = _padded(numbers)
    match operator:
        case ">=":
            return start, _NO_END
        case ">":
            return _after(numbers), _NO_END
        case "<":
            return (0, 0, 0), start
        case "<=":
            return (0, 0, 0), _after(numbers)
        case "^":
            return start, _after(numbers[:1] if numbers[:1] != [0] else numbers[:2])
        case "~" | "~>":
            return start, _after(numbers[:2])
        case _:
            return start, _after(numbers)


def _padded(numbers: list[int]) -> Version:
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch


def _after(numbers: list[int]) -> Version:
    """The first version that does not begin with `numbers`."""
    return _padded([*numbers[:-1], numbers[-1] + 1]) if numbers else _NO_END
