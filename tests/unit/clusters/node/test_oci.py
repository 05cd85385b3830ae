"""The image archive, as the OCI image layout has it."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.clusters.node import oci


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF program")
    oci.write_archive(program, "nucleo.local/pause:1", tmp_path / "pause.tar")
    return tmp_path / "pause.tar"


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def follow(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    blob = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(blob) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(blob).hexdigest()}" == descriptor["digest"]
    return blob


def test_each_descriptor_leads_to_its_blob(archive: Path) -> None:
    files = read(archive)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    entry = json.loads(files["index.json"])["manifests"][0]
    assert entry["annotations"] == {"io.containerd.image.name": "nucleo.local/pause:1"}
    manifest = json.loads(follow(files, entry))
    config = json.loads(follow(files, manifest["config"]))
    layer = follow(files, manifest["layers"][0])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Entrypoint"] == ["/pause"]


def test_the_same_input_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    oci.write_archive(tmp_path / "pause", "nucleo.local/pause:1", tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
