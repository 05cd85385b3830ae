"""The agent's image: what is in it, and that the same content is the same image."""

import ast
import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from nucleo_cli import assets
from nucleo_cli.builder import agent, images, layers
from nucleo_cli.builder.images import Layer
from nucleo_cli.errors import NucleoError

PACKAGES = {"urllib3", "yaml"}


def imported_at_once(file: Path) -> set[str]:
    """The top packages that a module imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_it_has_what_the_agent_imports_and_no_more() -> None:
    found = agent.modules()
    folder = Path(assets.__file__).parent / "agent"
    assert {f"nucleo_cli.agent.{file.stem}" for file in folder.glob("[a-z]*.py")} <= set(found)
    assert {"nucleo_cli", "nucleo_cli.errors", "nucleo_cli.adapters.kubernetes", "nucleo_cli.agent.__main__"} <= set(
        found
    )
    unwanted = ("commands", "terminal", "workflows", "builder", "clusters", "charts", "context", "main")
    assert not [name for name in found if name.split(".")[1:2] and name.split(".")[1] in unwanted]


def test_debians_packages_have_what_it_imports() -> None:
    # What a person's commands ask of the adapter, and is imported when they do.
    lazy = {"nucleo_cli.adapters.channels", "nucleo_cli.adapters.certificates"}
    own = [file for name, file in agent.modules().items() if name not in lazy]
    needed = {name for file in own for name in imported_at_once(file)}
    assert needed - set(sys.stdlib_module_names) - {"nucleo_cli"} <= PACKAGES


def test_the_compiled_programs_are_where_the_agent_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").mkdir()

    def folder(_name: str) -> Path:
        return tmp_path

    monkeypatch.setattr(assets, "folder", folder)
    with pytest.raises(NucleoError, match="not compiled"):
        agent.files()
    (tmp_path / "build" / "pod.bpf.o").write_bytes(b"\x7fELF")
    found = agent.files()
    assert found["/usr/lib/nucleo/nucleo_cli/_assets/bpf_programs/build/pod.bpf.o"] == b"\x7fELF"
    assert "/usr/lib/nucleo/nucleo_cli/agent/__main__.py" in found
    assert all(name.startswith("/usr/lib/nucleo/nucleo_cli/") for name in found)


def test_the_same_files_are_the_same_layer() -> None:
    layer, packed = layers.small_layer({"/b/2": b"two", "/a": b"one"})
    assert (layer, packed) == layers.small_layer({"/a": b"one", "/b/2": b"two"})
    plain = gzip.decompress(packed)
    assert layer.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        found = [(each.name, each.uid, oct(each.mode), each.mtime) for each in tar]
    assert found == [("a", 0, "0o644", images.EPOCH), ("b/2", 0, "0o644", images.EPOCH)]


def test_the_configuration_of_a_program() -> None:
    config = json.loads(images.program_config(agent.COMMAND, {"A": "1"}, [Layer("x", 1, "y")], "arm64").raw)
    assert config["config"] == {
        "User": "0:0",
        "Env": ["A=1"],
        "Entrypoint": ["/usr/bin/python3", "-m", "nucleo_cli.agent"],
    }
    assert config["architecture"] == "arm64"
    assert config["rootfs"]["diff_ids"] == ["y"]
