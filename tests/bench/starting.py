"""How long the program takes to start, and to ask the cluster one thing."""

from collections.abc import Iterator

from tests.bench import machine
from tests.bench.measure import Budget, Row, run, side_by_side
from tests.bench.setting import APP, Setting

_START = Budget(0.12)


def starts(setting: Setting) -> Iterator[Row]:
    """--help, --version and the completion script."""
    kubectl = machine.kubectl()
    for argv, beside in (
        (["--help"], [setting.helm, "version"]),
        (["--version"], [str(kubectl), "version", "--client"] if kubectl else []),
        (["completion", "bash"], [setting.helm, "completion", "bash"]),
    ):
        ours, theirs = side_by_side(
            setting.runs(7),
            lambda argv=argv: setting.nucleo(*argv).timing,
            (lambda beside=beside: run(beside, setting.env).timing) if beside else None,
        )
        said = " ".join([beside[0].rpartition("/")[2], *beside[1:]]) if beside else ""
        yield Row(f"`nucleo {' '.join(argv)}`", ours, _START, f"`{said}`" if said else "", theirs)


def ps(setting: Setting) -> Iterator[Row]:
    """nucleo ps beside kubectl get pods, or helm list where there is no kubectl."""
    folder = str(setting.app)
    kubectl = machine.kubectl()
    where = ["--namespace", APP]
    beside = [str(kubectl), "--context", setting.context, "get", "pods", *where]
    if not kubectl:
        beside = [setting.helm, "--kube-context", setting.context, "list", *where]
    ours, theirs = side_by_side(
        setting.runs(7),
        lambda: setting.nucleo("ps", "-C", folder).timing,
        lambda: run(beside, setting.env).timing,
    )
    said = "kubectl get pods" if kubectl else "helm list"
    yield Row("`nucleo ps`", ours, Budget(0.35), f"`{said}`", theirs, "the same namespace, one pod")
