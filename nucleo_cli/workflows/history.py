"""The releases of an app, as Helm keeps them in the cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.helm_storage import apis, decode, encode_status, encode_without
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED, Revision
from nucleo_cli.errors import Conflict, NotFound
from nucleo_cli.workflows.processes import no_app
from nucleo_cli.workflows.settings import AGENT_API, CILIUM_API, served

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

# Helm copies a release's labels to the next one, so the label's value says for which revision it holds.
_HEALTHY = "nucleo.io/healthy"
_TRIES = 5
# APIs that come and go with what enforces network rules.
_RULES = frozenset({AGENT_API, CILIUM_API})


@dataclass(frozen=True, slots=True)
class History:
    """Every kept revision, oldest first."""

    target: Target
    revisions: tuple[Revision, ...]

    @property
    def current(self) -> Revision | None:
        """What should be running now.

        A helm that was killed between the two writes that end an upgrade leaves none that it calls deployed; then it is
        the newest that it ever called so.
        """
        for status in (DEPLOYED, SUPERSEDED):
            if found := next((each for each in reversed(self.revisions) if each.status == status), None):
                return found
        return None

    @property
    def good(self) -> Revision | None:
        """The newest revision that was seen healthy: what a failed deploy goes back to."""
        return next((each for each in reversed(self.revisions) if is_healthy(each)), None)

    @property
    def last(self) -> Revision | None:
        return self.revisions[-1] if self.revisions else None

    def version(self, number: int) -> Revision:
        """The revision `number`; NotFound names the ones that are kept."""
        for revision in self.revisions:
            if revision.version == number:
                return revision
        kept = ", ".join(str(each.version) for each in self.revisions) or "none"
        raise NotFound(
            f'"{self.target.app}" has no release {number}; it has {kept}',
            "nucleo releases lists them with their commits",
        )

    def running(self) -> Revision:
        """The current revision; NotFound when the app is not deployed."""
        if (found := self.current) is None:
            raise no_app(self.target)
        return found


def is_healthy(revision: Revision) -> bool:
    """Whether a deploy saw it become healthy."""
    return revision.status in (DEPLOYED, SUPERSEDED) and revision.labels.get(_HEALTHY) == str(revision.version)


def read_history(cluster: "Cluster", target: Target) -> History:
    """Reads the Secrets in which Helm keeps the app's releases; empty when there are none."""
    secrets = cluster.items(path("v1", "secrets", target.namespace), labelSelector=f"owner=helm,name={target.app}")
    revisions = sorted((decode(secret) for secret in secrets), key=lambda revision: revision.version)
    return History(target, tuple(revisions))


def recover(cluster: "Cluster", history: History) -> History:
    """Closes revisions that a dead deploy left pending, which Helm itself would wait for for ever; and forgets network
    rules whose kind the cluster no longer has.

    Only to be called with the app's Lease in hand: then no living deploy owns them.
    """
    pending = [revision for revision in history.revisions if revision.pending]
    for revision in pending:
        mark_failed(cluster, history.target, revision.version, "the deploy was killed")
    return forget_gone(cluster, read_history(cluster, history.target) if pending else history)


def forget_gone(cluster: "Cluster", history: History) -> History:
    """Takes network rules out of Helm's record of what runs, where their kind has gone from the cluster, and they with
    it: Helm cannot change, undo or remove a release with an object of a kind that nobody knows."""
    running = {each.version: _RULES & apis(each.manifest) for each in (history.current, history.last) if each}
    if not any(running.values()):
        return history
    there = served(cluster)
    for version, gone in ((version, found - there) for version, found in running.items()):
        if gone:
            _rewrite(cluster, history.target, version, lambda secret, gone=gone: encode_without(secret, gone))
    return read_history(cluster, history.target)


def mark_healthy(cluster: "Cluster", target: Target, version: int) -> None:
    """Remembers that the revision was seen healthy."""
    cluster.patch(_secret(target, version), {"metadata": {"labels": {_HEALTHY: str(version)}}})


def mark_failed(cluster: "Cluster", target: Target, version: int, reason: str) -> None:
    """Writes into Helm's own record that the revision failed, and why."""
    _rewrite(cluster, target, version, lambda secret: encode_status(secret, FAILED, reason))


def _rewrite(
    cluster: "Cluster", target: Target, version: int, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    for left in reversed(range(_TRIES)):
        secret: dict[str, Any] = cluster.get(_secret(target, version))
        try:
            cluster.replace(_secret(target, version), change(secret))
        except Conflict:
            if not left:
                raise
            continue
        return


def _secret(target: Target, version: int) -> str:
    return path("v1", "secrets", target.namespace, f"sh.helm.release.v1.{target.app}.v{version}")


def document(history: History) -> dict[str, Any]:
    """The JSON of `nucleo releases`, newest first."""
    newest_first: Sequence[Revision] = history.revisions[::-1]
    return {"app": history.target.app, "releases": [_entry(revision) for revision in newest_first]}


def _entry(revision: Revision) -> dict[str, Any]:
    facts = revision.facts
    return {
        "version": revision.version,
        "status": revision.status,
        "created": revision.created.isoformat().replace("+00:00", "Z") if revision.created else None,
        "description": revision.description,
        "image": revision.image or None,
        "commit": facts.get("commit") or None,
        "user": facts.get("user") or None,
    }
