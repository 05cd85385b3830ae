"""The ports of 127.0.0.1 that a node is reached at. The engine remembers them, in the container's bindings."""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

API, REGISTRY, HTTP, HTTPS = 6443, 5000, 80, 443
_PREFERRED = {API: 6443, REGISTRY: 5000, HTTP: 8080, HTTPS: 8443}


@dataclass(frozen=True, slots=True)
class Ports:
    """The outer ports of the API server, the registry and the ingress, all different.

    `https` is 0 for a container that an older version of Nucleo made, which has none.
    """

    api: int
    registry: int
    http: int
    https: int

    def bindings(self) -> dict[str, tuple[str, int]]:
        """As docker-py's `ports` option wants them."""
        outer = {API: self.api, REGISTRY: self.registry, HTTP: self.http, HTTPS: self.https}
        return {f"{inner}/tcp": ("127.0.0.1", port) for inner, port in outer.items()}


def choose(taken: Collection[int] = ()) -> Ports:
    """Free ports: the well-known ones where nobody has them; `taken` are promised to stopped containers."""
    api, registry, http, https = (_free(preferred, taken) for preferred in _PREFERRED.values())
    return Ports(api, registry, http, https)


def complete(kept: Ports, taken: Collection[int] = ()) -> Ports:
    """The same ports, with one for HTTPS where there was none."""
    return kept if kept.https else replace(kept, https=_free(_PREFERRED[HTTPS], taken))


def bound(container: Mapping[str, Any]) -> Ports:
    """The ports of a container, as inspected, running or not."""
    bindings = container["HostConfig"]["PortBindings"]
    found = {inner: bindings.get(f"{inner}/tcp", [{"HostPort": 0}])[0]["HostPort"] for inner in _PREFERRED}
    return Ports(*(int(port) for port in found.values()))


def _free(preferred: int, taken: Collection[int]) -> int:
    if preferred not in taken and _bindable(preferred):
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        # A port that was closed a moment ago is free, as the engine sees it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
