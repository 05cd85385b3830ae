"""The helm program against a real API server, and what it keeps there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from nucleo_cli import assets
from nucleo_cli.adapters.helm import Helm, find
from nucleo_cli.adapters.helm_storage import decode, encode_status, selector
from nucleo_cli.adapters.kubernetes import Cluster, path
from nucleo_cli.charts.shape import plain
from nucleo_cli.charts.values import values
from nucleo_cli.domain.app import App, Port, Process, Scale
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED, Facts, Revision, deployed, latest
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable
from tests.installed import CONTEXT

Json = dict[str, Any]

CHART = assets.folder("chart_templates") / "app"
FACTS = Facts("0.1.0", "1f2e", "python 3.13", commit="c0ffee", user="mika")
# No pods: this is about what is written, not about what runs.
APP = App("shop", Path(), "python", processes=(Process("web", ports=(Port(8080, 80),), scale=Scale(0, 0)),))
TEXT = 'ü 😀 "quoted" {{ .Values }} $(PORT)\n\x7f'


@pytest.fixture(scope="module")
def helm(kubeconfig: str) -> Helm:
    return Helm(find(), CONTEXT)


def release(app: App = APP, commit: str = "c0ffee", digit: str = "a", **config: str) -> Json:
    image = Image("127.0.0.1:5000/shop", f"sha256:{digit * 64}")
    return plain(values(app, image, replace(FACTS, commit=commit), Settings(), config=config))


def install(helm: Helm, namespace: str, given: Json, description: str = "deploy") -> None:
    helm.upgrade("shop", CHART, namespace, given, description=description)


def secrets(api: Cluster, namespace: str) -> dict[int, Json]:
    found = api.items(path("v1", "secrets", namespace), labelSelector=selector("shop"))
    return {decode(secret).version: secret for secret in found}


def history(api: Cluster, namespace: str) -> list[Revision]:
    return [decode(secret) for _, secret in sorted(secrets(api, namespace).items())]


def statuses(api: Cluster, namespace: str) -> list[str]:
    return [revision.status for revision in history(api, namespace)]


def image_of(api: Cluster, namespace: str) -> str:
    found = api.get(path("apps/v1", "deployments", namespace, "shop-web"))
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def test_install_upgrade_rollback_uninstall(helm: Helm, api: Cluster, namespace: str) -> None:
    install(helm, namespace, release(GREETING=TEXT), "deploy, of c0ffee")
    (first,) = history(api, namespace)
    assert (first.app, first.namespace, first.version, first.status) == ("shop", namespace, 1, DEPLOYED)
    assert (first.description, first.chart, first.labels) == (
        "deploy, of c0ffee",
        "app-0.1.0",
        {"nucleo.io/app": "shop"},
    )
    assert first.values == release(GREETING=TEXT)
    assert first.created is not None
    assert sorted(each["kind"] for each in yaml.safe_load_all(first.manifest)) == [
        *("Deployment", "Service", "ServiceAccount"),
    ]

    install(helm, namespace, release(commit="decaf", digit="b"))
    assert statuses(api, namespace) == [SUPERSEDED, DEPLOYED]
    assert image_of(api, namespace).endswith("b" * 64)

    helm.rollback("shop", namespace, 1)
    revisions = history(api, namespace)
    assert [each.status for each in revisions] == [SUPERSEDED, SUPERSEDED, DEPLOYED]
    assert latest(revisions) == deployed(revisions) == revisions[2]
    assert revisions[2].values == first.values
    assert image_of(api, namespace).endswith("a" * 64)

    helm.uninstall("shop", namespace)
    assert history(api, namespace) == []
    assert api.items(path("apps/v1", "deployments", namespace)) == []


def test_text_arrives_in_the_cluster_exactly(helm: Helm, api: Cluster, namespace: str) -> None:
    install(helm, namespace, release(GREETING=TEXT))
    found = api.get(path("apps/v1", "deployments", namespace, "shop-web"))
    env = {each["name"]: each["value"] for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}
    # Kubernetes makes one $ of two when it starts the container.
    assert env == {"GREETING": TEXT.replace("$", "$$"), "PORT": "8080"}


def test_the_same_values_again_change_nothing_that_runs(helm: Helm, api: Cluster, namespace: str) -> None:
    where = path("apps/v1", "deployments", namespace, "shop-web")
    install(helm, namespace, release())
    before = api.get(where)["metadata"]["generation"]
    install(helm, namespace, release(commit="decaf"))
    assert api.get(where)["metadata"]["generation"] == before
    assert len(history(api, namespace)) == 2


def test_a_scale_set_by_hand_survives_a_release_that_does_not_render_it(
    helm: Helm, api: Cluster, namespace: str
) -> None:
    app = replace(APP, processes=(replace(APP.processes[0], scale=None),))
    where = path("apps/v1", "deployments", namespace, "shop-web")
    install(helm, namespace, release(app))
    api.patch(where, {"spec": {"replicas": 0}})
    install(helm, namespace, release(app, digit="b"))
    assert api.get(where)["spec"]["replicas"] == 0


def test_a_dry_run_writes_nothing(helm: Helm, api: Cluster, namespace: str) -> None:
    helm.upgrade("shop", CHART, namespace, release(), dry_run=True)
    assert history(api, namespace) == []
    assert api.items(path("v1", "services", namespace)) == []


def mark(api: Cluster, namespace: str, version: int, status: str, description: str = "") -> None:
    secret = secrets(api, namespace)[version]
    where = path("v1", "secrets", namespace, secret["metadata"]["name"])
    api.replace(where, encode_status(secret, status, description))


def test_a_release_left_pending_blocks_until_it_is_marked(helm: Helm, api: Cluster, namespace: str) -> None:
    """What a killed helm leaves behind: the old release deployed, the new one pending."""
    install(helm, namespace, release())
    install(helm, namespace, release(digit="b"))
    mark(api, namespace, 1, DEPLOYED)
    mark(api, namespace, 2, "pending-upgrade", "working")
    with pytest.raises(Conflict, match="being changed right now"):
        install(helm, namespace, release(digit="c"))

    mark(api, namespace, 2, FAILED, "interrupted")
    install(helm, namespace, release(digit="c"))
    assert statuses(api, namespace) == [SUPERSEDED, FAILED, DEPLOYED]
    assert history(api, namespace)[1].description == "interrupted"
    assert image_of(api, namespace).endswith("c" * 64)


def test_a_release_marked_as_failed_stays_so_after_the_way_back(helm: Helm, api: Cluster, namespace: str) -> None:
    """What a rollout that fails does: helm was done, and no pod became ready."""
    install(helm, namespace, release())
    install(helm, namespace, release(digit="b"))
    mark(api, namespace, 2, FAILED, "no pod became ready")
    helm.rollback("shop", namespace, 1)
    assert statuses(api, namespace) == [SUPERSEDED, FAILED, DEPLOYED]
    assert image_of(api, namespace).endswith("a" * 64)


@pytest.mark.parametrize("status", [FAILED, "pending-install"])
def test_a_first_release_that_went_wrong_does_not_block_the_next(
    helm: Helm, api: Cluster, namespace: str, status: str
) -> None:
    install(helm, namespace, release())
    mark(api, namespace, 1, status)
    if status != FAILED:
        with pytest.raises(Conflict):
            install(helm, namespace, release(digit="b"))
        mark(api, namespace, 1, FAILED)
    install(helm, namespace, release(digit="b"))
    assert history(api, namespace)[-1].status == DEPLOYED
    assert image_of(api, namespace).endswith("b" * 64)


def test_a_status_written_over_a_newer_one_is_refused(helm: Helm, api: Cluster, namespace: str) -> None:
    install(helm, namespace, release())
    old = secrets(api, namespace)[1]
    install(helm, namespace, release(digit="b"))
    with pytest.raises(Conflict):
        api.replace(path("v1", "secrets", namespace, old["metadata"]["name"]), encode_status(old, FAILED, "late"))


def test_what_belongs_to_others_is_left_alone(helm: Helm, api: Cluster, namespace: str) -> None:
    service = {"metadata": {"name": "shop"}, "spec": {"ports": [{"port": 80}]}}
    api.create(path("v1", "services", namespace), service)
    with pytest.raises(NucleoError, match=f'Service "shop" in the namespace "{namespace}" exists already'):
        install(helm, namespace, release())
    assert "nucleo.io/app" not in (api.get(path("v1", "services", namespace, "shop"))["metadata"].get("labels") or {})


def test_what_does_not_exist(helm: Helm, namespace: str) -> None:
    with pytest.raises(NotFound):
        helm.rollback("shop", namespace, 1)
    with pytest.raises(NotFound):
        helm.uninstall("shop", namespace)
    install(helm, namespace, release())
    with pytest.raises(NotFound, match="has no 9 version"):
        helm.rollback("shop", namespace, 9)
    with pytest.raises(NotFound, match="no-such-namespace"):
        install(helm, "no-such-namespace", release())


def test_no_such_context(helm: Helm, namespace: str) -> None:
    with pytest.raises(NotFound, match="no-such-context"):
        install(Helm(helm.program, "no-such-context"), namespace, release())


def altered(kubeconfig: str, folder: Path, monkeypatch: pytest.MonkeyPatch, cluster: Json, user: Json | None) -> None:
    """A copy of the kubeconfig with another server or another user."""
    document = yaml.safe_load(Path(kubeconfig).read_text())
    for each in document["clusters"]:
        each["cluster"].update(cluster)
    for each in document["users"]:
        each["user"] = each["user"] if user is None else user
    (folder / "config").write_text(json.dumps(document))
    (folder / "config").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(folder / "config"))


def test_a_cluster_that_does_not_answer(
    helm: Helm, namespace: str, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(kubeconfig, tmp_path, monkeypatch, {"server": "https://127.0.0.1:1"}, None)
    with pytest.raises(Unreachable, match="does not answer"):
        install(helm, namespace, release())


def test_a_user_whom_the_cluster_does_not_know(
    helm: Helm, namespace: str, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(kubeconfig, tmp_path, monkeypatch, {}, {"token": "expired"})
    with pytest.raises(NotAllowed, match="The cluster refused"):
        install(helm, namespace, release())


def test_history_is_kept_to_a_limit(helm: Helm, api: Cluster, namespace: str) -> None:
    for _ in range(4):
        helm.upgrade("shop", CHART, namespace, release(), history_max=2)
    assert [revision.version for revision in history(api, namespace)] == [3, 4]
