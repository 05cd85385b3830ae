"""A build container: thrown away after its use. Steps run in it, and layers are made of what they leave."""

from __future__ import annotations

import os
import re
import socket
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import relpath
from shlex import join, quote
from typing import IO, TYPE_CHECKING, Any

from nucleo_cli.builder import layers, missing
from nucleo_cli.builder.host import FOLDER, Host
from nucleo_cli.builder.images import APP, EPOCH, USER, Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Platform, Step
from nucleo_cli.domain.events import Output
from nucleo_cli.errors import BuildFailed, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine, Execution, Talk

ROLE = "io.nucleo.role"
OWNER = "io.nucleo.owner"
# The role of images that have the output of cached steps unpacked.
KEPT = "steps"
ROOT_USER = "0:0"
# Packs layers on both cores; gzip does the same where an image has none.
PACKER = "pigz"
# Levels of gzip: some percent larger than with the best one, in half the time; what no image gets only has to be quick.
_PACKED_TO_SHIP, _PACKED_TO_KEEP = 4, 1
# Bytes of a packed layer that comes back with what is told of it: a second command of the engine takes 50 ms.
_SMALL = 1 << 19
_LAST_LINES = 40
# A compiler names what it misses long before the last of a build's complaints.
_LINES_SEARCHED = 1000
_LONGEST_LINE = 4000
# It lives as long as somebody is connected to its input: the engine closes that when the process of a build is gone.
# A machine that vanished may stay connected.
_LIVE = ("timeout", str(6 * 3600), "cat")
_OUT_OF_MEMORY = 137
_SHELL = ("/bin/bash", "-euo", "pipefail", "-c")
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|[Dd]isk quota exceeded")
_MARK = "/tmp/.nucleo-mark"  # noqa: S108
_UNREAD = "/tmp/.nucleo-unread"  # noqa: S108
_BROUGHT = "/tmp/.nucleo-brought"  # noqa: S108

# The arguments: where to put the packed layer, how hard to pack, up to what size to print it, "all" or "changed" (since
# the mark), whether owners and times are kept, the output, and what of it is left out. Prints the digests of the tar
# and of the packed file, its size, and its content in base64, or an empty line where it is too large. Sorted names,
# fixed time and owner: the same files always make the same layer, however many cores pack it.
_PACK = f"""
set -euo pipefail
export LC_ALL=C
cd /
target=$1 level=$2 small=$3 which=$4 own=$5 output=$6
shift 6
flags=(--sort=name --format=gnu --numeric-owner --anchored --no-wildcards)
[ "$own" = kept ] || flags+=(--mtime=@{EPOCH} --owner=0 --group=0 --mode=u+rwX,go+rX,go-w)
skipped=(-false)
for each in "$@"; do flags+=("--exclude=$each"); skipped+=(-o -path "./$each"); done
kinds=(-true)
[ "$own" = kept ] || kinds=(! -type d)
names() {{
  if [ "$which" = all ]; then printf '%s\\0' "$output"
  else find "./$output" -xdev \\( "${{skipped[@]}}" \\) -prune -o -cnewer {_MARK} "${{kinds[@]}}" -print0 |
    sed -z 's,^\\./,,; /^$/d' | sort -z
  fi
}}
[ "$which" = all ] || flags+=(--no-recursion)
pack=(gzip -n)
if command -v {PACKER} >/dev/null; then pack=({PACKER} -n -m -p 2); fi
names | tar --create "${{flags[@]}}" --null --verbatim-files-from --files-from=- --file=- |
  tee >(sha256sum > "$target.plain") | "${{pack[@]}}" "-$level" > "$target"
while [ ! -s "$target.plain" ]; do sleep 0.01; done
cut -d' ' -f1 "$target.plain"
sha256sum "$target" | cut -d' ' -f1
size=$(stat --format=%s "$target")
echo "$size"
if [ "$size" -le "$small" ]; then base64 --wrap=0 "$target"; fi
echo
"""


# What came in one go is unpacked in the order in which it was given. The engine itself takes seconds for what has many
# files, and would leave them to root.
_UNPACK = f"""
for each in {_BROUGHT}*; do
  test -e "$each" || continue
  filter=
  case $each in *.gz) filter=--use-compress-program=$(command -v {PACKER} || echo gzip) ;; esac
  tar --extract $filter --preserve-permissions --file="$each" --directory=/
  rm "$each"
done
"""

# A step and its layer in one command of the engine. Standard output is what the step says; standard error tells how far
# it came, and then the layer. Nothing of the step's variables reaches the packing.
_UNPACKED, _RAN, _NOT_READ = "unpacked", "ran", "unread "
_STEP = f"""
exec 3>&2 2>&1
{_UNPACK}
echo {_UNPACKED} >&3
rm -f {_UNREAD}
{{mark}}
(
{{command}}
) 3>&-
echo {_RAN} >&3
test ! -f {_UNREAD} || sed 's/^/{_NOT_READ}/' {_UNREAD} >&3
exec env -i PATH=/usr/local/bin:/usr/bin:/bin /bin/bash -c {{pack}} 2>&1 1>&3
"""
# The clock of file times ticks every few milliseconds: what the step writes has to be later than the mark.
_SET_MARK = f"touch {_MARK}; sleep 0.02"


class StepFailed(BuildFailed):
    """A step ended with a code. `printed` is more of what it said than is shown."""

    def __init__(self, step: Step, code: int, printed: tuple[str, ...]) -> None:
        details = {"step": step.name, "reason": step.reason, "code": code, "output": list(printed[-_LAST_LINES:])}
        super().__init__(f"The step {step.name!r} failed with exit code {code}", "", details)
        self.printed = printed


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer, and the file in the container that holds it; its bytes where they are few.

    `unread` are the inputs that the step says it did not read.
    """

    layer: Layer
    path: str
    content: bytes = b""
    unread: frozenset[str] = frozenset()


class BuildContainer:
    """A running container of an image. Use it in a `with` statement: it is removed at the end.

    `volumes` are names of volumes, with the folder where each is seen. `app` is whose build it is, for a person who
    looks at the engine.
    """

    def __init__(
        self,
        engine: Engine,
        image: str,
        host: Host,
        *,
        app: str = "",
        user: str = USER,
        workdir: str = APP,
        volumes: Mapping[str, str] | None = None,
    ) -> None:
        self._engine = engine
        self._image = image
        self._host = host
        self._app = app
        self._user = user
        self._workdir = workdir
        self._volumes = dict(volumes or {})
        self._id = ""
        self._let_go: Callable[[], None] = _nothing
        self._packed = 0
        self._bundle = layers.Bundle(int(user.partition(":")[0]))
        self._brought = 0
        self._trusted = False

    def __enter__(self) -> BuildContainer:
        options: dict[str, Any] = {"network_mode": "host"} if self._host.needs_loopback else {}
        self._id = self._engine.create_container(
            self._image,
            command=_LIVE,
            user=self._user,
            volumes=self._volumes,
            labels={ROLE: "build", "io.nucleo.app": self._app, OWNER: owner()},
            init=True,
            stdin_open=True,
            auto_remove=True,
            **options,
        )
        try:
            self._let_go = self._engine.hold(self._id)
            self._engine.start(self._id)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        surely(self._remove)

    def _remove(self) -> None:
        self._bundle.close()
        self._let_go()
        with suppress(NucleoError):
            self._engine.remove_container(self._id, force=True)

    def dismiss(self) -> None:
        """Let it end and the engine remove it, without waiting for that."""
        self._bundle.close()
        self._let_go()

    def put(self, source: Source, paths: Iterable[str]) -> None:
        """Give files of the tree below /app, for the steps to write beside them."""
        self._bring(lambda file: layers.write_tree(source, paths, file, self._bundle.owner))

    def restore(self, content: Iterable[bytes]) -> None:
        """Give a layer that an earlier step made, for later steps to write into as if it were new."""
        self._bring(lambda file: file.writelines(content), ".gz")

    def give(self, step: Step) -> None:
        """Give the step's own files, and its folder."""
        self._bundle.folders((f"{self._workdir}/file", *step.files))
        self._bring(lambda file: layers.write_texts(step.files, file, self._bundle.owner))

    def _bring(self, write: Callable[[IO[bytes]], object], kind: str = "") -> None:
        self._brought += 1
        self._bundle.add(f"{_BROUGHT}-{self._brought:04}{kind}", write)

    def _send(self, *, secrets: bool = True) -> None:
        """All that was given since the last time goes into the container, in one piece."""
        sent, self._bundle = self._bundle, layers.Bundle(self._bundle.owner)
        if secrets and not self._trusted:
            sent.secrets(FOLDER, self._host.files)
            self._trusted = True
        try:
            self._engine.put_archive(self._id, "/", sent.finish())
        finally:
            sent.close()

    def unpack(self, *, secrets: bool = True) -> None:
        """Let all that was given be where it belongs. What runs a step does this by itself."""
        self._send(secrets=secrets)
        execution = self._engine.exec(self._id, [*_SHELL, _UNPACK], user=self._user)
        printed = list(lines(chunk for _, chunk in execution))
        if execution.code:
            raise _not_unpacked(printed)

    def keep(self, reference: str) -> None:
        """Make an image of the engine of all that was given until now. This machine's secrets are no part of it."""
        self._bundle.folders((f"{self._workdir}/file",))
        self.unpack(secrets=False)
        with suppress(NucleoError):  # it would have saved time
            self._engine.commit(self._id, reference, {ROLE: KEPT, "io.nucleo.app": self._app, OWNER: ""})

    def environment(self, step: Step, architecture: str) -> dict[str, str]:
        """The variables that a step sees. They may hold secrets."""
        own = {"SOURCE_DATE_EPOCH": str(EPOCH), "HOME": "/tmp", "NUCLEO_ARCH": architecture}  # noqa: S108
        if step.traced:
            own["NUCLEO_UNREAD"] = _UNREAD
        return {**own, **self._host.env, **step.env}

    def leave_script(self, step: Step) -> str:
        """Give the step's command as a file, outside of all layers; how to run it."""
        path = f"{FOLDER}/step"
        script = f"#!/bin/bash\n# {step.reason}\nset -euo pipefail\n{step.command}\n"
        self._bring(lambda file: layers.write_texts({path: script}, file, self._bundle.owner))
        return f"bash {path}"

    def run(self, step: Step, architecture: str) -> Generator[Output, None, Packed]:
        """Run a step and make the layer of its output. Raises BuildFailed with what it printed last."""
        self.give(step)
        self._send()
        left_out = (path.strip("/") for path in step.exclude)
        which = "changed" if step.changed_only else "all"
        how = (_PACKED_TO_SHIP if step.ships else _PACKED_TO_KEEP, _SMALL, which, "normal")
        path, pack = self._packing(how, step.output, left_out)
        mark = _SET_MARK if step.changed_only else ""
        script = _STEP.format(mark=mark, command=step.command, pack=join(pack))
        env = self.environment(step, architecture)
        execution = self._engine.exec(self._id, [*_SHELL, script], user=self._user, env=env, workdir=self._workdir)
        printed: deque[str] = deque(maxlen=_LINES_SEARCHED)
        told = bytearray()
        for line in lines(_aside(execution, told)):
            printed.append(self._host.hide(line))
            yield Output(step.name, printed[-1])
        reached = told.decode("utf-8", "surrogateescape").splitlines()
        if packed := _packed(path, reached[-4:]):
            unread = (line.removeprefix(_NOT_READ) for line in reached if line.startswith(_NOT_READ))
            return replace(packed, unread=frozenset(relpath(each, self._workdir) for each in unread))
        if _UNPACKED not in reached:
            raise _not_unpacked(printed)
        if _RAN not in reached:
            raise StepFailed(step, execution.code, tuple(printed))
        details = {"step": step.name, "reason": step.reason, "output": list(printed)[-_LAST_LINES:]}
        raise BuildFailed(f"The step {step.name!r} left nothing at {step.output}", "", details)

    @contextmanager
    def talk(self, step: Step, architecture: str, *, tty: bool) -> Generator[Talk]:
        """A shell that is where the step would be: its user, its folder, its variables."""
        self.unpack()
        shell = ["/bin/bash", "--norc", "-i"] if tty else ["/bin/bash"]
        env = self.environment(step, architecture) | {
            "PS1": f"{step.name}:\\w$ ",
            "TERM": os.environ.get("TERM", "dumb"),
        }
        with self._engine.talk(self._id, shell, tty=tty, user=self._user, env=env, workdir=self._workdir) as talk:
            yield talk

    def execute(self, script: str) -> Execution:
        """Run a shell script as the container's user, with the machine's variables."""
        self._send()
        env = {"HOME": "/tmp", **self._host.env}  # noqa: S108
        return self._engine.exec(self._id, [*_SHELL, script], user=self._user, env=env, workdir=self._workdir)

    def empty(self, folders: Iterable[str]) -> None:
        """Remove all that is in the folders, as root: a cache may hold what its owner cannot remove."""
        for folder in folders:
            script = ["find", folder, "-xdev", "-mindepth", "1", "-delete"]
            _ = self._engine.exec(self._id, script, user=ROOT_USER).code

    def pack_folders(self, folder: str, left_out: Iterable[str] = (), *, changed: bool) -> Packed:
        """Make a layer of a folder, with its owners and times as they are. Raises BuildFailed where there is none."""
        how = (_PACKED_TO_SHIP, 0, "changed" if changed else "all", "kept")
        path, pack = self._packing(how, folder, left_out)
        execution = self._engine.exec(self._id, ["/bin/bash", "-c", *pack], user=self._user)
        printed = list(lines(chunk for _, chunk in execution))
        if packed := _packed(path, printed):
            return packed
        raise BuildFailed(f"Nothing is at {folder}", "", {"output": printed[-_LAST_LINES:]})

    def _packing(self, how: Iterable[object], output: str, left_out: Iterable[str]) -> tuple[str, list[str]]:
        """Where the packed layer will be, and the script with its arguments (see there) that makes it."""
        self._packed += 1
        path = f"/tmp/nucleo-layer-{self._packed}.tar.gz"  # noqa: S108
        return path, [_PACK, "pack", path, *map(str, how), output.strip("/"), *left_out]

    def content(self, packed: Packed) -> Iterator[bytes]:
        """The bytes of a packed layer."""
        return iter((packed.content,)) if packed.content else self.read(packed.path)

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of a file in the container."""
        execution: Execution = self._engine.exec(self._id, ["cat", "--", path], user=self._user)
        for stream, chunk in execution:
            if stream == "stdout":
                yield chunk
        if execution.code:
            raise NucleoError(f"{path} could not be read from the build container", "Run the same command again")


def _nothing() -> None:
    """Nothing holds a container that was never made."""


def _aside(execution: Execution, told: bytearray) -> Iterator[bytes]:
    """What a command writes to its standard output; its standard error is added to `told`."""
    for stream, chunk in execution:
        if stream == "stdout":
            yield chunk
        else:
            told += chunk


def _packed(path: str, printed: Sequence[str]) -> Packed | None:
    """The layer that the packing has told of: digests of the tar and of the packed file, its size, and its content."""
    if len(printed) != 4 or not printed[2].isdecimal():
        return None
    plain, packed, size, content = printed
    return Packed(Layer(f"sha256:{packed}", int(size), f"sha256:{plain}"), path, b64decode(content))


def _not_unpacked(printed: Iterable[str]) -> BuildFailed:
    return BuildFailed(
        "A layer could not be unpacked in the build container",
        "Run the same command again",
        {"output": list(printed)[-_LAST_LINES:]},
    )


def surely(tidy: Callable[[], None]) -> None:
    """Tidy up; once more from the start where a signal interrupts it, before the signal has its way."""
    try:
        tidy()
    except BaseException:
        tidy()
        raise


def damaged(failed: BuildFailed, platform: Platform) -> bool:
    """Whether a step may have failed because of what its cache folders hold, or because they are full."""
    patterns = [_NO_SPACE, *([re.compile(platform.cache_damage)] if platform.cache_damage else [])]
    return any(pattern.search(_text_of(failed)) for pattern in patterns)


def explained(failed: BuildFailed, step: Step, platform: Platform, suite: str) -> BuildFailed:
    """What a failed step means, and what to do: first what is certain, then what the platform knows of its tools."""
    alone = f"The step {step.name} runs because {step.reason}; to try it alone: nucleo build --shell {quote(step.name)}"
    message, hint = _meaning(failed, step, platform, suite)
    return BuildFailed(message, f"{hint}\n{alone}".lstrip("\n"), failed.details)


def _meaning(failed: BuildFailed, step: Step, platform: Platform, suite: str) -> tuple[str, str]:
    shown = "\n".join(failed.details.get("output", ()))
    if _NO_SPACE.search(shown):
        return "The container engine's disk is full", "Make room: docker system prune"
    if not isinstance(failed, StepFailed):
        return failed.message, failed.hint
    if lacks := missing.find(failed.printed, suite):
        return (
            f"The step {step.name!r} needs {' and '.join(lacks.things)}, which the build image does not have",
            lacks.hint,
        )
    for known in platform.failures:
        if found := re.search(known.match, shown):
            words = {name: value or "" for name, value in found.groupdict().items()}
            return _filled(known.message, words), _filled(known.hint, words)
    if guess := missing.guess(failed.printed, suite):
        return f"{failed.message}; it may need {' and '.join(guess.things)}", guess.hint
    if failed.details["code"] == _OUT_OF_MEMORY:
        return f"The step {step.name!r} was killed, most likely for memory", "Give the container engine more"
    return failed.message, ""


def _text_of(failed: BuildFailed) -> str:
    return "\n".join(failed.printed if isinstance(failed, StepFailed) else failed.details.get("output", ()))


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), text)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of text; what is not UTF-8 is replaced, and a line without end is cut off."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from (_text(line) for line in whole)
        if len(rest) > _LONGEST_LINE:
            yield _text(rest)
            rest = b""
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line[:_LONGEST_LINE].decode("utf-8", "replace")


def owner() -> str:
    """This process, so that a later build can tell whether it still lives."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def sweep(engine: Engine) -> None:
    """Remove the containers of builds that were killed: those that ended, and those whose process is gone."""
    for container in engine.containers({ROLE: "build"}):
        if container.get("State") == "exited" or _is_orphan(container.get("Labels", {}).get(OWNER, "")):
            with suppress(NucleoError):
                engine.remove_container(container["Id"], force=True)


def _is_orphan(label: str) -> bool:
    host, _, rest = label.partition("/")
    process, _, started = rest.partition("/")
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(process)) != started


def _started(process: int) -> str:
    """When a process began, in the kernel's own count; empty where the kernel does not tell."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
