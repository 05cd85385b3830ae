"""The DNS records of an app's domains: written after its release is healthy, taken away with the app.

Which hosts were published stands in the ConfigMap NAME-dns, written before the first record: a run that is killed
anywhere leaves none behind that the next one does not know.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.dns.model import Change, Provider, Record
from nucleo_cli.dns.ownership import Owner, claim_name
from nucleo_cli.dns.plan import Wish, plan, wanted
from nucleo_cli.domain.app import App, Target
from nucleo_cli.domain.documents import part
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotAllowed, NotFound, UsageError
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.secrets import decoded

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

CREDENTIALS = ("nucleo-system", "nucleo-dns")
# What the environment may say where the Secret does not.
_FROM_ENVIRONMENT = ("DNS_", "TSIG_", "OS_", "LEXICON_")


@dataclass(frozen=True, slots=True)
class Published:
    """What the records of an app are known to be: by which provider, for which hosts; `done` is a hash of all that was
    wanted, empty while it is being made so."""

    provider: str
    hosts: tuple[str, ...]
    zones: tuple[str, ...] = ()
    done: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is about to be written: the wishes and changes of each zone."""

    provider: Provider
    settings: Settings
    hosts: tuple[str, ...]
    before: Published | None
    mark: str
    wishes: tuple[Wish, ...]
    changes: tuple[tuple[str, tuple[Change, ...]], ...]

    @property
    def all(self) -> tuple[Change, ...]:
        """Every change, of all zones."""
        return tuple(change for _, changes in self.changes for change in changes)


def writes(settings: Settings) -> bool:
    """Whether Nucleo itself writes the records; external-dns does it by the objects of the release."""
    return settings.dns not in ("", "external-dns")


def prepare(cluster: "Cluster", app: App, settings: Settings, *, again: bool = False) -> Publication | None:
    """What has to be written for the app's domains; None where nothing does, or where it was all done before.

    With `again` the provider is asked in any case. Raises Conflict for a name that is somebody else's, NotFound for one
    in a zone that Nucleo may not write to.
    """
    if not writes(settings):
        return None
    before = published(cluster, app.target)
    if before is None and not app.domains:
        return None
    mark = _mark(app, settings)
    if before is not None and before.done == mark and not again:
        return None
    if app.domains and not settings.edge_addresses:
        raise UsageError(
            "the cluster does not say at which addresses it is reached, so no record can lead there",
            "nucleo cluster configure --edge-addresses ADDRESS",
        )
    provider = open_provider(cluster, settings)
    wishes = _wishes(provider, owner(cluster, app.target), app, settings)
    gone = tuple(host for host in before.hosts if host not in app.domains) if before else ()
    wishes = _with_zones_of(provider, wishes, gone, owner(cluster, app.target))
    changes = tuple((wish.zone, tuple(_planned(provider, wish, gone))) for wish in wishes)
    return Publication(provider, settings, app.domains, before, mark, wishes, changes)


def publish(cluster: "Cluster", target: Target, wish: Publication) -> Work[None]:
    """Makes the changes. A provider that fails half-way leaves what is made; the same command finishes it."""
    phase = Phase("dns")
    yield phase.start(f"{len(wish.all)} names to write")
    known = wish.before.hosts if wish.before else ()
    zones = tuple(each.zone for each in wish.wishes)
    everything = tuple(dict.fromkeys((*known, *wish.hosts)))
    _write(cluster, target, Published(wish.settings.dns, everything, zones))
    for zone, changes in wish.changes:
        wish.provider.apply(zone, changes)
    if wish.hosts:
        _write(cluster, target, Published(wish.settings.dns, wish.hosts, zones, wish.mark))
    else:
        _forget(cluster, target)
    yield phase.end(told(wish.all) or "nothing to change")


def withdraw(cluster: "Cluster", target: Target, settings: Settings) -> Work[None]:
    """Takes every record of the app away, and those only; nothing is asked for an app that never had any."""
    before = published(cluster, target)
    if before is None:
        return
    phase = Phase("dns")
    yield phase.start("taking the records away")
    provider = open_provider(cluster, settings, before.provider)
    mine = owner(cluster, target)
    changes: list[Change] = []
    for wish in _with_zones_of(provider, (), before.hosts, mine):
        planned = _planned(provider, wish, before.hosts)
        provider.apply(wish.zone, planned)
        changes += planned
    _forget(cluster, target)
    yield phase.end(told(changes) or "there was none")


def told(changes: Iterable[Change]) -> str:
    """The changes in a line."""
    return ", ".join(
        f"{change.name} {_leads(change.new)}" if change.new else f"{change.name} gone" for change in changes
    )


def _leads(records: Iterable[Record]) -> str:
    return " ".join(f"{record.type} {' '.join(record.values)}" for record in records)


def open_provider(cluster: "Cluster", settings: Settings, kind: str = "") -> Provider:
    """The provider of the settings; its credentials are in the Secret nucleo-dns, else in the environment."""
    from nucleo_cli.adapters.dns_provider import provider

    return provider(kind or settings.dns, _credentials(cluster), settings.dns_zones)


def owner(cluster: "Cluster", target: Target) -> Owner:
    """The app as the owner of records."""
    uid = str(part(cluster.get(path("v1", "namespaces", name="kube-system")), "metadata").get("uid", ""))
    return Owner(uid, target.namespace, target.app)


def published(cluster: "Cluster", target: Target) -> Published | None:
    """What of the app was published; None for an app that never had records."""
    try:
        data = part(cluster.get(_path(target)), "data")
    except NotFound:
        return None
    return Published(
        str(data.get("provider", "")),
        tuple(str(data.get("hosts", "")).split()),
        tuple(str(data.get("zones", "")).split()),
        str(data.get("done", "")),
    )


def records(provider: Provider, app: App, settings: Settings, mine: Owner) -> list[tuple[Record, list[Record]]]:
    """Each wanted record, and what the provider has at its name."""
    found: list[tuple[Record, list[Record]]] = []
    for wish in _wishes(provider, mine, app, settings):
        there = provider.read(wish.zone, _names(wish, ()))
        for record in wanted(wish):
            found.append((record, [each for each in there if each.name == record.name and each.type == record.type]))
    return found


def _wishes(provider: Provider, mine: Owner, app: App, settings: Settings) -> tuple[Wish, ...]:
    hosts: dict[str, list[str]] = {}
    for host in app.domains:
        hosts.setdefault(provider.zone(host), []).append(host)
    return tuple(Wish(zone, mine, tuple(names), settings.edge_addresses, app.dns.ttl) for zone, names in hosts.items())


def _with_zones_of(
    provider: Provider, wishes: tuple[Wish, ...], gone: tuple[str, ...], mine: Owner
) -> tuple[Wish, ...]:
    """The wishes, and an empty one for each zone that has hosts to take away only."""
    there = {wish.zone for wish in wishes}
    others = dict.fromkeys(zone for host in gone if (zone := provider.zone(host)) not in there)
    return (*wishes, *(Wish(zone, mine, (), ()) for zone in others))


def _planned(provider: Provider, wish: Wish, gone: tuple[str, ...]) -> list[Change]:
    here = tuple(host for host in gone if provider.zone(host) == wish.zone)
    return plan(wish, provider.read(wish.zone, _names(wish, here)), here)


def _names(wish: Wish, gone: tuple[str, ...]) -> list[str]:
    return [name for host in (*wish.hosts, *gone) for name in (host, _claim_name(host))]


def _claim_name(host: str) -> str:
    try:
        return claim_name(host)
    except ValueError as error:
        raise UsageError(f"{host} is too long for a record: {error}", "choose a shorter name") from error


def _mark(app: App, settings: Settings) -> str:
    parts = [settings.dns, settings.dns_zones, settings.edge_addresses, app.domains, app.dns.ttl]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _credentials(cluster: "Cluster") -> dict[str, str]:
    found = {key: value for key, value in os.environ.items() if key.startswith(_FROM_ENVIRONMENT)}
    try:
        return found | decoded(cluster.get(path("v1", "secrets", *CREDENTIALS)))
    except (NotFound, NotAllowed):
        return found


def _path(target: Target) -> str:
    return path("v1", "configmaps", target.namespace, f"{target.app}-dns")


def _write(cluster: "Cluster", target: Target, state: Published) -> None:
    labels = {"app.kubernetes.io/managed-by": "nucleo", "nucleo.io/app": target.app}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{target.app}-dns", "labels": labels},
        "data": {
            "provider": state.provider,
            "hosts": " ".join(state.hosts),
            "zones": " ".join(state.zones),
            "done": state.done,
        },
    }
    cluster.patch(_path(target), body, "apply")


def _forget(cluster: "Cluster", target: Target) -> None:
    try:
        cluster.delete(_path(target))
    except NotFound:
        return
