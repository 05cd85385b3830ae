"""What a workflow works with.

Each tool is made when it is first asked for, so that a deploy with nothing to do pays for none of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.helm import Helm
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.adapters.registry import Registry
    from nucleo_cli.domain.settings import Settings


@dataclass(frozen=True, slots=True)
class Tools:
    """The cluster, and how to get at helm, the container engine and the cluster's registry."""

    cluster: "Cluster"
    helm: "Callable[[], Helm]"
    engine: "Callable[[], Engine]"
    registry: "Callable[[Settings], Registry]"
