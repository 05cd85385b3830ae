"""Which app, which namespace, which cluster: the rules, without a cluster."""

from pathlib import Path

import pytest

from nucleo_cli.clusters.choice import choose
from nucleo_cli.context import Context, Options
from nucleo_cli.domain.app import Target
from nucleo_cli.errors import ConfigInvalid, NotFound, UsageError

CONFIG = """\
name: shop
platform: python
environments:
  production: {cluster: prod-tokyo}
  staging: {namespace: shared-staging}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: {current}
clusters: [{{name: one, cluster: {{server: "https://127.0.0.1:1"}}}}]
users: [{{name: one, user: {{}}}}]
contexts:
{contexts}
"""


@pytest.fixture
def directory(home: Path) -> Path:
    folder = home / "shop"
    folder.mkdir()
    (folder / "nucleo.yml").write_text(CONFIG)
    return folder


@pytest.fixture
def kubeconfig(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    return home / "kubeconfig"


def contexts(path: Path, *names: str) -> None:
    rows = "\n".join(f"- {{name: {name}, context: {{cluster: one, user: one}}}}" for name in names)
    path.write_text(KUBECONFIG.format(current=names[-1], contexts=rows))


def context(directory: Path, **options: str) -> Context:
    return Context(Options(directory=directory, **options))  # type: ignore[arg-type]


class TestTarget:
    def test_it_is_the_app_of_the_directory(self, directory: Path) -> None:
        assert context(directory).target == Target("shop", "shop")

    def test_an_environment_has_a_namespace_of_its_own(self, directory: Path) -> None:
        assert context(directory, environment="production").target == Target("shop", "shop-production", "production")

    def test_an_environment_may_name_its_namespace(self, directory: Path) -> None:
        assert context(directory, environment="staging").target == Target("shop", "shared-staging", "staging")

    def test_naming_the_app_of_the_directory_is_the_same_as_not_naming_it(self, directory: Path) -> None:
        assert context(directory, app="shop", environment="staging").target.namespace == "shared-staging"

    def test_another_app_needs_no_file(self, directory: Path) -> None:
        assert context(directory, app="users").target == Target("users", "users")
        assert context(directory / "nowhere", app="users", environment="test").target.namespace == "users-test"

    def test_without_app_and_file_it_says_what_is_missing(self, home: Path) -> None:
        with pytest.raises(ConfigInvalid) as caught:
            _ = context(home).target
        assert "nucleo.yml" in caught.value.message
        assert "nucleo init" in caught.value.hint

    def test_what_needs_the_file_refuses_another_app(self, directory: Path) -> None:
        with pytest.raises(UsageError, match='is about "shop", not "users"'):
            _ = context(directory, app="users").app


class TestCluster:
    def test_the_chosen_one_counts_not_the_current_one(self, home: Path, directory: Path, kubeconfig: Path) -> None:
        contexts(kubeconfig, "one", "two")
        choose("one")
        assert context(directory).cluster_context == "one"

    def test_the_variable_comes_before_the_choice(
        self, directory: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        contexts(kubeconfig, "one", "two")
        choose("one")
        monkeypatch.setenv("NUCLEO_CLUSTER", "two")
        assert context(directory).cluster_context == "two"

    def test_the_environment_pins_it(self, directory: Path, kubeconfig: Path) -> None:
        contexts(kubeconfig, "one", "prod-tokyo")
        choose("one")
        assert context(directory, environment="production").cluster_context == "prod-tokyo"

    def test_the_variable_cannot_move_a_pinned_environment(
        self, directory: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        contexts(kubeconfig, "one", "prod-tokyo")
        monkeypatch.setenv("NUCLEO_CLUSTER", "one")
        with pytest.raises(UsageError, match='belongs on "prod-tokyo"'):
            _ = context(directory, environment="production").cluster_context

    def test_the_variable_may_repeat_the_pinned_one(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NUCLEO_CLUSTER", "prod-tokyo")
        assert context(directory, environment="production").cluster_context == "prod-tokyo"

    def test_the_only_context_needs_no_choice(self, directory: Path, kubeconfig: Path) -> None:
        contexts(kubeconfig, "only")
        assert context(directory).cluster_context == "only"

    def test_of_several_none_is_guessed(self, directory: Path, kubeconfig: Path) -> None:
        contexts(kubeconfig, "one", "two")
        with pytest.raises(NotFound) as caught:
            _ = context(directory).cluster_context
        assert "nucleo cluster use" in caught.value.hint
        assert caught.value.details == {"contexts": ["one", "two"]}

    def test_without_any_it_says_how_to_get_one(self, directory: Path, kubeconfig: Path) -> None:
        with pytest.raises(NotFound) as caught:
            _ = context(directory).cluster_context
        assert "nucleo cluster up" in caught.value.hint


def test_one_composition_serves_many_options(directory: Path) -> None:
    class Special(Context):
        pass

    made = Special().configured(Options(directory=directory))
    assert type(made) is Special
    assert made.app.name == "shop"


def test_a_folder_that_a_command_names_is_where_it_works(tmp_path: Path) -> None:
    context = Context()
    context.move_to(None)
    context.move_to(tmp_path)
    assert context.options.directory == tmp_path
    with pytest.raises(UsageError, match="given twice"):
        context.move_to(tmp_path)
