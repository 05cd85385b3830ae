"""Records on a real BIND: by dynamic updates, and by dns-lexicon."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nucleo_cli.adapters.dns_provider import provider
from nucleo_cli.adapters.rfc2136 import NameServer
from nucleo_cli.dns.model import Change, Provider
from nucleo_cli.dns.ownership import Owner, claim_name
from nucleo_cli.dns.plan import Wish, plan
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable
from tests.bind import Bind, bind

ZONE = "example.test"
MINE, OTHER = Owner("1234", "shop", "shop"), Owner("1234", "blog", "blog")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    many = "\n".join(f"host-{number} A 192.0.2.{number % 250}" for number in range(10_000))
    zones = {ZONE: "www A 192.0.2.1\n*.wild A 192.0.2.9", "large.test": many}
    with bind(tmp_path_factory.mktemp("bind"), zones) as running:
        yield running


@pytest.fixture
def name_server(server: Bind) -> NameServer:
    return NameServer.of(server.credentials, ())


@pytest.fixture
def zone_file(tmp_path: Path) -> Path:
    """A zone that dns-lexicon's provider localzone keeps."""
    file = tmp_path / "zone"
    file.write_text(
        f"$TTL 300\n{ZONE}. SOA ns.{ZONE}. a.{ZONE}. 1 3600 600 86400 1\n{ZONE}. NS ns.{ZONE}.\nwww A 192.0.2.1\n"
    )
    return file


@pytest.fixture(params=["rfc2136", "lexicon:localzone"])
def keeper(request: pytest.FixtureRequest, server: Bind, zone_file: Path) -> Provider:
    return provider(request.param, {**server.credentials, "LEXICON_LOCALZONE_FILENAME": str(zone_file)}, (ZONE,))


def planned(
    keeper: Provider, *hosts: str, owner: Owner = MINE, before: tuple[str, ...] = (), ttl: int = 300
) -> list[Change]:
    names = [name for host in (*hosts, *before) for name in (host, claim_name(host))]
    wish = Wish(ZONE, owner, hosts, ("127.0.0.1", "::1"), ttl)
    return plan(wish, keeper.read(ZONE, names), before)


def test_records_come_change_and_go(keeper: Provider) -> None:
    hosts = (ZONE, "shop.example.test", "*.shop.example.test", "xn--caf-dma.example.test")
    names = [name for host in hosts for name in (host, claim_name(host))]
    keeper.apply(ZONE, planned(keeper, *hosts))
    assert planned(keeper, *hosts) == []
    keeper.apply(ZONE, planned(keeper, *hosts, ttl=120))
    assert planned(keeper, *hosts, ttl=120) == []
    assert len(keeper.read(ZONE, names)) == 12
    keeper.apply(ZONE, planned(keeper, before=hosts))
    assert keeper.read(ZONE, names) == []
    assert [each.values for each in keeper.read(ZONE, ["www.example.test"])] == [("192.0.2.1",)]


def test_bind_answers_with_what_is_written(server: Bind, name_server: NameServer) -> None:
    hosts = (ZONE, "*.shop.example.test")
    name_server.apply(ZONE, planned(name_server, *hosts))
    assert (server.ask("any.shop.example.test"), server.ask(ZONE, "AAAA")) == (["127.0.0.1"], ["::1"])
    name_server.apply(ZONE, planned(name_server, before=hosts))
    assert (server.ask("any.shop.example.test"), server.ask(ZONE, "AAAA")) == ([], [])
    assert server.ask(ZONE, "NS") == ["ns.example.test."]


def test_what_somebody_else_has_is_refused(keeper: Provider) -> None:
    with pytest.raises(Conflict, match=r"www\.example\.test exists already"):
        planned(keeper, "www.example.test")
    keeper.apply(ZONE, planned(keeper, "taken.example.test", owner=OTHER))
    with pytest.raises(Conflict, match="belongs to the app blog/blog"):
        planned(keeper, "taken.example.test")
    assert planned(keeper, before=("taken.example.test",)) == []
    keeper.apply(ZONE, planned(keeper, owner=OTHER, before=("taken.example.test",)))


def test_what_a_wildcard_answers_stands_in_no_zone(server: Bind, name_server: NameServer) -> None:
    host = "a.wild.example.test"
    assert server.ask(host) == ["192.0.2.9"]
    name_server.apply(ZONE, planned(name_server, host))
    assert server.ask(host) == ["127.0.0.1"]
    name_server.apply(ZONE, planned(name_server, before=(host,)))
    assert server.ask(host) == ["192.0.2.9"]


def test_of_many_writers_one_wins(server: Bind, name_server: NameServer) -> None:
    owners = [Owner("1234", f"team-{number}", "shop") for number in range(8)]
    plans = [planned(name_server, "race.example.test", owner=owner) for owner in owners]

    def write(changes: list[Change]) -> bool:
        try:
            NameServer.of(server.credentials, ()).apply(ZONE, changes)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, plans))
    assert won.count(True) == 1
    winner = owners[won.index(True)]
    assert server.ask("_nucleo.race.example.test", "TXT") == [f'"{winner.text()}"']
    name_server.apply(ZONE, planned(name_server, owner=winner, before=("race.example.test",)))


def test_the_zone_is_the_servers_to_say(name_server: NameServer) -> None:
    assert name_server.zone("a.b.example.test") == ZONE
    assert name_server.zone(ZONE) == ZONE
    with pytest.raises(NotFound, match=r"no zone for shop\.other\.test"):
        name_server.zone("shop.other.test")


def test_a_large_zone_is_not_read_as_a_whole(name_server: NameServer) -> None:
    wish = Wish("large.test", MINE, ("shop.large.test",), ("127.0.0.1",))
    assert len(plan(wish, name_server.read("large.test", ["shop.large.test", "_nucleo.shop.large.test"]))) == 1


@pytest.mark.parametrize(
    "change", [{"TSIG_SECRET": "bm90IHRoZSBrZXk="}, {"TSIG_NAME": "somebody"}], ids=["wrong key", "unknown key"]
)
def test_a_wrong_key_is_told(server: Bind, change: dict[str, str]) -> None:
    keeper = NameServer.of({**server.credentials, **change}, (ZONE,))
    with pytest.raises(NotAllowed, match="refuses the TSIG key") as raised:
        keeper.read(ZONE, ["shop.example.test"])
    assert "TSIG_SECRET" in raised.value.hint
    assert change.get("TSIG_SECRET", "-") not in str(raised.value)


def test_without_a_key_nothing_is_written(server: Bind, name_server: NameServer) -> None:
    changes = planned(name_server, "shop.example.test")
    with pytest.raises(NotAllowed, match=r"refuses to create shop\.example\.test: REFUSED"):
        NameServer.of({"DNS_SERVER": server.server}, (ZONE,)).apply(ZONE, changes)


def test_a_server_that_is_gone_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        keeper = NameServer.of({"DNS_SERVER": f"127.0.0.1:{silent.getsockname()[1]}"}, (ZONE,))
        with pytest.raises(Unreachable, match="does not answer, reading"):
            keeper.read(ZONE, ["shop.example.test"])


def test_one_that_dies_half_way_is_finished_by_the_same_command(server: Bind) -> None:
    hosts = tuple(f"half-{number}.example.test" for number in range(4))
    first = NameServer.of(server.credentials, (ZONE,))
    changes = planned(first, *hosts)
    sent = first._exchange  # pyright: ignore[reportPrivateUsage]
    count = iter(range(100))

    def dying(*given: object) -> object:
        if next(count) == 2:
            raise Unreachable("the name server does not answer")
        return sent(*given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    first._exchange = dying  # type: ignore[assignment]  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    with pytest.raises(Unreachable):
        first.apply(ZONE, changes)
    assert [bool(server.ask(host)) for host in hosts] == [True, True, False, False]
    again = NameServer.of(server.credentials, (ZONE,))
    again.apply(ZONE, planned(again, *hosts))
    assert [bool(server.ask(host)) for host in hosts] == [True, True, True, True]
    again.apply(ZONE, planned(again, before=hosts))


def test_lexicons_own_words_are_told() -> None:
    keeper = provider("lexicon:nobody", {}, (ZONE,))
    with pytest.raises(NucleoError, match="nobody failed"):
        keeper.read(ZONE, ["shop.example.test"])
