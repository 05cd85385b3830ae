"""Host names, issuers and times of the edge: what they come to, and every mistake once."""

import pytest

from nucleo_cli import config
from nucleo_cli.config.hosts import domain
from nucleo_cli.config.kinds import MisfitError
from nucleo_cli.domain.edge import Dns, Tls

from .conftest import Problems, Write


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop.example.com", "shop.example.com"),
        ("Shop.Example.COM.", "shop.example.com"),
        ("example.com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("3.example.com", "3.example.com"),
        (f"{'a' * 63}.example.com", f"{'a' * 63}.example.com"),
    ],
)
def test_a_domain_becomes_its_form_in_dns(text: str, name: str):
    assert domain(text) == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop", "a whole name"),
        ("https://shop.example.com/x", "got a URL"),
        ("shop.example.com:8080", "without port or path"),
        ("shop.example.com/api", "without port or path"),
        ("10.1.2.3", "the address 10.1.2.3"),
        ("[2001:db8::1]", "the address"),
        ("shop.*.example.com", "must be a host name"),
        ("**.example.com", "must be a host name"),
        ("my_shop.example.com", "must be a host name"),
        ("-a.example.com", "must be a host name"),
        ("a..example.com", "must be a host name"),
        ("shop.shop.svc.cluster.local", "outside of the cluster"),
        (f"{'a' * 64}.example.com", "got one of 64"),
        (".".join(["a" * 60] * 5), "at most 253"),
        ("\u2066.example", "DNS can carry"),
        ("", "must be a host name"),
    ],
)
def test_what_is_no_domain_is_refused(text: str, said: str):
    with pytest.raises(MisfitError) as caught:
        domain(text)
    assert said in caught.value.what


def test_tls_and_dns_are_read(write: Write):
    text = "platform: python\ndomains: [shop.test]\ntls: {issuer: ClusterIssuer/le, redirect: false, hsts: 180d}\n"
    app = config.load(write(text + "dns: {ttl: 60}\n"))
    assert app.domains == ("shop.test",)
    assert app.tls == Tls("ClusterIssuer/le", False, 180 * 86400)
    assert app.dns == Dns(60)


def test_an_environment_has_its_own(write: Write):
    text = "platform: python\ndomains: [a.test]\ntls: {hsts: 1h}\n"
    text += "environments: {p: {domains: [b.test], tls: {issuer: nucleo}}}\n"
    app = config.load(write(text), "p")
    assert (app.domains, app.tls) == (("b.test",), Tls("nucleo", True, 3600))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("domains: [a.test, A.test]", "names a.test a second time"),
        ("tls: {issuer: letsencrypt}", "must be nucleo, ClusterIssuer/NAME or Issuer/NAME"),
        ("tls: {redirect: maybe}", "must be true or false"),
        ("tls: {hsts: soon}", 'such as "180d"'),
        ("tls: {hsts: 3000d}", "must be from 0 to"),
        ("dns: {ttl: 0}", "must be from 1 to 86400"),
    ],
)
def test_mistakes_are_told_with_their_place(problems: Problems, line: str, said: str):
    (line_,) = problems(f"platform: python\n{line}\n")
    assert said in line_
    assert line_.startswith("2:")
