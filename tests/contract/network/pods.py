"""Pods without a cluster: network namespaces with a cable between them, and a cgroup for the processes of each."""

import itertools
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
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
    root = unified()
    assert root is not None, "this kernel has no cgroup2"
    made: list[Pod] = []
    for index in (1, 2):
        name = f"nucleo-{os.getpid()}-{next(_NUMBERS)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        cgroup = root / name
        cgroup.mkdir()
        made.append(Pod(name, f"10.99.0.{index}", cgroup))
    one, two = made
    _ip("link", "add", "veth0", "netns", one.name, "type", "veth", "peer", "name", "veth0", "netns", two.name)
    for each in made:
        _ip("-n", each.name, "address", "add", f"{each.address}/24", "dev", "veth0")
        _ip("-n", each.name, "address", "add", f"fd99::{each.address[-1]}/64", "dev", "veth0", "nodad")
        for device in ("lo", "veth0"):
            _ip("-n", each.name, "link", "set", device, "up")
    try:
        yield one, two
    finally:
        for each in made:
            each.end()
            _ip("netns", "delete", each.name)
            each.cgroup.rmdir()


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
