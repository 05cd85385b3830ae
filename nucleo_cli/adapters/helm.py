"""The helm program: what to run as argument lists, running it, and reading what it keeps in the cluster.

Waiting for a rollout is not helm's business: a call ends as soon as the objects are written.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import IO, Any

from nucleo_cli.domain import xdg
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, TimedOut, Unreachable

HISTORY_MAX = 20
OLDEST = (3, 18)
# Without waiting for anything helm is done in a second; hooks that it runs have to end within this.
TIMEOUT_SECONDS = 300.0
_ENDING_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1

# JSON leaves these as they are, the YAML reader that helm gives it to does not take them so.
_UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def upgrade(
    name: str, chart: Path, namespace: str, description: str, labels: Mapping[str, str], history_max: int = HISTORY_MAX
) -> list[str]:
    """Arguments that install or upgrade a release; the values are read from standard input."""
    return [
        *("upgrade", "--install", "--namespace", namespace, "--values", "-", f"--history-max={history_max}"),
        *(f"--description={description}", f"--labels={','.join(f'{key}={labels[key]}' for key in sorted(labels))}"),
        *("--", name, str(chart)),
    ]


def rollback(name: str, namespace: str, revision: int, history_max: int = HISTORY_MAX) -> list[str]:
    """Arguments that copy an older revision forward as a new one."""
    return ["rollback", "--namespace", namespace, f"--history-max={history_max}", "--", name, str(revision)]


def uninstall(name: str, namespace: str) -> list[str]:
    """Arguments that remove a release, its objects and its history."""
    return ["uninstall", "--namespace", namespace, "--", name]


def template(name: str, chart: Path, namespace: str) -> list[str]:
    """Arguments that render the manifests without a cluster; the values are read from standard input."""
    return ["template", "--namespace", namespace, "--values", "-", "--", name, str(chart)]


def values_document(values: Mapping[str, Any]) -> str:
    """The values as JSON that helm's YAML reader takes for exactly the same text."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def find() -> Path:
    """The helm program on PATH, else the one that Nucleo keeps in its cache.

    Raises NotFound when there is none, NucleoError when there are only ones before 3.18.
    """
    old = ""
    for program in _candidates():
        found = program_version(program)
        if found >= OLDEST:
            return program
        old = old or f"{program} is version {'.'.join(map(str, found))}"
    hint = "Install Helm 3.18 or later (https://helm.sh/docs/intro/install), or let `nucleo cluster up` bring one."
    if old:
        raise NucleoError(f"Helm is too old: {old}", hint)
    raise NotFound("The program helm was not found", hint)


def _candidates() -> Iterator[Path]:
    if on_path := shutil.which("helm"):
        yield Path(on_path)
    cached = (xdg.cache() / "bin").glob("helm-*/helm")
    yield from sorted(cached, key=lambda path: _numbers(path.parent.name), reverse=True)


def _numbers(text: str) -> tuple[int, ...]:
    # A helm that `go install` built calls itself v3.22, without a third number.
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(number or 0) for number in found.groups()) if found else (0,)


@cache
@cache
def program_version(program: Path) -> tuple[int, ...]:
    """The version of a helm program, (0,) when it does not say."""
    try:
        done = subprocess.run(
            [program, "version", "--template={{.Version}}"],
            env=_environment(),
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    return _numbers(done.stdout.decode(errors="replace"))


def _environment() -> dict[str, str]:
    # HELM_KUBECONTEXT, HELM_NAMESPACE and their like would lead helm to another cluster than the rest of Nucleo.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HELM_")}
    return {**kept, "HELM_DRIVER": "secret", "HELM_NO_PLUGINS": "1"}


class Helm:
    """Runs helm against one kubeconfig context; "" is the kubeconfig's current one.

    Every method raises Unreachable, NotAllowed, NotFound, Conflict (another operation is in progress), TimedOut, or
    NucleoError.
    """

    def __init__(self, program: Path, context: str = "") -> None:
        self.program = program
        self.context = context

    @cached_property
    def version(self) -> tuple[int, ...]:
        """(3, 22, 0) or the like."""
        return program_version(self.program)

    def upgrade(
        self,
        name: str,
        chart: Path,
        namespace: str,
        values: Mapping[str, Any],
        *,
        description: str = "",
        labels: Mapping[str, str] | None = None,
        history_max: int = HISTORY_MAX,
        dry_run: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """Installs or upgrades a release. With `dry_run` nothing is written: the cluster only says its kinds."""
        arguments = upgrade(name, chart, namespace, description, labels or {"nucleo.io/app": name}, history_max)
        self._run(arguments, self._writing(dry_run), values, timeout)

    def rollback(self, name: str, namespace: str, revision: int, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Makes a new revision with the content of an older one."""
        self._run(rollback(name, namespace, revision), self._writing(False), None, timeout)

    def uninstall(self, name: str, namespace: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Removes a release with its objects and its history."""
        self._run(uninstall(name, namespace), [], None, timeout)

    def template(self, name: str, chart: Path, namespace: str, values: Mapping[str, Any]) -> str:
        """The manifests, as YAML documents, without asking the cluster."""
        return self._run(template(name, chart, namespace), [], values, TIMEOUT_SECONDS)

    def _writing(self, dry_run: bool) -> list[str]:
        # Helm 4 would apply on the server, where a scale set by hand or by an autoscaler is a conflict.
        client_side = ["--server-side=false"] if self.version >= (4,) else []
        return [*client_side, *(["--dry-run=server"] if dry_run else [])]

    def _run(
        self, arguments: Sequence[str], options: Sequence[str], values: Mapping[str, Any] | None, timeout: float
    ) -> str:
        command, *rest = arguments
        context = [f"--kube-context={self.context}"] if self.context else []
        code, output, errors = run(
            [str(self.program), command, *context, *options, *rest], values_document(values) if values else "", timeout
        )
        if code:
            raise translate(errors)
        return output


def run(command: Sequence[str], text: str, timeout: float) -> tuple[int, str, str]:
    """Runs a program with `text` on standard input; (exit code, standard output, standard error).

    All three are files without a name, so nothing stays behind after a kill. The program has a session of its own, so
    ^C does not reach it, and when Nucleo is interrupted it still gets a moment to end: a helm that is killed leaves its
    release pending. When Nucleo itself is killed it dies too: it must not write into what the next deploy does.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(text.encode())
        given.seek(0)
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=output,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise TimedOut(
                f"helm {command[1]} did not end within {timeout:g} s", "Run the same command again."
            ) from None
        except BaseException:
            _let_end(process)
            raise
        return process.returncode, _read(output), _read(errors)


def _die_with_parent() -> None:
    """PR_SET_PDEATHSIG, on Linux; elsewhere a helm may outlive a killed Nucleo by the second that it takes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    _let_end(process)


def _let_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def translate(errors: str) -> NucleoError:
    """What helm printed when it failed, as an error that says what to do."""
    text = _message(errors)
    for pattern, build in _TRANSLATIONS:
        if re.search(pattern, text, re.IGNORECASE):
            return build(text)
    return NucleoError(f"helm failed: {text}", "", {"output": errors.strip()})


def _message(errors: str) -> str:
    lines = [line for line in errors.strip().splitlines() if not re.match(r"WARNING|[WIE]\d{4} |level=|time=", line)]
    return " ".join(line.strip() for line in lines).removeprefix("Error: ").strip() or "it did not say why"


def _unreachable(text: str) -> NucleoError:
    return Unreachable(f"The cluster does not answer: {text}", "Check it with `nucleo cluster status`.")


def _not_allowed(text: str) -> NucleoError:
    return NotAllowed(f"The cluster refused: {text}", "See who you are with `nucleo doctor`.")


def _busy(text: str) -> NucleoError:
    return Conflict(f"Helm says that the release is being changed right now: {text}", "Run the same command again.")


def _owned_by_others(text: str) -> NucleoError:
    found = re.search(r'(\w+) "([^"]+)" in namespace "([^"]*)" exists', text)
    what = f'{found[1]} "{found[2]}" in the namespace "{found[3]}"' if found else "An object of the app"
    return NucleoError(
        f"{what} exists already and belongs to something else",
        "Give the app another `name:` or `namespace:` in nucleo.yml, or delete that object.",
        {"output": text},
    )


def _no_such_kind(text: str) -> NucleoError:
    found = re.search(r'no matches for kind "(\w+)"', text)
    kind = found[1] if found else "of an object"
    rules = kind.startswith("Cilium") or kind == "AppNetwork"
    return NucleoError(
        f"The cluster does not know the kind {kind}",
        "`nucleo deploy` writes the app's network rules for what enforces them now."
        if rules
        else "Choose another kind of route for it: `nucleo cluster configure`.",
        {"output": text},
    )


def _bug(text: str) -> NucleoError:
    return NucleoError(
        f"Nucleo gave its chart values that the chart refuses: {text}", "This is a bug; please report it."
    )


def _absent(text: str) -> NucleoError:
    return NotFound(f"Helm does not find it: {text}", "See what there is with `nucleo releases` or `nucleo apps`.")


def _too_large(text: str) -> NucleoError:
    return NucleoError(
        "The release is too large for the cluster (about 1 MiB)", "Make the values of `env:` smaller.", {"output": text}
    )


# The first pattern that fits decides.
_TRANSLATIONS: tuple[tuple[str, Callable[[str], NucleoError]], ...] = (
    (r"meet the specifications of the schema", _bug),
    (r"another operation .* is in progress|name that is still in use|object has been modified", _busy),
    (r"exists and cannot be imported", _owned_by_others),
    (r"no matches for kind", _no_such_kind),
    (
        r"is forbidden|Unauthorized|provide credentials|x509|certificate (has|is|signed)|getting credentials",
        _not_allowed,
    ),
    (r"Too long: |request is too large|entity too large", _too_large),
    (r"release: not found|has no \d+ version|namespaces \S+ not found|context \S+ does not exist", _absent),
    (r"unreachable|connection refused|no such host|i/o timeout|deadline exceeded|EOF\b|no route to host", _unreachable),
)
