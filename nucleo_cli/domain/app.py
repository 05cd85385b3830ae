"""The app: what one nucleo.yml describes, checked and with its environment laid over it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nucleo_cli.domain.edge import Dns, Tls
from nucleo_cli.domain.network import Network

HTTP_PORTS = frozenset({80, 443})
WEB = "web"


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port inside the container, and the one it has outside of the cluster, if any."""

    internal: int
    external: int | None = None

    @property
    def is_route(self) -> bool:
        """Whether it is reached over HTTP by a host name, not by a port number of its own."""
        return self.external in HTTP_PORTS


@dataclass(frozen=True, slots=True)
class Scale:
    """How many pods: fixed when minimum and maximum are equal. Thresholds are percent of the request."""

    minimum: int
    maximum: int
    cpu_threshold: int | None = None
    memory_threshold: int | None = None

    @property
    def fixed(self) -> bool:
        return self.minimum == self.maximum


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes quantities, as written in nucleo.yml ("250m", "256Mi"); None where nothing is said."""

    cpu_request: str | None = None
    cpu_limit: str | None = None
    memory_request: str | None = None
    memory_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the cluster asks whether a pod is healthy: an HTTP path (None: the port accepts connections); seconds."""

    path: str | None = None
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Process:
    """A named command of the app, with its own scale; a Deployment. `start` None: the platform's default."""

    name: str
    start: str | None = None
    pre_stop: str | None = None
    ports: tuple[Port, ...] = ()
    scale: Scale | None = None
    resources: Resources = Resources()
    health: Health = Health()


@dataclass(frozen=True, slots=True)
class Build:
    """How the image is built, beside the platform.

    `root` is the top of the source tree relative to the app's folder ("../.." in a monorepo). `architectures` are those
    of the nodes; empty: the cluster's. `env` are variables of the steps, `secrets` the names of this machine's
    variables that reach them and nothing else. `apt` are Debian packages beside the platform's.
    """

    root: str = "."
    architectures: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class App:
    """One app in one environment. `environment` is None for the unnamed one; `cluster` pins a kubeconfig context.

    `domains` are host names of its own, in ASCII and lower case; "*.example.com" is every name one label below.
    """

    name: str
    directory: Path
    platform: str
    platform_version: str | None = None
    environment: str | None = None
    namespace: str = ""
    cluster: str | None = None
    processes: tuple[Process, ...] = (Process(WEB),)
    kernel: Mapping[str, str] = field(default_factory=dict[str, str])
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    build: Build = Build()
    network: Network = field(default_factory=Network)
    domains: tuple[str, ...] = ()
    tls: Tls = field(default_factory=Tls)
    dns: Dns = field(default_factory=Dns)

    @property
    def target(self) -> "Target":
        return Target(self.name, self.namespace, self.environment)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command acts: one app in one namespace."""

    app: str
    namespace: str
    environment: str | None = None

    @staticmethod
    def named(app: str, environment: str | None = None, namespace: str | None = None) -> "Target":
        """The namespace is the one given, else the app's name, with `-ENV` for a named environment."""
        return Target(app, namespace or (f"{app}-{environment}" if environment else app), environment)
