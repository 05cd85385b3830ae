# ruff: noqa: E501 (one case a line)
"""The JSON Schema, the model and the documented example say the same."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import nucleo_cli.config
from nucleo_cli import config
from nucleo_cli.config import schema
from nucleo_cli.config.model import fields
from nucleo_cli.config.nodes import List, Map, Node, Scalar
from nucleo_cli.config.reading import parse
from nucleo_cli.errors import ConfigInvalid

from .conftest import Write

FOLDER = Path(nucleo_cli.config.__file__).parent
REFERENCE = (FOLDER / "reference.yml").read_text()
LAYERED = {path for path in fields() if not path.startswith("environments.*.")}


def plain(node: Node) -> Any:
    """The value as a JSON Schema validator sees it."""
    if isinstance(node, Map):
        return {entry.key: plain(entry.node) for entry in node}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return _scalar(node)


def _scalar(node: Scalar) -> Any:
    if node.type == "int":
        return int(node.text, 0)
    if node.type == "float":
        return float(node.text)
    if node.type == "bool":
        return node.text.lower() == "true"
    return None if node.type == "null" else node.text


def fits(value: Any, rule: dict[str, Any]) -> bool:
    validator: Any = Draft202012Validator(rule)
    return validator.is_valid(value)


def accepts(text: str) -> bool:
    return fits(plain(parse(text.encode())), schema.json_schema())


@pytest.fixture
def scripts(repository: Path) -> Path:
    for name in ("start.sh", "pre_stop.sh"):
        script = repository / "nucleo" / name
        script.parent.mkdir(exist_ok=True)
        script.touch(mode=0o755)
    return repository


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema.json_schema())


def test_the_shipped_schema_is_in_step() -> None:
    """Made anew by: nucleo validate --schema > nucleo_cli/config/nucleo.schema.json"""
    shipped = (FOLDER / "nucleo.schema.json").read_text()
    assert shipped == schema.text() + "\n"
    assert json.loads(shipped) == schema.json_schema()


def test_every_field_is_described_with_an_example_that_is_accepted() -> None:
    for path, field in fields().items():
        assert field.description.endswith("."), path
        assert field.examples, path
        for example in field.examples:
            assert fits(example, field.schema()), (path, example)


def test_the_example_is_valid(write: Write, scripts: Path) -> None:
    app = config.load(write(REFERENCE), "production")
    assert (app.name, app.cluster, app.namespace) == ("shop", "prod-tokyo", "shop")
    assert accepts(REFERENCE)


def test_the_example_mentions_every_field_and_no_other() -> None:
    written = set(_paths(parse(REFERENCE.encode())))
    own = {path for path in fields() if path.removeprefix("environments.*.") not in LAYERED}
    assert written >= own | LAYERED
    assert written <= set(fields())


def _paths(node: Node, prefix: str = "") -> list[str]:
    """The dotted paths of a nucleo.yml; names that a person chose are `*`, or left out where they are the last."""
    if not isinstance(node, Map) or prefix in {
        "env.",
        "build.env.",
        "kernel.",
        "environments.*.env.",
        "environments.*.kernel.",
    }:
        return []
    found: list[str] = []
    for entry in node:
        if prefix == "environments.":
            found += _paths(entry.node, "environments.*.")
        else:
            found += [prefix + entry.key, *_paths(entry.node, f"{prefix}{entry.key}.")]
    return found


def test_every_field_of_the_example_has_a_comment_above_it() -> None:
    lines = REFERENCE.splitlines()
    described = {line.strip().split(":")[0] for before, line in pairwise(lines) if before.strip()[:1] == "#"}
    assert described >= {path.split(".")[-1] for path in fields()}


@pytest.mark.parametrize(
    "text",
    [
        "platform: python", "platform: python:3.13", "platform: python\nname: shop", "platform: python\nscale: 3",
        "platform: python\nscale: 2-20", "platform: python\nscale: {replicas: 1 - 3, cpu_threshold: 5}",
        "platform: python\nports: []", "platform: python\nports: [8080, 22:22]", "platform: python\nenv:",
        "platform: python\nenv: {A: 1, B: true, C: x, D: 1.5}", "platform: python\nhealth: {timeout: 1.5}",
        "platform: python\nhealth: {path: /, timeout: 500ms}", "platform: python\nresources: {cpu: 1, memory: 1Gi}",
        "platform: python\nenvironments: {a: , b: {scale: 1, cluster: x y, namespace: n}}",
        "platform: python\nkernel: {net.core.somaxconn: 1024}", "platform: python\nnetwork:",
        "platform: python\nnetwork: {from: [ingress, 'ingress:80', 'app:a', 'cidr:10.0.0.0/8:1-2'], to: [], mode: audit}",
        "platform: python\nnetwork: {to: [internet, 'dns:*.a.b:1,2/udp', kube-api, 'service:a/b'], default: deny}",
        "platform: python\nnetwork: {http: [{from: 'app:a', paths: [/a, '/b/*']}], limits: {egress: 1G}, egress_ip: 10.0.0.1}",
        "platform: python\nenvironments: {a: {network: {to: [internet]}}}",
    ],
)  # fmt: skip
def test_what_is_valid_is_so_for_an_editor_too(write: Write, text: str) -> None:
    config.load(write(text))
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "name: shop", "platform: pyhton", "platform: 3", "platform: python\nname: Shop", f"platform: python\nname: {'a' * 41}",
        "platform: python\nnmae: x", "platform: python\nscale: -1", "platform: python\nscale: x", "platform: python\nscale: 1.5",
        "platform: python\nscale: {replica: 1}", "platform: python\nscale: {replicas: 1-2, cpu_threshold: 101}",
        "platform: python\nports: 80", "platform: python\nports: [a]", "platform: python\nports: [0]",
        "platform: python\nports: [1, 1]", "platform: python\nenv: {A: [1]}", "platform: python\nenv: {A: }",
        "platform: python\nenv: {A-B: 1}", "platform: python\nenv: {PORT: 1}", "platform: python\nhealth: {path: x}",
        "platform: python\nhealth: {timeout: 301}", "platform: python\nhealth: {timeout: soon}",
        "platform: python\nresources: {cpu: true}", "platform: python\ncmd: {start: ''}", "platform: python\ncluster: x",
        "platform: python\nkernel: {somaxconn: 1}", "platform: python\nkernel: {a.b: true}",
        "platform: python\nenvironments: {A: {}}", "platform: python\nenvironments: {a: {platform: python}}",
        "platform: python\nenvironments: {a: {scale: x}}", "platform: python\nnetwork: [internet]",
        "platform: python\nnetwork: {to: [ingress]}", "platform: python\nnetwork: {from: ['dns:a.b']}",
        "platform: python\nnetwork: {to: ['apps:a']}", "platform: python\nnetwork: {to: [internet, internet]}",
        "platform: python\nnetwork: {to: ['app:']}", "platform: python\nnetwork: {mode: watch}",
        "platform: python\nnetwork: {http: [{methods: [GET]}]}", "platform: python\nnetwork: {http: [{from: ingress, methods: []}]}",
        "platform: python\nnetwork: {http: [{from: ingress, paths: [a]}]}", "platform: python\nnetwork: {limits: 10M}",
        "platform: python\nenvironments: {a: {network: {egress: []}}}",
    ],
)  # fmt: skip
def test_what_is_invalid_is_so_for_an_editor_too(write: Write, text: str) -> None:
    with pytest.raises(ConfigInvalid):
        config.load(write(text))
    assert not accepts(text)
