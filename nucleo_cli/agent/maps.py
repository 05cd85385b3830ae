"""The layouts of bpf_programs/maps.h. Ports and addresses are in network order, all else in the machine's."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

POLICY_CLOSED_OUT, POLICY_CLOSED_IN, POLICY_AUDIT = 1, 2, 4
NAMES_PER_POLICY = 64
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58

_PORT_PREFIX = 64
_PEER_PREFIX = 64
_MAPPED = b"\0" * 10 + b"\xff\xff"
_HASH_START, _HASH_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1

_POLICY = struct.Struct("=IIQQ")
_POD = struct.Struct("=IIIIQQ")
_PEER = struct.Struct("=III16s")
_PORT = struct.Struct("=IIBx2s")
_NAME_KEY = struct.Struct("=IIQ")
_NAME = struct.Struct("=II256s")
_LEARNED = struct.Struct("=QQ")
_PAIR = struct.Struct("=II")
_NUMBER = struct.Struct("=I")
_OWN = struct.Struct("=I16s")
_CGROUP = struct.Struct("=Q")
_RECORD_KEY = struct.Struct("=II16s2sBBB3x")
_RECORD = struct.Struct("=QQQQQQQ")
_HEALTH_KEY = struct.Struct("=I16s2sBx")
_HEALTH = struct.Struct("=32QQQ")
_EVENT = struct.Struct("=II")
_ANSWER = struct.Struct("=III")


class Direction(IntEnum):
    OUT = 0
    IN = 1


class Verdict(IntEnum):
    ALLOWED = 0
    DENIED = 1
    AUDITED = 2
    LIMITED = 3


class Event(IntEnum):
    RECORD = 1
    ANSWER = 2


class Counter(IntEnum):
    LOST_RECORDS = 0
    LOST_EVENTS = 1
    LOST_FLOWS = 2
    LOST_NAMES = 3
    MALFORMED = 4


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Connections of a pod with one address and port. `rule` is 0 where none decided."""

    pod: int
    rule: int
    remote: IPv4Address | IPv6Address
    port: int
    protocol: int
    direction: Direction
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Record:
    """Nanoseconds of the monotonic clock, bytes from the IP header on."""

    first: int
    last: int
    connections: int
    packets_out: int
    bytes_out: int
    packets_in: int
    bytes_in: int


@dataclass(frozen=True, slots=True)
class Health:
    """Of TCP connections: how many round trips took from 2^i microseconds on, by i; sums since the first."""

    round_trips: tuple[int, ...] = (0,) * 32
    retransmits: int = 0
    resets: int = 0

    def since(self, before: Health) -> Health:
        trips = tuple(now - then for now, then in zip(self.round_trips, before.round_trips, strict=True))
        return Health(trips, self.retransmits - before.retransmits, self.resets - before.resets)

    @property
    def median(self) -> int | None:
        """Microseconds, as near as powers of two say it; None where there was no round trip."""
        half = sum(self.round_trips) / 2
        reached = 0
        for power, count in enumerate(self.round_trips):
            reached += count
            if count and reached >= half:
                return int(1.5 * 2**power)
        return None


def number(value: int) -> bytes:
    return _NUMBER.pack(value)


def cgroup(inode: int) -> bytes:
    """The key of `pods`: a cgroup's number is the inode of its folder."""
    return _CGROUP.pack(inode)


def pod(policy: int, which: int) -> bytes:
    return _POD.pack(policy, which, 0, 0, 0, 0)


def own(which: int, text: str) -> bytes:
    """The key of an address of a pod itself."""
    return _OWN.pack(which, address(text))


def policy(generation: int, flags: int, rate: int = 0, burst: int = 0) -> bytes:
    return _POLICY.pack(generation, flags, rate, burst)


def address(text: str) -> bytes:
    found = ip_address(text)
    return found.packed if found.version == 6 else _MAPPED + found.packed


def peer(of: int, direction: Direction, block: str) -> bytes:
    """The key of an address ("10.1.2.3") or of a block ("10.0.0.0/8")."""
    network = ip_network(block)
    if isinstance(network, IPv6Network):
        return peer_of(of, direction, network.network_address.packed, network.prefixlen)
    return peer_of(of, direction, _MAPPED + network.network_address.packed, network.prefixlen + 96)


def peer_of(of: int, direction: Direction, first: bytes, length: int) -> bytes:
    """The key of a block of IPv6 addresses, mapped ones among them."""
    return _PEER.pack(_PEER_PREFIX + length, of, direction, first)


def port_keys(of: int, protocol: int | None, first: int = 0, last: int = 65535) -> list[bytes]:
    """The keys of a range of ports in a set: as few prefixes as cover it. No protocol: every port of each."""
    if protocol is None:
        return [_PORT.pack(32, of, 0, b"\0\0")]
    keys: list[bytes] = []
    while first <= last:
        bits = (first & -first).bit_length() - 1 if first else 16
        while first + (1 << bits) - 1 > last:
            bits -= 1
        keys.append(_PORT.pack(_PORT_PREFIX - bits, of, protocol, first.to_bytes(2, "big")))
        first += 1 << bits
    return keys


def name(of: int, text: str) -> bytes:
    """The key of a host name, or of all names below one ("*.example.com")."""
    wildcard = text.startswith("*.")
    return _NAME_KEY.pack(of, wildcard, _hashed(_wire(text)))


def name_value(index: int, text: str) -> bytes:
    wire = _wire(text)
    return _NAME.pack(index, len(wire), wire)


def without_names(learned: bytes, mask: int) -> bytes:
    """An address without those of its names whose bits are in the mask."""
    names, expires = _LEARNED.unpack(learned)
    return _LEARNED.pack(names & ~mask, expires)


def _wire(text: str) -> bytes:
    """The name as it is in a message (RFC 1035, 3.1), without the root; of a wildcard, what its names end with."""
    labels = text.removeprefix("*.").lower().rstrip(".").encode("ascii").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels)


def _hashed(wire: bytes) -> int:
    """FNV-1a, from the last byte to the first, so that what several names end with has one hash."""
    value = _HASH_START
    for byte in reversed(wire):
        value = ((value ^ byte) * _HASH_PRIME) & _MASK
    return value


def name_index(value: bytes) -> int:
    return _NUMBER.unpack_from(value)[0]


def pair(of: int, index: int) -> bytes:
    return _PAIR.pack(of, index)


def generation(data: bytes | None) -> int:
    """Of a policy as it is in the kernel; 0 where there is none."""
    return _POLICY.unpack(data)[0] if data else 0


def policy_of(key: bytes) -> int:
    """Of a key that begins with it, or with the number of a pod."""
    return _NUMBER.unpack_from(key)[0]


def policy_of_peer(key: bytes) -> int:
    return _NUMBER.unpack_from(key, _NUMBER.size)[0]


def set_of(key: bytes) -> bytes:
    """The number of the set that a key of `ports` belongs to."""
    return key[_NUMBER.size :][: _NUMBER.size]


def record_key(data: bytes) -> RecordKey:
    which, rule, remote, port, protocol, direction, verdict = _RECORD_KEY.unpack(data)
    found = IPv4Address(remote[12:]) if remote.startswith(_MAPPED) else IPv6Address(remote)
    return RecordKey(which, rule, found, int.from_bytes(port, "big"), protocol, Direction(direction), Verdict(verdict))


def record(data: bytes) -> Record:
    return Record(*_RECORD.unpack(data))


def health_key(of: RecordKey) -> bytes:
    """The key of `health` for the connections of a record."""
    return _HEALTH_KEY.pack(of.pod, address(str(of.remote)), of.port.to_bytes(2, "big"), of.direction)


def health(data: bytes) -> Health:
    *trips, retransmits, resets = _HEALTH.unpack(data)
    return Health(tuple(trips), retransmits, resets)


def event(data: bytes) -> RecordKey | tuple[int, bytes]:
    """A record that was not there before, or a pod's number and a resolver's answer to it."""
    kind, which = _EVENT.unpack_from(data)
    if kind == Event.RECORD:
        return record_key(data[_EVENT.size :][: _RECORD_KEY.size])
    length = _ANSWER.unpack_from(data)[2]
    return which, data[_ANSWER.size :][:length]
