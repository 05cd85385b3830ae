"""Reading and rewriting what Helm keeps."""

import base64
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nucleo_cli.adapters.helm_storage import apis, decode, encode_status, encode_without, selector
from nucleo_cli.domain.release import FAILED, Revision
from nucleo_cli.errors import NucleoError

PAYLOAD: dict[str, Any] = {
    "name": "shop",
    "info": {
        "first_deployed": "2026-01-01T00:00:00Z",
        "last_deployed": "2026-01-02T03:04:05.678901234Z",
        "deleted": "",
        "description": "deploy c0ffee",
        "status": "pending-upgrade",
    },
    "chart": {"metadata": {"name": "app", "version": "0.1.0"}, "templates": [{"name": "x", "data": "eA=="}]},
    "config": {"nucleo": {"commit": "c0ffee"}, "env": {"GREETING": "\u00fc\u2028 {{ x }}"}},
    "manifest": "---\nkind: Service\n",
    "version": 12,
    "namespace": "shop",
}


def secret(payload: Any = PAYLOAD, packed: bytes | None = None) -> dict[str, Any]:
    inner = base64.b64encode(gzip.compress(json.dumps(payload).encode()) if packed is None else packed)
    labels = {"name": "shop", "owner": "helm", "status": "pending-upgrade", "version": "12", "nucleo.io/app": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.shop.v12",
            "namespace": "shop",
            "resourceVersion": "4711",
            "labels": {**labels, "modifiedAt": "1767323045"},
        },
        "data": {"release": base64.b64encode(inner).decode()},
    }


def test_a_revision_is_read() -> None:
    assert decode(secret()) == Revision(
        app="shop",
        namespace="shop",
        version=12,
        status="pending-upgrade",
        created=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        description="deploy c0ffee",
        chart="app-0.1.0",
        values={"nucleo": {"commit": "c0ffee"}, "env": {"GREETING": "\u00fc\u2028 {{ x }}"}},
        labels={"nucleo.io/app": "shop"},
        manifest="---\nkind: Service\n",
    )


def test_a_revision_without_compression_is_read() -> None:
    assert decode(secret(packed=json.dumps(PAYLOAD).encode())).version == 12


def test_a_release_without_values_has_none() -> None:
    revision = decode(secret({"name": "shop", "version": 1}))
    assert (revision.values, revision.created, revision.chart, revision.status) == ({}, None, "", "unknown")
    assert revision.namespace == "shop"


def test_only_the_status_and_the_description_change() -> None:
    before = secret()
    after = encode_status(before, FAILED, "interrupted")
    assert before == secret()
    assert after["metadata"]["labels"] == {**before["metadata"]["labels"], "status": "failed"}
    assert after["metadata"]["resourceVersion"] == "4711"
    inner = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(after["data"]["release"]))))
    assert inner == {**PAYLOAD, "info": {**PAYLOAD["info"], "status": "failed", "description": "interrupted"}}


def test_rewriting_twice_gives_the_same() -> None:
    once = encode_status(secret(), FAILED, "interrupted")
    assert encode_status(once, FAILED, "interrupted") == once


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": {"name": "x"}},
        {"metadata": {"name": "x"}, "data": {}},
        {"metadata": {"name": "x"}, "data": {"release": "!"}},
        secret(packed=b"\x1f\x8bbroken"),
        secret(packed=gzip.compress(b"{}" * 1000)[:-12]),
        secret(packed=gzip.compress(b"\xff\xfe")),
        secret(packed=b"not json"),
    ],
)
def test_what_helm_did_not_write_is_an_error_with_its_name(broken: dict[str, Any]) -> None:
    with pytest.raises(NucleoError, match=f"The Secret {broken['metadata']['name']} does not hold a Helm release"):
        decode(broken)


@pytest.mark.parametrize("payload", [[], {}, {"name": "shop"}, "text", None])
def test_json_that_is_no_release_is_an_error_too(payload: Any) -> None:
    with pytest.raises(NucleoError, match="does not hold a Helm release"):
        decode(secret(payload))


def test_the_selector_names_one_app_or_none() -> None:
    assert selector("shop") == "owner=helm,name=shop"
    assert selector() == "owner=helm"


def test_objects_are_taken_out_by_their_api() -> None:
    kept = (
        "---\n# Source: a\napiVersion: v1\nkind: ConfigMap\ndata:\n  text: |\n    ---\n    apiVersion: nucleo.io/v1\n"
    )
    gone = "---\n# Source: b\napiVersion: nucleo.io/v1\nkind: AppNetwork\n"
    for manifest in (kept + gone, gone + kept):
        assert apis(manifest) == {"v1", "nucleo.io/v1"}
        before = secret({**PAYLOAD, "manifest": manifest})
        after = encode_without(before, {"nucleo.io/v1", "cilium.io/v2"})
        assert decode(after) == replace(decode(before), manifest=kept)
        assert after["metadata"] == before["metadata"]
