"""Records, and what a provider of DNS does for Nucleo.

Names are in A-label form, lower case, without the dot at the end (https://www.rfc-editor.org/rfc/rfc1035).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nucleo_cli.errors import NotFound

Type = Literal["A", "AAAA", "CNAME", "TXT"]


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """All values of one name and type: addresses, one name, or texts as they are, without quotes; `ttl` in seconds."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = 300


@dataclass(frozen=True, slots=True)
class Change:
    """Of one name: what is taken away and what is put there, either or both. `claim` is the text by which the name is
    ours: it is written together with the first record, it stands as long as one does, and no change is made without.
    """

    name: str
    claim: Record
    old: tuple[Record, ...] = ()
    new: tuple[Record, ...] = ()

    @property
    def action(self) -> Literal["create", "update", "delete"]:
        if not self.new:
            return "delete"
        return "update" if self.old else "create"


class Provider(Protocol):
    """One place where records are kept.

    Each method raises Unreachable when it does not answer, NotAllowed when it refuses the credentials, and NucleoError
    with its own words otherwise.
    """

    def zone(self, name: str) -> str:
        """The zone for `name`. NotFound where it is in none that may be written to."""
        ...

    def read(self, zone: str, names: Collection[str]) -> list[Record]:
        """Every record at the names that keeps ours from being there: A, AAAA, CNAME, TXT."""
        ...

    def apply(self, zone: str, changes: Sequence[Change]) -> None:
        """Makes the changes, in order. Conflict where somebody was quicker; what is made already is left so."""
        ...


def zone_of(name: str, zones: Collection[str]) -> str:
    """The zone that `name` is in: the longest of those that fit. NotFound where none does."""
    fitting = [zone for zone in zones if name == zone or name.endswith(f".{zone}")]
    if not fitting:
        known = f"those that Nucleo may write to are {', '.join(sorted(zones))}" if zones else "it knows of none"
        raise NotFound(f"{name} is in no zone of the cluster's DNS: {known}", "nucleo cluster configure --dns-zones")
    return max(fitting, key=len)
