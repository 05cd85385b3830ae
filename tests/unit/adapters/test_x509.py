"""Certificates: signed, read, and checked against the system's own verifier."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nucleo_cli.adapters import x509
from nucleo_cli.adapters.x509 import Pair
from tests.authority import authority, leaf


@pytest.fixture(scope="module")
def signer() -> Pair:
    return authority("Test authority")


def test_openssl_takes_what_is_signed(signer: Pair, tmp_path: Path) -> None:
    made = x509.sign(signer, ("shop.test", "*.shop.test"), 90)
    (tmp_path / "ca.pem").write_text(signer.chain)
    (tmp_path / "leaf.pem").write_text(made.chain)
    command = ["openssl", "verify", "-x509_strict", "-verify_hostname", "a.shop.test", "-CAfile", "ca.pem", "leaf.pem"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.stdout == "leaf.pem: OK\n", answer.stderr
    ssl.create_default_context(cadata=signer.chain)


def test_what_is_signed_is_read_back(signer: Pair) -> None:
    facts = x509.read(x509.sign(signer, ("shop.test",), 90).chain)
    assert (facts.names, facts.issuer, facts.whole, facts.lonely) == (("shop.test",), "Test authority", True, False)
    assert timedelta(days=89) < facts.ends - datetime.now(UTC) <= timedelta(days=90)


def test_none_outlives_its_authority() -> None:
    short = authority("Short", days=5)
    assert x509.read(x509.sign(short, ("shop.test",), 90).chain).ends == x509.read(short.chain).ends


def test_a_name_longer_than_a_common_name_is_in_the_names_alone(signer: Pair) -> None:
    host = f"{'a' * 60}.example.test"
    assert x509.read(x509.sign(signer, (host,), 90).chain).names == (host,)


@pytest.mark.parametrize(
    ("host", "fits"),
    [("shop.test", True), ("SHOP.test", True), ("a.shop.test", True), ("a.b.shop.test", False), ("test", False)],
)
def test_a_wildcard_is_for_one_label(signer: Pair, host: str, fits: bool) -> None:
    assert x509.read(x509.sign(signer, ("shop.test", "*.shop.test"), 1).chain).is_for(host) is fits


def test_the_chain_is_looked_at(signer: Pair) -> None:
    other = authority("Other")
    alone = leaf(signer, ("shop.test",)).chain
    assert x509.read(alone).lonely
    assert not x509.read(alone + other.chain).whole
    assert x509.signed_by(alone, signer.chain)
    assert not x509.signed_by(alone, other.chain)


def test_a_key_belongs_to_its_certificate(signer: Pair) -> None:
    one, other = x509.sign(signer, ("shop.test",), 1), x509.sign(signer, ("shop.test",), 1)
    assert x509.belong_together(one)
    assert not x509.belong_together(Pair(one.chain, other.key))
    assert x509.fingerprint(one.chain) != x509.fingerprint(other.chain)


def test_what_is_no_certificate_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="PEM"):
        x509.read("-----BEGIN NOTHING-----")
