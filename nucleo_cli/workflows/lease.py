"""One deploy at a time: a Lease per app, renewed while the deploy lives, free again soon after it dies.

Whether a holder still renews is judged by the API server's clock alone (the times it writes into managedFields against
the Date it answers with), so that a wrong clock here or there neither steals a lock nor keeps it for ever.
https://kubernetes.io/docs/concepts/architecture/leases/
"""

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import annotations, part, parts
from nucleo_cli.domain.events import Notice, Work
from nucleo_cli.errors import Conflict, Locked, NotAllowed, NotFound, NucleoError
from nucleo_cli.workflows.processes import no_app

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

TTL_SECONDS = 30
RENEW_SECONDS = 5.0
ENDING_SECONDS = 60.0
_ENDING_PAUSE = 0.5
# How the API server says that a namespace takes no new objects since it is being deleted (reason NamespaceTerminating).
_ENDING = "because it is being terminated"
_TRIES = 5
_API = "coordination.k8s.io/v1"
_PROCESS = "nucleo.io/process"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on an app: a name for people, and the process, so that its end can be seen on the same machine."""

    name: str
    process: str

    @staticmethod
    def me() -> "Holder":
        return Holder(f"{_user()}@{socket.gethostname()} (pid {os.getpid()})", _process(os.getpid()))


class HeldLease:
    """The lock while it is held; leaving the `with` block gives it back."""

    def __init__(self, cluster: "Cluster", target: Target, lease: dict[str, Any]) -> None:
        self._cluster = cluster
        self._path = _lease_path(target)
        self._app = target.app
        self._uid = lease["metadata"]["uid"]
        self._mine = _identity(lease)
        self._version = lease["metadata"]["resourceVersion"]
        self._renewed = time.monotonic()
        self._lost = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "HeldLease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(RENEW_SECONDS)
        try:
            self._give_back()
        except NucleoError:
            # Gone already, taken over, or no connection: it frees itself when its time is over.
            return

    def check(self) -> None:
        """Raises Locked when the lock was lost: somebody else may be at work, so this deploy must stop."""
        if not self._lost and time.monotonic() - self._renewed > TTL_SECONDS:
            self._lost = "it could not be renewed in time"
        if self._lost:
            raise Locked(f'the lock on "{self._app}" was lost: {self._lost}', "nucleo releases shows what is running")

    def _renew(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            try:
                self._renew_once()
                self._renewed = time.monotonic()
            except (NotFound, Conflict):
                self._lost = "somebody else has taken it over"
                return
            except NucleoError:
                continue  # no connection just now: check() knows when it has been too long

    def _renew_once(self) -> None:
        def write() -> None:
            body = {"metadata": {"resourceVersion": self._version}, "spec": {"renewTime": _now()}}
            self._version = self._cluster.patch(self._path, body)["metadata"]["resourceVersion"]

        self._insist(write)

    def _give_back(self) -> None:
        def delete() -> None:
            # A take-over keeps the uid, so the version has to fit too: nobody may delete another one's lock.
            ours = {"uid": self._uid, "resourceVersion": self._version}
            self._cluster.delete(self._path, {"preconditions": ours})

        self._insist(delete)

    def _insist(self, write: Callable[[], None]) -> None:
        """Writes again when somebody else wrote to the object (or an answer got lost), but did not take the lock."""
        for left in reversed(range(_TRIES)):
            try:
                return write()
            except Conflict:
                found = self._cluster.get(self._path)
                if not left or _identity(found) != self._mine:
                    raise
                self._version = found["metadata"]["resourceVersion"]
        return None


def acquire(cluster: "Cluster", target: Target, *, wait: bool = False, create: bool = True) -> Work[HeldLease]:
    """Takes the app's Lease; makes the namespace when it is missing, without `create` raises NotFound for it.

    A dead holder is replaced: at once when it died on this machine, else when its time is over. A living one raises
    Locked, or is waited for with `wait`. A namespace that is just being removed is waited for.
    """
    deadline = time.monotonic() + ENDING_SECONDS
    told = False
    while True:
        try:
            return (yield from _acquire(cluster, target, wait, create))
        except NotAllowed as error:
            if _ENDING not in error.message:
                raise
        if time.monotonic() > deadline:
            raise NucleoError(f"the namespace {target.namespace} is still being removed", "run it again in a while")
        if not told:
            yield Notice(f"waiting until the namespace {target.namespace}, which is being removed, is gone")
            told = True
        time.sleep(_ENDING_PAUSE)


def _acquire(cluster: "Cluster", target: Target, wait: bool, create: bool) -> Work[HeldLease]:
    told = False
    while True:
        if (lease := _create(cluster, target, create)) is not None:
            return HeldLease(cluster, target, lease)
        try:
            found = cluster.get(_lease_path(target))
        except NotFound:
            continue
        silent = _silence(cluster, found)
        if silent > TTL_SECONDS or _died_here(found):
            if (lease := _take_over(cluster, target, found)) is not None:
                return HeldLease(cluster, target, lease)
            continue
        if not wait and silent <= 2 * RENEW_SECONDS + 1:
            raise _locked(target, found, silent)
        if not told:
            yield Notice(f"waiting for {_holder(found)}")
            told = True
        time.sleep(1)


def _create(cluster: "Cluster", target: Target, with_namespace: bool) -> dict[str, Any] | None:
    body = {
        "metadata": {
            "name": _name(target),
            "labels": {"app.kubernetes.io/managed-by": "nucleo", "nucleo.io/app": target.app},
            "annotations": {_PROCESS: Holder.me().process},
        },
        "spec": _spec(),
    }
    collection = path(_API, "leases", target.namespace)
    try:
        try:
            return cluster.create(collection, body)
        except NotFound as error:
            if not with_namespace:
                raise no_app(target) from error
            _create_namespace(cluster, target)
            return cluster.create(collection, body)
    except Conflict:
        return None


def _create_namespace(cluster: "Cluster", target: Target) -> None:
    labels = {"app.kubernetes.io/managed-by": "nucleo"}
    try:
        cluster.create(path("v1", "namespaces"), {"metadata": {"name": target.namespace, "labels": labels}})
    except Conflict:
        return
    except NotAllowed as error:
        raise NotAllowed(
            f'the namespace "{target.namespace}" does not exist, and you may not create it',
            f"ask the cluster's administrators for the namespace {target.namespace}",
        ) from error


def _take_over(cluster: "Cluster", target: Target, found: dict[str, Any]) -> dict[str, Any] | None:
    taken = {
        **found,
        "metadata": {**found["metadata"], "annotations": {_PROCESS: Holder.me().process}, "managedFields": None},
        "spec": _spec(),
    }
    try:
        return cluster.replace(_lease_path(target), taken)
    except (Conflict, NotFound):
        return None


def _locked(target: Target, found: dict[str, Any], silent: float) -> Locked:
    return Locked(
        f'{_holder(found)} is at work on "{target.app}"',
        "wait for it, or run the command again with --wait-lock",
        {"holder": _holder(found), "seconds_since_renewal": round(silent)},
    )


def _silence(cluster: "Cluster", lease: dict[str, Any]) -> float:
    """Seconds since the Lease was last written, by the API server's clock; whole seconds, so up to one off."""
    fields = parts(lease, "metadata", "managedFields")
    times = [str(entry["time"]) for entry in fields if "time" in entry] or [lease["metadata"]["creationTimestamp"]]
    written = max(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() for text in times)
    return cluster.server_time() - written


def _died_here(lease: dict[str, Any]) -> bool:
    """Whether the holder ran on this very machine and is gone."""
    process = annotations(lease).get(_PROCESS, "")
    machine, _, rest = process.rpartition(":")
    pid = rest.partition("/")[0]
    return bool(machine) and machine == _machine() and pid.isdigit() and _process(int(pid)) != process


def _spec() -> dict[str, Any]:
    now = _now()
    return {
        "holderIdentity": Holder.me().name,
        "leaseDurationSeconds": TTL_SECONDS,
        "acquireTime": now,
        "renewTime": now,
    }


def _identity(lease: dict[str, Any]) -> tuple[str, str]:
    """Who took the Lease, and when: another one by a take-over, the same after any other change."""
    spec = part(lease, "spec")
    return str(spec.get("holderIdentity")), str(spec.get("acquireTime"))


def _holder(lease: dict[str, Any]) -> str:
    return str(lease["spec"].get("holderIdentity") or "somebody")


def _name(target: Target) -> str:
    return f"nucleo-{target.app}"


def _lease_path(target: Target) -> str:
    return path(_API, "leases", target.namespace, _name(target))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def _machine() -> str:
    """This boot of this kernel and this PID namespace; empty where there is no /proc (then nothing is concluded)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> str:
    """The process by machine, number and start time: numbers are used again, start times are not."""
    try:
        # Fields 3 and 22 of /proc/PID/stat; the second may hold spaces and brackets, so count from its end.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, started = fields[0], fields[19]
    except (OSError, IndexError):
        return f"{_machine()}:{pid}/gone"
    # A zombie is dead; that nobody has asked for its exit code yet does not matter.
    return f"{_machine()}:{pid}/{'gone' if state in 'ZX' else started}"
