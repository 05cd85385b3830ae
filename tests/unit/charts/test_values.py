"""App + Image → Helm values."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.charts.shape import plain
from nucleo_cli.charts.values import carried_config, carried_secret, values
from nucleo_cli.domain.app import App, Health, Port, Process, Resources, Scale
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.release import DEPLOYED, Facts, Revision
from nucleo_cli.domain.settings import Settings

IMAGE = Image("registry.example.com/shop", f"sha256:{'a' * 64}")
FACTS = Facts("0.1.0", "1f2e", "python 3.13", commit="c0ffee", dirty=True, user="mika")
SETTINGS = Settings(base_domain="example.com", routes="ingress")
SMALLEST = App("shop", Path(), "python", processes=(Process("web", ports=(Port(8080, 80),)),))


def previous(**given: Any) -> Revision:
    return Revision("shop", "shop", 1, DEPLOYED, None, values=given)


def test_the_smallest_app() -> None:
    found = values(SMALLEST, IMAGE, FACTS, SETTINGS)
    assert [each["kind"] for each in found["routes"].pop("objects")] == ["Ingress"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    assert found == {
        "nucleo": {
            "version": "0.1.0",
            "inputs": "1f2e",
            "platform": "python 3.13",
            "image": IMAGE.reference,
            "dirty": True,
            "user": "mika",
            "commit": "c0ffee",
        },
        "image": {"repository": "registry.example.com/shop", "digest": f"sha256:{'a' * 64}", "architectures": []},
        "env": {},
        "config": {},
        "secret": {"name": "", "keys": []},
        "kernel": {},
        "readOnlyRoot": True,
        "routes": {"kind": "ingress", "hosts": ["shop.example.com"]},
        "network": {"objects": []},
        "processes": {
            "web": {
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                "stop": {"sleep": 3, "grace": 30},
                "ports": [{"name": "http-8080", "port": 8080}],
                "probe": {"port": 8080, "timeout": 2},
            }
        },
    }


def test_an_app_that_says_everything() -> None:
    web = Process(
        "web",
        start="nucleo/start.sh",
        pre_stop="nucleo/pre_stop.sh",
        ports=(Port(8080, 80), Port(5000, 5432)),
        scale=Scale(2, 20, cpu_threshold=50, memory_threshold=80),
        resources=Resources("250m", "1", "256Mi", "512Mi"),
        health=Health("/healthz", 1.5),
    )
    app = App(
        "shop",
        Path(),
        "python",
        environment="staging",
        processes=(web, Process("worker", start="celery -A shop worker", scale=Scale(3, 3))),
        kernel={"net.ipv4.tcp_syncookies": "1", "net.core.somaxconn": "1024"},
        env={"B": "2", "A": "1"},
    )
    made = values(app, IMAGE, replace(FACTS, read_only_root=False), SETTINGS)
    assert made["nucleo"].get("environment") == "staging"
    assert list(made["env"]) == ["A", "B"]
    assert list(made["kernel"]) == ["net.core.somaxconn", "net.ipv4.tcp_syncookies"]
    assert made["readOnlyRoot"] is False
    assert made["processes"] == {
        "web": {
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "stop": {"command": ["/bin/sh", "-c", "sleep 3; exec nucleo/pre_stop.sh"], "grace": 60},
            "command": ["/bin/sh", "-c", "exec nucleo/start.sh"],
            "ports": [{"name": "http-8080", "port": 8080}, {"name": "tcp-5000", "port": 5000}],
            "probe": {"port": 8080, "timeout": 2, "path": "/healthz", "host": "shop.example.com"},
            "external": [{"name": "tcp-5432", "port": 5432, "target": 5000}],
            "replicas": 2,
            "autoscale": {"minimum": 2, "maximum": 20, "cpu": 50, "memory": 80},
            "budget": True,
        },
        "worker": {
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "stop": {"grace": 30},
            "command": ["/bin/sh", "-c", "exec celery -A shop worker"],
            "replicas": 3,
            "budget": True,
        },
    }


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(1, 3), {"minimum": 1, "maximum": 3, "cpu": 80}),
        (Scale(1, 3, cpu_threshold=50), {"minimum": 1, "maximum": 3, "cpu": 50}),
        (Scale(1, 3, memory_threshold=70), {"minimum": 1, "maximum": 3, "memory": 70}),
        (Scale(2, 2), None),
        (None, None),
    ],
)
def test_a_range_is_autoscaled(scale: Scale | None, expected: dict[str, int] | None) -> None:
    app = replace(SMALLEST, processes=(Process("web", scale=scale),))
    assert values(app, IMAGE, FACTS, SETTINGS)["processes"]["web"].get("autoscale") == expected


@pytest.mark.parametrize(
    ("scale", "live", "budget"),
    [
        (None, None, False),
        (None, 1, False),
        (None, 2, True),
        (Scale(0, 0), 4, False),
        (Scale(1, 1), 4, False),
        (Scale(2, 2), None, True),
        (Scale(1, 2), None, True),
    ],
)
def test_a_budget_only_from_two_pods(scale: Scale | None, live: int | None, budget: bool) -> None:
    app = replace(SMALLEST, processes=(Process("web", scale=scale),))
    made = values(app, IMAGE, FACTS, SETTINGS, live={} if live is None else {"web": live})
    assert made["processes"]["web"].get("budget", False) is budget


def test_config_and_secret_are_carried_over_from_the_previous_release() -> None:
    before = previous(config={"B": "2", "A": "1"}, secret={"name": "shop-secret-1", "keys": ["Z", "K"]})
    made = values(SMALLEST, IMAGE, FACTS, SETTINGS, previous=before)
    assert made["config"] == {"A": "1", "B": "2"}
    assert made["secret"] == {"name": "shop-secret-1", "keys": ["K", "Z"]}


def test_config_and_secret_can_be_replaced() -> None:
    before = previous(config={"A": "1"}, secret={"name": "shop-secret-1", "keys": ["K"]})
    made = values(
        SMALLEST, IMAGE, FACTS, SETTINGS, previous=before, config={}, secret={"name": "shop-secret-2", "keys": ["L"]}
    )
    assert made["config"] == {}
    assert made["secret"] == {"name": "shop-secret-2", "keys": ["L"]}


@pytest.mark.parametrize("before", [None, previous(), previous(config=None, secret=None)])
def test_nothing_is_carried_from_nothing(before: Revision | None) -> None:
    assert carried_config(before) == {}
    assert carried_secret(before) == {"name": "", "keys": []}


def test_a_scale_set_by_hand_goes_on() -> None:
    before = previous(processes={"web": {"replicas": 2}})
    made = values(SMALLEST, IMAGE, FACTS, SETTINGS, previous=before, live={"web": 5})
    assert made["processes"]["web"].get("replicas") == 5


def test_a_tree_without_commits_has_none() -> None:
    assert "commit" not in values(SMALLEST, IMAGE, replace(FACTS, commit=None), SETTINGS)["nucleo"]


def test_the_order_of_what_was_written_changes_nothing() -> None:
    one = replace(SMALLEST, env={"A": "1", "B": "2"}, processes=(Process("a"), Process("web")))
    two = replace(SMALLEST, env={"B": "2", "A": "1"}, processes=(Process("web"), Process("a")))
    made = [plain(values(app, IMAGE, FACTS, SETTINGS)) for app in (one, two)]
    assert str(made[0]) == str(made[1])
