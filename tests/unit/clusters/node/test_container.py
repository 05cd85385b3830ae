"""What the node's container may touch."""

import pytest

from nucleo_cli.clusters.node import container
from nucleo_cli.errors import UsageError

FULL = (1 << 41) - 1
NO_SYS_RESOURCE = FULL & ~(1 << 24)


def test_a_whole_machine_is_privileged() -> None:
    assert container.privileges(FULL) == {"privileged": True}


def test_an_unknown_machine_is_privileged() -> None:
    assert container.privileges(None) == {"privileged": True}


def test_a_confined_machine_gives_what_it_has() -> None:
    options = container.privileges(NO_SYS_RESOURCE)
    assert "privileged" not in options
    assert "SYS_RESOURCE" not in options["cap_add"]
    assert {"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "AUDIT_READ"} <= set(options["cap_add"])
    assert options["devices"] == ["/dev/kmsg"]


def test_missing_capabilities_are_named() -> None:
    assert container.missing(NO_SYS_RESOURCE) == ["SYS_RESOURCE"]
    assert container.missing(FULL) == []


def test_cgroup_v1_shares_the_hierarchies_and_v2_does_not() -> None:
    assert "/sys/fs/cgroup" in container.mounts("nucleo-local", cgroup_v1=True)
    assert "/sys/fs/cgroup" not in container.mounts("nucleo-local", cgroup_v1=False)


@pytest.mark.parametrize("name", ["local", "a", "team-2", "x" * 32])
def test_good_names(name: str) -> None:
    assert container.container_name(name) == f"nucleo-{name}"


@pytest.mark.parametrize("name", ["", "Local", "-a", "a-", "a b", "x" * 33, "a/b", "a\n", "é"])
def test_odd_names(name: str) -> None:
    with pytest.raises(UsageError):
        container.container_name(name)
