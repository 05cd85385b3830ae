"""Changing what runs: write the release, watch it, and put the last good one back when it does not become healthy."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.app import Target
from nucleo_cli.domain.events import Notice, Warned, Work
from nucleo_cli.domain.release import DEPLOYED, SUPERSEDED, Revision
from nucleo_cli.errors import Interrupted, Locked, NucleoError, RolloutFailed
from nucleo_cli.workflows.history import History, mark_failed, mark_healthy, read_history, recover
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.rollout import Ready, roll_out
from nucleo_cli.workflows.secrets import collect

if TYPE_CHECKING:
    from nucleo_cli.workflows.lease import HeldLease
    from nucleo_cli.workflows.tools import Tools

_RESTORE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what runs: who may make it, what was there before, and how long it may take (seconds)."""

    tools: "Tools"
    target: Target
    lease: "HeldLease"
    history: History
    timeout: float | None = None

    @property
    def before(self) -> int:
        """The number of the last release before this change; 0 when there is none."""
        return self.history.last.version if self.history.last else 0


def change(work: Change, write: Callable[[], None], about: str) -> Work[Revision]:
    """Writes a new release by `write` (one call of helm), and follows it until it is healthy.

    Whatever goes wrong on the way, or whoever interrupts it, the last good release is put back before the error goes
    on. Only a lost lock stops without that: somebody else is at work by then.
    """
    try:
        revision = yield from _write(work, write, about)
        yield from _watch(work)
    except Locked:
        raise
    except (NucleoError, Interrupted) as failure:
        yield from _restore(work, failure, work.before)
        raise
    mark_healthy(work.tools.cluster, work.target, revision.version)
    return revision


def resume(work: Change, revision: Revision) -> Work[Revision]:
    """Follows a release that a killed deploy had written but not seen healthy."""
    try:
        yield from _watch(work)
    except Locked:
        raise
    except (NucleoError, Interrupted) as failure:
        yield from _restore(work, failure, revision.version - 1)
        raise
    mark_healthy(work.tools.cluster, work.target, revision.version)
    return revision


def _write(work: Change, write: Callable[[], None], about: str) -> Work[Revision]:
    phase = Phase("release")
    yield phase.start(about)
    work.lease.check()
    write()
    # Helm can end well although it could not write its record (helm#13189): only what is in the cluster counts.
    after = read_history(work.tools.cluster, work.target)
    revision = after.current
    if revision is None or revision.version <= work.before:
        raise NucleoError(
            "helm said that all is well, but the cluster has no new release", "run the same command again"
        )
    yield phase.end(f"release {revision.version}")
    return revision


def _watch(work: Change) -> Work[Ready]:
    phase = Phase("rollout")
    yield phase.start("waiting for the new pods")
    ready = yield from roll_out(work.tools.cluster, work.target, work.timeout, work.lease)
    yield phase.end(f"{ready.total} ready" if ready.total else "no pods: scaled to zero")
    return ready


def _restore(work: Change, failure: NucleoError | Interrupted, before: int) -> Work[None]:
    """`before` is the last revision that this change has nothing to do with."""
    if isinstance(failure, Interrupted):
        yield Notice("interrupted: putting back what ran before; again to stop at once")
    try:
        said = yield from _put_back(work, _reason(failure), before)
    except NucleoError as error:
        yield Warned(f"the last good release could not be put back: {error.message}", "run the same command again")
        return
    with suppress(NucleoError):  # the next release that works does it otherwise
        collect(work.tools.cluster, read_history(work.tools.cluster, work.target))
    if said:
        yield Notice(said)
        if isinstance(failure, Interrupted):
            failure.restored = said


def _put_back(work: Change, reason: str, before: int) -> Work[str]:
    cluster, target = work.tools.cluster, work.target
    history = recover(cluster, read_history(cluster, target))
    good, last = history.good or _unseen(history, before), history.last
    if last is None or (good is not None and good.version == last.version):
        return ""
    if good is None:
        work.tools.helm().uninstall(target.app, target.namespace)
        return "no release was ever healthy, so this one was removed"
    work.tools.helm().rollback(target.app, target.namespace, good.version)
    mark_failed(cluster, target, last.version, reason)
    try:
        yield from roll_out(cluster, target, _RESTORE_SECONDS)
    except NucleoError:
        return f"release {good.version} was put back as release {last.version + 1}; it is not healthy yet"
    mark_healthy(cluster, target, last.version + 1)
    return f"release {good.version} serves again, as release {last.version + 1}"


def _unseen(history: History, newest: int) -> Revision | None:
    """What ran before, though nobody saw it healthy (helm alone made it): better than to remove the app."""
    ran = [each for each in history.revisions if each.version <= newest and each.status in (DEPLOYED, SUPERSEDED)]
    return ran[-1] if ran else None


def _reason(failure: NucleoError | Interrupted) -> str:
    if isinstance(failure, Interrupted):
        return "interrupted"
    kind = "rollout failed" if isinstance(failure, RolloutFailed) else "failed"
    return f"{kind}: {failure.message}"[:300]
