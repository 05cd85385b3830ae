"""The machine that the agent runs on: its addresses, its BPF file system, and that only one agent is at work there."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from nucleo_cli.errors import NucleoError

# A leaf of the table of addresses, and what the kernel knows of it, on the line below.
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def addresses(net: Path = Path("/proc/net")) -> frozenset[str]:
    """The addresses of this network namespace, which is the machine's own, without loopback."""
    return frozenset(found for found in _addresses(net) if not ip_address(found).is_loopback)


def _addresses(net: Path) -> Iterator[str]:
    # https://docs.kernel.org/networking/fib_trie.html
    yield from _LOCAL.findall(_text(net / "fib_trie"))
    for line in _text(net / "if_inet6").splitlines():
        yield str(IPv6Address(int(line.split()[0], 16)))


def _text(file: Path) -> str:
    """Empty where the kernel has no IPv6."""
    return file.read_text("ascii") if file.exists() else ""


def has_bpf_file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    return any(line.split()[1:3] == [str(folder), "bpf"] for line in mounts.read_text("utf-8").splitlines())


def mount_bpf_file_system(folder: Path) -> None:
    """Pins last as long as the mount that they are in: it has to be the machine's, not that of a container alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"bpf", os.fsencode(folder), b"bpf", 0, None):
        raise NucleoError(f"the BPF file system cannot be mounted at {folder}: {os.strerror(ctypes.get_errno())}")


def only_one(folder: Path) -> int:
    """Waits until no other process has the folder, and has it until this one ends: two agents would each undo what the
    other does, and one that was taken away by force may live on for a moment beside the next. The descriptor."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
