"""Opens connections from inside the app, to see whether the rules are in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.adapters.channels import STDOUT
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import pods
from nucleo_cli.domain.app import App
from nucleo_cli.domain.documents import Json, labels, part, parts
from nucleo_cli.domain.labels import APP
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.trials import Place, Trial, Untried, trials, untried
from nucleo_cli.workflows.running import choose_pod, own_container

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_TRY_SECONDS = 3
_PATIENCE_SECONDS = 10.0
# Bash opens connections by itself, and is in the run image of every platform. One line for each HOST PORT.
_SCRIPT = f"""
while [ $# -gt 0 ]; do
  said=$(LC_ALL=C timeout {_TRY_SECONDS} bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
  echo "$? ${{said##*: }}" | tr '\\n' ' '
  echo
  shift 2
done
"""
_SILENT = 124


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: "open", "refused" (it arrived, and nobody listens), "denied" at once, "silent", or why it
    could not be tried. `as_expected` is None where that says nothing about the rules."""

    trial: Trial
    result: str
    as_expected: bool | None


def try_rules(cluster: Cluster, app: App, settings: Settings) -> tuple[list[Tried], list[Untried]]:
    """Try what the rules say from inside a running pod of the app; NotFound where none runs.

    The second list is what there was nobody to try it with.
    """
    places = _places(cluster)
    wanted, left_out = trials(app, settings, places), untried(app, settings, places)
    if not wanted:
        return [], left_out
    pod = choose_pod(cluster, app.target)
    words = [word for each in wanted for word in (each.host, str(each.port))]
    query = [("container", own_container(pod)), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in ("bash", "-c", _SCRIPT, "try", *words)]
    channels = cluster.websocket(path("v1", "pods", app.namespace, pods.name(pod), "exec"), query)
    printed = channels.collect(_PATIENCE_SECONDS + len(wanted) * _TRY_SECONDS).get(STDOUT, b"")
    channels.close()
    lines = printed.decode("utf-8", "replace").splitlines()
    return [_judged(trial, line) for trial, line in zip(wanted, lines, strict=False)], left_out


def _judged(trial: Trial, line: str) -> Tried:
    code, _, said = line.strip().partition(" ")
    if code == "0":
        return Tried(trial, "open", trial.expected)
    if "refused" in said:
        return Tried(trial, "refused", trial.expected)
    if "not permitted" in said:
        return Tried(trial, "denied", not trial.expected)
    if code == str(_SILENT) or "timed out" in said or "unreachable" in said.lower() or "No route" in said:
        # Who says nothing may be away: only of the one who is there would it be known.
        return Tried(trial, "silent", not trial.expected)
    return Tried(trial, said or f"exit code {code}", None)


def _places(cluster: Cluster) -> list[Place]:
    """Ports of running pods of Nucleo's apps, on the whole cluster."""
    found: list[Place] = []
    for pod in cluster.items(path("v1", "pods"), labelSelector=APP):
        address = part(pod, "status").get("podIP")
        if address and part(pod, "status").get("phase") == "Running":
            found += [_place(pod, address, port) for port in _ports(pod)]
    return found


def _place(pod: Json, address: str, port: int) -> Place:
    return Place(pod["metadata"]["namespace"], labels(pod)[APP], address, port)


def _ports(pod: Json) -> list[int]:
    return [
        each["containerPort"] for container in parts(pod, "spec", "containers") for each in parts(container, "ports")
    ]
