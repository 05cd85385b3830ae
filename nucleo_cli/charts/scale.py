"""How many pods a process gets, and who decides: nucleo.yml, a person, or the autoscaler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nucleo_cli.domain.app import App, Scale


@dataclass(frozen=True, slots=True)
class Replicas:
    """`rendered` is what the manifest says; None: it says nothing, and Kubernetes keeps what it has.

    `overrode` is the scale that somebody had set by hand and that nucleo.yml now overrules, else None.
    """

    rendered: int | None
    overrode: int | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the previous release said about a process: the replicas in its manifest, and whether it had a range."""

    replicas: int | None = None
    autoscaled: bool = False


def replicas(scale: Scale | None, live: int | None, previous: Rendered = Rendered()) -> Replicas:
    """Decides the replicas of a process. `live` is what its Deployment asks for now; None: there is none.

    A manifest that once said replicas must go on saying them: Helm would otherwise take the field away, and Kubernetes
    would fill in 1. One that never did must not begin, so that a scale set by hand stays.
    """
    if scale is None:
        return Replicas(live if previous.replicas is not None else None)
    if scale.fixed:
        return Replicas(scale.minimum, _by_hand(live, previous, scale.minimum))
    if live is None:
        return Replicas(scale.minimum)
    wanted = min(max(live, scale.minimum), scale.maximum)
    return Replicas(wanted, _by_hand(live, previous, wanted))


def _by_hand(live: int | None, previous: Rendered, wanted: int) -> int | None:
    untouched = 1 if previous.replicas is None else previous.replicas
    moved = live is not None and live not in (wanted, untouched)
    # Within a range the autoscaler sets the scale, not a person; only zero, which switches it off, is a person's.
    return live if moved and (live == 0 or not previous.autoscaled) else None


def scales(app: App, live: Mapping[str, int], previous: Mapping[str, Any]) -> dict[str, Replicas]:
    """The replicas of each process by its name. `live`: replicas by process; `previous`: the last release's values."""
    before: Mapping[str, Any] = previous.get("processes") or {}
    return {
        process.name: replicas(process.scale, live.get(process.name), _rendered(before.get(process.name) or {}))
        for process in app.processes
    }


def _rendered(process: Mapping[str, Any]) -> Rendered:
    return Rendered(process.get("replicas"), "autoscale" in process)
