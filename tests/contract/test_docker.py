"""The adapter against a real container engine."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.clusters import tools
from nucleo_cli.errors import BuildFailed, Conflict, NotFound, NucleoError, Unreachable

# A program of one file, so that no image has to be downloaded: it talks, it sleeps, it gives a code.
PROGRAM = """\
package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		time.Sleep(time.Hour)
	}
	switch os.Args[1] {
	case "talk":
		fmt.Println(os.Getenv("WHO"))
		fmt.Fprintln(os.Stderr, "grumble")
		os.Exit(7)
	case "cat":
		file, err := os.Open(os.Args[2])
		if err != nil {
			os.Exit(1)
		}
		io.Copy(os.Stdout, file)
	}
}
"""


def tar_of(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.ping()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "main.go").write_text(PROGRAM)
    work = tools.local_program("contract-program", folder / "main.go")
    while True:
        try:
            next(work)
        except StopIteration as end:
            built: Path = end.value
            break
    reference = f"nucleo-contract:{uuid4().hex[:8]}"
    (folder / "root.tar").write_bytes(tar_of({"program": built.read_bytes()}))
    assert engine.import_image(folder / "root.tar", reference, ['ENTRYPOINT ["/program"]']).startswith("sha256:")
    yield reference
    engine.remove_image(reference)


@pytest.fixture
def container(engine: Engine, image: str) -> Iterator[str]:
    made = engine.create_container(image, labels={"io.nucleo.contract": "yes"})
    engine.start(made)
    yield made
    engine.remove_container(made)


def test_an_image_is_known_by_name_and_id(engine: Engine, image: str) -> None:
    assert engine.has_image(image)
    identity = engine.image_id(image)
    assert identity is not None
    assert engine.has_image(identity)
    assert engine.image_id("nucleo-contract:missing") is None


def test_removing_twice_is_fine(engine: Engine, image: str) -> None:
    engine.tag(image, "nucleo-contract:second")
    engine.remove_image("nucleo-contract:second")
    engine.remove_image("nucleo-contract:second")
    assert engine.has_image(image)


def test_building_a_folder(engine: Engine, image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nCOPY word /word\n")
    (tmp_path / "word").write_text("hello")
    lines = list(engine.build_image(tmp_path, "nucleo-contract:built"))
    assert any("COPY" in line for line in lines)
    assert engine.has_image("nucleo-contract:built")
    engine.remove_image("nucleo-contract:built")


def test_a_build_that_fails_carries_its_output(engine: Engine, image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nCOPY missing /missing\n")
    with pytest.raises(BuildFailed) as caught:
        list(engine.build_image(tmp_path, "nucleo-contract:failing"))
    assert any("FROM" in line for line in caught.value.details["output"])


def test_both_streams_and_the_code_of_a_command(engine: Engine, container: str) -> None:
    running = engine.exec(container, ["/program", "talk"], env={"WHO": "nobody"})
    said = {"stdout": b"", "stderr": b""}
    for stream, chunk in running:
        said[stream] += chunk
    assert said == {"stdout": b"nobody\n", "stderr": b"grumble\n"}
    assert running.code == 7


def test_the_code_of_a_command_that_nobody_reads(engine: Engine, container: str) -> None:
    assert engine.exec(container, ["/program", "talk"]).code == 7


def test_megabytes_go_in_and_come_out_unchanged(engine: Engine, container: str) -> None:
    content = bytes(range(256)) * 16384
    engine.put_archive(container, "/", tar_of({"data": content}))
    assert b"".join(chunk for _, chunk in engine.exec(container, ["/program", "cat", "/data"])) == content
    archive = io.BytesIO(b"".join(engine.get_archive(container, "/data")))
    with tarfile.open(fileobj=archive) as tar:
        file = tar.extractfile("data")
        assert file is not None
        assert file.read() == content


def test_an_image_of_what_a_container_holds(engine: Engine, container: str) -> None:
    engine.put_archive(container, "/", tar_of({"data": b"kept"}))
    engine.commit(container, "nucleo-contract:kept", {"io.nucleo.contract": 'it\'s "kept"'})
    try:
        assert engine.images({"io.nucleo.contract": 'it\'s "kept"'}) == ["nucleo-contract:kept"]
        made = engine.create_container("nucleo-contract:kept", command=["cat", "/data"])
        assert b"data" in b"".join(engine.get_archive(made, "/data"))
        engine.remove_container(made)
    finally:
        engine.remove_image("nucleo-contract:kept")
    assert engine.images({"io.nucleo.contract": 'it\'s "kept"'}) == []


def test_containers_are_found_by_label(engine: Engine, container: str) -> None:
    assert [found["Id"] for found in engine.containers({"io.nucleo.contract": "yes"})] == [container]
    assert container in [found["Id"] for found in engine.containers({"io.nucleo.contract": ""})]
    assert engine.containers({"io.nucleo.contract": "no"}) == []


def test_a_stopped_container_is_listed_unless_told_otherwise(engine: Engine, container: str) -> None:
    engine.stop(container, timeout=0)
    labels = {"io.nucleo.contract": "yes"}
    assert engine.containers(labels)
    assert engine.containers(labels, all=False) == []


def test_waiting_gives_the_code(engine: Engine, image: str) -> None:
    made = engine.create_container(image, command=["talk"])
    engine.start(made)
    assert engine.wait(made) == 7
    engine.remove_container(made)
    engine.remove_container(made)


def test_what_is_not_there_is_not_found(engine: Engine, container: str) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        engine.inspect("nowhere")
    with pytest.raises(NotFound):
        engine.create_container("nucleo-contract:missing")
    with pytest.raises(NotFound):
        list(engine.get_archive(container, "/missing"))


def test_a_name_is_taken_once(engine: Engine, image: str) -> None:
    name = f"nucleo-contract-{uuid4().hex[:8]}"
    made = engine.create_container(image, name=name)
    with pytest.raises(Conflict):
        engine.create_container(image, name=name)
    engine.remove_container(made)


def test_volumes_come_and_go(engine: Engine) -> None:
    name, labels = f"nucleo-contract-{uuid4().hex[:8]}", {"io.nucleo.contract": "volume"}
    engine.create_volume(name, labels)
    engine.create_volume(name, labels)
    assert [volume["Name"] for volume in engine.volumes(labels)] == [name]
    engine.remove_volume(name)
    engine.remove_volume(name)
    assert engine.volumes(labels) == []


def test_a_registry_that_does_not_answer(engine: Engine, image: str) -> None:
    engine.tag(image, "127.0.0.1:1/contract:1")
    with pytest.raises(Unreachable):
        engine.push("127.0.0.1:1/contract:1")
    with pytest.raises(NucleoError):
        engine.pull("127.0.0.1:1/contract:missing")
    engine.remove_image("127.0.0.1:1/contract:1")
