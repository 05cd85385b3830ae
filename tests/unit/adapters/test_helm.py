"""The helm program: arguments, values, running, errors. A shell script stands in for it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.adapters import helm
from nucleo_cli.adapters.helm import Helm, translate, values_document
from nucleo_cli.errors import Conflict, Exit, Interrupted, NotAllowed, NotFound, NucleoError, TimedOut, Unreachable

CHART = Path("/charts/app")

# Says its version when asked; otherwise notes its arguments, its environment and its input, and goes on with BODY.
PROGRAM = """#!/bin/sh
if [ "$1" = version ]; then echo "VERSION"; exit 0; fi
here="$(dirname "$0")"
printf '%s\\n' "$@" > "$here/arguments"
env > "$here/environment"
cat > "$here/input"
BODY
"""


def program(folder: Path, body: str = "exit 0", version: str = "v3.22.1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "helm"
    path.write_text(PROGRAM.replace("BODY", body).replace("VERSION", version))
    path.chmod(0o755)
    return path


def arguments(path: Path) -> list[str]:
    return (path.parent / "arguments").read_text().splitlines()


def test_the_arguments_of_an_upgrade() -> None:
    labels = {"nucleo.io/env": "staging", "nucleo.io/app": "shop"}
    assert helm.upgrade("shop", CHART, "shop-staging", "deploy, of c0ffee", labels) == [
        *("upgrade", "--install", "--namespace", "shop-staging", "--values", "-", "--history-max=20"),
        *("--description=deploy, of c0ffee", "--labels=nucleo.io/app=shop,nucleo.io/env=staging"),
        *("--", "shop", "/charts/app"),
    ]


def test_the_arguments_of_the_others() -> None:
    assert helm.rollback("shop", "ns", 3) == ["rollback", "--namespace", "ns", "--history-max=20", "--", "shop", "3"]
    assert helm.uninstall("shop", "ns") == ["uninstall", "--namespace", "ns", "--", "shop"]
    assert helm.template("shop", CHART, "ns") == [
        *("template", "--namespace", "ns", "--values", "-", "--", "shop", "/charts/app"),
    ]


def test_an_upgrade_gives_the_values_on_standard_input_alone(tmp_path: Path) -> None:
    path = program(tmp_path)
    values = {"env": {"A": "canary\n{{ x }}"}}
    Helm(path, "prod").upgrade("shop", CHART, "ns", values, description="d")
    assert json.loads((tmp_path / "input").read_text()) == values
    assert arguments(path)[:2] == ["upgrade", "--kube-context=prod"]
    assert "--labels=nucleo.io/app=shop" in arguments(path)
    assert "canary" not in (tmp_path / "arguments").read_text() + (tmp_path / "environment").read_text()
    assert not [option for option in arguments(path) if option.startswith(("--set", "--wait", "--dry-run"))]


def test_a_dry_run_asks_the_server(tmp_path: Path) -> None:
    path = program(tmp_path)
    Helm(path).upgrade("shop", CHART, "ns", {"a": 1}, dry_run=True)
    assert "--dry-run=server" in arguments(path)
    assert not [option for option in arguments(path) if option.startswith("--kube-context")]


@pytest.mark.parametrize(("version", "expected"), [("v3.18.0", False), ("v4.0.1", True), ("v4.2", True)])
def test_helm_4_writes_as_helm_3_does(tmp_path: Path, version: str, expected: bool) -> None:
    path = program(tmp_path, version=version)
    Helm(path).upgrade("shop", CHART, "ns", {"a": 1})
    assert ("--server-side=false" in arguments(path)) is expected
    Helm(path).rollback("shop", "ns", 1)
    assert ("--server-side=false" in arguments(path)) is expected
    Helm(path).uninstall("shop", "ns")
    assert "--server-side=false" not in arguments(path)


def test_variables_of_helm_do_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HELM_KUBECONTEXT", "HELM_NAMESPACE", "HELM_KUBETOKEN", "HELM_DEBUG", "HELM_DRIVER"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("KUBECONFIG", "/somewhere/config")
    Helm(program(tmp_path)).uninstall("shop", "ns")
    seen = (tmp_path / "environment").read_text().splitlines()
    assert sorted(line for line in seen if line.startswith("HELM_")) == ["HELM_DRIVER=secret", "HELM_NO_PLUGINS=1"]
    assert "KUBECONFIG=/somewhere/config" in seen


def test_template_returns_what_helm_prints(tmp_path: Path) -> None:
    assert Helm(program(tmp_path, "echo 'kind: X'; echo noise >&2")).template("s", CHART, "n", {}) == "kind: X\n"


def test_output_that_is_not_utf_8_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(NucleoError, match="helm failed: broken \ufffd"):
        Helm(program(tmp_path, "printf 'Error: broken \\377' >&2; exit 1")).uninstall("shop", "ns")


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    path = program(tmp_path, 'echo $$ > "$here/pid"; exec sleep 600')
    with pytest.raises(TimedOut, match="helm uninstall did not end within 2 s"):
        Helm(path).uninstall("shop", "ns", timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_nucleo_lets_helm_end_first(tmp_path: Path, number: signal.Signals) -> None:
    """A helm that is killed in the middle leaves its release pending."""
    path = program(tmp_path, f'kill -{number.name[3:]} {os.getpid()}; sleep 0.3; touch "$here/ended"')

    def interrupt(*_: Any) -> None:
        raise Interrupted(Exit.INTERRUPTED)

    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(Interrupted):
            Helm(path).uninstall("shop", "ns")
    finally:
        signal.signal(number, before)
    assert (tmp_path / "ended").exists()


def test_helm_has_a_session_of_its_own(tmp_path: Path) -> None:
    path = program(tmp_path, "cut -d' ' -f6 /proc/$$/stat")
    assert int(Helm(path).template("s", CHART, "n", {})) != os.getsid(0)


def reading(text: str) -> Any:
    return yaml.safe_load(text)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_the_values_are_json_and_yaml_at_once(values: dict[str, str]) -> None:
    document = values_document(values)
    assert json.loads(document) == reading(document) == values


def test_equal_values_are_one_document() -> None:
    assert values_document({"b": 1, "a": {"d": 1, "c": 2}}) == values_document({"a": {"c": 2, "d": 1}, "b": 1})


@pytest.mark.parametrize(
    ("printed", "kind", "message"),
    [
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n",
            Conflict,
            "being changed right now",
        ),
        (
            'Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:6443/version": dial tcp 127.0.0.1:6443: '
            "connect: connection refused",
            Unreachable,
            "does not answer",
        ),
        ('Error: Kubernetes cluster unreachable: context "x" does not exist', NotFound, 'context "x"'),
        (
            'Error: query: failed to query with labels: secrets is forbidden: User "mika" cannot list resource',
            NotAllowed,
            'User "mika"',
        ),
        (
            "Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials",
            NotAllowed,
            "The cluster refused",
        ),
        (
            "Error: Kubernetes cluster unreachable: tls: failed to verify certificate: x509: certificate has expired",
            NotAllowed,
            "expired",
        ),
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\napp:\n"
            "- at '': additional properties 'x' not allowed",
            NucleoError,
            "additional properties 'x' not allowed",
        ),
        (
            'Error: Unable to continue with install: Service "shop" in namespace "team" exists and cannot be imported '
            "into the current release: invalid ownership metadata",
            NucleoError,
            'Service "shop" in the namespace "team" exists already',
        ),
        (
            "Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: "
            '"shop" namespace: "" from "": no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"',
            NucleoError,
            "does not know the kind HTTPRoute",
        ),
        ("Error: release: not found", NotFound, "does not find it"),
        ("Error: release has no 9 version", NotFound, "has no 9 version"),
        ('Error: create: failed to create: namespaces "shop" not found', NotFound, 'namespaces "shop"'),
        (
            'Error: create: failed to create: Secret "x" is invalid: data: Too long: must have at most 1048576 bytes',
            NucleoError,
            "too large",
        ),
        ("Error: cannot re-use a name that is still in use", Conflict, "being changed"),
        ("Error: something\n  new", NucleoError, "helm failed: something new"),
        ("", NucleoError, "it did not say why"),
    ],
)
def test_errors_are_translated(printed: str, kind: type[NucleoError], message: str) -> None:
    error = translate(printed)
    assert type(error) is kind
    assert message in error.message


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("HTTPRoute", "nucleo cluster configure"),
        ("AppNetwork", "nucleo deploy"),
        ("CiliumNetworkPolicy", "nucleo deploy"),
    ],
)
def test_a_kind_that_has_gone_is_chosen_again(kind: str, command: str) -> None:
    assert command in translate(f'Error: no matches for kind "{kind}" in version "x/v1"').hint


def test_warnings_are_not_the_error() -> None:
    printed = (
        "WARNING: Kubernetes configuration file is group-readable.\n"
        "W1123 04:00:00.000000   1 warnings.go:70] deprecated\n"
        "Error: release: not found\n"
    )
    assert translate(printed).message == "Helm does not find it: release: not found"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH and the cache are empty, but for what the scripts themselves need."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_helm_on_path_comes_first(nowhere: Path) -> None:
    program(nowhere / "cache/nucleo/bin/helm-3.22.0")
    on_path = program(nowhere / "bin", version="v3.18.0")
    assert helm.find() == on_path


def test_the_newest_of_the_cache_otherwise(nowhere: Path) -> None:
    program(nowhere / "bin", version="v3.17.3")
    program(nowhere / "cache/nucleo/bin/helm-3.9.0", version="v3.9")
    newest = program(nowhere / "cache/nucleo/bin/helm-3.22.0", version="v3.22")
    assert helm.find() == newest
    assert Helm(newest).version == (3, 22, 0)


def test_a_helm_that_is_too_old_is_named(nowhere: Path) -> None:
    program(nowhere / "bin", version="v3.17.3+g1234")
    with pytest.raises(NucleoError, match=r"too old: \S+ is version 3.17.3") as raised:
        helm.find()
    assert "3.18" in raised.value.hint


def test_no_helm_at_all(nowhere: Path) -> None:
    with pytest.raises(NotFound, match="helm was not found") as raised:
        helm.find()
    assert "nucleo cluster up" in raised.value.hint


def test_a_broken_program_is_not_taken(nowhere: Path) -> None:
    program(nowhere / "bin").write_bytes(b"\x7fELF broken")
    with pytest.raises(NucleoError, match="too old"):
        helm.find()
