"""Which kernel parameters a pod may have."""

import pytest

from nucleo_cli.charts import sysctls
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import ConfigInvalid, Exit


def test_safe_ones_pass_as_they_are() -> None:
    sysctls.check(dict.fromkeys(sysctls.SAFE, "1"))
    assert sysctls.unsafe(sysctls.SAFE) == sysctls.node_level(sysctls.SAFE) == ()


def test_an_unsafe_one_names_the_setting_that_it_would_need() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        sysctls.check({"net.core.somaxconn": "1024", "net.ipv4.tcp_syncookies": "1"}, Settings().sysctls)
    assert raised.value.message == "kernel: the nodes do not allow net.core.somaxconn"
    assert 'allowedUnsafeSysctls: ["net.core.somaxconn"]' in raised.value.hint
    assert "`sysctls: net.core.somaxconn` in the ConfigMap nucleo" in raised.value.hint
    assert raised.value.details == {
        "sysctls": ["net.core.somaxconn"],
        "kubelet": {"allowedUnsafeSysctls": ["net.core.somaxconn"]},
    }
    assert raised.value.exit is Exit.CONFIG


@pytest.mark.parametrize("pattern", ["net.core.somaxconn", "net.core.*", "net.*"])
def test_unsafe_ones_pass_where_the_nodes_allow_them(pattern: str) -> None:
    sysctls.check({"net.core.somaxconn": "1024"}, Settings(sysctls=(pattern,)).sysctls)


@pytest.mark.parametrize("pattern", ["net.core", "net.core.somax", "net.ipv4.*", "kernel.*"])
def test_a_pattern_allows_only_what_it_says(pattern: str) -> None:
    assert sysctls.unsafe(["net.core.somaxconn"], [pattern]) == ("net.core.somaxconn",)


@pytest.mark.parametrize("key", ["vm.swappiness", "kernel.panic", "fs.file-max", "vm.max_map_count", "kernel.pid_max"])
def test_what_the_whole_node_shares_is_refused_whatever_is_allowed(key: str) -> None:
    with pytest.raises(ConfigInvalid, match="only be set for a whole node"):
        sysctls.check({key: "1"}, [key, "*"])


def test_every_refused_one_is_named_at_once_and_sorted() -> None:
    assert sysctls.unsafe(["net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max", "vm.swappiness"]) == (
        "fs.mqueue.msg_max",
        "kernel.shmmax",
        "net.core.somaxconn",
    )
    assert sysctls.node_level(["vm.swappiness", "kernel.panic", "net.core.somaxconn"]) == (
        "kernel.panic",
        "vm.swappiness",
    )
