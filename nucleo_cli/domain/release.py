"""A release: one numbered deployment of image and config; what Helm calls a revision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DEPLOYED = "deployed"
FAILED = "failed"
SUPERSEDED = "superseded"
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is remembered of a release beside what it runs. No manifest depends on it.

    `inputs` is the hash of everything that went in: equal to the running release's means nothing to do.
    `read_only_root` is whether the platform's images run with a read-only root filesystem.
    """

    nucleo: str
    inputs: str
    platform: str
    commit: str | None = None
    dirty: bool = False
    user: str = ""
    read_only_root: bool = True


@dataclass(frozen=True, slots=True)
class Revision:
    """A release as the cluster keeps it. `values` are those given to Helm, without the chart's defaults."""

    app: str
    namespace: str
    version: int
    status: str
    created: datetime | None
    description: str = ""
    chart: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    manifest: str = ""

    @property
    def pending(self) -> bool:
        """Whether a deploy is at work on it, or was when it died."""
        return self.status in PENDING

    @property
    def facts(self) -> Mapping[str, Any]:
        """commit, dirty, user, inputs, image … of the release; empty when it was not made by Nucleo."""
        return self.values.get("nucleo") or {}

    @property
    def image(self) -> str:
        """REPOSITORY@DIGEST, or "" when it was not made by Nucleo."""
        return str(self.facts.get("image", ""))


def latest(revisions: Iterable[Revision]) -> Revision | None:
    """The newest revision, whatever its status."""
    return max(revisions, key=lambda revision: revision.version, default=None)


def deployed(revisions: Iterable[Revision]) -> Revision | None:
    """The newest revision that Helm calls deployed: what should be running."""
    return latest(revision for revision in revisions if revision.status == DEPLOYED)
