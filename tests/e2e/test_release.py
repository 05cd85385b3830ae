"""From a repository to a running app and through its releases: deploy, again, edit, roll back."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.api import Api
from tests.e2e.checker import Probe, no_orphans, no_secret, serves, settled, unharmed
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample, git
from tests.installed import BIN, CONTEXT, KUBECONFIG, ROOT, Nucleo


@pytest.fixture(scope="module")
def helm(nucleo: Nucleo) -> str:
    """The helm program that Nucleo uses."""
    code = "from nucleo_cli.adapters.helm import find; print(find())"
    done = subprocess.run([str(BIN / "python"), "-c", code], env=nucleo.env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_example_goes_through_its_first_three_releases(
    nucleo: Nucleo, app_factory: AppFactory, api: Api, helm: str
) -> None:
    app = app_factory("hello")
    example = ROOT / "platforms" / "python" / "example"
    for name in ("app.py", "requirements.txt"):
        shutil.copy(example / name, app.directory / name)
    app.configure("cmd:", "scale:")
    app.commit()

    first = app.deploy().json
    assert (first["app"], first["release"], first["changed"], first["dirty"]) == (app.name, 1, True, False)
    assert first["commit"] == git(app.directory, "rev-parse", "HEAD").strip()
    serves(first["url"], "Hello from Nucleo")

    again = app.deploy().json
    assert (again["release"], again["changed"], again["image"]) == (1, False, first["image"])

    edited = (app.directory / "app.py").read_text().replace("Hello from Nucleo", "Hello again")
    app.write("app.py", edited)
    with Probe(first["url"]) as probe:
        second = app.deploy()
    assert (second.json["release"], second.json["changed"], second.json["dirty"]) == (2, True, True)
    serves(first["url"], "Hello again")
    unharmed(app, api, probe)
    settled(app, api, second)

    third = app("rollback", "1", "--json").expect(0)
    assert third.json["release"] == 3
    assert third.json["image"] == first["image"]
    serves(first["url"], "Hello from Nucleo")

    ours = app("releases", "--json").expect(0).json["releases"]
    theirs = run_helm(helm, nucleo, "history", app.name, "--namespace", app.namespace)
    assert {each["version"]: each["status"] for each in ours} == {each["revision"]: each["status"] for each in theirs}
    listed = run_helm(helm, nucleo, "list", "--namespace", app.namespace)
    assert [(each["name"], each["revision"], each["status"]) for each in listed] == [(app.name, "3", "deployed")]


def run_helm(helm: str, nucleo: Nucleo, *argv: str) -> list[dict[str, str]]:
    command = [helm, *argv, "--kube-context", CONTEXT, "--kubeconfig", str(KUBECONFIG), "--output", "json"]
    return json.loads(subprocess.run(command, env=nucleo.env, capture_output=True, text=True, check=True).stdout)


class TestDeployed:
    """Commands on an app that runs; they leave it as it was."""

    def test_nothing_changed_starts_no_container(self, deployed: Sample) -> None:
        result = deployed.deploy().json
        assert result["changed"] is False
        assert "build" not in {phase["name"] for phase in result["phases"] if not phase["skipped"]}

    def test_people_get_the_url_on_stdout_and_the_rest_on_stderr(self, deployed: Sample) -> None:
        result = deployed("deploy").expect(0)
        assert result.stdout.strip() == deployed.deploy().json["url"]
        assert "already runs this" in result.stderr
        assert "\x1b" not in result.stdout + result.stderr

    def test_quiet_says_nothing_but_the_url(self, deployed: Sample) -> None:
        result = deployed("deploy", "--quiet").expect(0)
        assert result.stderr == ""
        assert len(result.stdout.splitlines()) == 1

    def test_rollback_to_a_release_that_does_not_exist(self, deployed: Sample) -> None:
        result = deployed("rollback", "99", "--json").expect(6)
        assert result.json["code"] == "not-found"
        assert "99" in result.json["error"]

    def test_rollback_without_an_earlier_release(self, deployed: Sample) -> None:
        assert deployed("rollback", "--json").expect(6).json["code"] == "not-found"

    def test_an_app_that_was_never_deployed_is_not_found(self, nucleo: Nucleo, cluster: str) -> None:
        for command in ("ps", "releases", "logs", "restart", "rollback"):
            result = nucleo(command, "--app", "never-deployed", "--json").expect(6)
            assert result.json["code"] == "not-found", command

    def test_releases_tell_who_and_what(self, deployed: Sample) -> None:
        (release,) = deployed("releases", "--json").expect(0).json["releases"]
        assert set(release) >= {"version", "status", "created", "description", "image", "commit", "user"}
        assert (release["version"], release["status"]) == (1, "deployed")

    def test_ps_shows_the_pods(self, deployed: Sample) -> None:
        document = deployed("ps", "--json").expect(0).json
        (process,) = document["processes"]
        assert (process["name"], process["desired"], process["ready"]) == ("web", 1, 1)
        assert set(process["pods"][0]) >= {"name", "status", "ready", "restarts", "age_seconds", "node", "image"}


@pytest.fixture(scope="module")
def configured(app_factory: AppFactory) -> Sample:
    """An app for config vars."""
    made = app_factory("config")
    made.deploy()
    return made


class TestConfig:
    """Config vars and secrets make releases; a rollback brings the old ones back."""

    CANARY = "canary-4f1d8c-secret"

    def test_a_config_var_reaches_the_app_and_a_rollback_takes_it_back(self, configured: Sample) -> None:
        url = configured.deploy().json["url"]
        configured("config", "set", "GREETING=hello", "--json").expect(0)
        serves(url, "one hello")
        assert configured("config", "get", "GREETING").expect(0).stdout.strip() == "hello"
        configured("rollback", "1", "--json").expect(0)
        serves(url, "one")

    def test_a_secret_is_nowhere_but_in_its_secret(self, configured: Sample, api: Api) -> None:
        url = configured.deploy().json["url"]
        configured.keep_secret("GREETING", self.CANARY)
        serves(url, f"one {self.CANARY}")
        assert self.CANARY not in str(configured("config", "list", "--json").expect(0))
        configured.say("two")
        configured.deploy()
        serves(url, f"two {self.CANARY}")
        no_secret(configured, api)
        no_orphans(configured, api)
        configured("config", "unset", "GREETING").expect(0)
        serves(url, "two")


@pytest.fixture(scope="module")
def scaled(app_factory: AppFactory) -> Sample:
    """An app whose nucleo.yml says nothing about its scale."""
    made = app_factory("scale")
    made.configure("scale:")
    made.deploy()
    return made


class TestScale:
    """Scale set by hand against scale of nucleo.yml."""

    def ready(self, scaled: Sample) -> int:
        (process,) = scaled("ps", "--json").expect(0).json["processes"]
        return process["ready"]

    def test_by_hand_it_survives_a_deploy_that_says_nothing_else(self, scaled: Sample) -> None:
        scaled("scale", "web=2", "--json").expect(0)
        assert self.ready(scaled) == 2
        scaled.say("two")
        scaled.deploy()
        assert self.ready(scaled) == 2

    def test_nucleo_yml_wins_and_the_deploy_says_so(self, scaled: Sample) -> None:
        scaled("scale", "web=2", "--json").expect(0)
        scaled.configure()
        result = scaled("deploy").expect(0)
        assert "scale" in result.stderr
        assert self.ready(scaled) == 1

    def test_zero_wants_a_confirmation(self, scaled: Sample) -> None:
        assert "--confirm" in scaled("scale", "web=0", "--json").expect(2).json["hint"]
        assert self.ready(scaled) == 1
        scaled("scale", "web=0", "--confirm", scaled.name, "--json").expect(0)
        assert self.ready(scaled) == 0


class TestDestroy:
    def test_it_wants_the_name_and_leaves_nothing(self, app_factory: AppFactory, api: Api, tmp_path: Path) -> None:
        app = app_factory("gone")
        app.deploy()
        assert "--confirm" in app("destroy", "--json").expect(2).json["hint"]
        assert app("destroy", "--confirm", "other", "--json").expect(2).json["code"] == "usage"
        app("destroy", "--confirm", app.name, "--json").expect(0)
        assert not api.revisions(app.namespace, app.name)
        assert not api.items(f"/apis/apps/v1/namespaces/{app.namespace}/deployments")
        assert app("ps", "--json").expect(6).json["code"] == "not-found"
        assert app("destroy", "--confirm", app.name, "--json").expect(6).json["code"] == "not-found"
