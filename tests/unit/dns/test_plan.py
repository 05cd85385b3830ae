"""What changes in a zone, and above all what never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.dns.model import Change, Record, zone_of
from nucleo_cli.dns.ownership import Owner, claim, claim_name, owner_of
from nucleo_cli.dns.plan import Wish, plan
from nucleo_cli.errors import Conflict, NotFound, UsageError

MINE = Owner("1234", "shop", "shop")
HOST = "shop.example.com"
WISH = Wish("example.com", MINE, (HOST,), ("192.0.2.1",))


def made(zone: dict[tuple[str, str], Record], changes: list[Change]) -> dict[tuple[str, str], Record]:
    """The zone after the changes."""
    after = dict(zone)
    for change in changes:
        for record in change.old:
            del after[record.name, record.type]
        after |= {(record.name, record.type): record for record in change.new}
        if change.new:
            after[change.claim.name, "TXT"] = change.claim
        else:
            del after[change.claim.name, "TXT"]
    return after


def test_a_new_name_is_made_with_its_claim() -> None:
    (change,) = plan(WISH, [])
    assert (change.action, change.new) == ("create", (Record(HOST, "A", ("192.0.2.1",)),))
    assert change.claim == Record("_nucleo.shop.example.com", "TXT", ("heritage=nucleo,cluster=1234,app=shop/shop",))


def test_what_is_as_wanted_is_left_alone() -> None:
    assert plan(WISH, [claim(HOST, MINE), Record(HOST, "A", ("192.0.2.1",))]) == []


@pytest.mark.parametrize("old", [Record(HOST, "A", ("192.0.2.9",)), Record(HOST, "A", ("192.0.2.1",), 60)])
def test_what_differs_is_updated(old: Record) -> None:
    (change,) = plan(WISH, [claim(HOST, MINE), old])
    assert (change.action, change.old) == ("update", (old,))


def test_addresses_of_both_kinds() -> None:
    (change,) = plan(Wish("example.com", MINE, (HOST,), ("192.0.2.1", "2001:db8::1", "192.0.2.2")), [])
    assert change.new == (Record(HOST, "A", ("192.0.2.1", "192.0.2.2")), Record(HOST, "AAAA", ("2001:db8::1",)))


def test_one_host_name_is_an_alias() -> None:
    (change,) = plan(Wish("example.com", MINE, (HOST,), ("lb.example.net.",)), [])
    assert change.new == (Record(HOST, "CNAME", ("lb.example.net",)),)


def test_an_alias_beside_other_data_is_refused() -> None:
    with pytest.raises(Conflict, match="TXT v=spf1"):
        plan(Wish("example.com", MINE, (HOST,), ("lb.example.net",)), [Record(HOST, "TXT", ("v=spf1",))])


def test_no_alias_at_the_apex() -> None:
    with pytest.raises(UsageError, match="apex") as raised:
        plan(Wish("example.com", MINE, ("example.com",), ("lb.example.net",)), [])
    assert "--edge-addresses" in raised.value.hint


@pytest.mark.parametrize("targets", [("a.example.net", "b.example.net"), ("a.example.net", "192.0.2.1")])
def test_addresses_or_one_name(targets: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="addresses or to one host name"):
        plan(Wish("example.com", MINE, (HOST,), targets), [])


def test_a_name_that_is_there_and_not_ours() -> None:
    with pytest.raises(Conflict, match=r"exists already and is not Nucleo's: A 192\.0\.2\.7"):
        plan(WISH, [Record(HOST, "A", ("192.0.2.7",))])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Owner("1234", "blog", "blog"), "belongs to the app blog/blog"),
        (Owner("9", "shop", "shop"), "belongs to the app shop/shop of another cluster"),
    ],
)
def test_a_name_of_another_app(other: Owner, said: str) -> None:
    with pytest.raises(Conflict, match=f"{said}$"):
        plan(WISH, [claim(HOST, other), Record(HOST, "A", ("192.0.2.1",))])


def test_a_host_that_is_wanted_no_more_goes() -> None:
    old = Record("old.example.com", "A", ("192.0.2.1",))
    there = [claim(HOST, MINE), Record(HOST, "A", ("192.0.2.1",)), claim("old.example.com", MINE), old]
    (change,) = plan(WISH, there, ("old.example.com",))
    assert (change.name, change.action, change.old) == ("old.example.com", "delete", (old,))


def test_one_that_somebody_has_taken_over_stays() -> None:
    there = [claim("old.example.com", Owner("1234", "blog", "blog")), Record("old.example.com", "A", ("192.0.2.1",))]
    assert plan(Wish("example.com", MINE, (), ()), there, ("old.example.com",)) == []


def test_a_wildcard_has_a_claim_of_its_own() -> None:
    assert claim_name("*.example.com") == "_nucleo-any.example.com"
    assert claim_name("any.example.com") == "_nucleo.any.example.com"
    with pytest.raises(ValueError, match="253"):
        claim_name(".".join(["a" * 60] * 4) + ".abcdefg")


@given(st.text("abc-", min_size=1), st.text("abc-", min_size=1), st.text("abc-", min_size=1))
def test_a_claim_is_read_back(cluster: str, namespace: str, app: str) -> None:
    assert owner_of(Owner(cluster, namespace, app).text()) == Owner(cluster, namespace, app)


@pytest.mark.parametrize("text", ["", "v=spf1", "heritage=external-dns,external-dns/owner=x", "heritage=nucleo"])
def test_other_texts_are_no_claims(text: str) -> None:
    assert owner_of(text) is None


@given(
    st.sets(st.sampled_from(["a", "b", "c", "d"])),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["mine", "other", "nobody"])),
    st.sets(st.sampled_from(["a", "b", "c", "d"])),
)
def test_only_what_is_ours_ever_changes(wanted: set[str], zone: dict[str, str], before: set[str]) -> None:
    records: dict[tuple[str, str], Record] = {}
    owners = {"mine": MINE, "other": Owner("1234", "x", "y")}
    for label, whose in zone.items():
        name = f"{label}.example.com"
        records[name, "A"] = Record(name, "A", ("192.0.2.7",))
        if whose in owners:
            records[claim_name(name), "TXT"] = claim(name, owners[whose])
    wish = Wish("example.com", MINE, tuple(f"{each}.example.com" for each in sorted(wanted)), ("192.0.2.1",))
    published = [f"{each}.example.com" for each in sorted(before)]
    try:
        changes = plan(wish, records.values(), published)
    except Conflict:
        assert any(zone.get(each) in ("other", "nobody") for each in wanted)
        return
    after = made(records, changes)
    for label, whose in zone.items():
        if whose != "mine":
            name = f"{label}.example.com"
            assert after[name, "A"] == records[name, "A"]
    assert all(after[f"{each}.example.com", "A"].values == ("192.0.2.1",) for each in wanted)
    assert plan(wish, after.values(), published) == []


def test_the_longest_zone_is_the_one() -> None:
    assert zone_of("a.b.example.com", ("example.com", "b.example.com", "com.example")) == "b.example.com"
    with pytest.raises(NotFound, match=r"bexample\.com is in no zone .* are example\.com"):
        zone_of("bexample.com", ("example.com",))
