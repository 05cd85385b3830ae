"""The chart, rendered by helm itself and judged by a real API server under restricted pod security."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleo_cli import assets
from nucleo_cli.adapters.helm import Helm, find
from nucleo_cli.adapters.kubernetes import Cluster, path
from nucleo_cli.charts.shape import SecretValues, Values, plain
from nucleo_cli.charts.sysctls import SAFE
from nucleo_cli.charts.values import values
from nucleo_cli.domain.app import App, Health, Port, Process, Resources, Scale
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.release import Facts
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotAllowed, NucleoError
from tests.contract.conftest import Namespaces

Json = dict[str, Any]

CHART = assets.folder("chart_templates") / "app"
IMAGE = Image("127.0.0.1:5000/shop", f"sha256:{'a' * 64}")
FACTS = Facts("0.1.0", "1f2e", "python 3.13", commit="c0ffee", user="mika")
INGRESS = Settings(base_domain="example.com", routes="ingress", ingress_class="traefik")
GATEWAY = Settings(base_domain="example.com", routes="gateway", gateway="traefik/web")

WEB = Process("web", ports=(Port(8080, 80),))
EVERYTHING = Process(
    "web",
    start="gunicorn shop:app --pid /tmp/$$",
    pre_stop="nucleo/pre_stop.sh",
    ports=(Port(8080, 80), Port(5000, 5432), Port(9090)),
    scale=Scale(2, 20, cpu_threshold=50, memory_threshold=80),
    resources=Resources("250m", "1", "256Mi", "512Mi"),
    health=Health("/healthz?full=1", 1.5),
)

APPS = {
    "smallest": (App("shop", Path(), "python", processes=(WEB,)), INGRESS),
    "everything": (
        App(
            "shop",
            Path(),
            "python",
            processes=(EVERYTHING, Process("worker", start="celery -A shop worker", scale=Scale(3, 3))),
            kernel={"net.ipv4.tcp_syncookies": "1", "net.ipv4.ip_local_port_range": "1024 65000"},
            env={"LOG_LEVEL": "info", "EMPTY": ""},
        ),
        GATEWAY,
    ),
    "unreachable": (App("shop", Path(), "python", processes=(Process("worker", start="./work"),)), Settings()),
    "stopped": (App("shop", Path(), "python", processes=(replace(WEB, scale=Scale(0, 0)),)), INGRESS),
    "names that look like other types": (
        App("on", Path(), "python", processes=(Process("null", ports=(Port(8080, 80),)), Process("true"))),
        INGRESS,
    ),
    "longest names": (
        App("a" * 40, Path(), "python", processes=(WEB, Process("b" * 19, ports=(Port(65535, 65535),)))),
        INGRESS,
    ),
}
PLURALS = {
    "Deployment": "deployments",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Ingress": "ingresses",
    "HTTPRoute": "httproutes",
}


@pytest.fixture(scope="module")
def helm() -> Helm:
    return Helm(find())


@pytest.fixture(scope="module")
def restricted(namespaces: Namespaces) -> str:
    """A namespace that admits restricted pods alone."""
    return namespaces({"pod-security.kubernetes.io/enforce": "restricted"})


def made(name: str, **more: Any) -> Values:
    app, how = APPS[name]
    return values(app, IMAGE, FACTS, how, **more)


def render(helm: Helm, given: Values, app: str = "shop") -> list[Json]:
    return list(filter(None, yaml.safe_load_all(helm.template(app, CHART, "shop", plain(given)))))


def one(documents: list[Json], kind: str, name: str) -> Json:
    (found,) = (each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def container(documents: list[Json], process: str = "web", app: str = "shop") -> Json:
    (found,) = one(documents, "Deployment", f"{app}-{process}")["spec"]["template"]["spec"]["containers"]
    return found


def expanded(text: str) -> str:
    """What a program gets when a manifest says `text` and none of the names in it is a variable of the pod."""
    return re.sub(r"\$\$", "$", text)


@pytest.mark.parametrize("name", APPS)
def test_the_api_server_takes_every_object(helm: Helm, api: Cluster, restricted: str, name: str) -> None:
    app = APPS[name][0].name
    for document in yaml.safe_load_all(helm.template(app, CHART, restricted, plain(made(name)))):
        where = path(document["apiVersion"], PLURALS[document["kind"]], restricted)
        api.create(where, document, dryRun="All", fieldValidation="Strict")


@pytest.mark.parametrize("name", APPS)
def test_restricted_pod_security_admits_every_pod(helm: Helm, api: Cluster, restricted: str, name: str) -> None:
    documents = render(helm, made(name, secret={"name": "s", "keys": ["KEY"]}), APPS[name][0].name)
    for deployment in (each for each in documents if each["kind"] == "Deployment"):
        template = deployment["spec"]["template"]
        # The account is made by the release; a dry run keeps none that the pod could name.
        pod = {**template["spec"], "serviceAccountName": "default"}
        metadata = {"name": "pod", "labels": template["metadata"]["labels"]}
        api.create(path("v1", "pods", restricted), {"metadata": metadata, "spec": pod}, dryRun="All")


def test_the_same_check_refuses_a_pod_with_more_rights(helm: Helm, api: Cluster, restricted: str) -> None:
    spec = one(render(helm, made("smallest")), "Deployment", "shop-web")["spec"]["template"]["spec"]
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    pod = {"metadata": {"name": "pod"}, "spec": {**spec, "serviceAccountName": "default"}}
    with pytest.raises(NotAllowed, match="PodSecurity"):
        api.create(path("v1", "pods", restricted), pod, dryRun="All")


def test_restricted_pod_security_admits_every_safe_sysctl(helm: Helm, api: Cluster, restricted: str) -> None:
    app, how = APPS["smallest"]
    app = replace(app, kernel=dict.fromkeys(SAFE, "1"))
    spec = one(render(helm, values(app, IMAGE, FACTS, how)), "Deployment", "shop-web")["spec"]["template"]["spec"]
    assert len(spec["securityContext"]["sysctls"]) == len(SAFE)
    pod = {"metadata": {"name": "pod"}, "spec": {**spec, "serviceAccountName": "default"}}
    api.create(path("v1", "pods", restricted), pod, dryRun="All")


@pytest.mark.parametrize("name", APPS)
def test_the_same_values_render_the_same_bytes(helm: Helm, name: str) -> None:
    app = APPS[name][0].name
    assert len({helm.template(app, CHART, "shop", plain(made(name))) for _ in range(3)}) == 1


def test_facts_about_the_release_are_in_no_manifest(helm: Helm) -> None:
    app, how = APPS["everything"]
    other = Facts("9.9.9", "other", "python 3.14", commit="decaf", dirty=True, user="noa")
    assert render(helm, made("everything")) == render(helm, values(app, IMAGE, other, how))


TEXTS = [
    "",
    " ",
    "yes",
    "null",
    "1e3",
    "0x1F",
    "2026-01-01",
    "{{ .Values.image }}",
    "{{- fail `x` -}}",
    "$(PORT) $$(PORT) $$ $ $HOME ${HOME}",
    "line\nline\n\n  indented\n",
    "\ttab\r\nwindows",
    "quotes \" ' ` \\ \\n",
    "# no comment",
    "- no list: &no *anchor !no tag |",
    "---\nkind: Secret",
    "<script>&amp;</script>",
    "ünï\u2028\u2029\u0085\ufeff\x7f\x1b[31m\x01\ue000 😀",
    "x" * 100_000,
]


def test_any_text_arrives_exactly(helm: Helm) -> None:
    texts = {f"TEXT_{number:02}": text for number, text in enumerate(TEXTS)}
    app, how = APPS["smallest"]
    documents = render(helm, values(replace(app, env=texts), IMAGE, FACTS, how))
    env = {each["name"]: expanded(each["value"]) for each in container(documents)["env"]}
    assert env == {**texts, "PORT": "8080"}


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=20, max_size=20))
def test_any_text_at_all_arrives_exactly(texts: list[str]) -> None:
    given_texts = {f"TEXT_{number:02}": text for number, text in enumerate(texts)}
    app, how = APPS["smallest"]
    documents = render(Helm(find()), values(app, IMAGE, FACTS, how, config=given_texts))
    env = {each["name"]: expanded(each["value"]) for each in container(documents)["env"]}
    assert env == {**given_texts, "PORT": "8080"}


def test_config_vars_win_over_nucleo_yml_and_secrets_over_both(helm: Helm) -> None:
    app, how = APPS["smallest"]
    app = replace(app, env={"A": "file", "B": "file", "C": "file", "PORT": "file"})
    secret: SecretValues = {"name": "shop-secret-1", "keys": ["C"]}
    documents = render(helm, values(app, IMAGE, FACTS, how, config={"B": "", "C": "hand"}, secret=secret))
    assert container(documents)["env"] == [
        {"name": "A", "value": "file"},
        {"name": "B", "value": ""},
        {"name": "PORT", "value": "8080"},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "shop-secret-1", "key": "C"}}},
    ]


def test_a_pod_of_the_smallest_app(helm: Helm) -> None:
    documents = render(helm, made("smallest"))
    assert sorted(f"{each['kind']}/{each['metadata']['name']}" for each in documents) == [
        *("Deployment/shop-web", "Ingress/shop", "Service/shop", "ServiceAccount/shop"),
    ]
    spec = one(documents, "Deployment", "shop-web")["spec"]
    assert "replicas" not in spec
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
    assert spec["minReadySeconds"] == 1
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 30
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert "sysctls" not in pod["securityContext"]
    web = container(documents)
    assert web["image"] == IMAGE.reference
    assert "command" not in web
    assert web["lifecycle"] == {"preStop": {"sleep": {"seconds": 3}}}
    assert web["readinessProbe"]["tcpSocket"] == {"port": 8080}
    assert web["securityContext"]["readOnlyRootFilesystem"] is True
    assert one(documents, "ServiceAccount", "shop")["automountServiceAccountToken"] is False


def test_an_app_that_says_everything(helm: Helm) -> None:
    documents = render(helm, made("everything"))
    assert sorted(f"{each['kind']}/{each['metadata']['name']}" for each in documents) == [
        *("Deployment/shop-web", "Deployment/shop-worker", "HTTPRoute/shop", "HorizontalPodAutoscaler/shop-web"),
        *("PodDisruptionBudget/shop-web", "PodDisruptionBudget/shop-worker", "Service/shop"),
        *("Service/shop-web-lb", "ServiceAccount/shop"),
    ]
    web = container(documents)
    assert [expanded(word) for word in web["command"]] == ["/bin/sh", "-c", "exec gunicorn shop:app --pid /tmp/$$"]
    assert web["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sh", "-c", "sleep 3; exec nucleo/pre_stop.sh"]
    assert web["livenessProbe"]["httpGet"] == {
        "path": "/healthz?full=1",
        "port": 8080,
        "httpHeaders": [{"name": "Host", "value": "shop.example.com"}],
    }
    assert "livenessProbe" not in container(documents, "worker")
    assert "minReadySeconds" not in one(documents, "Deployment", "shop-worker")["spec"]
    pod = one(documents, "Deployment", "shop-web")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 60
    assert pod["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_local_port_range", "value": "1024 65000"},
        {"name": "net.ipv4.tcp_syncookies", "value": "1"},
    ]
    assert one(documents, "Deployment", "shop-web")["spec"]["replicas"] == 2
    assert one(documents, "Service", "shop-web-lb")["spec"]["type"] == "LoadBalancer"
    assert one(documents, "HTTPRoute", "shop")["spec"]["parentRefs"][0]["namespace"] == "traefik"
    autoscaler = one(documents, "HorizontalPodAutoscaler", "shop-web")["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (2, 20)
    assert [each["resource"]["target"]["averageUtilization"] for each in autoscaler["metrics"]] == [50, 80]


def test_zero_pods_are_written_down(helm: Helm) -> None:
    assert one(render(helm, made("stopped")), "Deployment", "shop-web")["spec"]["replicas"] == 0


def test_a_platform_may_need_to_write_to_its_root(helm: Helm) -> None:
    app, how = APPS["smallest"]
    documents = render(helm, values(app, IMAGE, replace(FACTS, read_only_root=False), how))
    assert container(documents)["securityContext"]["readOnlyRootFilesystem"] is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replicaCount": 3}, "replicaCount"),
        ({"image": {"repository": "shop", "digest": "latest"}}, "digest"),
        ({"processes": {}}, "processes"),
        ({"processes": {"web": {"resources": {"requests": {}}, "stop": {"grace": 30}, "wait": True}}}, "wait"),
        ({"env": {"A": 1}}, "env"),
        ({"env": {"A=B": "1"}}, "A=B"),
        ({"routes": {"kind": "proxy", "hosts": []}}, "routes"),
    ],
)
def test_the_schema_refuses_what_the_templates_do_not_know(helm: Helm, change: Json, said: str) -> None:
    with pytest.raises(NucleoError, match="the chart refuses") as raised:
        helm.template("shop", CHART, "shop", {**plain(made("smallest")), **change})
    assert said in raised.value.message
