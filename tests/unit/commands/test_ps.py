from nucleo_cli.errors import Exit
from tests.unit.commands.observed import DEPLOYMENTS, PODS, Canned, answer, deployment, pod


def test_processes_with_their_pods_web_first() -> None:
    crashing = [
        {"name": "cron", "ready": False, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    ]
    cluster = Canned(
        {
            DEPLOYMENTS: [deployment("cron", 1), deployment("web", 2)],
            PODS: [pod("shop-web-a"), pod("shop-cron-b", "cron", containerStatuses=crashing, conditions=[])],
        }
    )
    told = answer(cluster, "ps", "-a", "shop", "--json")
    web, cron = told.json["processes"]
    assert (web["name"], web["desired"], web["ready"]) == ("web", 2, 1)
    assert {key: web["pods"][0][key] for key in ("name", "status", "ready", "restarts", "node", "image")} == {
        "name": "shop-web-a",
        "status": "Running",
        "ready": True,
        "restarts": 2,
        "node": "node-1",
        "image": "shop@sha256:1",
    }
    assert web["pods"][0]["age_seconds"] > 0
    assert (cron["pods"][0]["status"], cron["ready"]) == ("CrashLoopBackOff", 0)
    text = answer(cluster, "ps", "-a", "shop").out
    assert text.index("web  1 of 2 pods ready") < text.index("shop-web-a") < text.index("cron  0 of 1 pod ready")


def test_a_process_at_zero_is_shown() -> None:
    cluster = Canned({DEPLOYMENTS: [deployment(replicas=0)], PODS: []})
    assert answer(cluster, "ps", "-a", "shop").out == "web  scaled to 0\n"


def test_no_app_is_not_found_and_says_what_to_do() -> None:
    told = answer(Canned({DEPLOYMENTS: [], PODS: []}), "ps", "-a", "shop", "--json")
    assert (told.code, told.json["code"]) == (Exit.NOT_FOUND, "not-found")
    assert "nucleo deploy" in told.json["hint"]
