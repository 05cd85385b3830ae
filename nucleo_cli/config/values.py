"""The single values of nucleo.yml: ports, replicas, quantities, durations and names."""

import re
from collections.abc import Callable
from typing import Any

from nucleo_cli import assets
from nucleo_cli.config.kinds import (
    ANY_SCALAR,
    TEXT,
    TEXT_OR_NUMBER,
    TEXT_OR_WHOLE,
    MisfitError,
    Single,
    choice,
    did_you_mean,
)
from nucleo_cli.config.nodes import Type, quoted
from nucleo_cli.domain.app import Port

LARGEST_PORT = 65_535
LARGEST_SCALE = 10_000
LONGEST_TIMEOUT = 300

Replicas = tuple[int, int]
Range = tuple[str, str]

# RFC 1035 labels: a Service's name must be one, so it cannot begin with a digit.
_LABEL = r"[a-z]([a-z0-9-]*[a-z0-9])?"


def label(what: str, longest: int, why: str = "") -> Single[str]:
    """A DNS label of at most `longest` characters."""

    def parse(text: str) -> str:
        if len(text) > longest or not re.fullmatch(_LABEL, text):
            raise MisfitError(hint=f"for example {near}" if (near := as_label(text, longest)) else "")
        return text

    expected = (
        f'{what} of at most {longest} lower-case letters, digits and "-", '
        f"beginning with a letter and ending with a letter or digit{why}"
    )
    return Single(expected, parse, {"type": "string", "pattern": f"^{_LABEL}$", "maxLength": longest})


def as_label(text: str, longest: int) -> str:
    """The DNS label nearest to `text`: "My Shöp" gives my-shop; "" where nothing of it can be kept."""
    from unicodedata import normalize  # not needed where the name is written in the file

    plain = normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if words[:1].isdigit():
        words = f"app-{words}"
    return words[:longest].rstrip("-")


def _port(text: str) -> Port:
    internal, colon, external = text.partition(":")
    return Port(_port_number(internal), _port_number(external) if colon else None)


def _port_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise MisfitError
    number = int(text)
    if not 1 <= number <= LARGEST_PORT:
        raise MisfitError(f"must be a port from 1 to {LARGEST_PORT}, got {number}")
    return number


PORT = Single(
    'INTERNAL:EXTERNAL or INTERNAL, such as "8080:80"',
    _port,
    {
        "anyOf": [
            {"type": "string", "pattern": "^[0-9]{1,5}(:[0-9]{1,5})?$"},
            {"type": "integer", "minimum": 1, "maximum": LARGEST_PORT},
        ]
    },
    TEXT_OR_WHOLE,
)


def distinct(before: list[Port], port: Port) -> None:
    """Raises MisfitError where `port` takes a number that one of `before` has, inside or outside."""
    if any(port.internal == other.internal for other in before):
        raise MisfitError(f"takes the internal port {port.internal} a second time")
    if port.external and any(port.external == other.external for other in before):
        raise MisfitError(f"takes the external port {port.external} a second time")


def _replicas(text: str) -> Replicas:
    if number := re.fullmatch(r"[0-9]{1,9}", text):
        return _scale(int(number.group()), int(number.group()), 0)
    found = re.fullmatch(r"([0-9]{1,9})\s*-\s*([0-9]{1,9})", text)
    if not found:
        raise MisfitError
    minimum, maximum = int(found[1]), int(found[2])
    if minimum > maximum:
        raise MisfitError(f"must not begin higher than it ends, got {quoted(text)}", f"write {maximum}-{minimum}")
    return _scale(minimum, maximum, 1)


def _scale(minimum: int, maximum: int, least: int) -> Replicas:
    if minimum < least:
        raise MisfitError(f"must be at least {least} in a range, got {minimum}", "a fixed 0 stops the app")
    if maximum > LARGEST_SCALE:
        raise MisfitError(f"must be at most {LARGEST_SCALE}, got {maximum}")
    return minimum, maximum


REPLICAS = Single(
    'a whole number of 0 or more, or a range such as "2-20"',
    _replicas,
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": LARGEST_SCALE},
            {"type": "string", "pattern": r"^[0-9]{1,5}(\s*-\s*[0-9]{1,5})?$"},
        ]
    },
    TEXT_OR_WHOLE,
)

# A Kubernetes quantity without a sign and without a negative exponent: "-" divides request and limit.
_QUANTITY = re.compile(r"([0-9]{1,15})(?:\.([0-9]{0,9}))?([A-Za-z]*|[eE][0-9]{1,2})")
_NANO = 10**9
_CPU = {"": _NANO, "m": _NANO // 1000}
_MEMORY = {
    "": _NANO,
    **{unit: _NANO * 1000**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": _NANO * 1024**power for power, unit in enumerate("KMGTPE", 1)},
}
_MEBIBYTE = _NANO * 1024**2


def _amount(text: str, units: dict[str, int]) -> int:
    """The billionths that a quantity stands for, rounded up; raises MisfitError."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise MisfitError
    whole, fraction, unit = found[1], found[2] or "", found[3]
    digits = int(whole + fraction)
    scale = _NANO * 10 ** int(unit[1:]) if re.fullmatch(r"[eE][0-9]+", unit) else units.get(unit)
    if scale is None:
        raise MisfitError(hint=_unit_hint(unit, units))
    return -(-digits * scale // 10 ** len(fraction))


def _unit_hint(unit: str, units: dict[str, int]) -> str:
    near = next((each for each in reversed(units) if each and each[0].lower() == unit[0].lower()), "")
    known = ", ".join(each for each in units if each)
    return f"the unit {unit} does not exist" + (f"; {near} does" if near else f"; there are {known}")


def _cpu(text: str) -> int:
    amount = _amount(text, _CPU)
    if amount == 0 or amount % _CPU["m"]:
        raise MisfitError(hint="the smallest amount is 1m, a thousandth of a core")
    return amount


def _memory(text: str) -> int:
    amount = _amount(text, _MEMORY)
    if amount < _MEBIBYTE:
        raise MisfitError(
            f"must be at least 1Mi, got {quoted(text)}, which is that many bytes", f"for example {text}Mi"
        )
    return amount


def _range(expected: str, amount: Callable[[str], int]) -> Single[Range]:
    def parse(text: str) -> Range:
        request, dash, limit = (part.strip() for part in text.partition("-"))
        limit = limit if dash else request
        if amount(request) > amount(limit):
            raise MisfitError(f"must not request more than its limit, got {quoted(text)}", f"write {limit}-{request}")
        return request, limit

    shape: dict[str, Any] = {"type": ["string", "number"]}
    return Single(expected, parse, shape, TEXT_OR_NUMBER)


CPU = _range('cores as REQUEST-LIMIT or one value for both, such as "250m-1"', _cpu)
MEMORY = _range('memory as REQUEST-LIMIT or one value for both, such as "256Mi-512Mi"', _memory)

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|m|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise MisfitError
    return seconds


TIMEOUT = Single(
    f'a time of at most {LONGEST_TIMEOUT} seconds such as "2s" or "500ms"',
    _duration,
    {
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m)?$"},
            {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_TIMEOUT},
        ]
    },
    TEXT_OR_NUMBER,
)


def _matching(expected: str, pattern: str, accepts: frozenset[Type] = TEXT, hint: str = "") -> Single[str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise MisfitError
        return text

    return Single(expected, parse, {"type": "string", "pattern": f"^{pattern}$"}, accepts, hint=hint)


# RFC 3986: what may stand in a path without being escaped, and "?" for a query.
URL_PATH = _matching('an HTTP path that begins with "/"', r"/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]{0,1023}")
# Without a query, which no rule looks at; a "*" at the end makes it a prefix.
HTTP_PATH = _matching(
    'a path such as "/healthz" or a prefix such as "/api/*"', r"/[A-Za-z0-9/._~!$&'()+,;=:@%-]{0,1022}\*?"
)
HTTP_METHOD = _matching("an HTTP method such as GET", r"[A-Z][A-Z-]{0,19}")
CONTEXT = _matching("the name of a kubeconfig context", r"\S(.{0,250}\S)?")
SYSCTL_VALUE = Single(
    "text or a number",
    _matching("", r"[\x20-\x7e\t]{1,1000}").parse,
    {"type": ["string", "number"]},
    TEXT_OR_NUMBER,
)


def _as_is(text: str) -> str:
    return text


ENV_VALUE = Single(
    "text, a number or a boolean",
    _as_is,
    {"type": ["string", "number", "boolean"]},
    ANY_SCALAR,
    hidden=True,
    hint='put the value in quotes; "" is an empty one',
)

ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SYSCTL = r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-_a-z0-9]*[a-z0-9])?)+"
ENVIRONMENT = r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?"


def check_env_name(name: str) -> None:
    if name == "PORT":
        raise MisfitError("is set by Nucleo, to the first internal port of `ports`", "leave it out, or change `ports`")
    if len(name) > 255 or not re.fullmatch(ENV_NAME, name):
        raise MisfitError


def check_sysctl(name: str) -> None:
    if "/" in name:
        raise MisfitError(hint=f"write {name.replace('/', '.')}")
    if len(name) > 253 or not re.fullmatch(SYSCTL, name):
        raise MisfitError


def check_environment(name: str) -> None:
    if not re.fullmatch(ENVIRONMENT, name):
        raise MisfitError


def platforms() -> list[str]:
    """The names of the platforms, sorted: Nucleo's own, and those of installed packages."""
    return list(assets.platform_folders())


def _platform(text: str) -> str:
    name, colon, version = text.partition(":")
    if assets.platform_folder(name) is None:
        known = platforms()
        raise MisfitError(f"must be one of {', '.join(known)}, got {quoted(text)}{did_you_mean(name, known)}")
    if colon and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,40}", version):
        raise MisfitError
    return text


class _Platform(Single[str]):
    """One of the platforms; their names are looked up when they are needed."""

    def schema(self) -> dict[str, Any]:
        known = platforms()
        version = f"^({'|'.join(known)}):[0-9A-Za-z][0-9A-Za-z.+_-]*$"
        return {"anyOf": [{"enum": known}, {"type": "string", "pattern": version}]}


PLATFORM = _Platform('a platform, with a version if need be, such as "python" or "python:3.13"', _platform, {})


def _pattern(expected: str, pattern: str, what: str = "") -> Single[str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise MisfitError(what)
        return text

    return Single(expected, parse, {"type": "string", "pattern": f"^{pattern}$"}, TEXT)


# Debian Policy 5.6.7: names of packages.
PACKAGE = _pattern('the name of a Debian package, such as "ffmpeg"', r"[a-z0-9][a-z0-9+.-]+")
ROOT = _pattern('a folder above the app, such as "../.."', r"\.|\.\.(/\.\.)*")
SECRET_NAME = _pattern("the name of a variable of the machine that builds", r"[A-Za-z_][A-Za-z0-9_]*")


ARCHITECTURES = ("amd64", "arm64")
ARCHITECTURE = choice(*ARCHITECTURES)


def different(before: list[str], value: str) -> None:
    """Raises MisfitError where `value` is one of `before`."""
    if value in before:
        raise MisfitError(f"names {value} a second time")
