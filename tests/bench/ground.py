"""The even ground that images are built on: one registry whose incoming bytes are counted, the same base images."""

import json
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nucleo_cli.builder import host, platforms
from nucleo_cli.domain import xdg
from tests.bench.by_hand import LABEL
from tests.bench.front import CONTEXT, Front
from tests.bench.measure import Done, MeasureError, Timing, run
from tests.bench.peers import Peer, Recipe, dockerfile
from tests.bench.peers.buildah import Buildah
from tests.bench.peers.buildx import Buildx
from tests.bench.peers.classic import Classic
from tests.bench.proxy import Proxy
from tests.bench.samples import Checkout, Sample
from tests.bench.setting import Setting
from tests.bench.store import Json, Store

OURS = "Nucleo"
_TAG = "latest"
_ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 60
_BUILDER = """\
FROM {base}
LABEL {label}
USER root
COPY host /run/host
ENV {env}
{more}
"""


class Ground:
    """The registry behind a counting proxy, the cluster's API in front of it, and the peers. Use it in a `with`."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.name = f"bench-{secrets.token_hex(3)}"
        self.peers: list[Peer] = []
        self.missing: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Ground":
        registry, _, _ = self.setting.settings["registry-push"].rpartition("://")[2].partition("/")
        where, _, port = registry.partition(":")
        self.proxy = self._stack.enter_context(Proxy(where, int(port)))
        self.address = f"127.0.0.1:{self.proxy.port}"
        self.store = Store(self.address)
        self._stack.callback(self.store.close)
        self.front = self._stack.enter_context(Front(self.setting.api))
        self.folder = self.setting.work / self.name
        self.folder.mkdir()
        self._kubeconfig = self.front.kubeconfig(self.folder / "kubeconfig")
        self._stack.callback(self._remove)
        self._find_peers()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stack.close()

    @property
    def sides(self) -> list[str]:
        return [OURS, *(peer.name for peer in self.peers)]

    def build(self, place: str, folder: Path, *options: str, cache: Path | None = None) -> Done:
        """`nucleo build`, which pushes below `place`."""
        self.front.settings = dict.fromkeys(("registry-push", "registry-pull"), f"{self.address}/{place}")
        env = {"KUBECONFIG": str(self._kubeconfig), "NUCLEO_CLUSTER": CONTEXT}
        if cache is not None:
            env["XDG_CACHE_HOME"] = str(cache)
        return self.setting.nucleo("build", "--json", "-C", str(folder), *options, env=env)

    def mirror(self, source: str, target: str) -> None:
        """The platform images of one place in another one, and in the engine under their new names."""
        for repository in self.store.repositories(f"{source}/platforms/"):
            copy = repository.replace(source, target, 1)
            self.store.mirror(repository, copy)
            if copy.endswith("-build"):
                for tag in self.store.tags(copy):
                    self.fetch(f"{self.address}/{copy}:{tag}")

    def fetch(self, reference: str) -> None:
        run(["docker", "pull", "--quiet", reference], self.setting.env)

    def empty_caches(self, sample: Sample) -> None:
        """Nucleo's cache volumes for this platform and app. A build that uses one of them is waited for."""
        until = time.monotonic() + _PATIENCE_SECONDS
        names = [f"nucleo-cache-{sample.platform}-", f"nucleo-cache-app-{sample.app}-"]
        while volumes := self._volumes(names):
            try:
                run(["docker", "volume", "rm", *volumes], self.setting.env)
            except MeasureError:
                if time.monotonic() > until:
                    raise
                time.sleep(1)

    def _volumes(self, names: list[str]) -> list[str]:
        every = run(["docker", "volume", "ls", "--quiet"], self.setting.env).stdout.split()
        return [volume for volume in every if volume.startswith(tuple(names))]

    def _find_peers(self) -> None:
        """Those that can run here; the others say why not."""
        env, folder = self.setting.env, self.folder
        for name, make in (
            ("docker build", lambda: Classic(env, LABEL)),
            ("buildx", lambda: Buildx(env, LABEL, folder)),
            ("buildah", lambda: Buildah(env, LABEL, folder / "buildah")),
        ):
            try:
                self.peers.append(make())
            except MeasureError as failure:
                self.missing[name] = str(failure)

    def _remove(self) -> None:
        """What the engine has of it; the registry keeps its blobs until the cluster goes."""
        env = self.setting.env
        for peer in self.peers:
            peer.forget()
        for depth in (4, 5):
            listing = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}"]
            found = run([*listing, "--filter", f"reference={self.address}{'/*' * depth}"], env).stdout.split()
            if names := sorted({_name(each) for each in found} - {""}):
                run(["docker", "image", "rm", "--force", *names], env)
        run(["docker", "image", "prune", "--force", "--filter", f"label={LABEL}"], env)


def _name(listed: str) -> str:
    """By tag, else by digest: an image's id would do only where no other image is built on it."""
    name, _, digest = listed.partition("@")
    repository, _, tag = name.rpartition(":")
    if tag != "<none>":
        return name
    return "" if digest in ("", "<none>") else f"{repository}@{digest}"


@dataclass(frozen=True, slots=True)
class Bases:
    """The platform images that Nucleo uses for a sample, as repository and tag below the place `home`."""

    home: str
    run: tuple[str, str]
    build: tuple[str, str]


def prepare(ground: Ground, sample: Sample) -> Bases:
    """Lets Nucleo make its platform images, and makes a build image of them that the peers can use.

    What a machine's administrator adds to an image is added: certificates and package indexes.
    """
    home = f"{ground.name}/{sample.name}/home"
    checkout = Checkout(sample, ground.folder / f"{sample.name}-home", ground.setting.env)
    ground.build(home, checkout.folder)
    found = {
        role: next(
            (name, tag)
            for name in ground.store.repositories(f"{home}/platforms/")
            for tag in ground.store.tags(name)
            if name.endswith(f"-{role}")
        )
        for role in ("run", "build")
        if any(name.endswith(f"-{role}") for name in ground.store.repositories(f"{home}/platforms/"))
    }
    bases = Bases(home, found["run"], found.get("build", found["run"]))
    _stack(ground, bases.build, f"{home}/peers/base", {})
    _builder(ground, sample, home)
    return bases


def _builder(ground: Ground, sample: Sample, home: str) -> None:
    needs = host.read(platforms.load(sample.platform))
    folder = ground.folder / f"{sample.name}-builder"
    (folder / "host").mkdir(parents=True)
    for name, content in needs.files.items():
        (folder / "host" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "host" / name).write_bytes(content)
    for name in sample.brings:
        shutil.copy(_ROOT / name, folder / "host")
    env = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **needs.env}
    words = " ".join(f"{name}={json.dumps(value.replace(host.FOLDER, '/run/host'))}" for name, value in env.items())
    base, image = (f"{ground.address}/{home}/peers/{name}:{_TAG}" for name in ("base", "builder"))
    text = _BUILDER.format(base=base, label=LABEL, env=words, more=sample.builder)
    (folder / "Dockerfile").write_text(text)
    own = {**ground.setting.env, "DOCKER_BUILDKIT": "0"}
    network = ["--network", "host"] if needs.needs_loopback else []
    run(["docker", "build", "--quiet", *network, "--tag", image, "."], own, folder)
    run(["docker", "push", "--quiet", image], own)


def _stack(ground: Ground, source: tuple[str, str], target: str, more: Mapping[str, str]) -> None:
    """An image with layers of one more file each, by path and content; with a history, which buildah insists on."""
    architecture = platforms.architecture()
    image = ground.store.image(*source, architecture)
    config = ground.store.config(source[0], image)
    layers: list[Json] = list(image["layers"])
    for path, content in more.items():
        layer, diff_id = ground.store.layer(target, path, content)
        layers.append(layer)
        config["rootfs"]["diff_ids"].append(diff_id)
        config.get("history", []).append({"created_by": "bench"})
    if not config.get("history"):
        config["history"] = [{"created_by": "platform"} for _ in layers]
    if target == source[0]:
        ground.store.put(target, source[1], layers, config, source[0])
    else:
        ground.store.put(target, _TAG, layers, config, source[0])


class Place:
    """Where a sample is built from nothing: no layer, step or cache of another place is known here."""

    def __init__(self, ground: Ground, sample: Sample, bases: Bases, number: int) -> None:
        self._ground = ground
        self._sample = sample
        self._number = number
        self.name = f"{ground.name}/{sample.name}/{number}"
        self._bases = bases
        self._updates = 0
        folder = ground.folder / f"{sample.name}-{number}"
        self._cache = folder / "cache"
        self._checkouts = {side: self._checkout(folder / side.replace(" ", "-")) for side in ground.sides}
        self._link_caches()
        ground.mirror(bases.home, self.name)
        ground.empty_caches(sample)
        self._build_image = f"{self.name}/peers/build"
        self._run_image = f"{self.name}/peers/run"
        _stack(ground, (f"{bases.home}/peers/builder", _TAG), self._build_image, {"etc/nucleo-bench": self.name})
        _stack(ground, bases.run, self._run_image, {"etc/nucleo-bench": self.name})
        for peer in ground.peers:
            for image in (self._build_image, self._run_image):
                peer.fetch(f"{ground.address}/{image}:{_TAG}")

    def edit(self, side: str, answer: str) -> None:
        self._checkouts[side].edit(answer)

    def add_dependency(self, side: str) -> None:
        self._checkouts[side].add_dependency()

    def update_run_image(self) -> None:
        """Another run image under the same tag, as when a package in it got a security update."""
        self._updates += 1
        change = {"etc/nucleo-bench-update": f"{self.name} {self._updates}"}
        name, tag = self._bases.run
        here = name.replace(self._bases.home, self.name, 1)
        _stack(self._ground, (here, tag), here, change)
        _stack(self._ground, (self._run_image, _TAG), self._run_image, change)

    def build(self, side: str, *, pull: bool = False) -> Timing:
        """Builds and pushes; the facts say how much was pushed, and as what."""
        before = self._ground.proxy.sent
        timing = self._ours() if side == OURS else self._theirs(side, pull)
        return replace(timing, facts={**timing.facts, "pushed": self._ground.proxy.sent - before})

    def size(self, timing: Timing) -> int:
        """Bytes of the image that was built, as the registry has it."""
        repository, reference = timing.facts["image"]
        return self._ground.store.size(repository, reference, platforms.architecture())

    def again(self) -> Timing:
        """Nucleo's build once more, from scratch, in a checkout with another umask."""
        folder = self._ground.folder / f"{self._sample.name}-again-{self._number}"
        checkout = Checkout(self._sample, folder, self._ground.setting.env)
        checkout.umask()
        return self._timing(self._ground.build(self.name, folder, "--no-cache", cache=self._cache))

    def _ours(self) -> Timing:
        folder = self._checkouts[OURS].folder
        return self._timing(self._ground.build(self.name, folder, cache=self._cache))

    def _timing(self, done: Done) -> Timing:
        document: dict[str, Any] = json.loads(done.stdout)
        parts = {step["name"]: step["seconds"] for step in document.get("steps", []) if not step["cached"]}
        image = (f"{self.name}/{document['app']}", document["digest"])
        return replace(done.timing, parts=parts, facts={**done.timing.facts, "digest": image[1], "image": image})

    def _theirs(self, side: str, pull: bool) -> Timing:
        ground, peer = self._ground, next(peer for peer in self._ground.peers if peer.name == side)
        words = dockerfile(self._sample.folder, peer.cache_mounts, self.name.replace("/", "-"))
        file = self._checkouts[side].folder.with_suffix(".dockerfile")
        file.write_text(words)
        recipe = Recipe(
            self._checkouts[side].folder,
            file,
            f"{ground.address}/{self._build_image}:{_TAG}",
            f"{ground.address}/{self._run_image}:{_TAG}",
            ("--network", "host") if host.read(platforms.load(self._sample.platform)).needs_loopback else (),
        )
        image = (f"{self.name}/{side.replace(' ', '-')}", _TAG)
        timing = peer.build_and_push(recipe, f"{ground.address}/{image[0]}:{image[1]}", pull=pull)
        return replace(timing, facts={**timing.facts, "image": image})

    def _checkout(self, folder: Path) -> Checkout:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Checkout(self._sample, folder, self._ground.setting.env)

    def _link_caches(self) -> None:
        """A cache folder that knows the programs and platform images of this machine, and nothing else."""
        own = self._cache / "nucleo"
        own.mkdir(parents=True)
        for name in ("bin", "platforms", "tools"):
            (own / name).symlink_to(xdg.cache() / name)
