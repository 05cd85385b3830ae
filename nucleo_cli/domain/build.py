"""What a build is: a plan (pure data), its steps, and the image that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Reason:
    """A choice and why it was made: `python 3.13`, `from .python-version`."""

    choice: str
    because: str


@dataclass(frozen=True, slots=True)
class Start:
    """A start command line and why it is the one: `gunicorn app:app`, `from Procfile`."""

    line: str
    because: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command in a build container that makes one layer.

    `inputs` are the source files that the step reads, relative to the app's folder, and `after` the names of the steps
    whose output it reads: it sees nothing else, and steps that do not need each other run side by side. These and
    `command` make the step's cache key. `output` is the absolute folder that becomes the layer: all of it less
    `exclude` (absolute paths below it), or with `changed_only` the files that the step wrote or changed. `files` are
    put there before it runs, by absolute path. With `once` the layer is the same for every architecture. What does not
    `ships` is for later steps alone: its layer is kept, but not part of the image. `reason` says why the step exists.

    With `traced` the step may write the absolute paths of inputs that had no influence on its output, one a line, to
    the file $NUCLEO_UNREAD: a change of these alone does not run it again.
    """

    name: str
    command: str
    output: str
    reason: str
    inputs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    changed_only: bool = False
    exclude: tuple[str, ...] = ()
    once: bool = False
    ships: bool = True
    traced: bool = False
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class PlatformVersion:
    """One version of a platform: the Debian suite that it comes from, and the packages of its two images.

    `build` lists what the build image has beyond `run`. `tools` are the platform's with this version's own. `until` is
    the day on which its makers' security support ends, where they name one.
    """

    suite: str
    run: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What it means when a failed step printed what the regular expression `match` finds.

    `{name}` in `message` and `hint` stands for the group of that name in `match`.
    """

    match: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file of this machine that build steps may read: the first of `places` that exists.

    A place may begin with `~/` and name variables (`$COMPOSER_HOME/auth.json`). `env` is the variable that tells the
    steps where the file is.
    """

    places: tuple[str, ...]
    env: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """What an app is built with: platforms/NAME/platform.yml.

    `versions` are in order of preference after `default`. `tools` are pinned program versions, `setup` is a shell
    script that runs once in the build image as root; `runtime` are the absolute folders of the build image that are in
    the run image too. `cross` says that a step builds for the architecture that NUCLEO_ARCH names, whatever it runs on.
    `caches` are absolute folders kept between builds, shared by all apps of the platform, `app_caches` by the builds of
    one app; `cache_damage` is a regular expression for what a step prints when one of them is damaged. `host_env` names
    the variables of this machine that the steps may see, `host_files` its files, by their name in the build.
    `failures` explain a failed step by what it printed. `read_only_root` says that apps of this platform run with a
    read-only root file system.
    """

    name: str
    default: str
    detect: tuple[str, ...]
    versions: Mapping[str, PlatformVersion]
    tools: Mapping[str, str]
    setup: str = ""
    runtime: tuple[str, ...] = ()
    cross: bool = False
    caches: tuple[str, ...] = ()
    app_caches: tuple[str, ...] = ()
    cache_damage: str = ""
    host_env: tuple[str, ...] = ()
    host_files: Mapping[str, HostFile] = field(default_factory=dict[str, HostFile])
    failures: tuple[Failure, ...] = ()
    read_only_root: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """Which steps, with which inputs and why; computed without running anything.

    `start` is the start command line of the web process; `env` is the image's environment. `leave_out` are patterns,
    as in .gitignore, of the source files that are of no use in the image.
    """

    platform: str
    version: str
    start: str
    reasons: tuple[Reason, ...] = ()
    steps: tuple[Step, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What git knows about the tree that is built. `time` is the commit's, in seconds since 1970."""

    sha: str
    dirty: bool
    time: int
    user: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image, always by digest. `repository` is as the nodes pull it; `digest` is `sha256:…`.

    `architectures` are those of the nodes that can run it.
    """

    repository: str
    digest: str
    architectures: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}"
