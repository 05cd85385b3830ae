"""nucleo validate: what is valid, what is not, and the schema; for people and for machines."""

import json
from functools import cached_property
from pathlib import Path

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.config.schema import json_schema
from nucleo_cli.config.values import platforms
from nucleo_cli.context import Context
from nucleo_cli.main import run
from tests.unit.workflows.fake_cluster import FakeCluster


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


VALID = """\
platform: python:3.13
ports: ["8080:80", 9090]
scale: 2-20
resources: {cpu: 250m-1}
kernel: {net.core.somaxconn: 1024}
health: {path: /healthz}
env: {PASSWORD: hunter2}
environments:
  production: {cluster: prod-tokyo, scale: 3}
"""


def test_what_was_read(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text(VALID)
    assert run(["validate"], Context()) == 0
    assert capsys.readouterr().out == (
        "nucleo.yml is valid\n"
        "  app           shop\n"
        "  namespace     shop\n"
        "  platform      python:3.13\n"
        "  ports         8080:80, 9090\n"
        "  scale         2-20 (cpu 80%)\n"
        "  resources     cpu 250m-1\n"
        "  health        /healthz\n"
        "  kernel        net.core.somaxconn=1024\n"
        "  env           PASSWORD\n"
        "  environments  production\n"
    )


def test_what_was_read_for_machines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text(VALID)
    assert run(["validate", "--json", "-e", "production"], Context()) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is True
    assert document["problems"] == []
    assert (document["environment"], document["cluster"], document["scale"]) == ("production", "prod-tokyo", "3")
    assert "hunter2" not in str(document)


def test_every_problem_at_once(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text("plattform: python\nscale: 3-1\n")
    assert run(["validate"], Context()) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        'error: nucleo.yml:1:1: plattform is not a key here; did you mean "platform"?\n'
        f"       nucleo.yml:1:1: platform is missing; expected one of {', '.join(platforms())}\n"
        '       nucleo.yml:2:1: scale must not begin higher than it ends, got "3-1"\n'
        "hint:  1:1: the keys here are name, platform, apt, build, ports, cmd, scale, resources, kernel, health, env, "
        "domains, tls, dns, network, environments\n"
        "hint:  1:1: write platform: NAME; nucleo platforms says what speaks for each\n"
        "hint:  2:1: write 1-3\n"
    )


def test_problems_for_machines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text("platform: python\nscale: 3-1\n")
    assert run(["validate", "--json"], Context()) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "valid": False,
        "problems": [
            {
                "file": "nucleo.yml",
                "line": 2,
                "column": 1,
                "path": "scale",
                "message": 'scale must not begin higher than it ends, got "3-1"',
                "hint": "write 1-3",
            }
        ],
    }
    assert err == ""


@pytest.mark.parametrize(("arguments", "message"), [([], "does not exist"), (["-e", "x"], 'has no environment "x"')])
def test_a_problem_without_a_line(
    shop: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    if arguments:
        (shop / "nucleo.yml").write_text("platform: python\n")
    assert run(["validate", "--json", *arguments], Context()) == 3
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["file"], problem["line"], problem["message"]) == ("nucleo.yml", None, message)


def test_terminal_escapes_of_a_file_do_not_reach_the_terminal(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text('platform: "\\e[31mred"\n"a\\u202eb": 1\ncmd: {start: "x \\e[31m"}\n')
    assert run(["validate"], Context()) == 3
    assert "\x1b" not in capsys.readouterr().err
    (shop / "nucleo.yml").write_text('platform: python\ncmd: {start: "x \\e[31m\\u202e"}\n')
    assert run(["validate"], Context()) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.usefixtures("shop")
def test_the_schema_needs_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--schema"], Context()) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


RULES = 'platform: python\nnetwork: {from: [], to: ["dns:api.stripe.com:443", "app:users"]}\n'


class Chosen(Context):
    """A chosen cluster; `served` are its API groups."""

    served: tuple[str, ...] = ()

    @cached_property
    def cluster(self) -> FakeCluster:
        found = FakeCluster("nucleo-system")
        found.served += self.served
        where = path("v1", "configmaps", "nucleo-system")
        found.create(where, {"metadata": {"name": "nucleo"}, "data": {"registry-push": "r"}})
        return found


class WithAgent(Chosen):
    served = ("nucleo.io/v1alpha1",)


def test_rules_that_the_cluster_cannot_enforce(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text(RULES)
    assert run(["validate"], Chosen()) == 3
    said = 'network.to "dns:api.stripe.com:443": a NetworkPolicy allows addresses, and knows no names'
    assert capsys.readouterr().err.startswith(f"error: nucleo.yml:2:26: {said}\n")
    assert run(["validate", "--json"], Chosen()) == 3
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["path"], problem["line"], problem["could"]) == ("network.to", 2, ["cilium", "agent"])
    assert run(["validate"], WithAgent()) == 0
    out = capsys.readouterr().out
    assert "  to            dns:api.stripe.com:443, app:users\n" in out


def test_rules_without_a_cluster_to_ask(shop: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "nucleo.yml").write_text(RULES)
    assert run(["validate"], Context()) == 0
    assert "whether the cluster can enforce the rules of network is not known: no cluster is chosen" in (
        capsys.readouterr().err
    )
