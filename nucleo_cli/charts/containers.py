"""What one container of a process gets: its command, resources, probe, and how it is stopped."""

import math

from nucleo_cli.charts.shape import ProbeValues, QuantityValues, ResourceValues, StopValues
from nucleo_cli.domain.app import Process, Resources
from nucleo_cli.domain.shell import shell_line

DRAIN_SECONDS = 3
GRACE_SECONDS = 30
PRE_STOP_SECONDS = 30

DEFAULT_CPU_REQUEST = "50m"
DEFAULT_MEMORY_REQUEST = "128Mi"
DEFAULT_MEMORY_LIMIT = "512Mi"


def resources(given: Resources) -> ResourceValues:
    """Requests and limits, with defaults for what nucleo.yml leaves open.

    Memory given on one side only counts for both; CPU is never limited unless nucleo.yml says so, since a limit slows
    an app down while its node is idle.
    """
    limits = _quantities(given.cpu_limit, _memory(given.memory_limit, given.memory_request, DEFAULT_MEMORY_LIMIT))
    memory = _memory(given.memory_request, given.memory_limit, DEFAULT_MEMORY_REQUEST)
    cpu = given.cpu_request or given.cpu_limit or DEFAULT_CPU_REQUEST
    return {"requests": _quantities(cpu, memory), "limits": limits}


def _memory(wanted: str | None, other: str | None, default: str) -> str:
    return wanted or other or default


def _quantities(cpu: str | None, memory: str) -> QuantityValues:
    return {"cpu": cpu, "memory": memory} if cpu else {"memory": memory}


def probe(process: Process, host: str | None) -> ProbeValues:
    """How the cluster asks for health on the first port. Requests carry the app's host name, as real ones do."""
    health = process.health
    found: ProbeValues = {"port": process.ports[0].internal, "timeout": max(1, math.ceil(health.timeout))}
    if health.path:
        found["path"] = health.path
        if host:
            found["host"] = host
    return found


def stop(process: Process) -> StopValues:
    """What happens before a container is stopped.

    A process with ports first waits until the proxies have forgotten it. Kubernetes counts that and pre_stop into the
    grace period, so both make it longer by what they need.
    """
    if process.pre_stop:
        drain = f"sleep {DRAIN_SECONDS}; " if process.ports else ""
        return {
            "command": ["/bin/sh", "-c", drain + shell_line(process.pre_stop)],
            "grace": GRACE_SECONDS + PRE_STOP_SECONDS,
        }
    if process.ports:
        return {"sleep": DRAIN_SECONDS, "grace": GRACE_SECONDS}
    return {"grace": GRACE_SECONDS}
