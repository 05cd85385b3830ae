"""nucleo scale and nucleo restart."""

from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.errors import Exit, Interrupted, Locked, NotFound, RolloutFailed, UsageError
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.scale import restart, scale
from tests.unit.workflows.fake_cluster import CRASH
from tests.unit.workflows.shop import Shop
from tests.unit.workflows.steps import Ran, attempt, run

WEB = path("apps/v1", "deployments", "shop", "shop-web")
RESTARTED = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture
def deployed(app: Shop) -> Shop:
    app.deploy()
    return app


def scaled(app: Shop, **wanted: int) -> Ran:
    return attempt(scale(app.cluster, app.target, wanted))


def restarted(app: Shop, *processes: str, **stop: Any) -> Ran:
    return attempt(restart(app.cluster, app.target, list(processes)), **stop)


def when(app: Shop) -> str | None:
    """When the Deployment was restarted."""
    template = app.cluster.objects[WEB]["spec"]["template"]
    return template["metadata"].get("annotations", {}).get(RESTARTED)


def autoscaled(app: Shop, minimum: int = 2) -> None:
    app.cluster.create(
        path("autoscaling/v2", "horizontalpodautoscalers", "shop"),
        {
            "metadata": {"name": "shop-web", "labels": {"nucleo.io/app": "shop", "nucleo.io/process": "web"}},
            "spec": {"scaleTargetRef": {"name": "shop-web"}, "minReplicas": minimum, "maxReplicas": 6},
        },
    )


class TestScale:
    def test_the_number_of_pods_and_no_release(self, deployed: Shop) -> None:
        ran = scaled(deployed, web=3)
        assert ran.result == {"app": "shop", "processes": [{"name": "web", "replicas": 3, "previous": 1}]}
        assert len(deployed.cluster.names("pods")) == 3
        assert len(deployed.revisions) == 1
        assert deployed.cluster.names("leases") == []

    def test_to_zero_and_back(self, deployed: Shop) -> None:
        assert scaled(deployed, web=0).error is None
        assert deployed.cluster.names("pods") == []
        assert scaled(deployed, web=2).result["processes"][0]["previous"] == 0

    def test_an_unknown_process_changes_nothing(self, deployed: Shop) -> None:
        deployed.cluster.requests.clear()
        ran = scaled(deployed, web=2, wrok=1)
        assert isinstance(ran.error, NotFound)
        assert ran.error.message == '"shop" has no process wrok'
        assert ran.error.hint == "its processes: web"
        assert {method for method, _ in deployed.cluster.writes()} == {"POST", "DELETE"}

    def test_a_process_that_scales_itself(self, deployed: Shop) -> None:
        autoscaled(deployed)
        ran = scaled(deployed, web=3)
        assert isinstance(ran.error, UsageError)
        assert ran.error.message == "web scales itself between 2 and 6"
        assert "nucleo.yml" in ran.error.hint

    def test_it_can_be_stopped_and_started_though(self, deployed: Shop) -> None:
        autoscaled(deployed)
        assert scaled(deployed, web=0).error is None
        assert scaled(deployed, web=2).error is None

    def test_an_app_that_is_not_there_gets_no_namespace(self, app: Shop) -> None:
        for ran in (scaled(app, web=1), restarted(app)):
            assert isinstance(ran.error, NotFound)
            assert "no app" in ran.error.message
        assert "shop" not in app.cluster.names("namespaces")

    def test_an_app_without_pods_of_its_own(self, deployed: Shop) -> None:
        deployed.helm.uninstall("shop", "shop")
        assert isinstance(scaled(deployed, web=1).error, NotFound)

    def test_a_deploy_at_work_is_not_disturbed(self, deployed: Shop) -> None:
        with run(acquire(deployed.cluster, deployed.target)):
            assert isinstance(scaled(deployed, web=3).error, Locked)
            assert isinstance(restarted(deployed).error, Locked)
        assert len(deployed.cluster.names("pods")) == 1


class TestRestart:
    def test_every_pod_is_new(self, deployed: Shop) -> None:
        before = deployed.cluster.names("pods")
        ran = restarted(deployed)
        assert ran.result == {"app": "shop", "processes": [{"name": "web", "ready": 1}]}
        assert not set(before) & set(deployed.cluster.names("pods"))
        assert when(deployed)
        assert len(deployed.revisions) == 1

    def test_the_next_deploy_has_nothing_to_do(self, deployed: Shop) -> None:
        restarted(deployed)
        assert not deployed.deploy(tools=deployed.idle).result.changed

    def test_when_the_new_pods_fail_the_old_ones_stay(self, deployed: Shop) -> None:
        (before,) = deployed.cluster.names("pods")
        deployed.controller.fates[RESTARTED] = CRASH
        assert isinstance(restarted(deployed).error, RolloutFailed)
        assert when(deployed) is None
        assert deployed.cluster.names("pods") == [before]

    @pytest.mark.parametrize("position", range(3))
    def test_interrupted(self, deployed: Shop, position: int) -> None:
        ran = restarted(deployed, stop_at=position, stop=Interrupted(Exit.INTERRUPTED))
        assert deployed.cluster.names("leases") == []
        if position < 2:
            assert isinstance(ran.error, Interrupted)
            assert when(deployed) is None

    def test_one_process_of_them(self, deployed: Shop) -> None:
        assert restarted(deployed, "web").error is None
        ran = restarted(deployed, "wrok")
        assert isinstance(ran.error, NotFound)
        assert ran.error.message == '"shop" has no process wrok'
