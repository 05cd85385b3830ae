"""nucleo network: what is asked before anything is removed, and what is said."""

from pathlib import Path

import pytest

from nucleo_cli.domain.flows import Flow
from tests.unit.commands.fake_program import Program
from tests.unit.network.test_learn import flow
from tests.unit.workflows.agent_ground import IMAGE, Ground, make_ground
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Ground:
    return make_ground(monkeypatch)


@pytest.fixture
def nucleo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ground: Ground) -> Program:
    app: Shop = make_shop(tmp_path, monkeypatch)
    app.cluster, app.tools = ground.cluster, ground.tools
    return Program(app)


def test_install(nucleo: Program) -> None:
    done = nucleo("network", "install", "--json")
    assert (done.code, done.json) == (0, {"image": IMAGE.reference, "nodes": 1, "ready": 1, "observes": False})
    assert nucleo("network", "install").out == "the agent is ready on 1 node\n"


def test_install_where_cilium_is(nucleo: Program, ground: Ground) -> None:
    ground.cluster.served.append("cilium.io/v2")
    done = nucleo("network", "install", "--json")
    assert (done.code, done.json["observes"]) == (0, True)
    done = nucleo("network", "install")
    assert done.out == "the agent observes on 1 node\n"
    assert "from its next deploy on" in done.err


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        ("audited", "no rule allows shop to users/users:8080"),
        ("denied", "no rule allows shop to users/users:8080"),
        ("undecided", "no rule allows shop to users/users:8080, Cilium decides"),
    ],
)
def test_flows_say_who_decided(nucleo: Program, monkeypatch: pytest.MonkeyPatch, verdict: str, why: str) -> None:
    def seen(*_: object) -> list[Flow]:
        return [flow(kind="app", peer="users/users", target=8080, verdict=verdict)]

    monkeypatch.setattr("nucleo_cli.workflows.flows.read_flows", seen)
    (_, line) = nucleo("network", "flows").out.splitlines()
    assert f" {verdict} " in line
    assert line.endswith(why)


def test_a_port_that_a_service_does_not_have(nucleo: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def seen(*_: object) -> list[Flow]:
        return [flow(kind="app", peer="users/users", port=81, target=0)]

    with_rule(tmp_path, "[]")

    monkeypatch.setattr("nucleo_cli.workflows.flows.read_flows", seen)
    assert nucleo("network", "flows", "--dropped").out.endswith("users/users has no port 81\n")
    learned = nucleo("network", "learn")
    assert learned.out == ""
    assert "nucleo network flows --dropped shows" in learned.err


def test_what_the_file_allows_by_now_is_not_proposed_again(
    nucleo: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def seen(*_: object) -> list[Flow]:
        return [flow(kind="app", peer="users/users", target=port) for port in (8080, 9090)]

    monkeypatch.setattr("nucleo_cli.workflows.flows.read_flows", seen)
    with_rule(tmp_path, '["app:users:8080"]')
    assert nucleo("network", "learn", "--json").json["rules"] == {"from": [], "to": ["app:users:9090"]}
    with_rule(tmp_path, '["app:users"]')
    learned = nucleo("network", "learn")
    assert (learned.out, learned.err) == ("", "the rules allow all that was seen\n")


def with_rule(folder: Path, to: str) -> None:
    file = folder / "shop" / "nucleo.yml"
    plain = file.read_text().partition("network:")[0]
    file.write_text(f"{plain}network: {{to: {to}}}\n")


def test_top_says_how_long_a_round_trip_takes(nucleo: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*_: object) -> list[Flow]:
        near, far = ({"kind": "app", "peer": f"users/{name}", "verdict": "allowed"} for name in ("near", "far"))
        return [flow(**near, rtt_us=24), flow(**far, rtt_us=2_500)]

    monkeypatch.setattr("nucleo_cli.workflows.flows.read_flows", seen)
    lines = nucleo("network", "top", "--timeout", "1").out.splitlines()
    trips = {line.split()[1]: line.split()[-2:] for line in lines if "users/" in line}
    assert trips == {"users/near": ["24", "µs"], "users/far": ["2.5", "ms"]}


@pytest.mark.parametrize("words", [[], ["--json"], ["--confirm", "other"], ["--no-input"]])
def test_uninstall_asks(nucleo: Program, ground: Ground, words: list[str]) -> None:
    nucleo("network", "install")
    assert nucleo("network", "uninstall", *words).code == 2
    assert len(ground.helm.values) == 1


def test_uninstall_says_which_apps_are_open_then(nucleo: Program, ground: Ground) -> None:
    nucleo("network", "install")
    ground.rule("shop")
    done = nucleo("network", "uninstall", typed="test\n")
    assert done.code == 0
    assert 'removes the agent from cluster "test". 1 app will be open' in done.err
    assert "deploy shop in namespace shop again" in done.err
    assert done.out == "the agent is gone from 1 node\n"


def test_uninstall_where_there_is_none(nucleo: Program) -> None:
    done = nucleo("network", "uninstall", "--confirm", "test", "--json")
    assert (done.code, done.json["code"]) == (6, "not-found")
