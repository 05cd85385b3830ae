"""Finding the cgroup of a pod, wherever a kubelet has put it."""

from pathlib import Path

import pytest

from nucleo_cli.agent.cgroups import Pods, number, unified

UID = "6a1546cc-a35a-4bc2-bf00-006a76be373e"


@pytest.mark.parametrize(
    "place",
    [
        f"kubepods/burstable/pod{UID}",
        f"kubepods/pod{UID}",
        f"machine/nucleo-local/kubepods/besteffort/pod{UID}",
        f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice",
        f"kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice",
    ],
)
def test_a_pod_is_found_by_its_uid(tmp_path: Path, place: str) -> None:
    pods = Pods(tmp_path)
    assert pods.find(UID) is None
    (tmp_path / place / "container").mkdir(parents=True)
    found = pods.find(UID)
    assert found is not None
    assert found == tmp_path / place
    assert number(found) == found.stat().st_ino
    (found / "container").rmdir()
    found.rmdir()
    assert pods.find(UID) is None


@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "/sys/fs/cgroup"),
        (
            "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            "/sys/fs/cgroup/unified",
        ),
        ("proc /proc proc rw 0 0\n", None),
    ],
)
def test_the_unified_hierarchy_is_read_from_the_mounts(tmp_path: Path, mounts: str, found: str | None) -> None:
    file = tmp_path / "mounts"
    file.write_text(mounts)
    assert unified(mounts=file) == (Path(found) if found else None)
