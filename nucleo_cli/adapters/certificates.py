"""When an X.509 certificate expires: the one field that is needed, read from its DER.

https://www.rfc-editor.org/rfc/rfc5280#section-4.1
"""

import ssl
from datetime import UTC, datetime

_UTC_TIME = 0x17
_VERSION = 0xA0


def expiry(pem: str) -> datetime:
    """The end of validity of the first certificate in `pem`. ValueError for what is none."""
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(pem[pem.find("-----BEGIN") : pem.find(end) + len(end)])
    try:
        certificate = _content(der, 0)
        fields = _elements(der, _content(der, certificate[0])[0])
    except IndexError as error:
        raise ValueError("the certificate is cut short") from error
    # version (optional), serial number, signature algorithm, issuer, validity
    validity = fields[4 if der[fields[0]] == _VERSION else 3]
    _, until = _elements(der, _content(der, validity)[0])[:2]
    start, length = _content(der, until)
    text = der[start : start + length].decode("ascii")
    if der[until] == _UTC_TIME:
        # Two digits of the year: 50 to 99 are of the 20th century.
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins, and its length."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, first
    size = first & 0x7F
    return at + 2 + size, int.from_bytes(der[at + 2 : at + 2 + size], "big")


def _elements(der: bytes, at: int) -> list[int]:
    """Where the first five elements from `at` on begin."""
    found = [at]
    while len(found) < 5 and at < len(der):
        start, length = _content(der, at)
        at = start + length
        if at < len(der):
            found.append(at)
    return found
