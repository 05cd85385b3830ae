import time
from typing import Any

import pytest

from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import Exit, NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows import checks, probe
from nucleo_cli.workflows.checks import Result, SkippedError, State, run_checks
from tests.unit.commands.observed import Canned, answer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/infra/gateways/main"


def skipping() -> str:
    raise SkippedError("not here")


def failing() -> str:
    raise NotFound("it is not there", "install it")


def test_each_check_stands_on_its_own() -> None:
    found = list(run_checks([("a", lambda: "fine"), ("b", skipping), ("c", failing), ("d", lambda: "fine too")]))
    assert found == [
        Result("a", State.OK, "fine"),
        Result("b", State.SKIPPED, "not here"),
        Result("c", State.FAILED, "it is not there", "install it"),
        Result("d", State.OK, "fine too"),
    ]


def test_a_check_that_hangs_fails_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECK_SECONDS", 0.1)

    def hanging() -> str:
        time.sleep(5)
        return ""

    assert [each.state for each in run_checks([("a", hanging), ("b", lambda: "fine")])] == [State.FAILED, State.OK]


def test_a_bug_in_a_check_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        list(run_checks([("a", lambda: str(1 / 0))]))


def test_a_cluster_that_does_not_answer_is_one_of_the_failures() -> None:
    away = Unreachable("nobody there")
    told = answer(Canned({"/version": away, REVIEWS: away, "time": time.time()}), "doctor", "--json")
    assert told.code == Exit.FAILED
    states = {each["name"]: each["state"] for each in told.json["checks"]}
    assert told.json["ok"] is False
    assert (states["cluster"], states["rights"], states["certificate"]) == ("failed", "failed", "skipped")
    assert states["disk"] in ("ok", "failed")


def cluster(**answers: Any) -> Any:
    return Canned(answers)


def test_the_clock() -> None:
    assert checks.clock(cluster(time=time.time())) == "agrees with the cluster's"
    with pytest.raises(NucleoError, match="differs by 60 s"):
        checks.clock(cluster(time=time.time() + 60.2))


def test_the_certificate() -> None:
    assert "30 days" in checks.certificate(cluster(days=30.2))
    with pytest.raises(NotAllowed, match="expired"):
        checks.certificate(cluster(days=-1.0))


def test_rights() -> None:
    assert "may deploy" in checks.rights(cluster(**{REVIEWS: {"status": {"allowed": True}}}), "shop")
    with pytest.raises(NotAllowed, match="you may not create deployments"):
        checks.rights(cluster(**{REVIEWS: {"status": {}}}), "shop")


def test_an_old_cluster() -> None:
    with pytest.raises(NucleoError, match="too old"):
        checks.reachable(cluster(**{"/version": {"gitVersion": "v1.24.0", "minor": "24+"}}))


def test_routes() -> None:
    gateway = Settings(routes="gateway", gateway="infra/main", base_domain="example.com")
    assert checks.routes(cluster(**{GATEWAY: {}}), gateway) == "Gateway infra/main, apps at NAME.example.com"
    with pytest.raises(NotFound):
        checks.routes(cluster(), gateway)
    with pytest.raises(SkippedError):
        checks.routes(cluster(), Settings())
    with pytest.raises(NucleoError, match="no base domain"):
        checks.routes(cluster(), Settings(routes="ingress"))


def test_settings_and_metrics() -> None:
    assert checks.settings_known(Settings(registry_push="r:5000")) == "images go to r:5000"
    with pytest.raises(NotFound, match="which registry"):
        checks.settings_known(Settings())
    with pytest.raises(NucleoError, match="no metrics API"):
        checks.metrics(cluster())


def test_the_agent_and_cilium_enforce_rules() -> None:
    daemons = "/apis/apps/v1/namespaces/nucleo-system/daemonsets/nucleo-agent"
    agent = Settings(network="agent")
    whole = {"status": {"numberReady": 2, "desiredNumberScheduled": 2}}
    assert "ready on 2 of 2" in checks.rules(cluster(**{daemons: whole}), agent, False)
    lacking = {"status": {"numberReady": 1, "desiredNumberScheduled": 2}}
    with pytest.raises(NucleoError, match="ready on 1 of 2"):
        checks.rules(cluster(**{daemons: lacking}), agent, False)
    cilium = Settings(network="cilium")
    assert checks.rules(cluster(**{"/apis": {}}), cilium, False) == "Cilium enforces them"
    beside = {"groups": [{"versions": [{"groupVersion": "nucleo.io/v1alpha1"}]}]}
    said = "Cilium enforces them, and Nucleo's agent observes"
    assert checks.rules(cluster(**{"/apis": beside}), cilium, False) == said
    with pytest.raises(SkippedError):
        checks.rules(cluster(), Settings(network="none"), True)


@pytest.mark.parametrize(
    ("enforced", "app_has_rules", "raised"),
    [(True, True, None), (None, True, SkippedError), (False, False, SkippedError), (False, True, NucleoError)],
)
def test_whether_a_network_policy_does_anything(
    monkeypatch: pytest.MonkeyPatch, enforced: bool | None, app_has_rules: bool, raised: type[Exception] | None
) -> None:
    def tried(_: Any) -> bool | None:
        return enforced

    monkeypatch.setattr(probe, "enforces_policies", tried)
    settings = Settings(network="networkpolicy")
    if raised is None:
        assert "is enforced" in checks.rules(cluster(), settings, app_has_rules)
        return
    with pytest.raises(raised):
        checks.rules(cluster(), settings, app_has_rules)
