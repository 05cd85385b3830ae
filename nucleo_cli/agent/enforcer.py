"""Brings the kernel to what the rules say: maps are filled, programs attached to the cgroups of pods.

What is pinned outlives this process: programs go on with the maps as they are. Numbers are made of names and uids, so
that the next process finds what this one has left.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nucleo_cli.agent import cgroups, maps
from nucleo_cli.agent.libbpf import Object, let_go
from nucleo_cli.agent.rules import Maps, pod_number

# The first makes the storage of the cgroup, which is written before the others look at it: a pod that runs already
# loses no packet. It changes nothing by itself.
_FIRST = "pod_tcp"
_OTHERS = ("pod_ingress", "pod_egress", "pod_sendmsg4", "pod_sendmsg6", "pod_connect4", "pod_connect6")
# There is room above, to count on.
_GENERATION_BITS = 31


@dataclass(frozen=True, slots=True)
class Member:
    """A pod of this node that has rules, its cgroup, and its addresses as soon as it has them."""

    uid: str
    policy: int
    folder: Path
    addresses: tuple[str, ...] = ()


class Enforcer:
    """The kernel's side of all policies of this node.

    `compiled` is the folder of the programs, `pins` one of a BPF file system.
    """

    def __init__(self, compiled: Path, pins: Path) -> None:
        self._pins = pins
        (pins / "maps").mkdir(parents=True, exist_ok=True)
        self._objects = [Object(file, pins / "maps") for file in sorted(compiled.glob("*.bpf.o"))]
        used = {name: pin for each in self._objects for name, pin in each.pins.items()}
        self._used = set(used.values())
        # A link keeps the storage of the cgroup that it was made with: for another kind of it there are other links.
        self._links = pins / f"links-{used['pods'].name}"
        self._links.mkdir(exist_ok=True)
        self.programs = {name: program for each in self._objects for name, program in each.programs.items()}
        self.maps = {name: found for each in self._objects for name, found in each.maps.items()}
        self._done: dict[int, Maps] = {}
        self._attached: dict[str, Member] = {}

    def close(self) -> None:
        """Give the descriptors back. What is pinned or attached stays."""
        for each in self._objects:
            each.close()

    @property
    def policies(self) -> set[int]:
        """Those that this process has written."""
        return set(self._done)

    def known_names(self, policy: int, wanted: Iterable[str] = ()) -> tuple[str, ...]:
        """The hosts that the policy had, in the order of their index, which they keep: addresses are known by it.

        What an earlier process has written is known by the hosts that are `wanted`; the place of any other stays empty.
        """
        if policy in self._done:
            return self._done[policy].names
        kept = {
            name: maps.name_index(value) for name, value in self.maps["names"].items() if maps.policy_of(name) == policy
        }
        names = [""] * (max(kept.values(), default=-1) + 1)
        for name in wanted:
            if (index := kept.get(maps.name(policy, name))) is not None:
                names[index] = name
        return tuple(names)

    def write(self, wanted: Maps) -> bool:
        """Bring the maps of a policy to what is wanted; whether anything had to be changed.

        Nothing that stays allowed is refused in between: sets of ports come before the blocks that lead to them, and
        what is not wanted goes last.
        """
        before = self._done.get(wanted.policy)
        if before == wanted:
            return False
        for key, value in wanted.ports.items():
            self.maps["ports"][key] = value
        for key, value in wanted.name_ports.items():
            self.maps["name_ports"][key] = value
        self._write_names(wanted)
        for key, value in wanted.peers.items():
            self.maps["peers"][key] = value
        self._drop("peers", wanted.policy, wanted.peers)
        self._drop("name_ports", wanted.policy, wanted.name_ports)
        key = maps.number(wanted.policy)
        # Never one that a policy of a pod had before: what was allowed under that one would go on.
        generation = maps.generation(self.maps["policies"].get(key)) or secrets.randbits(_GENERATION_BITS)
        self.maps["policies"][key] = maps.policy(generation + 1, wanted.flags, wanted.rate, wanted.burst)
        self._done[wanted.policy] = wanted
        return True

    def _write_names(self, wanted: Maps) -> None:
        """A place that another host gets has none of the first one's addresses any more."""
        named = {
            maps.name(wanted.policy, name): maps.name_value(index, name)
            for index, name in enumerate(wanted.names)
            if name
        }
        left = 0
        for key, value in list(self.maps["names"].items()):
            if maps.policy_of(key) == wanted.policy and named.get(key) != value:
                self.maps["names"].delete(key)
                left |= 1 << maps.name_index(value)
        if left:
            for key, value in list(self.maps["learned"].items()):
                if maps.policy_of(key) == wanted.policy:
                    self.maps["learned"][key] = maps.without_names(value, left)
        for key, value in named.items():
            self.maps["names"][key] = value

    def forget(self, policy: int) -> None:
        """The policy's rules are gone, and its pods with them."""
        for name in ("peers", "name_ports", "names"):
            self._drop(name, policy, {})
        self.maps["policies"].delete(maps.number(policy))
        self._done.pop(policy, None)

    def sweep(self, policies: set[int]) -> None:
        """Once after the start, when all pods are attached: remove what an earlier process has left of policies that
        there are no more, and the links and maps of one whose maps were others."""
        self._remove_other_kinds()
        for key in list(self.maps["policies"].keys()):
            if (policy := int.from_bytes(key, "little")) not in policies:
                self.forget(policy)
        used = set(self.maps["peers"].values()) | set(self.maps["name_ports"].values())
        for key in list(self.maps["ports"].keys()):
            if maps.set_of(key) not in used:
                self.maps["ports"].delete(key)
        pods = {pod_number(each.name) for each in self._links.iterdir()}
        for key in list(self.maps["own"].keys()):
            if maps.policy_of(key) not in pods:
                self.maps["own"].delete(key)

    def _remove_other_kinds(self) -> None:
        for links in self._pins.glob("links*"):
            if links != self._links:
                shutil.rmtree(links)
        for pin in (self._pins / "maps").iterdir():
            if pin not in self._used:
                pin.unlink()

    def attach(self, member: Member) -> None:
        """Put a pod under its policy. Raises BpfError; what is attached then holds back all traffic of the pod."""
        if self._attached.get(member.uid) == member:
            return
        pins = self._links / member.uid
        pins.mkdir(exist_ok=True)
        self._attach_one(_FIRST, member, pins)
        number = pod_number(member.uid)
        self.maps["pods"].update(maps.cgroup(cgroups.number(member.folder)), maps.pod(member.policy, number))
        for address in member.addresses:
            self.maps["own"][maps.own(number, address)] = maps.number(1)
        for name in _OTHERS:
            self._attach_one(name, member, pins)
        self._attached[member.uid] = member

    def _attach_one(self, name: str, member: Member, pins: Path) -> None:
        self.programs[name].attach(member.folder, pins / name)

    def keep_only(self, uids: set[str]) -> list[str]:
        """Let go of all pods but these; those that went. With its pins the programs of a pod are gone."""
        gone = [each.name for each in self._links.iterdir() if each.name not in uids]
        for uid in gone:
            self._drop("own", pod_number(uid), {})
            for pin in (self._links / uid).iterdir():
                let_go(pin)
            (self._links / uid).rmdir()
            self._attached.pop(uid, None)
        return gone

    def _drop(self, name: str, policy: int, wanted: Mapping[bytes, bytes]) -> None:
        found = self.maps[name]
        of: Callable[[bytes], int] = maps.policy_of_peer if name == "peers" else maps.policy_of
        for key in list(found.keys()):
            if of(key) == policy and key not in wanted:
                found.delete(key)


def remove(pins: Path) -> None:
    """Leave no program, link or map of Nucleo behind."""
    if pins.is_dir():
        shutil.rmtree(pins)
