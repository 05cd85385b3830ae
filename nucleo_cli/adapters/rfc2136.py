"""Dynamic updates of a name server, signed by TSIG, over dnspython.

https://www.rfc-editor.org/rfc/rfc2136, https://www.rfc-editor.org/rfc/rfc8945
"""

import ipaddress
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update
from dns.rdtypes.ANY.TXT import TXT

from nucleo_cli.dns.model import Change, Record, zone_of
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable, UsageError

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rdata import Rdata

_SECONDS = 5.0
_TYPES = ("A", "AAAA", "CNAME", "TXT")
# A prerequisite that does not hold: somebody was quicker, or something is there that was not looked for.
_BROKEN = (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN)


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key; `secret` in base64, as `tsig-keygen` prints it."""

    name: str
    secret: str
    algorithm: str = "hmac-sha256"


class NameServer:
    """A Provider over the primary name server of its zones; `zones` are those that may be written to."""

    def __init__(self, server: str, key: Key | None, zones: Collection[str]) -> None:
        host, port = _host_port(server)
        self.server = f"{host}:{port}"
        self._port = port
        self._address = _address(host)
        self._zones = tuple(zones)
        try:
            self._ring = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)}) if key else None
        except (ValueError, dns.exception.DNSException) as error:
            raise UsageError("the TSIG key of the name server makes no sense", "TSIG_SECRET is base64") from error

    @classmethod
    def of(cls, credentials: Mapping[str, str], zones: Collection[str]) -> "NameServer":
        """From DNS_SERVER (HOST[:PORT]), TSIG_NAME, TSIG_SECRET and TSIG_ALGORITHM."""
        if "DNS_SERVER" not in credentials:
            raise UsageError(
                "rfc2136 needs the name server: DNS_SERVER is not set",
                "nucleo cluster configure --dns-credentials FILE with DNS_SERVER, TSIG_NAME and TSIG_SECRET",
            )
        key = None
        if "TSIG_NAME" in credentials:
            algorithm = credentials.get("TSIG_ALGORITHM", "hmac-sha256")
            key = Key(credentials["TSIG_NAME"], credentials.get("TSIG_SECRET", ""), algorithm)
        return cls(credentials["DNS_SERVER"], key, zones)

    def zone(self, name: str) -> str:
        """One of those that were named, else what the server says: it does not list its zones."""
        if self._zones:
            return zone_of(name, self._zones)
        answer = self._ask(dns.message.make_query(name, dns.rdatatype.SOA), f"asking for the zone of {name}")
        found = [each for each in (*answer.answer, *answer.authority) if each.rdtype == dns.rdatatype.SOA]
        if not answer.flags & dns.flags.AA or not found:
            hint = f"another team's zone is theirs to write; else make the zone on {self.server}"
            raise NotFound(f"the name server {self.server} has no zone for {name}", hint)
        return _text(found[0].name)

    def read(self, zone: str, names: Collection[str]) -> list[Record]:
        """Asked name by name and type by type: a transfer of the zone is a right of its own, and zones may be large."""
        return [record for name in names for kind in _TYPES for record in self._lookup(zone, name, kind)]

    def apply(self, zone: str, changes: Sequence[Change]) -> None:
        """One message for each name, which the server makes whole or not at all."""
        for change in changes:
            message = dns.update.UpdateMessage(zone, keyring=self._ring)
            _require(message, change)
            _write(message, change)
            self._send(message, change)

    def _lookup(self, zone: str, name: str, kind: str) -> Iterator[Record]:
        answer = self._ask(dns.message.make_query(name, kind), f"reading {name}")
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise NotAllowed(f"{self.server} does not answer for {name}: {dns.rcode.to_text(answer.rcode())}")
        for rrset in answer.answer:
            same = rrset.rdtype == dns.rdatatype.from_text(kind) and _text(rrset.name) == name
            if same and self._stands(zone, name, kind):
                yield Record(name, kind, tuple(sorted(_values(rrset))), rrset.ttl)

    def _stands(self, zone: str, name: str, kind: str) -> bool:
        """Whether the zone has the record: what a wildcard answers looks the same. A prerequisite alone tells."""
        if name.startswith("*."):
            return True
        message = dns.update.UpdateMessage(zone, keyring=self._ring)
        message.present(_absolute(name), kind)
        return self._exchange(message, f"reading {name}").rcode() != dns.rcode.NXRRSET

    def _ask(self, message: "Message", doing: str) -> "Message":
        message.flags &= ~dns.flags.RD
        if self._ring:
            message.use_tsig(self._ring)
        return self._exchange(message, doing)

    def _send(self, message: "dns.update.UpdateMessage", change: Change) -> None:
        code = self._exchange(message, f"writing {change.name}").rcode()
        if code == dns.rcode.NOERROR:
            return
        said = dns.rcode.to_text(code)
        if code in _BROKEN:
            raise Conflict(
                f"{change.name} was changed by somebody else meanwhile ({said})", "run the same command again"
            )
        if code in (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOTZONE):
            raise NotAllowed(
                f"{self.server} refuses to {change.action} {change.name}: {said}",
                "check TSIG_NAME and the server's update-policy",
            )
        raise NucleoError(
            f"{self.server} could not {change.action} {change.name}: {said}", "run the same command again"
        )

    def _exchange(self, message: "Message", doing: str) -> "Message":
        try:
            answer, _ = dns.query.udp_with_fallback(message, self._address, _SECONDS, self._port)
        except dns.tsig.PeerError as error:
            raise NotAllowed(
                f"{self.server} refuses the TSIG key: {error}", "check TSIG_NAME, TSIG_SECRET and the clock"
            ) from error
        except (dns.exception.DNSException, OSError) as error:
            said = str(error) or type(error).__name__
            raise Unreachable(f"the name server {self.server} does not answer, {doing}: {said}") from error
        return answer


def _require(message: "dns.update.UpdateMessage", change: Change) -> None:
    """https://www.rfc-editor.org/rfc/rfc2136#section-2.4"""
    if change.action != "create":
        message.present(_absolute(change.claim.name), "TXT", _quoted(change.claim.values[0]))
        return
    message.absent(_absolute(change.claim.name), "TXT")
    for record in change.new:
        if record.type == "CNAME":
            message.absent(_absolute(change.name))
        else:
            message.absent(_absolute(change.name), record.type)
            message.absent(_absolute(change.name), "CNAME")


def _write(message: "dns.update.UpdateMessage", change: Change) -> None:
    for record in change.old:
        message.delete(_absolute(record.name), record.type)
    for record in change.new:
        message.replace(
            _absolute(record.name), record.ttl, record.type, *(_dotted(record, each) for each in record.values)
        )
    if change.new:
        message.replace(_absolute(change.claim.name), change.claim.ttl, "TXT", _quoted(change.claim.values[0]))
    else:
        message.delete(_absolute(change.claim.name), "TXT")


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(f"{name}.")


def _dotted(record: Record, value: str) -> str:
    return f"{value}." if record.type == "CNAME" else value


def _quoted(text: str) -> str:
    return f'"{text}"'


def _values(rrset: "dns.rrset.RRset") -> Iterator[str]:
    for each in cast("Iterable[Rdata]", rrset):
        if isinstance(each, TXT):
            yield b"".join(each.strings).decode("utf-8", "replace")
        else:
            yield each.to_text().rstrip(".").lower()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _host_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or "]" in port or (":" in host.strip("[]") and not host.startswith("[")):
        return server.strip("[]"), 53
    return host.strip("[]"), int(port) if port.isdecimal() else 53


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, None)[0][4][0])
    except OSError as error:
        raise Unreachable(f"the name server {host} is not known: {error}") from error
