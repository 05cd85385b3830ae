"""Commands, resources, probes and endings of a container."""

import pytest

from nucleo_cli.charts.containers import probe, resources, stop
from nucleo_cli.domain.app import Health, Port, Process, Resources


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        (Resources(), {"cpu": "50m", "memory": "128Mi"}, {"memory": "512Mi"}),
        (Resources(memory_request="1Gi"), {"cpu": "50m", "memory": "1Gi"}, {"memory": "1Gi"}),
        (Resources(memory_limit="64Mi"), {"cpu": "50m", "memory": "64Mi"}, {"memory": "64Mi"}),
        (Resources(cpu_request="250m"), {"cpu": "250m", "memory": "128Mi"}, {"memory": "512Mi"}),
        (Resources(cpu_limit="1"), {"cpu": "1", "memory": "128Mi"}, {"cpu": "1", "memory": "512Mi"}),
        (
            Resources("250m", "1", "256Mi", "512Mi"),
            {"cpu": "250m", "memory": "256Mi"},
            {"cpu": "1", "memory": "512Mi"},
        ),
    ],
)
def test_a_default_never_contradicts_what_is_written(
    given: Resources, requests: dict[str, str], limits: dict[str, str]
) -> None:
    assert resources(given) == {"requests": requests, "limits": limits}


@pytest.mark.parametrize(("timeout", "seconds"), [(0.2, 1), (1.0, 1), (1.1, 2), (2.0, 2), (30.0, 30)])
def test_the_timeout_is_rounded_up_to_whole_seconds(timeout: float, seconds: int) -> None:
    process = Process("web", ports=(Port(8080), Port(9090)), health=Health(None, timeout))
    assert probe(process, "shop.example.com") == {"port": 8080, "timeout": seconds}


def test_an_http_probe_speaks_with_the_apps_host_name() -> None:
    process = Process("web", ports=(Port(8080),), health=Health("/healthz"))
    assert probe(process, "shop.example.com") == {
        "port": 8080,
        "timeout": 2,
        "path": "/healthz",
        "host": "shop.example.com",
    }
    assert probe(process, None) == {"port": 8080, "timeout": 2, "path": "/healthz"}


def test_a_process_with_ports_drains_before_it_stops() -> None:
    assert stop(Process("web", ports=(Port(8080),))) == {"sleep": 3, "grace": 30}
    assert stop(Process("worker")) == {"grace": 30}


def test_pre_stop_runs_after_the_drain_and_has_time_of_its_own() -> None:
    assert stop(Process("web", pre_stop="nucleo/pre_stop.sh", ports=(Port(8080),))) == {
        "command": ["/bin/sh", "-c", "sleep 3; exec nucleo/pre_stop.sh"],
        "grace": 60,
    }
    assert stop(Process("worker", pre_stop="a; b")) == {"command": ["/bin/sh", "-c", "a; b"], "grace": 60}
