"""The providers that dns-lexicon knows (https://dns-lexicon.readthedocs.io/en/latest/user_guide.html)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nucleo_cli.dns.model import Change, Record, zone_of
from nucleo_cli.errors import NucleoError, UsageError

if TYPE_CHECKING:
    from lexicon.client import Client

T = TypeVar("T")

_TYPES = ("A", "AAAA", "CNAME", "TXT")
# Most of the providers take nothing shorter.
_SHORTEST_TTL = 60


class Lexicon:
    """A Provider over one of dns-lexicon's; the `credentials` are its own, LEXICON_PROVIDER_OPTION.

    Its calls know no conditions: of two that write the same name at once, the later one wins, but the claim is written
    first, and each looks at it before.
    """

    def __init__(self, provider: str, credentials: Mapping[str, str], zones: Collection[str]) -> None:
        if not zones:
            raise UsageError(f"lexicon:{provider} needs the names of its zones", "nucleo cluster configure --dns-zones")
        self.server = provider
        self._zones = tuple(zones)
        prefix = f"LEXICON_{provider.upper()}_"
        own = {key.removeprefix(prefix).lower(): value for key, value in credentials.items() if key.startswith(prefix)}
        self._options = {"provider_name": provider, provider: own}

    def zone(self, name: str) -> str:
        """One of those that were named."""
        return zone_of(name, self._zones)

    def read(self, zone: str, names: Collection[str]) -> list[Record]:
        """Asked name by name and type by type."""

        def each(client: "Client") -> list[Record]:
            return [record for name in names for kind in _TYPES for record in _listed(client, name, kind)]

        return self._with(zone, 0, "reading", each)

    def apply(self, zone: str, changes: Sequence[Change]) -> None:
        """Claim first, for a new name; claim last, for one that goes."""
        for change in changes:
            self._with(zone, change.claim.ttl, f"writing {change.name}", lambda client, it=change: _write(client, it))

    def _with(self, zone: str, ttl: int, doing: str, work: "Callable[[Client], T]") -> T:
        from lexicon.client import Client
        from lexicon.config import ConfigResolver, DictConfigSource

        options: dict[str, Any] = {**self._options, "domain": zone, "action": "list", "type": "A"}
        if ttl:
            options["ttl"] = max(ttl, _SHORTEST_TTL)
        try:
            config = ConfigResolver().with_dict(options)
            client = Client(config)
            # The client has guessed a zone by the list of public suffixes, which knows no private ones.
            config.add_config_source(DictConfigSource({"domain": zone}), 0)
            with client as operations:
                return work(cast("Client", operations))
        except NucleoError:
            raise
        except Exception as error:  # the providers raise what they like
            raise NucleoError(f"{self.server} failed, {doing}: {error}", "run the same command again") from error


def _entries(client: Any, name: str, kind: str) -> list[Mapping[str, Any]]:
    """Some call the apex @, as a zone's file does; and some give everything when they are asked for it."""
    listed = client.list_records(kind, name)
    return [each for each in listed if str(each["name"]).rstrip(".").removeprefix("@.") == name]


def _delete(client: Any, name: str, kind: str) -> None:
    """By identifier: asked to delete at the apex, some would take every record of the type."""
    for each in _entries(client, name, kind):
        client.delete_record(identifier=each["id"])


def _listed(client: Any, name: str, kind: str) -> list[Record]:
    found = _entries(client, name, kind)
    values = tuple(sorted(_plain(str(each["content"]), kind) for each in found))
    return [Record(name, kind, values, int(found[0].get("ttl") or 0))] if found else []


def _plain(content: str, kind: str) -> str:
    return content.strip('"') if kind == "TXT" else content.rstrip(".").lower()


def _write(client: Any, change: Change) -> None:
    if change.action == "create":
        client.create_record("TXT", change.claim.name, change.claim.values[0])
    for record in change.old:
        _delete(client, record.name, record.type)
    for record in change.new:
        for value in record.values:
            client.create_record(record.type, record.name, f"{value}." if record.type == "CNAME" else value)
    if change.action == "delete":
        _delete(client, change.claim.name, "TXT")
