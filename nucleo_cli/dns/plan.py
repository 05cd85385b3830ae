"""What has to change so that an app's hosts lead to the cluster: nothing that the app does not own is ever touched."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nucleo_cli.dns.model import Change, Record
from nucleo_cli.dns.ownership import Owner, claim, claim_name, owner_of
from nucleo_cli.errors import Conflict, UsageError

_LEADING = ("A", "AAAA", "CNAME")


@dataclass(frozen=True, slots=True)
class Wish:
    """The hosts of an app in one zone, and what they lead to: IP addresses, or one host name."""

    zone: str
    owner: Owner
    hosts: tuple[str, ...]
    targets: tuple[str, ...]
    ttl: int = 300


def wanted(wish: Wish) -> list[Record]:
    """The records of the hosts. Raises UsageError for a CNAME at the apex of the zone, which DNS does not allow.

    https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2
    """
    return [record for host in wish.hosts for record in _leading(host, wish)]


def plan(wish: Wish, there: Iterable[Record], published: Collection[str] = ()) -> list[Change]:
    """The changes from what is `there` to what is wished; `published` are hosts that the app had before.

    Raises Conflict for a name that is somebody else's, before anything is changed.
    """
    found: dict[str, list[Record]] = {}
    for record in there:
        found.setdefault(record.name, []).append(record)
    new = {host: [record for record in wanted(wish) if record.name == host] for host in wish.hosts}
    hosts = [*wish.hosts, *sorted(set(published) - set(wish.hosts))]
    changes = [_change(host, wish, found, new.get(host, [])) for host in hosts]
    return [change for change in changes if change is not None]


def _change(host: str, wish: Wish, there: Mapping[str, list[Record]], new: Sequence[Record]) -> Change | None:
    mine = claim(host, wish.owner, wish.ttl)
    old = [record for record in there.get(host, []) if record.type in _LEADING]
    owners = _owners(there.get(claim_name(host), []))
    if wish.owner in owners:
        if not new:
            return Change(host, mine, old=tuple(old))
        return None if _same(old, new) else Change(host, mine, tuple(old), tuple(new))
    if not new:
        return None
    if owners:
        raise Conflict(
            f"{host} belongs to {_told(owners[0], wish.owner)}", "take it away there first, or choose another name"
        )
    others = there.get(host, []) if any(each.type == "CNAME" for each in new) else old
    if others:
        is_there = ", ".join(f"{each.type} {' '.join(each.values)}" for each in others)
        raise Conflict(
            f"{host} exists already and is not Nucleo's: {is_there}",
            "remove that record first, or choose another name",
        )
    return Change(host, mine, new=tuple(new))


def _owners(records: Iterable[Record]) -> list[Owner]:
    texts = (text for record in records if record.type == "TXT" for text in record.values)
    return [owner for text in texts if (owner := owner_of(text)) is not None]


def _told(owner: Owner, mine: Owner) -> str:
    return f"the app {owner}" if owner.cluster == mine.cluster else f"the app {owner} of another cluster"


def _same(old: Sequence[Record], new: Sequence[Record]) -> bool:
    return sorted(_sorted(each) for each in old) == sorted(_sorted(each) for each in new)


def _sorted(record: Record) -> Record:
    return Record(record.name, record.type, tuple(sorted(record.values)), record.ttl)


def _leading(host: str, wish: Wish) -> list[Record]:
    four, six, names = _kinds(wish.targets)
    if names and (four or six or len(names) > 1):
        raise UsageError(
            f"the edge is at {', '.join(wish.targets)}: records lead to addresses or to one host name",
            "nucleo cluster configure --edge-addresses",
        )
    if names and host == wish.zone:
        raise UsageError(
            f"{host} is the apex of its zone, which cannot be a CNAME to {names[0]}",
            "nucleo cluster configure --edge-addresses with the IP addresses of the edge",
        )
    kinds = (("A", four), ("AAAA", six), ("CNAME", names))
    return [Record(host, kind, tuple(values), wish.ttl) for kind, values in kinds if values]


def _kinds(targets: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    four: list[str] = []
    six: list[str] = []
    names: list[str] = []
    for target in targets:
        try:
            address = ipaddress.ip_address(target)
        except ValueError:
            names.append(target.rstrip(".").lower())
            continue
        (four if address.version == 4 else six).append(str(address))
    return four, six, names
