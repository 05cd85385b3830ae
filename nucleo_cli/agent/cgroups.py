"""Where the kernel keeps the pods of this node: cgroups of the unified hierarchy, made by the kubelet."""

from __future__ import annotations

import os
from pathlib import Path

# Folders from the root of the hierarchy to the kubelet's: a kubelet in a container has some more.
_DEEPEST = 6


def unified(below: Path = Path("/"), mounts: Path = Path("/proc/self/mounts")) -> Path | None:
    """The folder of the unified hierarchy (cgroup2) at or below a folder: alone, or beside those of version 1."""
    for line in mounts.read_text("utf-8").splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2" and Path(folder).is_relative_to(below):
            return Path(folder)
    return None


class Pods:
    """Finds the cgroup of a pod by its uid.

    The kubelet names it podUID, or kubepods-CLASS-podUID.slice with "_" for "-" where systemd makes it; below a folder
    for each class of service, at a place that differs from node to node.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._parents: set[Path] = set()

    def find(self, uid: str) -> Path | None:
        """Its folder; None where it has none yet, or no longer."""
        return self._among_known(uid) or (self._among_known(uid) if self._look_for_parents() else None)

    def _among_known(self, uid: str) -> Path | None:
        sliced = uid.replace("-", "_")
        for parent in self._parents:
            for name in (f"pod{uid}", f"{parent.name.removesuffix('.slice')}-pod{sliced}.slice"):
                if (parent / name).is_dir():
                    return parent / name
        return None

    def _look_for_parents(self) -> bool:
        """The folders of the kubelet's classes. Whether there are more than before."""
        before = len(self._parents)
        for folder, names, _ in os.walk(self._root):
            here = Path(folder)
            if here.name in ("kubepods", "kubepods.slice"):
                self._parents |= {here, *(here / name for name in names if "besteffort" in name or "burstable" in name)}
                names.clear()
            elif here.name.startswith(("pod", "cri-")) or len(here.relative_to(self._root).parts) > _DEEPEST:
                names.clear()
        return len(self._parents) > before


def number(folder: Path) -> int:
    """The kernel's number of a cgroup: the inode of its folder."""
    return folder.stat().st_ino
