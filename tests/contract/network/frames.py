"""Ethernet frames, written byte by byte: what the kernel's own stack would never send is needed too."""

import struct
from ipaddress import ip_address

ETHERNET = b"\x02" * 12
SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04
TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132


def tcp(source: int, destination: int, flags: int = SYN, data: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, 1, 1, 0x50, flags, 1000, 0, 0) + data


def udp(source: int, destination: int, data: bytes = b"") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(data), 0) + data


def icmp(kind: int, code: int = 0, rest: bytes = b"\0" * 4, data: bytes = b"") -> bytes:
    return struct.pack("!BBH", kind, code, 0) + rest + data


def echo(kind: int, number: int) -> bytes:
    return icmp(kind, rest=struct.pack("!HH", number, 1))


def ip(source: str, destination: str, protocol: int, payload: bytes, **options: bytes | int) -> bytes:
    """An IP packet of its addresses' version; `options` and `fragment` of IPv4, `extensions` and `first` of IPv6."""
    if ip_address(source).version == 6:
        return _ipv6(source, destination, protocol, payload, **options)  # type: ignore[arg-type]
    return _ipv4(source, destination, protocol, payload, **options)  # type: ignore[arg-type]


def frame(packet: bytes) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return ETHERNET + struct.pack("!H", kind) + packet


def _ipv4(
    source: str, destination: str, protocol: int, payload: bytes, options: bytes = b"", fragment: int = 0
) -> bytes:
    words = 5 + len(options) // 4
    length = words * 4 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, length, 1, fragment, 64, protocol, 0)
    return head + ip_address(source).packed + ip_address(destination).packed + options + payload


def _ipv6(
    source: str, destination: str, protocol: int, payload: bytes, extensions: bytes = b"", first: int = -1
) -> bytes:
    body = extensions + payload
    head = struct.pack("!IHBB", 6 << 28, len(body), protocol if first < 0 else first, 64)
    return head + ip_address(source).packed + ip_address(destination).packed + body


def extension(following: int, size: int = 8) -> bytes:
    """A hop-by-hop, routing or destination options header of `size` bytes."""
    return struct.pack("!BB", following, size // 8 - 1) + b"\x01" + bytes([size - 4]) + b"\0" * (size - 4)


def fragment(following: int, offset: int = 0, *, more: bool = True) -> bytes:
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 7)


def question(name: str, number: int, kind: int = 1) -> bytes:
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + wire(name) + struct.pack("!HH", kind, 1)


def answer(name: str, number: int, records: list[tuple[bytes, int, int, bytes]], flags: int = 0x8180) -> bytes:
    """Records are owner, type, seconds, data; an owner of b"" is the question's name."""
    head = struct.pack("!HHHHHH", number, flags, 1, len(records), 0, 0) + wire(name) + struct.pack("!HH", 1, 1)
    return head + b"".join(
        (owner or b"\xc0\x0c") + struct.pack("!HHIH", kind, 1, seconds, len(data)) + data
        for owner, kind, seconds, data in records
    )


def streamed(message: bytes) -> bytes:
    """A message as TCP carries it."""
    return struct.pack("!H", len(message)) + message


def wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
