"""Cilium's resource definitions, as its own Go module registers them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

_MODULE = "github.com/cilium/cilium@v1.20.2"
_FOLDER = "pkg/k8s/apis/cilium.io/client/crds/v2"
_POLICIES = ("ciliumnetworkpolicies", "ciliumegressgatewaypolicies")


def crds() -> list[dict[str, Any]]:
    """Those of the policies that we write."""
    done = subprocess.run(["go", "mod", "download", "-json", _MODULE], check=True, capture_output=True, cwd="/")
    folder = Path(json.loads(done.stdout)["Dir"]) / _FOLDER
    return [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in _POLICIES]
