"""Kernel parameters of the app's own pods: which Kubernetes sets freely, which a node must allow, which never.

https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/ (Kubernetes 1.34)
"""

from collections.abc import Iterable, Mapping

from nucleo_cli.errors import ConfigInvalid

SAFE = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)

# What the kernel keeps per namespace and a pod can therefore have of its own; the kubelet's own list.
_NAMESPACED = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net.")


def node_level(kernel: Iterable[str]) -> tuple[str, ...]:
    """Those that exist once for the whole node: no pod can have its own."""
    return tuple(sorted(key for key in kernel if not key.startswith(_NAMESPACED)))


def unsafe(kernel: Iterable[str], allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """Those that a kubelet refuses unless told otherwise, less those that match `allowed`.

    `allowed` are patterns as the kubelet's allowedUnsafeSysctls takes them: a name, or a prefix that ends in `*`.
    """
    patterns = tuple(allowed)
    return tuple(
        sorted(
            key
            for key in kernel
            if key.startswith(_NAMESPACED) and key not in SAFE and not any(_matches(key, each) for each in patterns)
        )
    )


def _matches(key: str, pattern: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern


def node_level_refused(keys: Iterable[str]) -> ConfigInvalid:
    """The error for `node_level` ones."""
    names = ", ".join(keys)
    return ConfigInvalid(
        f"kernel: {names} can only be set for a whole node, not for the pods of one app",
        "Remove it from nucleo.yml and have it set on the nodes themselves.",
        {"sysctls": list(keys)},
    )


def unsafe_refused(keys: Iterable[str]) -> ConfigInvalid:
    """The error for `unsafe` ones: names the kubelet's setting and the cluster's own."""
    listed = tuple(keys)
    quoted = ", ".join(f'"{key}"' for key in listed)
    return ConfigInvalid(
        f"kernel: the nodes do not allow {', '.join(listed)}",
        f"Whoever runs the nodes must set `allowedUnsafeSysctls: [{quoted}]` in the kubelet's configuration, and "
        f"`sysctls: {','.join(listed)}` in the ConfigMap nucleo of the namespace nucleo-system.",
        {"sysctls": list(listed), "kubelet": {"allowedUnsafeSysctls": list(listed)}},
    )


def check(kernel: Mapping[str, str], allowed: Iterable[str] = ()) -> None:
    """Raises ConfigInvalid when a pod with these sysctls would be refused. `allowed` is Settings.sysctls."""
    if whole_node := node_level(kernel):
        raise node_level_refused(whole_node)
    if refused := unsafe(kernel, allowed):
        raise unsafe_refused(refused)
