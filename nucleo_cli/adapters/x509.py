"""Certificates of apps: signed, read and checked by the cryptography package.

https://www.rfc-editor.org/rfc/rfc5280, https://cabforum.org/working-groups/server/baseline-requirements/
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Clocks differ; what is signed now is to be valid everywhere now.
_BACKDATED = timedelta(hours=1)
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """A chain of certificates, the host's own first, and its private key; both PEM."""

    chain: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first certificate of a chain says. `names` are DNS names in A-label form; times are UTC.

    `whole` is whether every certificate is signed by the next one and the last by itself or by nobody shown;
    `lonely` is whether a certificate that somebody else has signed comes without that somebody's.
    """

    names: tuple[str, ...]
    issuer: str
    begins: datetime
    ends: datetime
    whole: bool
    lonely: bool

    def is_for(self, host: str) -> bool:
        """Whether one of the names is `host`, or a wildcard for it: of one label, as RFC 6125 (6.4.3) has it."""
        parent = host.partition(".")[2]
        return any(name.lower() in (host.lower(), f"*.{parent}".lower()) for name in self.names)


def sign(authority: Pair, hosts: Sequence[str], days: int) -> Pair:
    """A certificate for `hosts`, A-labels, signed by `authority` and valid for `days`; with a key of its own."""
    signer = x509.load_pem_x509_certificate(authority.chain.encode())
    signing_key = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the authority's key is neither of an elliptic curve nor RSA")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = [x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])] if len(hosts[0]) <= _LONGEST_COMMON_NAME else []
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(name))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + timedelta(days=days), signer.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=not name)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(usage(), critical=True)
        .add_extension(_authority_id(signer), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM).decode() + authority.chain
    return Pair(chain, _pem(key))


def read(chain: str) -> Facts:
    """What a chain of PEM certificates says; ValueError where it is none."""
    found = x509.load_pem_x509_certificates(chain.encode())
    first = found[0]
    return Facts(
        names=_names(first),
        issuer=_common_name(first.issuer),
        begins=first.not_valid_before_utc,
        ends=first.not_valid_after_utc,
        whole=all(_signed_by(one, other) for one, other in pairwise(found)),
        lonely=len(found) == 1 and first.issuer != first.subject,
    )


def signed_by(chain: str, authority: str) -> bool:
    """Whether the first certificate of `chain` is signed by the first of `authority`."""
    return _signed_by(_first(chain), _first(authority))


def belong_together(pair: Pair) -> bool:
    """Whether the key is that of the first certificate; ValueError where it is no key, or one with a passphrase."""
    try:
        key = serialization.load_pem_private_key(pair.key.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key has a passphrase, or is of a kind that no gateway takes") from error
    return _public(key.public_key()) == _public(_first(pair.chain).public_key())


def fingerprint(chain: str) -> str:
    """SHA-256 of the first certificate, in hexadecimal digits."""
    return _first(chain).fingerprint(hashes.SHA256()).hex()


def _first(chain: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(chain.encode())[0]


def _signed_by(one: x509.Certificate, other: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(other)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    """Of an authority's key, or of a host's."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_id(signer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The signer's own identifier where it has one, else that of its key: whoever checks compares the two."""
    try:
        own = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        key = signer.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise ValueError("the authority's key is neither of an elliptic curve nor RSA") from None
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _public(key: PublicKeyTypes) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)
