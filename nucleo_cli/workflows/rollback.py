"""nucleo rollback: an old release comes back as a new one, with its image and its config vars."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.helm_storage import apis
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import part, parts
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.release import FAILED, Revision
from nucleo_cli.errors import NotFound, NucleoError
from nucleo_cli.workflows.history import History, is_healthy, read_history, recover
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.release import Change, change
from nucleo_cli.workflows.secrets import read_secret

if TYPE_CHECKING:
    from nucleo_cli.workflows.tools import Tools


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`revision` is the new release, `source` the old one that it copies, `undone` the one that ran before."""

    revision: Revision
    source: Revision
    undone: Revision | None

    def document(self) -> dict[str, Any]:
        """The JSON of `nucleo rollback`."""
        return {
            "app": self.revision.app,
            "release": self.revision.version,
            "rolled_back_to": self.source.version,
            "image": self.revision.image,
            "commit": self.revision.facts.get("commit"),
        }


def roll_back(
    tools: "Tools", target: Target, version: int | None, *, wait_lock: bool = False, timeout: float | None = None
) -> Work[RolledBack]:
    """Copies release `version` forward (None: the newest healthy one that differs from the current) and watches it.

    Raises NotFound for a release that is not kept, or whose secrets are gone.
    """
    with (yield from acquire(tools.cluster, target, wait=wait_lock, create=False)) as lease:
        history = recover(tools.cluster, read_history(tools.cluster, target))
        undone = history.current
        source = _previous(history) if version is None else history.version(version)
        if source.status == FAILED:
            raise NucleoError(
                f"release {source.version} failed when it was new", "nucleo releases shows the healthy ones"
            )
        _need_secret(tools, target, source)
        _need_rules(source)

        def write() -> None:
            tools.helm().rollback(target.app, target.namespace, source.version)

        work = Change(tools, target, lease, history, timeout)
        revision = yield from change(work, write, f"bringing release {source.version} back")
        return RolledBack(revision, source, undone)


def _previous(history: History) -> Revision:
    current = history.running()
    for revision in reversed(history.revisions):
        if revision.version < current.version and is_healthy(revision) and _content(revision) != _content(current):
            return revision
    raise NotFound(
        f'"{history.target.app}" has no earlier healthy release that differs', "nucleo releases lists all of them"
    )


def _content(revision: Revision) -> dict[str, Any]:
    """What a release runs; not who made it, from which commit."""
    return {key: value for key, value in revision.values.items() if key != "nucleo"}


def _need_rules(source: Revision) -> None:
    """A release that has lost its rules with what enforced them would come back open."""
    rules = {str(each.get("apiVersion")) for each in parts(source.values, "network", "objects")}
    if rules - apis(source.manifest):
        raise NucleoError(
            f"release {source.version} has no network rules any more: what enforced them has gone from the cluster",
            "nucleo deploy of its commit writes them for what enforces them now",
        )


def _need_secret(tools: "Tools", target: Target, source: Revision) -> None:
    name = str(part(source.values, "secret").get("name", ""))
    try:
        read_secret(tools.cluster, target, name)
    except NotFound as error:
        raise NotFound(
            f"the secrets of release {source.version} are gone (Secret {name})",
            "nucleo config list shows the current ones",
        ) from error
