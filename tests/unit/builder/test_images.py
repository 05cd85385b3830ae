"""Image assembly: the same values give the same bytes."""

import json

from nucleo_cli.builder import images
from nucleo_cli.builder.images import Layer
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Plan

LAYERS = (Layer("sha256:a", 1, "sha256:A"), Layer("sha256:b", 2, "sha256:B"))
PLAN = Plan("python", "3.13", "gunicorn app:app", env={"PATH": "/app/.venv/bin", "HOME": "/tmp"})
COMMIT = GitFacts("c0ffee", True, 1_700_000_000, "Ada", "ada@example.com")


def app() -> App:
    from pathlib import Path

    return App("shop", Path(), "python")


def test_the_configuration_of_an_app() -> None:
    config = json.loads(images.app_config(PLAN, "/app/api", LAYERS, {"b": "2", "a": "1"}, "arm64", 1_700_000_000).raw)
    assert config["architecture"] == "arm64"
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["rootfs"]["diff_ids"] == ["sha256:A", "sha256:B"]
    assert config["config"] == {
        "User": "1000:1000",
        "WorkingDir": "/app/api",
        "Env": ["HOME=/tmp", "PATH=/app/.venv/bin"],
        "Cmd": ["/bin/sh", "-c", "exec gunicorn app:app"],
        "Labels": {"a": "1", "b": "2"},
    }


def test_the_manifest_lists_layers_in_order() -> None:
    config = images.document({})
    manifest = json.loads(images.manifest(config, LAYERS).raw)
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["digest"] == config.digest
    assert [(layer["digest"], layer["size"]) for layer in manifest["layers"]] == [("sha256:a", 1), ("sha256:b", 2)]
    assert "annotations" not in manifest


def test_documents_are_canonical() -> None:
    one, other = images.document({"b": 1, "a": "ü"}), images.document({"a": "ü", "b": 1})
    assert one.raw == '{"a":"ü","b":1}'.encode()
    assert one.digest == other.digest
    assert one.size == 16


def test_labels_of_a_commit() -> None:
    labels = images.labels(app(), PLAN, COMMIT, {"inputs": "sha256:x"})
    assert labels == {
        "io.nucleo.app": "shop",
        "io.nucleo.platform": "python:3.13",
        "io.nucleo.inputs": "sha256:x",
        "io.nucleo.commit": "c0ffee",
        "io.nucleo.dirty": "true",
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.revision": "c0ffee",
    }


def test_without_a_commit_an_image_has_a_fixed_time() -> None:
    assert images.labels(app(), PLAN, None, {})["org.opencontainers.image.created"] == "1980-01-01T00:00:01Z"


def test_layers_of_an_image_of_the_older_format() -> None:
    manifest = {"layers": [{"digest": "sha256:a", "size": 1, "mediaType": "application/vnd.docker.image.rootfs"}]}
    found = images.layers_of(manifest, {"rootfs": {"diff_ids": ["sha256:A"]}})
    assert found == (Layer("sha256:a", 1, "sha256:A", images.LAYER),)
