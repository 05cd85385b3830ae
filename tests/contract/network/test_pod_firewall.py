"""The pod firewall's programs in the kernel, on frames that BPF_PROG_TEST_RUN gives them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nucleo_cli.agent import maps
from nucleo_cli.agent.libbpf import BpfError, Object, Ring
from nucleo_cli.agent.maps import Direction, Record, RecordKey, Verdict
from tests.contract.network import frames
from tests.contract.network.frames import ACK, FIN, ICMP, ICMPV6, RST, SCTP, SYN, TCP, UDP, frame, ip

POD, PEER, STRANGER = "10.96.0.2", "10.96.1.3", "203.0.113.9"
POD6, PEER6 = "fd00::2", "fd00:1::3"
BOTH = maps.POLICY_CLOSED_OUT | maps.POLICY_CLOSED_IN
# In a test run nothing has written the pod's storage: its policy is 0, its number too.
POLICY = 0


class Firewall:
    """The programs, with rules of policy 0."""

    def __init__(self, file: Path) -> None:
        self.object = Object(file)
        self.maps = self.object.maps
        self.events: list[RecordKey | tuple[int, bytes]] = []
        self._ring = Ring(self.maps["events"], lambda data: self.events.append(maps.event(data)))
        self._generation = 0
        self._sets = 0
        self.close(BOTH)

    def close(self, flags: int, rate: int = 0, burst: int = 0) -> None:
        """The policy from now on. Flows that are known are judged again."""
        self._generation += 1
        self.maps["policies"][maps.number(POLICY)] = maps.policy(self._generation, flags, rate, burst)

    def ports(self, rule: int, *ports: tuple[int | None, int, int]) -> bytes:
        """A set of protocol, first and last port."""
        self._sets += 1
        for protocol, first, last in ports or ((None, 0, 65535),):
            for key in maps.port_keys(self._sets, protocol, first, last):
                self.maps["ports"][key] = maps.number(rule)
        return maps.number(self._sets)

    def allow(self, direction: Direction, block: str, rule: int, *ports: tuple[int | None, int, int]) -> None:
        self.maps["peers"][maps.peer(POLICY, direction, block)] = self.ports(rule, *ports)

    def allow_name(self, name: str, rule: int, index: int, *ports: tuple[int | None, int, int]) -> None:
        self.maps["names"][maps.name(POLICY, name)] = maps.name_value(index, name)
        self.maps["name_ports"][maps.pair(POLICY, index)] = self.ports(rule, *ports)

    def out(self, packet: bytes, repeat: int = 1) -> int:
        return self.object.programs["pod_egress"].run(frame(packet), repeat)[0]

    def into(self, packet: bytes) -> int:
        return self.object.programs["pod_ingress"].run(frame(packet))[0]

    @property
    def records(self) -> dict[RecordKey, Record]:
        return {maps.record_key(key): maps.record(value) for key, value in self.maps["records"].items()}

    def counted(self, what: maps.Counter) -> int:
        return sum(int.from_bytes(each, "little") for each in self.maps["counters"].per_cpu(maps.number(what)))

    def take(self) -> None:
        self._ring.consume()

    def end(self) -> None:
        self._ring.close()
        self.object.close()


@pytest.fixture
def firewall(compiled: Path) -> Iterator[Firewall]:
    made = Firewall(compiled / "pod_fw.bpf.o")
    yield made
    made.end()


def test_nothing_passes_before_the_policy_is_there(firewall: Firewall) -> None:
    assert firewall.maps["policies"].delete(maps.number(POLICY))
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80))) == 0
    assert firewall.into(ip(PEER, POD, TCP, frames.tcp(40000, 80))) == 0


@pytest.mark.parametrize(("pod", "peer", "block"), [(POD, PEER, "10.96.0.0/16"), (POD6, PEER6, "fd00:1::/32")])
@pytest.mark.parametrize(("protocol", "segment"), [(TCP, frames.tcp), (UDP, frames.udp)])
def test_a_rule_opens_its_address_and_port_and_the_way_back(
    firewall: Firewall, pod: str, peer: str, block: str, protocol: int, segment: type
) -> None:
    firewall.allow(Direction.OUT, block, 7, (protocol, 80, 81))
    assert firewall.out(ip(pod, peer, protocol, segment(40000, 80))) == 1
    assert firewall.out(ip(pod, peer, protocol, segment(40000, 82))) == 0
    assert (
        firewall.into(
            ip(peer, pod, protocol, frames.tcp(80, 40000, SYN | ACK) if protocol == TCP else segment(80, 40000))
        )
        == 1
    )
    assert firewall.into(ip(peer, pod, protocol, segment(80, 40001))) == 0
    found = {(key.port, key.direction, key.verdict, key.rule): one for key, one in firewall.records.items()}
    allowed = found[80, Direction.OUT, Verdict.ALLOWED, 7]
    assert (allowed.connections, allowed.packets_out, allowed.packets_in) == (1, 1, 1)
    assert found[82, Direction.OUT, Verdict.DENIED, 0].connections == 1
    assert found[40001, Direction.IN, Verdict.DENIED, 0].packets_in == 1


def test_an_open_direction_needs_no_rule_and_its_answers_pass_a_closed_one(firewall: Firewall) -> None:
    firewall.close(maps.POLICY_CLOSED_IN)
    assert firewall.into(ip(STRANGER, POD, TCP, frames.tcp(443, 40000))) == 0
    assert firewall.out(ip(POD, STRANGER, TCP, frames.tcp(40000, 443))) == 1
    assert firewall.into(ip(STRANGER, POD, TCP, frames.tcp(443, 40000, SYN | ACK))) == 1


def test_audit_counts_and_lets_pass(firewall: Firewall) -> None:
    firewall.close(BOTH | maps.POLICY_AUDIT)
    assert firewall.out(ip(POD, STRANGER, TCP, frames.tcp(40000, 443))) == 1
    assert firewall.out(ip(POD, PEER, TCP, b"")) == 1
    assert [key.verdict for key in firewall.records] == [Verdict.AUDITED]


def test_the_narrowest_block_decides(firewall: Firewall) -> None:
    firewall.allow(Direction.OUT, "10.0.0.0/8", 1, (TCP, 443, 443))
    firewall.allow(Direction.OUT, "10.96.0.0/16", 2, (TCP, 80, 80))
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80))) == 1
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 443))) == 0
    assert firewall.out(ip(POD, "10.1.1.1", TCP, frames.tcp(40000, 443))) == 1


@pytest.mark.parametrize(("first", "last"), [(1, 65535), (8000, 8010), (80, 80), (0, 65535), (1023, 1025)])
def test_a_range_of_ports_ends_where_it_says(firewall: Firewall, first: int, last: int) -> None:
    firewall.allow(Direction.OUT, f"{PEER}/32", 1, (TCP, first, last))
    for port in {first, last, (first + last) // 2}:
        assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, port))) == 1, port
    for port in {first - 1, last + 1} & set(range(65536)):
        assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, port))) == 0, port
    assert firewall.out(ip(POD, PEER, UDP, frames.udp(40000, first))) == 0


def test_loopback_and_the_pods_own_address_are_its_own_business(firewall: Firewall) -> None:
    for packet in (ip("127.0.0.1", "127.0.0.1", TCP, frames.tcp(1, 2)), ip("::1", "::1", UDP, frames.udp(1, 2))):
        assert (firewall.out(packet), firewall.into(packet)) == (1, 1)
    assert firewall.out(ip(POD, POD, TCP, frames.tcp(40000, 8080))) == 1
    assert not firewall.records


def test_rules_that_change_judge_known_flows_again(firewall: Firewall) -> None:
    firewall.allow(Direction.OUT, f"{PEER}/32", 1, (TCP, 80, 80))
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80))) == 1
    assert firewall.maps["peers"].delete(maps.peer(POLICY, Direction.OUT, f"{PEER}/32"))
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80, ACK))) == 1, "the same generation, the same verdict"
    firewall.close(BOTH)
    assert firewall.into(ip(PEER, POD, TCP, frames.tcp(80, 40000, ACK))) == 0
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80, ACK))) == 0


def test_a_forgotten_connection_goes_on_from_either_side(firewall: Firewall) -> None:
    firewall.allow(Direction.IN, f"{PEER}/32", 1, (TCP, 8080, 8080))
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(8080, 40000, ACK))) == 1
    assert firewall.out(ip(POD, PEER, TCP, frames.tcp(8080, 40001, SYN))) == 0, "that would be a new one"
    assert firewall.out(ip(POD, STRANGER, TCP, frames.tcp(8080, 40000, ACK))) == 0


@pytest.mark.parametrize("end", [FIN | ACK, RST])
def test_a_port_that_is_used_again_is_judged_again(firewall: Firewall, end: int) -> None:
    firewall.allow(Direction.OUT, f"{PEER}/32", 1, (TCP, 80, 80))
    for flags in (SYN, end, SYN):
        assert firewall.out(ip(POD, PEER, TCP, frames.tcp(40000, 80, flags))) == 1
    (record,) = firewall.records.values()
    assert record.connections == 2


def test_another_protocol_passes_open_directions_alone(firewall: Firewall) -> None:
    firewall.allow(Direction.OUT, f"{PEER}/32", 1)
    assert firewall.out(ip(POD, PEER, SCTP, frames.tcp(40000, 80))) == 0
    firewall.close(maps.POLICY_CLOSED_IN)
    assert firewall.out(ip(POD, PEER, SCTP, frames.tcp(40000, 80))) == 1
    assert firewall.into(ip(PEER, POD, SCTP, frames.tcp(40000, 80))) == 0


class TestIcmp:
    def test_an_echo_and_its_reply(self, firewall: Firewall) -> None:
        firewall.allow(Direction.OUT, f"{PEER}/32", 1)
        assert firewall.out(ip(POD, PEER, ICMP, frames.echo(8, 77))) == 1
        assert firewall.into(ip(PEER, POD, ICMP, frames.echo(0, 77))) == 1
        assert firewall.into(ip(PEER, POD, ICMP, frames.echo(0, 78))) == 0
        assert firewall.out(ip(POD, STRANGER, ICMP, frames.echo(8, 77))) == 0

    def test_an_echo_and_its_reply_in_ipv6(self, firewall: Firewall) -> None:
        firewall.allow(Direction.OUT, f"{PEER6}/128", 1)
        assert firewall.out(ip(POD6, PEER6, ICMPV6, frames.echo(128, 77))) == 1
        assert firewall.into(ip(PEER6, POD6, ICMPV6, frames.echo(129, 77))) == 1

    @pytest.mark.parametrize("kind", [133, 134, 135, 136, 143])
    def test_neighbours_and_routers_are_always_heard(self, firewall: Firewall, kind: int) -> None:
        packet = ip("fe80::1", "ff02::1", ICMPV6, frames.icmp(kind))
        assert (firewall.out(packet), firewall.into(packet)) == (1, 1)

    @pytest.mark.parametrize("kind", [3, 11, 12])
    def test_an_error_about_a_flow_arrives_from_anywhere(self, firewall: Firewall, kind: int) -> None:
        firewall.allow(Direction.OUT, f"{PEER}/32", 1, (TCP, 80, 80))
        sent = ip(POD, PEER, TCP, frames.tcp(40000, 80))
        assert firewall.out(sent) == 1
        assert firewall.into(ip(STRANGER, POD, ICMP, frames.icmp(kind, 1, data=sent[:28]))) == 1
        other = ip(POD, PEER, TCP, frames.tcp(40001, 80))
        assert firewall.into(ip(STRANGER, POD, ICMP, frames.icmp(kind, 1, data=other[:28]))) == 0

    def test_packet_too_big_about_a_flow_arrives(self, firewall: Firewall) -> None:
        firewall.allow(Direction.OUT, f"{PEER6}/128", 1, (UDP, 443, 443))
        sent = ip(POD6, PEER6, UDP, frames.udp(40000, 443))
        assert firewall.out(sent) == 1
        assert firewall.into(ip("fd00::ffff", POD6, ICMPV6, frames.icmp(2, data=sent[:48]))) == 1

    def test_an_error_that_quotes_too_little_is_of_no_flow(self, firewall: Firewall) -> None:
        assert firewall.into(ip(STRANGER, POD, ICMP, frames.icmp(3, 1, data=b"\x45\0"))) == 0


class TestMalformed:
    @pytest.mark.parametrize(
        "packet",
        [
            ip(POD, PEER, TCP, b""),
            ip(POD, PEER, TCP, b"\0\1"),
            ip(POD, PEER, TCP, frames.tcp(40000, 80)[:12]),
            ip(POD, PEER, UDP, b"\0"),
            ip(POD, PEER, ICMP, b"\x08"),
            b"\x41" + ip(POD, PEER, TCP, frames.tcp(40000, 80))[1:],
            ip(POD, PEER, TCP, frames.tcp(40000, 80), fragment=0x0010),
            ip(POD6, PEER6, TCP, frames.tcp(40000, 80), first=44, extensions=frames.fragment(TCP, 5)),
            ip(POD6, PEER6, TCP, b"", first=0, extensions=frames.extension(0) * 7),
            ip(POD6, PEER6, TCP, b"", first=0, extensions=b"\0"),
        ],
    )
    def test_what_cannot_be_read_is_dropped_and_counted(self, firewall: Firewall, packet: bytes) -> None:
        firewall.allow(Direction.OUT, "0.0.0.0/0", 1)
        firewall.allow(Direction.OUT, "::/0", 1)
        assert firewall.out(packet) == 0
        assert firewall.counted(maps.Counter.MALFORMED) == 1
        firewall.close(maps.POLICY_CLOSED_IN)
        assert firewall.out(packet) == 1

    def test_options_and_extension_headers_are_passed_over(self, firewall: Firewall) -> None:
        firewall.allow(Direction.OUT, f"{PEER}/32", 1, (TCP, 80, 80))
        firewall.allow(Direction.OUT, f"{PEER6}/128", 1, (TCP, 80, 80))
        segment = frames.tcp(40000, 80)
        assert firewall.out(ip(POD, PEER, TCP, segment, options=b"\x01" * 40)) == 1
        headers = frames.extension(60) + frames.extension(43, 24) + frames.extension(TCP)
        assert firewall.out(ip(POD6, PEER6, TCP, segment, first=0, extensions=headers)) == 1
        first = frames.extension(44) + frames.fragment(TCP)
        assert firewall.out(ip(POD6, PEER6, TCP, segment, first=0, extensions=first)) == 1
        assert firewall.out(ip(POD6, PEER6, TCP, frames.tcp(1, 81), first=0, extensions=headers)) == 0


class TestNames:
    RESOLVER = "10.96.0.10"

    @pytest.fixture
    def asking(self, firewall: Firewall) -> Firewall:
        firewall.allow(Direction.OUT, f"{self.RESOLVER}/32", 1, (UDP, 53, 53))
        firewall.allow_name("api.example.com", 2, 0, (TCP, 443, 443))
        firewall.allow_name("*.example.org", 3, 1, (TCP, 443, 443))
        return firewall

    def ask(self, firewall: Firewall, name: str, records: list[tuple[bytes, int, int, bytes]], **say: object) -> None:
        number = int(str(say.get("number", 9)))
        assert firewall.out(ip(POD, self.RESOLVER, UDP, frames.udp(5000, 53, frames.question(name, 9)))) == 1
        said = str(say.get("said", name))
        reply = frames.answer(said, number, records, int(str(say.get("flags", 0x8180))))
        assert firewall.into(ip(self.RESOLVER, POD, UDP, frames.udp(53, 5000, reply))) == 1

    def connects(self, firewall: Firewall, address: str, port: int = 443) -> bool:
        pod = POD6 if ":" in address else POD
        return firewall.out(ip(pod, address, TCP, frames.tcp(41000, port))) == 1

    def test_its_addresses_are_open_as_soon_as_they_are_told(self, asking: Firewall) -> None:
        assert not self.connects(asking, "198.51.100.1")
        records = [(b"", 1, 30, bytes([198, 51, 100, 1])), (b"", 28, 30, maps.address("2001:db8::1"))]
        self.ask(asking, "api.example.com", records)
        assert self.connects(asking, "198.51.100.1")
        assert self.connects(asking, "2001:db8::1")
        assert not self.connects(asking, "198.51.100.1", 80)
        assert not self.connects(asking, "198.51.100.2")

    def test_a_name_in_capitals_is_the_same(self, asking: Firewall) -> None:
        self.ask(asking, "API.Example.COM", [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert self.connects(asking, "198.51.100.1")

    @pytest.mark.parametrize("name", ["a.example.org", "a.b.c.example.org"])
    def test_a_name_below_a_wildcard(self, asking: Firewall, name: str) -> None:
        self.ask(asking, name, [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert self.connects(asking, "198.51.100.1")

    @pytest.mark.parametrize(
        "name", ["example.org", "evil-example.org", "xapi.example.com", "api.example.com.evil.net"]
    )
    def test_a_name_that_only_looks_like_it(self, asking: Firewall, name: str) -> None:
        self.ask(asking, name, [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert not self.connects(asking, "198.51.100.1")

    def test_a_chain_of_other_names_leads_to_it(self, asking: Firewall) -> None:
        chain = [
            (b"", 5, 1, frames.wire("edge.cdn.net")),
            (frames.wire("edge.cdn.net"), 5, 1, frames.wire("edge-7.cdn.net")),
            (frames.wire("edge-7.cdn.net"), 1, 1, bytes([198, 51, 100, 1])),
        ]
        self.ask(asking, "api.example.com", chain)
        assert self.connects(asking, "198.51.100.1")

    def test_sixty_four_addresses(self, asking: Firewall) -> None:
        self.ask(asking, "api.example.com", [(b"", 1, 1, bytes([198, 51, 100, each])) for each in range(64)])
        assert all(self.connects(asking, f"198.51.100.{each}") for each in range(64))

    def test_a_resolver_that_lies_about_what_nobody_asked(self, asking: Firewall) -> None:
        records = [(b"", 1, 30, bytes([198, 51, 100, 1]))]
        self.ask(asking, "www.evil.net", records, said="api.example.com")
        assert not self.connects(asking, "198.51.100.1")
        self.ask(asking, "api.example.com", records, number=10)
        assert not self.connects(asking, "198.51.100.1")
        self.ask(asking, "api.example.com", records, flags=0x8183)
        assert not self.connects(asking, "198.51.100.1")
        packet = ip(STRANGER, POD, UDP, frames.udp(53, 5000, frames.answer("api.example.com", 9, records)))
        assert asking.into(packet) == 0
        assert not self.connects(asking, "198.51.100.1")

    def test_a_name_with_the_hash_of_another(self, asking: Firewall) -> None:
        """Such names can be made at will: here the other's key leads to the value of the allowed one."""
        other = maps.name(POLICY, "www.evil.net")
        asking.maps["names"][other] = maps.name_value(0, "api.example.com")
        self.ask(asking, "www.evil.net", [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert not self.connects(asking, "198.51.100.1")

    def test_a_message_of_three_kilobytes(self, asking: Firewall) -> None:
        many = [(b"", 28, 30, maps.address(f"2001:db8::{each:x}")) for each in range(1, 65)]
        text = (b"", 16, 30, bytes(1400))
        self.ask(asking, "api.example.com", [*many[:32], text, *many[32:63]])
        assert all(self.connects(asking, f"2001:db8::{each:x}") for each in range(1, 64))
        assert not self.connects(asking, "2001:db8::40")

    def test_an_answer_is_believed_once(self, asking: Firewall) -> None:
        self.ask(asking, "api.example.com", [])
        again = frames.answer("api.example.com", 9, [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert asking.into(ip(self.RESOLVER, POD, UDP, frames.udp(53, 5000, again))) == 1
        assert not self.connects(asking, "198.51.100.1")

    @pytest.mark.parametrize("cut", range(12, 60, 5))
    def test_an_answer_that_ends_in_the_middle_does_no_harm(self, asking: Firewall, cut: int) -> None:
        assert asking.out(ip(POD, self.RESOLVER, UDP, frames.udp(5000, 53, frames.question("api.example.com", 9)))) == 1
        whole = frames.answer("api.example.com", 9, [(b"", 1, 30, bytes([198, 51, 100, 1]))] * 2)
        assert asking.into(ip(self.RESOLVER, POD, UDP, frames.udp(53, 5000, whole[:cut]))) == 1

    def test_an_address_of_two_names_has_the_ports_of_both(self, asking: Firewall) -> None:
        asking.allow_name("db.example.com", 4, 2, (TCP, 5432, 5432))
        for name in ("api.example.com", "db.example.com"):
            self.ask(asking, name, [(b"", 1, 30, bytes([198, 51, 100, 1]))])
        assert self.connects(asking, "198.51.100.1", 443)
        assert self.connects(asking, "198.51.100.1", 5432)
        assert {key.rule for key in asking.records if key.port in (443, 5432)} == {2, 4}

    def stream(self, firewall: Firewall, out: bytes, into: list[bytes]) -> None:
        """A question and its answer over TCP, by segments."""
        firewall.allow(Direction.OUT, f"{self.RESOLVER}/32", 1, (UDP, 53, 53), (TCP, 53, 53))
        segments = [(0, frames.tcp(5000, 53)), (1, frames.tcp(53, 5000, SYN | ACK)), (0, frames.tcp(5000, 53, ACK))]
        segments += [(0, frames.tcp(5000, 53, ACK, out)), *((1, frames.tcp(53, 5000, ACK, each)) for each in into)]
        for comes, segment in segments:
            if comes:
                assert firewall.into(ip(self.RESOLVER, POD, TCP, segment)) == 1
            else:
                assert firewall.out(ip(POD, self.RESOLVER, TCP, segment)) == 1

    @pytest.mark.parametrize("split", ["at once", "one by one", "lengths apart"])
    def test_answers_over_tcp(self, asking: Firewall, split: str) -> None:
        """Of an answer that UDP has no room for; glibc asks for both kinds of addresses in one segment."""
        name = "api.example.com"
        questions = frames.streamed(frames.question(name, 9)) + frames.streamed(frames.question(name, 10, 28))
        many = [(b"", 1, 30, bytes([198, 51, 100, each])) for each in range(64)]
        answers = [frames.answer(name, 9, many), frames.answer(name, 10, [(b"", 28, 30, maps.address("2001:db8::1"))])]
        whole = [frames.streamed(each) for each in answers]
        apart = [part for each in whole for part in (each[:2], each[2:])]
        self.stream(
            asking, questions, {"at once": [b"".join(whole)], "one by one": whole, "lengths apart": apart}[split]
        )
        assert all(self.connects(asking, f"198.51.100.{each}") for each in range(64))
        assert self.connects(asking, "2001:db8::1")
        assert not self.connects(asking, "198.51.100.64")

    def test_of_an_answer_in_two_segments_the_first_is_read(self, asking: Firewall) -> None:
        many = [(b"", 1, 30, bytes([198, 51, 100, each])) for each in range(64)]
        message = frames.streamed(frames.answer("api.example.com", 9, many))
        self.stream(asking, frames.streamed(frames.question("api.example.com", 9)), [message[:500], message[500:]])
        assert self.connects(asking, "198.51.100.0")
        assert not self.connects(asking, "198.51.100.63")

    def test_an_answer_over_tcp_to_what_nobody_asked(self, asking: Firewall) -> None:
        message = frames.streamed(frames.answer("api.example.com", 9, [(b"", 1, 30, bytes([198, 51, 100, 1]))]))
        self.stream(asking, frames.streamed(frames.question("www.evil.net", 9)), [message])
        assert not self.connects(asking, "198.51.100.1")

    def test_every_answer_is_told(self, asking: Firewall) -> None:
        reply = [(b"", 1, 30, bytes([198, 51, 100, 1]))]
        self.ask(asking, "www.example.net", reply)
        asking.take()
        assert asking.events[-1] == (0, frames.answer("www.example.net", 9, reply))


def test_what_leaves_too_fast_is_dropped(firewall: Firewall) -> None:
    firewall.close(0, rate=1000, burst=2000)
    packet = ip(POD, PEER, UDP, frames.udp(5000, 9, b"x" * 472))
    assert firewall.out(packet, repeat=8) == 2
    sent = {key.verdict: one.packets_out for key, one in firewall.records.items()}
    assert sent == {Verdict.ALLOWED: 2, Verdict.LIMITED: 6}


def test_a_first_packet_is_told_at_once_and_once(firewall: Firewall) -> None:
    for _ in range(3):
        firewall.out(ip(POD, STRANGER, TCP, frames.tcp(40000, 443)))
    firewall.take()
    assert [(one.port, one.verdict) for one in firewall.events if isinstance(one, RecordKey)] == [(443, Verdict.DENIED)]


def test_records_that_have_no_room_are_counted(firewall: Firewall) -> None:
    size = 32768
    blank = b"\0" * 56
    for each in range(size):
        firewall.maps["records"][each.to_bytes(32, "little")] = blank
    with pytest.raises(BpfError):
        firewall.maps["records"][(size + 1).to_bytes(32, "little")] = blank
    assert firewall.out(ip(POD, STRANGER, TCP, frames.tcp(40000, 443))) == 0
    assert firewall.counted(maps.Counter.LOST_RECORDS) == 1


def test_a_decision_takes_as_long_among_many_rules(firewall: Firewall) -> None:
    for each in range(10_000):
        firewall.allow(Direction.OUT, f"172.{16 + each // 4096}.{each // 16 % 256}.{each % 16 * 16}/28", 1)
    assert firewall.out(ip(POD, "172.16.0.17", TCP, frames.tcp(40000, 1))) == 1
    assert firewall.out(ip(POD, "172.31.0.17", TCP, frames.tcp(40000, 1))) == 0


def test_a_hundred_thousand_flows_are_remembered(firewall: Firewall) -> None:
    firewall.close(maps.POLICY_CLOSED_IN)
    hosts, ports = 2, 50_000
    for host in range(hosts):
        for port in range(ports):
            assert firewall.out(ip(POD, f"203.0.113.{host}", UDP, frames.udp(1024 + port, 443))) == 1
    answered = sum(
        firewall.into(ip(f"203.0.113.{host}", POD, UDP, frames.udp(443, 1024 + port)))
        for host in range(hosts)
        for port in range(0, ports, 50)
    )
    assert answered == hosts * ports / 50
    assert sum(one.connections for one in firewall.records.values()) == hosts * ports
