"""The kubeconfig: our entries come and go, everything else stays."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.clusters import kubeconfig
from nucleo_cli.clusters.kubeconfig import Credentials
from nucleo_cli.errors import NucleoError

OURS = Credentials("https://127.0.0.1:6443", "Q0E=", "Q1JU", "S0VZ")
FOREIGN = """\
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
clusters:
- name: work
  cluster: {server: "https://work.example.com", insecure-skip-tls-verify: true}
users:
- name: work
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], env: null}
contexts:
- name: work
  context: {cluster: work, user: work, namespace: shop}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kube" / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_missing_file_is_made_for_its_owner_alone(config: Path) -> None:
    assert kubeconfig.add("nucleo-local", OURS)
    assert config.stat().st_mode & 0o777 == 0o600
    made = yaml.safe_load(config.read_text())
    assert made["apiVersion"] == "v1"
    assert made["kind"] == "Config"
    assert made["clusters"][0]["cluster"]["server"] == OURS.server
    assert made["users"][0]["user"] == {"client-certificate-data": "Q1JU", "client-key-data": "S0VZ"}
    assert made["contexts"] == [
        {"name": "nucleo-local", "context": {"cluster": "nucleo-local", "user": "nucleo-local"}}
    ]


def test_without_kubeconfig_it_is_in_the_home_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    kubeconfig.add("nucleo-local", OURS)
    assert (home / ".kube" / "config").exists()


def test_adding_and_removing_leaves_what_was_there(config: Path) -> None:
    write(config, FOREIGN, 0o640)
    kubeconfig.add("nucleo-local", OURS)
    both = yaml.safe_load(config.read_text())
    assert both["current-context"] == "work"
    assert [entry["name"] for entry in both["contexts"]] == ["work", "nucleo-local"]
    assert config.stat().st_mode & 0o777 == 0o640
    assert kubeconfig.remove("nucleo-local") == [config]
    assert yaml.safe_load(config.read_text()) == yaml.safe_load(FOREIGN)


def test_the_same_again_does_not_write(config: Path) -> None:
    kubeconfig.add("nucleo-local", OURS)
    before = config.stat()
    assert not kubeconfig.add("nucleo-local", OURS)
    assert config.stat().st_ino == before.st_ino


def test_new_credentials_take_the_place_of_the_old(config: Path) -> None:
    write(config, FOREIGN)
    kubeconfig.add("nucleo-local", OURS)
    assert kubeconfig.add("nucleo-local", Credentials("https://127.0.0.1:7000", "Q0E=", "Q1JU", "S0VZ"))
    entries = yaml.safe_load(config.read_text())["clusters"]
    assert [(entry["name"], entry["cluster"]["server"]) for entry in entries] == [
        ("work", "https://work.example.com"),
        ("nucleo-local", "https://127.0.0.1:7000"),
    ]


def test_removing_what_is_not_there_does_not_write(config: Path) -> None:
    assert kubeconfig.remove("nucleo-local") == []
    assert not config.exists()
    write(config, FOREIGN)
    assert kubeconfig.remove("nucleo-local") == []
    assert config.read_text() == FOREIGN


def test_it_goes_where_it_is_among_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(second, FOREIGN)
    monkeypatch.setenv("KUBECONFIG", str(second))
    kubeconfig.add("nucleo-local", OURS)
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    assert not kubeconfig.add("nucleo-local", OURS)
    assert not first.exists()
    kubeconfig.add("nucleo-two", OURS)
    assert first.exists()
    assert kubeconfig.remove("nucleo-local") == [second]


def test_a_link_stays_a_link(tmp_path: Path, config: Path) -> None:
    real = tmp_path / "real"
    write(real, FOREIGN)
    config.parent.mkdir()
    config.symlink_to(real)
    kubeconfig.add("nucleo-local", OURS)
    assert config.is_symlink()
    assert "nucleo-local" in real.read_text()


def test_a_current_context_that_goes_away_is_not_left_behind(config: Path) -> None:
    kubeconfig.add("nucleo-local", OURS)
    config.write_text(config.read_text() + "current-context: nucleo-local\n")
    kubeconfig.remove("nucleo-local")
    assert yaml.safe_load(config.read_text())["current-context"] == ""


@pytest.mark.parametrize("broken", ["- a list", "a: [", "just words"])
def test_a_broken_file_is_named_and_left_alone(config: Path, broken: str) -> None:
    write(config, broken)
    with pytest.raises(NucleoError, match=str(config)):
        kubeconfig.add("nucleo-local", OURS)
    assert config.read_text() == broken


def test_nothing_is_left_beside_the_file(config: Path) -> None:
    kubeconfig.add("nucleo-local", OURS)
    assert [path.name for path in config.parent.iterdir()] == ["config"]


@given(names=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), unique=True))
def test_other_names_of_any_kind_survive(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("kube") / "config"
    others = [name for name in names if name != "nucleo-local"]
    content = {"contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in others]}
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(path))
        kubeconfig.add("nucleo-local", OURS)
        kubeconfig.remove("nucleo-local")
    assert yaml.safe_load(path.read_text())["contexts"] == content["contexts"]
