"""The image of the agent: of Debian's packages the interpreter and its libraries alone, and of Nucleo what the agent
imports, with the compiled BPF programs. There is no shell in it, and no package manager."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli import assets
from nucleo_cli.builder import bases, host, images, layers, platforms
from nucleo_cli.builder.bases import Wanted
from nucleo_cli.builder.images import EPOCH, Base, Document, Layer
from nucleo_cli.domain.build import Image, Platform, PlatformVersion
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.registry import Registry

PACKAGES = ("python3", "libbpf1", "python3-urllib3", "python3-yaml")
COMMAND = ("/usr/bin/python3", "-m", "nucleo_cli.agent")
_SUITE = "trixie"
_ENTRY = "nucleo_cli.agent.__main__"
_FOLDER = "/usr/lib/nucleo"
_ENV = {"PYTHONPATH": _FOLDER, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
_ARCHIVE = "/tmp/root.tar"  # noqa: S108
_PACKAGE = Path(assets.__file__).parent

# Interpreter, modules and libraries of the packages, and what these load; compiled anew, so that the same packages are
# the same layer whoever has installed them.
_SCRIPT = f"""
export LC_ALL=C
root=/tmp/root
mkdir -p $root/usr/bin $root/etc
names=$(dpkg-query --show --showformat='${{db:Status-Status}} ${{Package}}\n' |
  sed -n 's/^installed //p' | grep -E '^(lib)?python3|^libbpf1$')
dpkg --listfiles $names | grep -E '^/usr/(bin/python3[.0-9]*$|lib/python3|lib/[^/]+/lib)' | sort -u |
  while read -r path; do [ -d "$path" ] || printf '%s\\n' "$path"; done |
  tar --create --files-from=- --file=- 2>/dev/null | tar --extract --directory=$root
{{ find $root -type f \\( -path '*/bin/*' -o -name '*.so*' \\) -exec ldd {{}} + | grep -o '/[^ :]*'
  ls /usr/lib/*/libgcc_s.so.1  # loaded by name when a thread ends
}} | sort -u |
  while read -r path; do
    case $path in $root/*) continue ;; esac
    folder=$root$(realpath "$(dirname "$path")")
    mkdir -p "$folder"
    [ -e "$folder/$(basename "$path")" ] || cp --dereference "$path" "$folder/"
  done
for link in lib lib64; do [ ! -L /$link ] || cp --archive /$link $root/; done
printf 'root:x:0:0::/:/nonexistent\\n' > $root/etc/passwd
printf 'root:x:0:\\n' > $root/etc/group
python3 -m compileall -q -s $root --invalidation-mode unchecked-hash $root/usr/lib
cd $root
tar --create --sort=name --format=gnu --numeric-owner --owner=0 --group=0 --mtime=@{EPOCH} --mode=u+rwX,go+rX,go-w \\
  --file={_ARCHIVE} -- *
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """The image for one architecture."""

    root: Base
    layers: tuple[Layer, ...]
    config: Document
    manifest: Document


def build(settings: Settings, engine: Callable[[], Engine], registry: Registry) -> Work[tuple[Image, bool]]:
    """Build the image for the architectures of the nodes and push it, unless the registry has it.

    Returns it as the nodes pull it, and whether it is new there.
    Raises BuildFailed, NotAllowed, Unreachable.
    """
    name = registry.repository("platforms", "agent")
    own, content = layers.small_layer(files())
    architectures = settings.architectures or (platforms.architecture(),)
    parts: dict[str, _Part] = {}
    for architecture in architectures:
        root = yield from _root(architecture, settings, engine, registry)
        stack = (*root.layers, own)
        config = images.program_config(COMMAND, _ENV, stack, architecture)
        parts[architecture] = _Part(root, stack, config, images.manifest(config, stack))
    whole = images.index({each: part.manifest for each, part in parts.items()}) if len(parts) > 1 else None
    digest = whole.digest if whole else parts[architectures[0]].manifest.digest
    pull = settings.registry_pull or settings.registry_push
    image = Image(f"{pull.rpartition('://')[2].strip('/')}/platforms/agent", digest, architectures)
    if registry.has_manifest(name, digest):
        return image, False
    if not registry.has_blob(name, own.digest):
        registry.upload(name, own.digest, own.size, lambda: [content])
    for part in parts.values():
        _push(registry, name, part)
    if whole:
        registry.put_manifest(name, _tag(whole), whole.raw, images.INDEX)
    return image, True


def _push(registry: Registry, name: str, part: _Part) -> None:
    for layer in part.root.layers:
        bases.borrow(registry, name, layer, part.root.repository)
    registry.upload(name, part.config.digest, part.config.size, lambda: [part.config.raw])
    registry.put_manifest(name, _tag(part.manifest), part.manifest.raw)


def _tag(document: Document) -> str:
    """A tag that keeps a manifest from being collected as garbage by the registry."""
    return f"image-{document.digest.removeprefix('sha256:')[:16]}"


def _root(architecture: str, settings: Settings, engine: Callable[[], Engine], registry: Registry) -> Work[Base]:
    """What the agent needs of Debian, as an image of one layer."""
    platform = Platform("agent", _SUITE, (), {_SUITE: PlatformVersion(_SUITE, PACKAGES)}, {})
    wanted = Wanted(platform, _SUITE, architecture, (), registry, engine, settings, host.read(platform))
    recipe = json.dumps([platforms.FORMAT, _SUITE, architecture, PACKAGES, _SCRIPT])
    tag = f"{_SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    return (yield from bases.extract(wanted, "agent-root", tag, _SCRIPT, _ARCHIVE))


def files() -> dict[str, bytes]:
    """Nucleo's own files of the image, by their path. Raises NucleoError where the BPF programs are not compiled."""
    found = {f"{_FOLDER}/{file.relative_to(_PACKAGE.parent)}": file.read_bytes() for file in modules().values()}
    compiled = sorted((assets.folder("bpf_programs") / "build").glob("*.bpf.o"))
    if not compiled:
        raise NucleoError("the BPF programs are not compiled", "make setup compiles them in a checkout")
    folder = f"{_FOLDER}/{_PACKAGE.name}/_assets/bpf_programs/build"
    return found | {f"{folder}/{file.name}": file.read_bytes() for file in compiled}


def modules() -> dict[str, Path]:
    """The modules of Nucleo that the agent may import, with their files."""
    found: dict[str, Path] = {}
    left = [_ENTRY]
    while left:
        name = left.pop()
        if name not in found and (file := _file(name)):
            found[name] = file
            parents = name.split(".")
            left += [".".join(parents[:index]) for index in range(1, len(parents))]
            left += _imported(ast.parse(file.read_bytes()))
    return dict(sorted(found.items()))


def _file(module: str) -> Path | None:
    """None for what is no module of Nucleo: a name that is imported from one."""
    path = _PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file if module.split(".")[0] == _PACKAGE.name and file.is_file() else None


def _imported(tree: ast.AST) -> Iterator[str]:
    """What a module imports while it runs: what stands there for type checkers alone is left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield from _imported(node)
