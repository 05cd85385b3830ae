from nucleo_cli.errors import Exit, NucleoError
from tests.unit.commands.observed import DEPLOYMENTS, PODS, Canned, answer, deployment, pod

METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"
MEASURED = [
    {"metadata": {"name": "shop-web-a"}, "containers": [{"name": "web", "usage": {"cpu": "50m", "memory": "190Mi"}}]}
]


def cluster(**more: object) -> Canned:
    return Canned(
        {DEPLOYMENTS: [deployment()], PODS: [pod("shop-web-a"), pod("shop-web-b")], METRICS: MEASURED, **more}
    )


def test_use_against_request_and_limit() -> None:
    first, second = answer(cluster(), "metrics", "-a", "shop", "--json").json["pods"]
    assert first["cpu"] == {
        "used": 0.05,
        "request": 0.1,
        "limit": None,
        "percent_of_request": 50,
        "percent_of_limit": None,
    }
    assert (first["memory"]["used"], first["memory"]["percent_of_limit"]) == (190 * 2**20, 95)
    assert second["cpu"]["used"] is None


def test_rows_for_people() -> None:
    head, first, second = answer(cluster(), "metrics", "-a", "shop").out.splitlines()
    assert head.split("  ")[0] == "POD"
    assert first.split() == ["shop-web-a", "50m", "50%", "-", "190Mi", "190%", "95%", "2"]
    assert second.split()[1:3] == ["-", "-"]


def test_a_cluster_that_measures_nothing_says_what_to_install() -> None:
    missing = cluster()
    del missing.answers[METRICS]
    told = answer(missing, "metrics", "-a", "shop")
    assert told.code == Exit.FAILED
    assert "no metrics API" in told.err
    assert "metrics-server" in told.err
    broken = cluster(**{METRICS: NucleoError("503", details={"status": 503})})
    assert "does not answer" in answer(broken, "metrics", "-a", "shop").err


def test_an_unknown_process_is_named() -> None:
    told = answer(Canned({DEPLOYMENTS: [deployment()], PODS: []}), "metrics", "-a", "shop", "worker")
    assert (told.code, "it has web" in told.err) == (Exit.NOT_FOUND, True)
