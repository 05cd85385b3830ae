"""The certificates of an app's domains: who fills which Secret, and when one is signed again."""

import base64
from datetime import timedelta

import pytest

from nucleo_cli.adapters import x509
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.adapters.x509 import Pair
from nucleo_cli.domain.documents import part
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.events import Warned
from nucleo_cli.errors import NotFound
from nucleo_cli.workflows.certificates import OWN, pair, secret_name, secrets, write
from nucleo_cli.workflows.destroy import destroy
from nucleo_cli.workflows.rollback import roll_back
from tests.authority import authority, leaf
from tests.unit.workflows.shop import SETTINGS, Shop
from tests.unit.workflows.steps import run

HOST = "shop.example.com"
NAME = secret_name("shop", HOST)


@pytest.fixture(scope="module")
def signer() -> Pair:
    return authority("Test authority")


@pytest.fixture
def shop(app: Shop, signer: Pair) -> Shop:
    app.configure({**SETTINGS, "issuer": "nucleo"})
    keep(app, signer)
    app.write("nucleo.yml", (app.folder / "nucleo.yml").read_text() + f"domains: [{HOST}]\n")
    return app


def keep(app: Shop, signer: Pair) -> None:
    """Puts an authority where the cluster keeps its own."""
    data = {"tls.crt": signer.chain, "tls.key": signer.key}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nucleo-authority"}, "data": coded}
    app.cluster.patch(path("v1", "secrets", "nucleo-system", "nucleo-authority"), body, "apply")


def chain(app: Shop) -> str:
    return pair(secrets(app.cluster, app.target)[HOST]).chain


def objects(app: Shop) -> list[str]:
    return [each["metadata"]["name"] for each in part(app.running.values, "routes")["objects"]]


def test_a_domain_is_released_with_a_certificate(shop: Shop, signer: Pair) -> None:
    shop.deployed()
    assert x509.signed_by(chain(shop), signer.chain)
    assert "shop-https" in objects(shop)
    assert pair(secrets(shop.cluster, shop.target)[HOST]).key not in str(shop.running.values)


def test_a_good_one_is_left_alone(shop: Shop) -> None:
    shop.deployed()
    before = chain(shop)
    assert not shop.deploy().result.changed
    assert chain(shop) == before


@pytest.mark.parametrize("days", [29, -1])
def test_one_that_ends_is_signed_again_though_nothing_else_changed(shop: Shop, signer: Pair, days: int) -> None:
    shop.deployed()
    write(shop.cluster, shop.target, HOST, leaf(signer, (HOST,), timedelta(days=days)), "nucleo")
    before = chain(shop)
    assert not shop.deploy().result.changed
    assert chain(shop) != before


def test_a_new_authority_signs_again(shop: Shop) -> None:
    shop.deployed()
    new = authority("New")
    keep(shop, new)
    shop.deploy()
    assert x509.signed_by(chain(shop), new.chain)


def test_a_cluster_without_an_authority_says_what_to_do(shop: Shop) -> None:
    shop.cluster.delete(path("v1", "secrets", "nucleo-system", "nucleo-authority"))
    error = shop.deploy().error
    assert isinstance(error, NotFound)
    assert "nucleo-system/nucleo-authority" in error.message
    assert "configure --issuer" in error.hint


def test_ones_own_wins_and_is_warned_of_before_it_ends(shop: Shop) -> None:
    shop.deployed()
    own = leaf(authority("Somebody"), (HOST,), timedelta(days=3, hours=1))
    write(shop.cluster, shop.target, HOST, own, OWN)
    ran = shop.deploy()
    assert chain(shop) == own.chain
    hint = f"nucleo domains cert {HOST} --cert FILE --key FILE"
    assert Warned(f"the certificate of {HOST} ends in 3 days", hint) in ran.events


def test_ones_own_needs_no_issuer(shop: Shop) -> None:
    shop.configure(SETTINGS)
    shop.deployed()
    assert "shop-https" not in objects(shop)
    write(shop.cluster, shop.target, HOST, leaf(authority("Somebody"), (HOST,)), OWN)
    assert shop.deploy().result.changed
    assert "shop-https" in objects(shop)


def test_cert_manager_fills_its_own(shop: Shop) -> None:
    shop.configure({**SETTINGS, "issuer": "ClusterIssuer/acme"})
    shop.deployed()
    assert secrets(shop.cluster, shop.target) == {}
    assert NAME in str(part(shop.running.values, "routes")["objects"])
    assert "cert-manager.io/cluster-issuer" in str(part(shop.running.values, "routes")["objects"])


def test_a_certificate_stays_while_a_release_names_it(shop: Shop) -> None:
    shop.deployed()
    text = (shop.folder / "nucleo.yml").read_text()
    shop.write("nucleo.yml", text.replace(f"[{HOST}]", "[other.example.com]"))
    shop.deployed()
    assert set(secrets(shop.cluster, shop.target)) == {HOST, "other.example.com"}
    run(roll_back(shop.tools, shop.target, None))
    assert HOST in secrets(shop.cluster, shop.target)


def test_destroy_takes_them_along(shop: Shop) -> None:
    shop.deployed()
    run(destroy(shop.tools, shop.target))
    assert secrets(shop.cluster, shop.target) == {}


def test_the_names_of_two_hosts_differ() -> None:
    assert secret_name("shop", "a.b-c.test") != secret_name("shop", "a-b.c.test")
    assert Certificate(secret_name("shop", HOST), (HOST,)).issuer == ""
