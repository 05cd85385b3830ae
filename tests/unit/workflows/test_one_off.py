from typing import Any

from nucleo_cli.domain.app import Target
from nucleo_cli.workflows.one_off import Request, job

DEPLOYMENT: dict[str, Any] = {
    "spec": {
        "template": {
            "metadata": {"labels": {"nucleo.io/app": "shop", "nucleo.io/process": "web"}},
            "spec": {
                "securityContext": {"runAsUser": 1000},
                "topologySpreadConstraints": [{"maxSkew": 1}],
                "containers": [
                    {"name": "proxy"},
                    {
                        "name": "web",
                        "image": "shop@sha256:1",
                        "command": ["/bin/sh", "-c", "exec gunicorn"],
                        "args": ["x"],
                        "env": [{"name": "PORT", "value": "8080"}, {"name": "TERM", "value": "dumb"}],
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {},
                        "lifecycle": {},
                    },
                ],
            },
        }
    }
}
SHOP = Target("shop", "shop")


def pod_spec(request: Request) -> Any:
    return job(DEPLOYMENT, SHOP, request, "shop-run-1")["spec"]["template"]["spec"]


def test_the_job_is_tried_once_and_removes_itself() -> None:
    made = job(DEPLOYMENT, SHOP, Request(["ls"], timeout=1.5), "shop-run-1")
    spec = made["spec"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"]) == (0, 60, 2)
    assert "activeDeadlineSeconds" not in job(DEPLOYMENT, SHOP, Request(["ls"]), "shop-run-1")["spec"]
    marks = spec["template"]["metadata"]["labels"]
    assert marks == made["metadata"]["labels"]
    assert (marks["nucleo.io/app"], marks["nucleo.io/run"]) == ("shop", "shop-run-1")
    assert "nucleo.io/process" not in marks, "a Service would send it traffic"


def test_the_pod_is_that_of_the_process_without_what_is_for_serving() -> None:
    spec = pod_spec(Request(["ls", "$(HOME)"]))
    [own] = spec["containers"]
    assert set(own) == {"name", "image", "command", "env", "stdin", "stdinOnce", "tty"}
    assert own["command"][-2:] == ["ls", "$$(HOME)"]
    assert (spec["restartPolicy"], spec["securityContext"]) == ("Never", {"runAsUser": 1000})
    assert "topologySpreadConstraints" not in spec
    assert "readinessProbe" in DEPLOYMENT["spec"]["template"]["spec"]["containers"][1], "the original stays as it was"


def test_a_terminal_brings_its_kind_along() -> None:
    [own] = pod_spec(Request(["sh"], tty=True, term="xterm-256color"))["containers"]
    assert own["env"] == [{"name": "PORT", "value": "8080"}, {"name": "TERM", "value": "xterm-256color"}]
    assert own["tty"] is True
    [odd] = pod_spec(Request(["sh"], tty=True, term="$(SECRET)"))["containers"]
    assert {"name": "TERM", "value": "dumb"} in odd["env"]
