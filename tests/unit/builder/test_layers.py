"""Archives of the source tree: deterministic, owned by whom they should be."""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from nucleo_cli.builder import layers
from nucleo_cli.builder.source import Entry, Source, read_source
from nucleo_cli.errors import BuildFailed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "sub" / "deep" / "ü.py").write_text("x = 1\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("run.sh")
    return tmp_path


def test_the_source_layer(tree: Path) -> None:
    with layers.source_layer(read_source(tree)) as (layer, file):
        packed = b"".join(layers.blocks(file))
    plain = gzip.decompress(packed)
    assert layer.digest == "sha256:" + hashlib.sha256(packed).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert layer.size == len(packed)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        members = tar.getmembers()
    assert [(member.name, oct(member.mode)) for member in members] == [
        ("app", "0o755"),
        ("app/link", "0o777"),
        ("app/run.sh", "0o755"),
        ("app/sub", "0o755"),
        ("app/sub/deep", "0o755"),
        ("app/sub/deep/ü.py", "0o644"),
    ]
    assert {(member.uid, member.gid, member.mtime, member.uname) for member in members} == {(0, 0, 315532801, "")}


def test_the_same_files_make_the_same_layer(tree: Path) -> None:
    with layers.source_layer(read_source(tree)) as (first, _):
        os.utime(tree / "run.sh", (1, 1))
    with layers.source_layer(read_source(tree)) as (second, _):
        assert first == second


def test_an_empty_tree_is_a_layer_too(tmp_path: Path) -> None:
    with layers.source_layer(read_source(tmp_path)) as (layer, _):
        assert layer.size > 0


def members(bundle: layers.Bundle) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(bundle.finish()))) as tar:
        found = {each.name: (each, file.read() if (file := tar.extractfile(each)) else b"") for each in tar}
    bundle.close()
    return found


def test_a_tree_holds_what_is_asked_for_and_belongs_to_the_builder(tree: Path) -> None:
    target = io.BytesIO()
    layers.write_tree(read_source(tree), ["run.sh"], target, owner=1000)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        assert [(member.name, member.uid) for member in tar] == [("app", 1000), ("app/run.sh", 1000)]


def test_texts() -> None:
    target = io.BytesIO()
    layers.write_texts({"/tmp/requirements.txt": "flask\n"}, target, 1000)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        extracted = tar.extractfile("tmp/requirements.txt")
        assert extracted is not None
        assert extracted.read() == b"flask\n"


def test_the_folder_where_a_step_runs_belongs_to_it() -> None:
    bundle = layers.Bundle(1000)
    bundle.folders(["/app/services/api/file", "/app/lib/a", "/opt/app/bin/b", "/tmp/c", "/etc/deep/d"])
    found = members(bundle)
    assert list(found) == ["app", "app/services", "app/services/api", "app/lib", "opt/app", "opt/app/bin"]
    assert {(member.isdir(), member.uid) for member, _ in found.values()} == {(True, 1000)}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_a_bundle_of_files_whose_size_is_known_at_their_end(size: int) -> None:
    bundle = layers.Bundle(1000)
    bundle.add("/tmp/a", lambda file: file.writelines([b"x" * size]))
    bundle.add("/tmp/b", lambda file: file.write(b"y"))
    found = members(bundle)
    assert {name: (member.uid, content) for name, (member, content) in found.items()} == {
        "tmp/a": (1000, b"x" * size),
        "tmp/b": (1000, b"y"),
    }


def test_secrets_are_for_their_owner_alone() -> None:
    bundle = layers.Bundle(1000)
    bundle.add("/tmp/a", lambda file: file.write(b"1"))
    bundle.secrets("/run/nucleo", {"netrc": b"machine x", "config/uv/uv.toml": b""})
    found = {name: (oct(member.mode), member.uid, content) for name, (member, content) in members(bundle).items()}
    assert found["run/nucleo"] == ("0o700", 1000, b"")
    assert found["run/nucleo/netrc"] == ("0o400", 1000, b"machine x")
    assert found["run/nucleo/config/uv"] == ("0o700", 1000, b"")
    assert found["run/nucleo/config/uv/uv.toml"] == ("0o400", 1000, b"")
    assert found["tmp/a"] == ("0o600", 1000, b"1")


def test_a_bundle_without_secrets_has_their_folder() -> None:
    bundle = layers.Bundle(0)
    bundle.secrets("/run/nucleo", {})
    assert list(members(bundle)) == ["run/nucleo"]


@pytest.mark.parametrize("size", [2, 9])
def test_a_file_that_changes_meanwhile_is_named(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.txt").write_text("12345")
    source = Source(tmp_path, [Entry("a.txt", 0o644, size)])
    with pytest.raises(BuildFailed, match=r"a\.txt changed while it was read"), layers.source_layer(source):
        pass


def test_a_file_that_goes_away_meanwhile_is_named(tmp_path: Path) -> None:
    source = Source(tmp_path, [Entry("a.txt", 0o644, 1)])
    with pytest.raises(BuildFailed, match=r"a\.txt cannot be read: No such file"), layers.source_layer(source):
        pass
