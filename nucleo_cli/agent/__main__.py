"""The agent's process: `python3 -m nucleo_cli.agent [run | prepare | remove | flows]`.

It ends at once when it is asked to, and leaves all rules enforced.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from nucleo_cli import assets
from nucleo_cli.adapters import kubeconfig
from nucleo_cli.adapters.kubernetes import Cluster
from nucleo_cli.agent import cgroups, enforcer, node, serving
from nucleo_cli.agent.enforcer import Enforcer
from nucleo_cli.agent.flows import Flows, Store
from nucleo_cli.agent.names import Names
from nucleo_cli.agent.program import Agent
from nucleo_cli.agent.world import World
from nucleo_cli.errors import NucleoError

_AGAIN_SECONDS = 1.0
# What a container of the DaemonSet does; the others are asked for beside it.
_STAYING = ("run", "remove")


def main(argv: Sequence[str]) -> int:
    """The exit code."""
    options = _parsed(argv)
    signal.signal(signal.SIGTERM, _end)  # process 1 of a container has no default for it
    signal.signal(signal.SIGINT, _end)
    if options.task in _STAYING:
        options.ready.unlink(missing_ok=True)
    try:
        {"run": run, "prepare": prepare, "remove": remove, "flows": flows}[options.task](options)
    except (NucleoError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        for line in getattr(error, "details", {}).get("verifier", ()):
            sys.stderr.write(f"  | {line}\n")
        return 1
    except Exception:
        sys.stderr.write(traceback.format_exc())
        return 1
    return 0


def run(options: Namespace) -> None:
    """Enforce, or with --observe only watch, for ever."""
    if not node.has_bpf_file_system(options.bpf):
        raise NucleoError(f"there is no BPF file system at {options.bpf}")
    hierarchy = cgroups.unified(options.cgroups)
    if hierarchy is None:
        raise NucleoError(f"there is no unified cgroup hierarchy (cgroup2) at {options.cgroups}")
    _only = node.only_one(_pins(options))
    cluster = Cluster(options.context) if options.context else Cluster("", kubeconfig.in_pod())
    world = World(options.node)
    kernel = Enforcer(assets.folder("bpf_programs") / "build", _pins(options))
    store = options.state / "flows.db"
    seen = Flows(kernel.maps["records"], kernel.maps["health"], Names(world), Store(store), observes=options.observe)
    serving.serve(seen, store, options.socket)
    Agent(
        cluster,
        world,
        kernel,
        cgroups.Pods(hierarchy),
        seen,
        here=node.addresses,
        ready=options.ready.touch,
        observes=options.observe,
    ).run()


def flows(options: Namespace) -> None:
    """Print what the agent of this machine has seen of an app: the request is one of serving.py."""
    for each in serving.ask(json.loads(options.request), options.socket):
        sys.stdout.buffer.write(each)
        sys.stdout.buffer.flush()


def prepare(options: Namespace) -> None:
    """Mount the BPF file system where the machine has not done so."""
    if not node.has_bpf_file_system(options.bpf):
        node.mount_bpf_file_system(options.bpf)


def remove(options: Namespace) -> None:
    """Leave no program, link, map or flow behind; then end, or with --stay wait to be ended."""
    for file in options.state.glob("flows.db*"):
        file.unlink()
    if node.has_bpf_file_system(options.bpf):
        _only = node.only_one(_pins(options))
        enforcer.remove(_pins(options))
    if options.stay:
        options.ready.touch()
        signal.pause()


def _pins(options: Namespace) -> Path:
    return options.bpf / "nucleo"


def _parsed(argv: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="nucleo_cli.agent", description="Enforces the network rules of apps on one node.")
    parser.add_argument("task", nargs="?", default="run", choices=("run", "prepare", "remove", "flows"))
    parser.add_argument("request", nargs="?", default="{}", help="of flows: which ones")
    parser.add_argument("--node", default=os.environ.get("NODE_NAME", ""), help="the node's name; $NODE_NAME")
    parser.add_argument("--context", default="", help="a context of the kubeconfig, outside of a pod")
    parser.add_argument("--cgroups", type=Path, default=Path("/sys/fs/cgroup"), help="the machine's cgroups")
    parser.add_argument("--bpf", type=Path, default=Path("/sys/fs/bpf"), help="the machine's BPF file system")
    parser.add_argument("--ready", type=Path, default=Path("/run/nucleo/ready"), help="a file that says: at work")
    parser.add_argument("--socket", type=Path, default=serving.SOCKET, help="where flows are asked for")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/nucleo"), help="where flows are kept")
    parser.add_argument("--observe", action="store_true", help="drop nothing: something else enforces the rules")
    parser.add_argument("--stay", action="store_true", help="after removing, stay until told to end")
    options = parser.parse_args(argv)
    if options.task == "run" and not options.node:
        parser.error("--node or $NODE_NAME has to say which node this is")
    return options


def _end(*_: object) -> None:
    os._exit(0)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code and (sys.argv[1:2] or ["run"])[0] in _STAYING:
        # Again from the start, and sooner than the kubelet would: a pod may be waiting for its rules.
        time.sleep(_AGAIN_SECONDS)
        os.execv(sys.executable, [sys.executable, "-m", "nucleo_cli.agent", *sys.argv[1:]])  # noqa: S606
    sys.exit(code)
