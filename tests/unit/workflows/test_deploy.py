"""nucleo deploy: from a tree to a healthy release, and nothing at all when there is nothing to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.domain.build import GitFacts
from nucleo_cli.domain.documents import part
from nucleo_cli.domain.events import Notice, Warned
from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED
from nucleo_cli.errors import ConfigInvalid, Exit, Interrupted, Locked, NucleoError, RolloutFailed
from nucleo_cli.network.manifest import where as rule_path
from nucleo_cli.workflows.config_vars import Edit, edit
from nucleo_cli.workflows.deploy import Wish
from nucleo_cli.workflows.history import is_healthy
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.scale import scale
from tests.unit.workflows.fake_cluster import CRASH, HANG
from tests.unit.workflows.shop import SETTINGS, Shop, mark
from tests.unit.workflows.steps import run


def test_a_first_deploy(app: Shop) -> None:
    ran = app.deploy()
    assert ran.error is None
    done = ran.result
    assert (done.changed, done.url, done.revision.version) == (True, "http://shop.apps.example", 1)
    assert [phase.name for phase in done.phases] == ["check", "build", "release", "rollout", "route"]
    assert is_healthy(app.revisions[0])
    assert app.cluster.names("leases") == []
    assert "shop" in app.cluster.names("namespaces")
    assert app.pod()["image"] == done.revision.image


def test_the_document(app: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = GitFacts("c0ffee" * 6 + "beef", True, 0, user="Mika")
    app.commit(monkeypatch, facts)
    document = app.deploy().result.document()
    phases = document.pop("phases")
    assert document.pop("steps") == []
    assert document == {
        "app": "shop",
        "environment": None,
        "namespace": "shop",
        "release": 1,
        "image": app.revisions[0].image,
        "commit": facts.sha,
        "dirty": True,
        "url": "http://shop.apps.example",
        "changed": True,
    }
    assert [set(phase) for phase in phases] == [{"name", "seconds", "skipped"}] * 5
    assert phases[1] == {"name": "build", "seconds": 0.25, "skipped": False}
    assert app.revisions[0].description == f"deploy {facts.sha[:12]} with changes"
    assert app.revisions[0].facts["user"] == "Mika"


def test_an_unchanged_app_that_is_scaled_to_zero_says_so(app: Shop) -> None:
    app.deploy()
    run(scale(app.cluster, app.target, {"web": 0}))
    ran = app.deploy()
    assert not ran.result.changed
    assert Warned("web is scaled to 0: nothing serves", "nucleo scale web=1 starts it") in ran.events


def test_the_document_of_an_unchanged_app_has_the_same_fields(app: Shop) -> None:
    first, second = app.deploy().result.document(), app.deploy().result.document()
    assert first.keys() == second.keys()
    assert (second["changed"], second["release"], second["image"]) == (False, 1, first["image"])
    assert second["phases"] == [{"name": "check", "seconds": second["phases"][0]["seconds"], "skipped": True}]


class TestNothingChanged:
    def test_no_tool_is_touched_and_nothing_is_written(self, app: Shop) -> None:
        app.deploy()
        app.cluster.requests.clear()
        ran = app.deploy(tools=app.idle)
        assert ran.error is None
        assert not ran.result.changed
        assert {path.split("/")[2] for _, path in app.cluster.writes()} <= {"coordination.k8s.io"}
        assert len(app.revisions) == 1

    def test_it_takes_five_requests_and_the_lock(self, app: Shop) -> None:
        app.deploy()
        app.cluster.requests.clear()
        app.deploy(tools=app.idle)
        assert [method for method, _ in app.cluster.requests] == ["GET", "POST", "GET", "GET", "DELETE"]

    def test_a_touched_file_is_no_change(self, app: Shop) -> None:
        app.deploy()
        (app.folder / "app.py").touch()
        assert not app.deploy(tools=app.idle).result.changed

    @pytest.mark.parametrize("name", ["app.py", "requirements.txt", "nucleo.yml", "new.txt"])
    def test_any_changed_file_is_one(self, app: Shop, name: str) -> None:
        app.deploy()
        file = app.folder / name
        file.write_text((file.read_text() if file.exists() else "") + "# more\n")
        assert app.deployed().version == 2

    def test_a_changed_setting_of_the_cluster_is_one(self, app: Shop) -> None:
        app.deploy()
        app.configure({**SETTINGS, "base-domain": "other.example"})
        assert app.deploy().result.url == "http://shop.other.example"

    def test_a_missing_deployment_is_one(self, app: Shop) -> None:
        app.deploy()
        app.cluster.delete("/apis/apps/v1/namespaces/shop/deployments/shop-web")
        assert app.deployed().version == 2

    def test_after_a_failure_the_old_state_is_a_change_no_more(self, app: Shop) -> None:
        app.deploy()
        app.controller.fates[mark("bad")] = CRASH
        app.write("app.py", "bad")
        assert isinstance(app.deploy().error, RolloutFailed)
        app.write("app.py", "one")
        assert not app.deploy(tools=app.idle).result.changed


class TestAReleaseThatAKilledDeployLeft:
    def written(self, app: Shop, text: str) -> None:
        """Release written, and then killed before it was seen healthy: neither restored nor marked."""
        app.write("app.py", text)
        app.helm.trouble = [KeyboardInterrupt()]
        app.deploy()

    def test_it_is_marked_when_it_is_healthy_by_now(self, app: Shop) -> None:
        self.written(app, "one")
        assert not is_healthy(app.running)
        ran = app.deploy(tools=app.idle)
        assert not ran.result.changed
        assert is_healthy(app.running)

    @pytest.mark.usefixtures("impatient")
    def test_it_is_watched_while_it_is_not(self, app: Shop) -> None:
        app.deploy()
        app.controller.fates[mark("two")] = HANG
        self.written(app, "two")
        work = app.deploy(wish=Wish(timeout=0.01))
        assert work.notices[0] == "release 2 was not seen healthy yet: watching it"
        assert [each.status for each in app.revisions] == [SUPERSEDED, FAILED, DEPLOYED]
        assert app.builds == 2

    def test_a_pending_one_is_closed_and_done_again(self, app: Shop) -> None:
        app.deploy()
        app.helm.record("shop", "shop", 2, "pending-upgrade", {})
        app.write("app.py", "two")
        assert app.deployed().version == 3
        assert [each.status for each in app.revisions] == [SUPERSEDED, FAILED, DEPLOYED]


def test_a_bad_release_gives_way_and_is_tried_again_when_asked(app: Shop) -> None:
    app.deploy()
    app.controller.fates[mark("bad")] = CRASH
    app.write("app.py", "bad")
    for _ in range(2):
        ran = app.deploy()
        assert isinstance(ran.error, RolloutFailed)
        assert app.pod()["image"] == app.revisions[0].image
    app.write("app.py", "good")
    assert app.deployed().version == 6


@pytest.mark.parametrize("position", range(12))
def test_interrupted_at_any_event(app: Shop, position: int) -> None:
    first = app.deployed()
    app.write("app.py", "two")
    ran = app.deploy(stop_at=position, stop=Interrupted(Exit.TERMINATED))
    if ran.error is None:
        assert app.pod()["image"] != first.image
    else:
        assert isinstance(ran.error, Interrupted)
        assert app.pod()["image"] == first.image
    assert app.cluster.names("leases") == []
    assert [each.status for each in app.revisions].count(DEPLOYED) == 1
    assert app.deploy().error is None
    assert app.pod()["image"] != first.image


def test_a_deploy_at_work_is_named(app: Shop) -> None:
    app.deploy()
    with run(acquire(app.cluster, app.target)):
        ran = app.deploy(tools=app.idle)
    assert isinstance(ran.error, Locked)
    assert ran.error.exit == 9


class TestScale:
    def replicas(self, app: Shop) -> int:
        return app.cluster.all("deployments")[0]["spec"]["replicas"]

    def test_set_by_hand_it_stays_where_nucleo_yml_says_nothing(self, app: Shop) -> None:
        app.deploy()
        app.by_hand(3)
        assert not app.deploy(tools=app.idle).result.changed
        app.write("app.py", "two")
        app.deploy()
        assert self.replicas(app) == 3

    def test_nucleo_yml_wins_and_says_so(self, app: Shop) -> None:
        app.scale("2")
        app.deploy()
        app.by_hand(5)
        ran = app.deploy()
        assert ran.result.changed
        assert ran.notices == ["web: nucleo.yml's scale wins over the 5 set by hand"]
        assert self.replicas(app) == 2
        assert not app.deploy(tools=app.idle).result.changed

    def test_within_a_range_the_autoscaler_is_let_be(self, app: Shop) -> None:
        app.scale('"2-6"')
        app.deploy()
        app.by_hand(4)
        assert not app.deploy(tools=app.idle).result.changed
        assert self.replicas(app) == 4


class TestStagedConfig:
    def stage(self, app: Shop) -> None:
        run(edit(app.idle, app.target, Edit({"LOG_LEVEL": "debug"}, {"STRIPE_KEY": "hunter2"})))

    def test_the_first_deploy_takes_it(self, app: Shop) -> None:
        self.stage(app)
        found = app.deployed()
        assert found.values["config"] == {"LOG_LEVEL": "debug"}
        assert found.values["secret"]["keys"] == ["STRIPE_KEY"]
        assert "hunter2" not in str(found)
        assert app.secrets() == [found.values["secret"]["name"]]

    def test_it_waits_for_a_deploy_that_works(self, app: Shop) -> None:
        self.stage(app)
        app.controller.fates[mark("one")] = CRASH
        assert isinstance(app.deploy().error, RolloutFailed)
        assert app.secrets() == ["shop-staged"]
        app.controller.fates.clear()
        assert app.deployed().values["config"] == {"LOG_LEVEL": "debug"}

    def test_later_deploys_carry_it_on(self, app: Shop) -> None:
        self.stage(app)
        first = app.deployed()
        app.write("app.py", "two")
        assert part(app.deployed().values, "secret") == part(first.values, "secret")


class TestRefusedBeforeAnythingIsTouched:
    def check(self, app: Shop, kind: type[NucleoError]) -> NucleoError:
        app.cluster.requests.clear()
        ran = app.deploy(tools=app.idle)
        assert isinstance(ran.error, kind)
        assert app.cluster.writes() == []
        return ran.error

    def test_a_cluster_without_a_registry(self, app: Shop) -> None:
        app.configure({})
        assert "nucleo cluster configure --registry" in self.check(app, NucleoError).hint

    def test_a_sysctl_that_the_nodes_do_not_allow(self, app: Shop) -> None:
        with (app.folder / "nucleo.yml").open("a") as file:
            file.write("kernel: {net.core.somaxconn: 1024}\n")
        assert "net.core.somaxconn" in self.check(app, ConfigInvalid).message
        app.configure({**SETTINGS, "sysctls": "net.core.*"})
        assert app.deploy().error is None

    def test_settings_that_make_no_sense(self, app: Shop) -> None:
        app.configure({**SETTINGS, "http-port": "eighty"})
        assert "http-port" in self.check(app, NucleoError).message


def test_a_lock_lost_during_the_build_stops_it(app: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    app.deploy()
    app.write("app.py", "two")
    build = app.fake_build()

    def slow(*given: Any, **more: Any) -> Any:
        image = yield from build(*given, **more)
        monkeypatch.setattr("nucleo_cli.workflows.lease.TTL_SECONDS", -1)
        return image

    monkeypatch.setattr("nucleo_cli.builder.build.build", slow)
    calls = len(app.helm.calls)
    assert isinstance(app.deploy().error, Locked)
    assert len(app.helm.calls) == calls


def test_where_the_folder_lies_changes_nothing(app: Shop, tmp_path: Path) -> None:
    app.deploy()
    moved = tmp_path / "elsewhere"
    app.folder.rename(moved)
    app.folder = moved
    assert not app.deploy(tools=app.idle).result.changed
    assert replace(app.app, directory=tmp_path) != app.app


class TestRules:
    RULES = 'network: {from: [], to: ["app:users:8080", "dns:api.stripe.com:443"]}\n'

    def rule(self, app: Shop, text: str) -> None:
        app.write("nucleo.yml", (app.folder / "nucleo.yml").read_text() + text)

    def test_what_the_cluster_cannot_enforce_is_refused_before_anything_is_built(self, app: Shop) -> None:
        self.rule(app, self.RULES)
        app.configure({**SETTINGS, "ingress-from": "traefik"})
        app.cluster.requests.clear()
        ran = app.deploy()
        assert isinstance(ran.error, ConfigInvalid)
        said = 'network.to "dns:api.stripe.com:443": a NetworkPolicy allows addresses, and knows no names'
        assert ran.error.message.endswith(said)
        assert (app.builds, app.cluster.writes(), app.revisions) == (0, [], ())

    def test_what_it_can_is_in_the_release(self, app: Shop) -> None:
        self.rule(app, self.RULES)
        app.cluster.served.append("nucleo.io/v1alpha1")
        values = app.deployed().values
        assert [each["kind"] for each in values["network"]["objects"]] == ["AppNetwork"]
        assert values["network"]["hold"][0] == "/bin/bash"

    def test_another_back_end_is_another_release(self, app: Shop) -> None:
        self.rule(app, "network: {to: []}\n")
        assert app.deployed().values["network"]["objects"][0]["kind"] == "NetworkPolicy"
        assert not app.deploy().result.changed
        app.cluster.served.append("cilium.io/v2")
        assert app.deployed().values["network"]["objects"][0]["kind"] == "CiliumNetworkPolicy"

    def test_rules_that_are_gone_from_the_cluster_are_released_again(self, app: Shop) -> None:
        """`nucleo network uninstall` removes those of every app, and an install does not bring them back."""
        self.rule(app, "network: {to: []}\n")
        app.cluster.served.append("nucleo.io/v1alpha1")
        first = app.deployed()
        assert not app.deploy().result.changed
        app.cluster.delete(rule_path(first.values["network"]["objects"][0]))
        ran = app.deploy()
        assert ran.result.changed
        assert "the network rules of release 1 are gone from the cluster: releasing them again" in [
            each.text for each in ran.events if isinstance(each, Notice)
        ]
        assert not app.deploy().result.changed

    def test_an_app_without_rules_asks_for_no_back_end(self, app: Shop) -> None:
        app.deploy()
        assert ("GET", "/apis") not in app.cluster.requests
