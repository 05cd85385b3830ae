"""Config vars and secrets: each change is a release, and a secret's value is in its Secret alone."""

import json

import pytest

from nucleo_cli.errors import Exit, Interrupted, NotFound, RolloutFailed, UsageError
from nucleo_cli.workflows.config_vars import Edit, Variable, check_name, edit, value_of, variables
from nucleo_cli.workflows.rollback import roll_back
from tests.unit.workflows.fake_cluster import CRASH
from tests.unit.workflows.shop import Shop
from tests.unit.workflows.steps import Ran, attempt, run

CANARY = "hunter2-canary"


def set_(app: Shop, **config: str) -> Ran:
    return attempt(edit(app.tools, app.target, Edit(config, {})))


def set_secret(app: Shop, **secrets: str) -> Ran:
    return attempt(edit(app.tools, app.target, Edit({}, secrets)))


def unset(app: Shop, *names: str) -> Ran:
    return attempt(edit(app.tools, app.target, Edit({}, {}, names)))


def secret_name(app: Shop) -> str:
    return str(app.running.values["secret"]["name"])


@pytest.fixture
def deployed(app: Shop) -> Shop:
    app.deploy()
    return app


def test_a_change_is_a_release_of_its_own(deployed: Shop) -> None:
    ran = set_(deployed, LOG_LEVEL="debug", A="")
    assert ran.result.version == 2
    assert deployed.pod()["env"] == [{"name": "A", "value": ""}, {"name": "LOG_LEVEL", "value": "debug"}]
    assert deployed.running.description == "config: set A, LOG_LEVEL"
    assert unset(deployed, "A").result.description == "config: unset A"
    assert deployed.running.values["config"] == {"LOG_LEVEL": "debug"}
    assert deployed.builds == 1


def test_the_same_value_again_is_no_release(deployed: Shop) -> None:
    set_(deployed, A="1")
    calls = len(deployed.helm.calls)
    assert set_(deployed, A="1").result.version == 2
    assert len(deployed.helm.calls) == calls


def test_a_deploy_afterwards_has_nothing_to_do_and_later_ones_keep_it(deployed: Shop) -> None:
    set_(deployed, A="1")
    assert not deployed.deploy(tools=deployed.idle).result.changed
    deployed.write("app.py", "two")
    assert deployed.deployed().values["config"] == {"A": "1"}


def test_all_of_them_are_listed_with_where_they_come_from(deployed: Shop) -> None:
    with (deployed.folder / "nucleo.yml").open("a") as file:
        file.write("env: {FROM_FILE: x, BOTH: file}\n")
    deployed.deploy()
    set_(deployed, BOTH="config")
    set_secret(deployed, KEY=CANARY)
    assert variables(deployed.cluster, deployed.target) == [
        Variable("BOTH", "config", False, "config"),
        Variable("FROM_FILE", "x", False, "nucleo.yml"),
        Variable("KEY", None, True, "config"),
    ]
    assert value_of(deployed.cluster, deployed.target, "BOTH") == "config"
    assert value_of(deployed.cluster, deployed.target, "FROM_FILE") == "x"
    assert value_of(deployed.cluster, deployed.target, "KEY") == CANARY
    with pytest.raises(NotFound, match="has no config var NONE"):
        value_of(deployed.cluster, deployed.target, "NONE")


@pytest.mark.parametrize("names", [["NONE"], ["A", "NONE"], ["FROM_FILE"]])
def test_what_config_did_not_set_it_cannot_unset(deployed: Shop, names: list[str]) -> None:
    with (deployed.folder / "nucleo.yml").open("a") as file:
        file.write("env: {FROM_FILE: x}\n")
    deployed.deploy()
    set_(deployed, A="1")
    error = unset(deployed, *names).error
    assert isinstance(error, NotFound)
    assert error.message == f"not set by nucleo config: {names[-1]}"
    assert deployed.running.values["config"] == {"A": "1"}


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A.B", "Ä", "A\n", "A=", "-x"])
def test_a_name_that_no_process_could_have(name: str) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        check_name(name)


def test_a_name_that_is_nucleos_own() -> None:
    with pytest.raises(UsageError, match="PORT is set by Nucleo"):
        check_name("PORT")
    assert check_name("_port2") == "_port2"


class TestSecrets:
    def test_the_value_is_in_its_secret_alone(self, deployed: Shop) -> None:
        ran = set_secret(deployed, KEY=CANARY)
        assert ran.error is None
        revision = deployed.running
        assert revision.values["secret"] == {"name": secret_name(deployed), "keys": ["KEY"]}
        assert CANARY not in str(revision)
        assert CANARY not in str(ran)
        assert CANARY not in json.dumps(deployed.helm.calls)
        assert CANARY not in str(deployed.cluster.requests)
        assert CANARY not in str([each for each in deployed.cluster.objects.items() if "/secrets/" not in each[0]])
        (secret,) = [
            each for each in deployed.cluster.all("secrets") if each["metadata"]["name"] == secret_name(deployed)
        ]
        assert secret["immutable"] is True

    def test_nor_is_it_in_the_error_of_a_failure(self, deployed: Shop) -> None:
        deployed.controller.fates['envFrom": [{'] = CRASH
        ran = set_secret(deployed, KEY=CANARY)
        assert isinstance(ran.error, RolloutFailed)
        assert CANARY not in str((ran, ran.error.message, ran.error.hint, ran.error.details))
        assert deployed.running.values["secret"]["name"] == ""

    def test_its_name_is_its_content(self, deployed: Shop) -> None:
        set_secret(deployed, KEY="1")
        one = secret_name(deployed)
        set_secret(deployed, KEY="2")
        two = secret_name(deployed)
        set_secret(deployed, KEY="1")
        assert secret_name(deployed) == one != two
        assert sorted(deployed.secrets()) == sorted([one, two])

    def test_keys_and_values_cannot_be_mixed_up(self, deployed: Shop) -> None:
        set_secret(deployed, A="1", B="")
        one = secret_name(deployed)
        set_secret(deployed, A="", B="1")
        assert secret_name(deployed) != one

    def test_a_rollback_brings_the_older_one_back(self, deployed: Shop) -> None:
        set_secret(deployed, KEY="old")
        set_secret(deployed, KEY="new")
        done = run(roll_back(deployed.tools, deployed.target, 2))
        assert done.revision.version == 4
        assert value_of(deployed.cluster, deployed.target, "KEY") == "old"

    def test_a_name_is_a_secret_or_a_config_var_and_never_both(self, deployed: Shop) -> None:
        set_(deployed, KEY="open")
        set_secret(deployed, KEY=CANARY)
        assert variables(deployed.cluster, deployed.target) == [Variable("KEY", None, True, "config")]
        assert deployed.running.values["config"] == {}
        set_(deployed, KEY="open")
        assert variables(deployed.cluster, deployed.target) == [Variable("KEY", "open", False, "config")]
        assert deployed.running.values["secret"] == {"name": "", "keys": []}

    def test_the_last_one_taken_away_leaves_no_name(self, deployed: Shop) -> None:
        set_secret(deployed, KEY=CANARY)
        assert unset(deployed, "KEY").error is None
        assert deployed.running.values["secret"] == {"name": "", "keys": []}

    def test_it_goes_with_the_last_release_that_names_it(self, deployed: Shop) -> None:
        deployed.helm.keep = 2
        set_secret(deployed, KEY="1")
        one = secret_name(deployed)
        for value in ("2", "3", "4"):
            set_secret(deployed, KEY=value)
        assert one not in deployed.secrets()
        assert len(deployed.secrets()) == 2

    @pytest.mark.parametrize("trouble", ["refuse", "fail", Interrupted(Exit.INTERRUPTED)])
    def test_a_failed_change_leaves_none_behind_that_nobody_names(
        self, deployed: Shop, trouble: str | BaseException
    ) -> None:
        deployed.helm.trouble = [trouble]
        set_secret(deployed, KEY=CANARY)
        named = {each.values["secret"]["name"] for each in deployed.revisions}
        assert set(deployed.secrets()) <= named
        assert deployed.running.values["secret"]["name"] == ""


class TestBeforeTheFirstDeploy:
    def test_it_is_kept_in_the_apps_namespace(self, app: Shop) -> None:
        ran = set_(app, A="1", B="2")
        assert (ran.result, ran.notices) == (None, ["kept for the first deploy"])
        set_secret(app, KEY=CANARY, B="secret now")
        assert variables(app.cluster, app.target) == [
            Variable("A", "1", False, "staged"),
            Variable("B", None, True, "staged"),
            Variable("KEY", None, True, "staged"),
        ]
        assert app.helm.calls == []
        assert app.cluster.names("leases") == []
        assert value_of(app.cluster, app.target, "A") == "1"
        assert value_of(app.cluster, app.target, "KEY") == CANARY
        with pytest.raises(NotFound, match="no config var C"):
            value_of(app.cluster, app.target, "C")

    def test_it_can_be_taken_away_again(self, app: Shop) -> None:
        set_(app, A="1")
        set_secret(app, KEY=CANARY)
        assert unset(app, "KEY").error is None
        assert [each.name for each in variables(app.cluster, app.target)] == ["A"]
        assert CANARY not in str(app.cluster.objects)
        error = unset(app, "KEY").error
        assert isinstance(error, NotFound)
        assert error.message == "not set: KEY"

    def test_an_app_that_nobody_spoke_of(self, app: Shop) -> None:
        with pytest.raises(NotFound, match="no app"):
            variables(app.cluster, app.target)
        assert isinstance(unset(app, "A").error, NotFound)
        assert "shop" not in app.cluster.names("namespaces")
