"""The records of an app: looked at before the build, written after the release, taken away with the app."""

from collections.abc import Collection, Sequence

import pytest

from nucleo_cli.adapters import dns_provider
from nucleo_cli.dns.model import Change, Record, zone_of
from nucleo_cli.dns.ownership import Owner, claim
from nucleo_cli.errors import Conflict, NotFound, Unreachable, UsageError
from nucleo_cli.workflows.dns import published
from nucleo_cli.workflows.rollback import roll_back
from tests.unit.workflows.shop import SETTINGS, Shop
from tests.unit.workflows.steps import attempt, run

ONE, TWO = "shop.example.com", "www.example.com"


class Zone:
    """A provider in memory; `dies_at` is how many names it writes before it does not answer any more."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.asked = 0
        self.dies_at = 100

    def zone(self, name: str) -> str:
        return zone_of(name, ("example.com",))

    def read(self, zone: str, names: Collection[str]) -> list[Record]:
        assert zone == "example.com"
        self.asked += 1
        return [record for (name, _), record in self.records.items() if name in names]

    def apply(self, zone: str, changes: Sequence[Change]) -> None:
        assert zone == "example.com"
        for change in changes:
            if not self.dies_at:
                raise Unreachable("the name server does not answer")
            self.dies_at -= 1
            for record in (*change.old, change.claim):
                self.records.pop((record.name, record.type), None)
            for record in (*change.new, *([change.claim] if change.new else [])):
                self.records[record.name, record.type] = record

    def hosts(self) -> set[str]:
        return {name for name, kind in self.records if kind == "A"}


@pytest.fixture
def zone(app: Shop, monkeypatch: pytest.MonkeyPatch) -> Zone:
    made = Zone()

    def provider(kind: str, credentials: object, zones: Collection[str]) -> Zone:
        assert (kind, zones) == ("rfc2136", ("example.com",))
        return made

    monkeypatch.setattr(dns_provider, "provider", provider)
    more = {"dns": "rfc2136", "dns-zones": "example.com", "edge-addresses": "192.0.2.1"}
    app.configure({**SETTINGS, **more})
    app.cluster.create("/api/v1/namespaces", {"metadata": {"name": "kube-system"}})
    domains(app, ONE, TWO)
    return made


def domains(app: Shop, *hosts: str) -> None:
    plain = (app.folder / "nucleo.yml").read_text().partition("domains:")[0]
    app.write("nucleo.yml", f"{plain}domains: [{', '.join(hosts)}]\n" if hosts else plain)


def test_records_are_written_once_the_release_is_healthy(app: Shop, zone: Zone) -> None:
    done = app.deploy().result
    assert zone.hosts() == {ONE, TWO}
    assert [phase.name for phase in done.phases][-1] == "dns"
    asked = zone.asked
    assert not app.deploy().result.changed
    assert zone.asked == asked


def test_a_name_of_somebody_else_stops_before_the_build(app: Shop, zone: Zone) -> None:
    zone.records[ONE, "A"] = Record(ONE, "A", ("192.0.2.7",))
    error = app.deploy().error
    assert isinstance(error, Conflict)
    assert app.builds == 0
    assert zone.hosts() == {ONE}


def test_a_zone_of_somebody_else(app: Shop, zone: Zone) -> None:
    domains(app, "shop.example.net")
    error = app.deploy().error
    assert isinstance(error, NotFound)
    assert "example.com" in error.message
    assert app.builds == 0
    assert zone.asked == 0


def test_one_that_dies_half_way_is_finished_by_the_same_command(app: Shop, zone: Zone) -> None:
    zone.dies_at = 1
    assert isinstance(app.deploy().error, Unreachable)
    assert app.running.version == 1
    zone.dies_at = 100
    assert app.deploy().error is None
    assert zone.hosts() == {ONE, TWO}
    assert app.running.version == 1


def test_a_domain_that_is_taken_out_goes(app: Shop, zone: Zone) -> None:
    app.deploy()
    domains(app, TWO)
    app.deploy()
    assert zone.hosts() == {TWO}
    domains(app)
    app.deploy()
    assert zone.records == {}
    assert published(app.cluster, app.target) is None


@pytest.mark.parametrize("dies_at", [0, 1])
def test_destroy_takes_ours_and_only_those(app: Shop, zone: Zone, dies_at: int) -> None:
    from nucleo_cli.workflows.destroy import destroy

    app.deploy()
    other = claim("blog.example.com", Owner("", "blog", "blog"))
    zone.records[other.name, "TXT"] = other
    zone.dies_at = dies_at
    assert isinstance(attempt(destroy(app.tools, app.target)).error, Unreachable)
    assert app.running.version == 1
    zone.dies_at = 100
    run(destroy(app.tools, app.target))
    assert list(zone.records.values()) == [other]


def test_a_rollback_leaves_the_records_to_the_next_deploy(app: Shop, zone: Zone) -> None:
    app.deploy()
    app.write("app.py", "two")
    app.deploy()
    run(roll_back(app.tools, app.target, None))
    assert zone.hosts() == {ONE, TWO}


def test_an_edge_without_an_address_is_told(app: Shop, zone: Zone) -> None:
    app.configure({**SETTINGS, "dns": "rfc2136", "dns-zones": "example.com"})
    error = app.deploy().error
    assert isinstance(error, UsageError)
    assert "--edge-addresses" in error.hint
    assert zone.asked == 0
