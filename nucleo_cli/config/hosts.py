"""The values of `domains`, `tls` and `dns` in nucleo.yml: host names, who signs for them, and times."""

import re
from ipaddress import ip_address

from nucleo_cli.config.kinds import TEXT, TEXT_OR_WHOLE, MisfitError, Single
from nucleo_cli.config.nodes import quoted

LONGEST_LABEL = 63
LONGEST_DOMAIN = 253
_YEARS = 2 * 366 * 86400
_DAY = 86400
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": _DAY}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_EXAMPLE = "for example shop.example.com, or *.example.com for every name one label below example.com"


def domain(text: str) -> str:
    """The host name in ASCII and lower case, with punycode where it needs it; MisfitError where it is none.

    RFC 1123 section 2.1 for the letters, RFC 1035 section 2.3.4 for the lengths, RFC 5891 for other alphabets.
    """
    name = text.strip().removesuffix(".")
    if scheme := re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", name):
        raise MisfitError(f"must be a host name, got a URL: {quoted(text)}", f"leave {scheme[0]} and any path out")
    wildcard = name.startswith("*.")
    plain = _ascii(name.removeprefix("*.") if wildcard else name, text)
    _check_kind(plain, text)
    labels = plain.split(".")
    if long := next((each for each in labels if len(each) > LONGEST_LABEL), None):
        raise MisfitError(f"must have labels of at most {LONGEST_LABEL} characters, got one of {len(long)}")
    whole = f"*.{plain}" if wildcard else plain
    if len(whole) > LONGEST_DOMAIN:
        raise MisfitError(f"must be at most {LONGEST_DOMAIN} characters, got {len(whole)}")
    if not all(_LABEL.fullmatch(each) for each in labels):
        raise MisfitError(f"must be a host name such as shop.example.com, got {quoted(text)}", _hint(plain))
    if len(labels) < 2:
        raise MisfitError(f"must be a whole name such as shop.example.com, got {quoted(text)}", _EXAMPLE)
    return whole


def _ascii(name: str, text: str) -> str:
    if name.isascii():
        return name.lower()
    import idna  # the standard library's codec knows the rules of 2003 alone

    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise MisfitError(f"must be a name that DNS can carry, got {quoted(text)}: {error}") from None


def _check_kind(plain: str, text: str) -> None:
    try:
        ip_address(plain.strip("[]"))
    except ValueError:
        pass
    else:
        raise MisfitError(
            f"must be a host name, got the address {plain}", "records lead a name to the cluster's addresses"
        )
    if plain.endswith((".cluster.local", ".svc")):
        raise MisfitError(f"must be a name outside of the cluster, got {quoted(text)}")
    if ":" in plain or "/" in plain:
        raise MisfitError(
            f"must be a host name without port or path, got {quoted(text)}", "ports are in `ports`, paths in `routes`"
        )


def _hint(plain: str) -> str:
    if "*" in plain:
        return 'a "*" may stand for the first label alone: *.example.com'
    if "_" in plain:
        return 'host names have no "_": write "-"'
    return _EXAMPLE


DOMAIN = Single(
    "a host name such as shop.example.com",
    domain,
    {"type": "string", "pattern": r"^(\*\.)?[^.\s:/*]+(\.[^.\s:/*]+)+\.?$", "maxLength": 1000},
    TEXT,
)


def _issuer(text: str) -> str:
    if not re.fullmatch(r"nucleo|(ClusterIssuer|Issuer)/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", text):
        raise MisfitError
    return text


ISSUER = Single(
    "nucleo, ClusterIssuer/NAME or Issuer/NAME",
    _issuer,
    {"type": "string", "pattern": "^(nucleo|(ClusterIssuer|Issuer)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$"},
)


def _span(least: int, most: int, example: str) -> Single[int]:
    """A time in whole seconds from `least` to `most`."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"([0-9]{1,9})\s*([smhd]?)", text)
        if not found:
            raise MisfitError
        seconds = int(found[1]) * _UNITS[found[2]]
        if not least <= seconds <= most:
            raise MisfitError(f"must be from {least} to {most} seconds, got {seconds}")
        return seconds

    return Single(
        f'a time such as "{example}", or a number of seconds',
        parse,
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,9}\s*[smhd]?$"},
                {"type": "integer", "minimum": least, "maximum": most},
            ]
        },
        TEXT_OR_WHOLE,
    )


# RFC 6797 takes any; two years are what browsers' preload lists ask for at most.
MAX_AGE = _span(0, _YEARS, "180d")
# RFC 2181 section 8 allows more, no resolver keeps an answer for longer than a day.
TTL = _span(1, _DAY, "5m")
