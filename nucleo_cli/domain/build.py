"""What a build is: a plan (pure data), its steps, and the image that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reason:
    """A choice and why it was made: `python 3.13`, `from .python-version`."""

    choice: str
    because: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command in the build container that makes one layer.

    `inputs` are the source files that the step reads, relative to the source root; they and `command` make the step's
    cache key. `output` is the absolute folder that becomes the layer. `caches` are absolute folders, kept from one
    build to the next and never part of a layer. `files` are put there before it runs, by absolute path. `reason` says
    why the step exists.
    """

    name: str
    command: str
    output: str
    reason: str
    inputs: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class PlatformVersion:
    """One version of a platform: the Debian suite that it comes from, and the packages of its two images.

    `build` lists what the build image has beyond `run`.
    """

    suite: str
    run: tuple[str, ...]
    build: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What it means when a failed step printed what the regular expression `match` finds."""

    match: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Platform:
    """What an app is built with: platforms/NAME/platform.yml.

    `versions` are in order of preference after `default`. `tools` are pinned program versions, `setup` is a shell
    script that runs once in the root of the build image, `caches` are absolute folders kept between builds.
    `host_env` names the variables of this machine that its build steps may see. `failures` explain a failed step by
    what it printed. `read_only_root` says that apps of this platform run with a read-only root file system.
    """

    name: str
    default: str
    detect: tuple[str, ...]
    versions: Mapping[str, PlatformVersion]
    tools: Mapping[str, str]
    setup: str = ""
    caches: tuple[str, ...] = ()
    host_env: tuple[str, ...] = ()
    failures: tuple["Failure", ...] = ()
    read_only_root: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """Which steps, with which inputs and why; computed without running anything.

    `start` is the default start command line of the web process; `env` is the image's environment.
    """

    platform: str
    version: str
    start: str
    reasons: tuple[Reason, ...] = ()
    steps: tuple[Step, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What git knows about the tree that is built. `time` is the commit's, in seconds since 1970."""

    sha: str
    dirty: bool
    time: int
    user: str = ""
    email: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image, always by digest. `repository` is as the nodes pull it; `digest` is `sha256:…`."""

    repository: str
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}"
