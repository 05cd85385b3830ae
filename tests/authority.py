"""Authorities and certificates for tests, with what a good one never has: dates in the past, missing parts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nucleo_cli.adapters.x509 import Pair, usage


def authority(name: str, days: int = 3650, parent: Pair | None = None) -> Pair:
    """An authority; signed by itself, or by `parent`, and then its chain holds that too."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), key, timedelta(days=days)).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    builder = builder.add_extension(usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _signed(builder, key, name, parent)


def leaf(signer: Pair, hosts: Sequence[str], lasts: timedelta = timedelta(days=90)) -> Pair:
    """A certificate without its authority; one that lasts less than no time has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    made = _signed(_builder(_name(hosts[0]), key, lasts).add_extension(names, critical=False), key, "", signer)
    end = "-----END CERTIFICATE-----\n"
    return Pair(made.chain[: made.chain.index(end) + len(end)], made.key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(name: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + lasts) - timedelta(days=1))
        .not_valid_after(now + lasts)
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, own_name: str, parent: Pair | None
) -> Pair:
    if parent is None:
        made = builder.issuer_name(_name(own_name)).sign(key, hashes.SHA256())
    else:
        signer = x509.load_pem_x509_certificate(parent.chain.encode())
        signing = serialization.load_pem_private_key(parent.key.encode(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        made = builder.issuer_name(signer.subject).sign(signing, hashes.SHA256())
    chain = made.public_bytes(serialization.Encoding.PEM).decode() + (parent.chain if parent else "")
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return Pair(chain, pem)
