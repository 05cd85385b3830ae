"""Kubernetes quantities, exactly: `250m`, `1.5Gi`, `2e3`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(text: str) -> Fraction:
    """The exact number; ValueError when it is none."""
    if (match := _FORM.fullmatch(text)) is None:
        raise ValueError(f'"{text}" is not a quantity such as 250m, 1.5 or 64Mi')
    number, suffix, exponent = match.groups()
    return Fraction(number) * _factor(suffix, exponent)


def _factor(suffix: str | None, exponent: str | None) -> Fraction:
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix])
    return Fraction(10) ** (_DECIMAL[suffix] if suffix else int(exponent or 0))


def cores(number: Fraction) -> str:
    """CPU for people: `5m`, `250m`, `1.5`. Never rounded down to nothing."""
    if number >= 1:
        return f"{float(number):.2f}".rstrip("0").rstrip(".")
    return f"{-(-number * 1000 // 1)}m"


def size(number: Fraction) -> str:
    """Bytes for people: `900B`, `64Mi`, `1.5Gi`."""
    units = ("B", "Ki", "Mi", "Gi", "Ti")
    unit = next((unit for unit in range(len(units)) if number < 1024 ** (unit + 1)), len(units) - 1)
    scaled = float(number / 1024**unit)
    text = f"{scaled:.1f}" if unit and scaled < 10 else f"{scaled:.0f}"
    return text.removesuffix(".0") + units[unit]


def percent(used: Fraction, of: Fraction | None) -> int | None:
    """How much of a request or limit is used; None when there is none."""
    return round(used * 100 / of) if of else None
