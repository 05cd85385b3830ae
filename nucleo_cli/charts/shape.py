"""The values of chart_templates/app as types. values.schema.json says the same; a test compares the two."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, cast


class FactValues(TypedDict):
    """About the release; no template reads them."""

    version: str
    inputs: str
    platform: str
    image: str
    dirty: bool
    user: str
    commit: NotRequired[str]
    environment: NotRequired[str]


class ImageValues(TypedDict):
    """`architectures` are those of the nodes that can run it; none: any node."""

    repository: str
    digest: str
    architectures: NotRequired[list[str]]


class SecretValues(TypedDict):
    """The immutable Secret that holds the secrets of this release, and its keys, sorted."""

    name: str
    keys: list[str]


class AutoscaleValues(TypedDict):
    """cpu and memory are percent of the request; at least one is there."""

    minimum: int
    maximum: int
    cpu: NotRequired[int]
    memory: NotRequired[int]


class PortValues(TypedDict):
    name: str
    port: int


class ExternalPortValues(TypedDict):
    name: str
    port: int
    target: int


class QuantityValues(TypedDict, total=False):
    cpu: str
    memory: str


class ResourceValues(TypedDict):
    requests: QuantityValues
    limits: NotRequired[QuantityValues]


class ProbeValues(TypedDict):
    """timeout in whole seconds; without a path the port has to accept connections."""

    port: int
    timeout: int
    path: NotRequired[str]
    host: NotRequired[str]


class StopValues(TypedDict):
    """Seconds; `grace` is the whole time from the request to stop to the kill."""

    grace: int
    sleep: NotRequired[int]
    command: NotRequired[list[str]]


class MetadataValues(TypedDict):
    name: str
    namespace: NotRequired[str]
    labels: dict[str, str]
    annotations: NotRequired[dict[str, str]]


class ObjectValues(TypedDict):
    apiVersion: str
    kind: str
    metadata: MetadataValues
    spec: dict[str, Any]


class RouteValues(TypedDict):
    """The first of `hosts` is the one that probes name."""

    kind: Literal["gateway", "ingress", "none"]
    hosts: list[str]
    objects: NotRequired[list[ObjectValues]]


class NetworkValues(TypedDict):
    """What the rules of `network` come to on this cluster. `hold` is a command that pods run before anything else."""

    objects: list[ObjectValues]
    annotations: NotRequired[dict[str, str]]
    hold: NotRequired[list[str]]


class ProcessValues(TypedDict):
    resources: ResourceValues
    stop: StopValues
    budget: NotRequired[bool]
    command: NotRequired[list[str]]
    replicas: NotRequired[int]
    autoscale: NotRequired[AutoscaleValues]
    ports: NotRequired[list[PortValues]]
    external: NotRequired[list[ExternalPortValues]]
    probe: NotRequired[ProbeValues]


class Values(TypedDict):
    nucleo: FactValues
    image: ImageValues
    env: dict[str, str]
    config: dict[str, str]
    secret: SecretValues
    kernel: dict[str, str]
    readOnlyRoot: bool
    routes: RouteValues
    network: NetworkValues
    processes: dict[str, ProcessValues]


def plain(values: Values) -> dict[str, Any]:
    """The same values for those who take any mapping."""
    return cast(dict[str, Any], values)


def objects(manifests: Sequence[Mapping[str, Any]]) -> list[ObjectValues]:
    """Manifests as values."""
    return cast(list[ObjectValues], list(manifests))
