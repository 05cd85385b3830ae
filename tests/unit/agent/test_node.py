"""What the kernel tells of a node, as it writes it."""

import fcntl
import os
from pathlib import Path

import pytest

from nucleo_cli.agent import cgroups, node

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.0.0/16 2 0 2
        |-- 10.244.0.0
           /16 link UNICAST
        |-- 10.244.0.1
           /32 host LOCAL
        |-- 10.244.255.255
           /32 link BROADCAST
Local:
  +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000002 02 40 00 80     eth0
"""
MOUNTS = """\
sysfs /sys sysfs ro,nosuid 0 0
cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0
tmpfs /host/cgroup tmpfs ro 0 0
cgroup /host/cgroup/cpu cgroup rw,cpu 0 0
cgroup2 /host/cgroup/unified cgroup2 rw 0 0
bpf /sys/fs/bpf bpf rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    (tmp_path / "mounts").write_text(MOUNTS)
    return tmp_path / "mounts"


def test_the_addresses_of_a_node_without_loopback(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(TRIE)
    (tmp_path / "if_inet6").write_text(IF_INET6)
    assert node.addresses(tmp_path) == {"10.244.0.1", "192.0.2.2", "2001:db8::2"}


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(TRIE)
    assert node.addresses(tmp_path) == {"10.244.0.1", "192.0.2.2"}


def test_the_addresses_of_this_machine() -> None:
    assert not any(each.startswith("127.") or each == "::1" for each in node.addresses())


def test_a_bpf_file_system_is_a_mount(mounts: Path) -> None:
    assert node.has_bpf_file_system(Path("/sys/fs/bpf"), mounts)
    assert not node.has_bpf_file_system(Path("/sys"), mounts)
    assert not node.has_bpf_file_system(Path("/sys/fs"), mounts)


def test_the_cgroups_of_the_machine_and_not_those_of_the_container(mounts: Path) -> None:
    assert cgroups.unified(Path("/host/cgroup"), mounts) == Path("/host/cgroup/unified")
    assert cgroups.unified(mounts=mounts) == Path("/sys/fs/cgroup")
    assert cgroups.unified(Path("/elsewhere"), mounts) is None


def test_one_agent_alone_has_the_folder(tmp_path: Path) -> None:
    held = node.only_one(tmp_path / "nucleo")
    other = os.open(tmp_path / "nucleo", os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
