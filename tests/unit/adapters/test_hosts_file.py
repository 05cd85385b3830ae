"""The hosts file: our lines come and go, the others stay as they are."""

from pathlib import Path

import pytest

from nucleo_cli.adapters.hosts_file import HostsFile
from nucleo_cli.dns.ownership import Owner, claim_name
from nucleo_cli.dns.plan import Wish, plan
from nucleo_cli.errors import Conflict, NotAllowed, UsageError

MINE = Owner("1234", "shop", "shop")
HOST = "shop.test"
OTHERS = "127.0.0.1\tlocalhost  # by hand\n192.0.2.3 db.test www.test\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(OTHERS)
    return path


def put(file: Path, *hosts: str, before: tuple[str, ...] = (), target: str = "127.0.0.1") -> None:
    provider = HostsFile(file)
    names = [name for host in (*hosts, *before) for name in (host, claim_name(host))]
    provider.apply("", plan(Wish("", MINE, hosts, (target,)), provider.read("", names), before))


def test_lines_come_and_go(file: Path) -> None:
    put(file, HOST)
    assert file.read_text() == f"{OTHERS}127.0.0.1 shop.test # heritage=nucleo,cluster=1234,app=shop/shop\n"
    put(file, HOST, target="::1")
    assert file.read_text() == f"{OTHERS}::1 shop.test # heritage=nucleo,cluster=1234,app=shop/shop\n"
    put(file, before=(HOST,))
    assert file.read_text() == OTHERS


def test_a_line_by_hand_is_not_ours(file: Path) -> None:
    with pytest.raises(Conflict, match=r"www\.test exists already"):
        put(file, "www.test")
    assert file.read_text() == OTHERS


def test_there_are_no_wildcards(file: Path) -> None:
    with pytest.raises(UsageError, match="wildcards"):
        HostsFile(file).zone("*.shop.test")


def test_a_name_is_no_address(file: Path) -> None:
    with pytest.raises(UsageError, match="addresses only"):
        put(file, HOST, target="lb.example.net")


def test_a_file_that_cannot_be_written_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    provider = HostsFile(tmp_path / "folder")
    provider._lines = list  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    with pytest.raises(NotAllowed) as raised:
        provider.apply("", plan(Wish("", MINE, (HOST,), ("127.0.0.1",)), []))
    assert "127.0.0.1 shop.test # heritage=nucleo" in raised.value.hint
