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


def test_an_archive_holds_what_is_asked_for_and_belongs_to_the_builder(tree: Path) -> None:
    with layers.archive(read_source(tree), ["run.sh"], owner=1000) as file, tarfile.open(fileobj=file) as tar:
        members = tar.getmembers()
    assert [(member.name, member.uid) for member in members] == [("app", 1000), ("app/run.sh", 1000)]


def test_texts() -> None:
    with tarfile.open(fileobj=io.BytesIO(layers.texts({"/tmp/requirements.txt": "flask\n"}, 1000))) as tar:
        extracted = tar.extractfile("tmp/requirements.txt")
        assert extracted is not None
        assert extracted.read() == b"flask\n"


def test_the_folder_where_a_step_runs_belongs_to_it() -> None:
    files = {"/app/lib/a": "", "/opt/app/bin/b": "", "/tmp/c": "", "/etc/deep/d": ""}
    with tarfile.open(fileobj=io.BytesIO(layers.texts(files, 1000, folder="/app/services/api"))) as tar:
        found = [member.name for member in tar.getmembers() if member.isdir() and member.uid == 1000]
    assert found == ["app", "app/services", "app/services/api", "app/lib", "opt/app", "opt/app/bin"]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_one_file_whose_size_is_known_at_its_end(size: int) -> None:
    with layers.one_file("/tmp/a", [b"x" * size], 1000) as file, tarfile.open(fileobj=file) as tar:
        (member,) = tar.getmembers()
        extracted = tar.extractfile(member)
        assert extracted is not None
        assert (member.name, member.uid, extracted.read()) == ("tmp/a", 1000, b"x" * size)


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
