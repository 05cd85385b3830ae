"""Pods without a cluster: network namespaces with a cable between them, and a cgroup for the processes of each."""

import itertools
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nucleo_cli.agent.cgroups import unified

SOURCES = Path(__file__).parents[3] / "bpf_programs"
_NUMBERS = itertools.count(1)


@dataclass
class Pod:
    """A network namespace with an address, and a cgroup that its processes are in."""

    name: str
    address: str
    cgroup: Path
    address6: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """A program of the pod; its output is text."""
        # The shell puts itself into the cgroup before it becomes the program: no socket is made outside.
        script = f'echo $$ > {self.cgroup}/cgroup.procs && exec ip netns exec {self.name} "$@"'
        made = subprocess.Popen(
            ["/bin/sh", "-c", script, "pod", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(made)
        return made

    def python(self, program: str, *argv: str) -> str:
        """What a Python program prints."""
        return self.start("python3", "-u", "-c", program, *argv).communicate(timeout=60)[0]

    def end(self) -> None:
        for each in self.processes:
            each.kill()
            each.wait()
            for stream in (each.stdin, each.stdout):
                if stream:
                    stream.close()


@contextmanager
def cabled() -> Generator[tuple[Pod, Pod]]:
    """Two pods with a cable between them."""
    with _made("10.99.0.1", "fd99::1") as one, _made("10.99.0.2", "fd99::2") as two:
        _ip("link", "add", "veth0", "netns", one.name, "type", "veth", "peer", "name", "veth0", "netns", two.name)
        for each in (one, two):
            _ip("-n", each.name, "address", "add", f"{each.address}/24", "dev", "veth0")
            _ip("-n", each.name, "address", "add", f"{each.address6}/64", "dev", "veth0", "nodad")
            for device in ("lo", "veth0"):
                _ip("-n", each.name, "link", "set", device, "up")
        yield one, two


@contextmanager
def routed(addresses: Mapping[str, tuple[str, str]], rules: str = "") -> Generator[dict[str, Pod]]:
    """Pods with these addresses of both families, by any name: each has a cable to a node that routes between them, as
    network plugins do it. `rules` are those of nft in the node: what a cluster's proxy does for Services."""
    with ExitStack() as stack:
        node = stack.enter_context(_namespace())
        for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            _ip("netns", "exec", node, "/bin/sh", "-c", f"echo 1 > /proc/sys/net/{setting}")
        made = {name: stack.enter_context(_made(*both)) for name, both in addresses.items()}
        for index, pod in enumerate(made.values()):
            _to_node(pod, node, f"pod{index}")
        subprocess.run(["ip", "netns", "exec", node, "nft", "-f", "-"], input=rules, text=True, check=True)
        yield made


def _to_node(pod: Pod, node: str, device: str) -> None:
    gateway, gateway6 = "169.254.1.1", "fe80::1"
    _ip("link", "add", "veth0", "netns", pod.name, "type", "veth", "peer", "name", device, "netns", node)
    for namespace, lines in (
        (
            node,
            f"""
            address add {gateway}/32 dev {device}
            address add {gateway6}/64 dev {device} nodad
            link set {device} up
            route add {pod.address}/32 dev {device}
            route add {pod.address6}/128 dev {device}
            """,
        ),
        (
            pod.name,
            f"""
            link set lo up
            address add {pod.address}/32 dev veth0
            address add {pod.address6}/128 dev veth0 nodad
            link set veth0 up
            route add default via {gateway} dev veth0 onlink
            route add default via {gateway6} dev veth0
            """,
        ),
    ):
        subprocess.run(["ip", "-n", namespace, "-batch", "-"], input=lines, text=True, check=True)


@contextmanager
def _namespace() -> Generator[str]:
    name = f"nucleo-{os.getpid()}-{next(_NUMBERS)}"
    _ip("netns", "add", name)
    try:
        yield name
    finally:
        _ip("netns", "delete", name)


@contextmanager
def _made(address: str, address6: str) -> Generator[Pod]:
    """A pod without a cable."""
    root = unified()
    assert root is not None, "this kernel has no cgroup2"
    with _namespace() as name:
        pod = Pod(name, address, root / name, address6)
        pod.cgroup.mkdir()
        try:
            yield pod
        finally:
            pod.end()
            pod.cgroup.rmdir()


@contextmanager
def bpf_file_system(folder: Path) -> Generator[Path]:
    """A BPF file system of its own: other tests and clusters have theirs."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def compile_programs(folder: Path) -> Path:
    subprocess.run(["make", "-s", "-C", str(SOURCES), f"OUT={folder}"], check=True)
    return folder


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True)
