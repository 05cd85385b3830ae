"""How the node's container is made: what of the machine it may touch, as data."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleo_cli.clusters.node.ports import Ports
from nucleo_cli.errors import UsageError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine

LABEL = "io.nucleo.cluster"

# In the kernel's order (include/uapi/linux/capability.h). CAP_PERFMON, CAP_BPF and CAP_CHECKPOINT_RESTORE, which older
# engines do not know, come after these, and CAP_SYS_ADMIN implies them.
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"),
)


def container_name(name: str) -> str:
    """The name of the container, of its volume, and of the kubeconfig context. Raises UsageError for an odd name."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
        raise UsageError(f'A cluster cannot be named "{name}"', "Use at most 32 lower-case letters, digits and hyphens")
    return f"nucleo-{name}"


def labels(name: str) -> dict[str, str]:
    return {LABEL: name}


def create(engine: "Engine", name: str, image: str, ports: Ports) -> str:
    """Creates the container of cluster `name`; its volume is made with it. Returns the container's id."""
    full = container_name(name)
    engine.create_volume(full, labels(name))
    cgroup_v1 = engine.info().get("CgroupVersion", "1") == "1"
    return engine.create_container(
        image,
        name=full,
        env={
            "NUCLEO_CLUSTER": name,
            "NUCLEO_REGISTRY_PORT": str(ports.registry),
            "NUCLEO_HTTP_PORT": str(ports.http),
            "NUCLEO_HTTPS_PORT": str(ports.https),
        },
        volumes=mounts(full, cgroup_v1),
        labels=labels(name),
        hostname="nucleo",
        ports=ports.bindings(),
        tmpfs={"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},  # noqa: S108
        cgroupns="private",
        **privileges(_bounding_set() if engine.is_local() else None),
    )


def mounts(volume: str, cgroup_v1: bool) -> dict[str, str]:
    """In cgroup v2 a private namespace shows the container its own part; in v1 the kubelet needs the machine's."""
    shared = {"/sys/fs/cgroup": "/sys/fs/cgroup"} if cgroup_v1 else {}
    return {volume: "/var", "/lib/modules": "/lib/modules:ro", **shared}


def privileges(bounding_set: int | None) -> Mapping[str, Any]:
    """The options that make a container a machine.

    `bounding_set` is the capability mask of this machine, None when it is not known. Where the machine itself lacks a
    capability, the engine refuses `privileged`; then exactly those that it has are asked for, and the rest that
    `privileged` stands for.
    """
    if bounding_set is None or not missing(bounding_set):
        return {"privileged": True}
    return {
        "cap_add": [name for bit, name in enumerate(_CAPABILITIES) if bounding_set >> bit & 1],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "devices": ["/dev/kmsg"],
        "device_cgroup_rules": ["a *:* rwm"],
    }


def missing(bounding_set: int) -> list[str]:
    """The capabilities that are not in the mask."""
    return [name for bit, name in enumerate(_CAPABILITIES) if not bounding_set >> bit & 1]


def _bounding_set() -> int | None:
    """The mask of this process; None where it says nothing of the machine, as in a confined container."""
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    mask = int(match[1], 16) if match else 0
    return mask if mask >> _CAPABILITIES.index("SYS_ADMIN") & 1 else None
