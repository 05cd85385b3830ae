"""What one controller of Ingresses understands beyond the standard."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nucleo_cli.charts.edge.site import Json, Site

Marks = Callable[[Site], Mapping[str, str]]


def _nothing(_site: Site) -> Mapping[str, str]:
    return {}


def _no_objects(_site: Site) -> Iterable[Json]:
    return ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """`can` are the features by name. `plain`, `secure` and `redirect` are the annotations of the Ingress for hosts
    without a certificate, for those with one, and, where that has to be `separate`, of the one that HTTP to these comes
    to. `beside` are the objects that the annotations name.
    """

    can: frozenset[str]
    plain: Marks = _nothing
    secure: Marks = _nothing
    redirect: Marks = _nothing
    beside: Callable[[Site], Iterable[Json]] = _no_objects
    separate: bool = False
