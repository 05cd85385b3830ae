"""Plans a Go app: which Go, which programs, how they are compiled and why. Pure: it runs nothing."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step

from . import packages, project, starts, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleo_cli.builder.source import Source

    from .packages import Program
    from .project import Project

ENV = {
    "PATH": f"{starts.BIN}:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "PORT": "8080",
}
# What a compilation alone reads.
LEAVE_OUT = ("*.go", "go.mod", "go.sum", "go.work", "go.work.sum", "/vendor/", "default.pgo")

_CACHES = {"GOCACHE": "/cache/build", "GOMODCACHE": "/cache/mod", "GOPATH": "/tmp/go"}  # noqa: S108
# Nothing of the machine or the folder gets into a program: no paths, no commit, no settings of the user. Without the
# tables for debuggers (-s) it is a third smaller; the stack traces of a panic and pprof have their own.
_FLAGS = "-trimpath -buildvcs=false -modcacherw"
_LINKER = "-ldflags=-s"
_PREPARE = "/tmp/prepare.sh"  # noqa: S108  inside the build container
# Of the user's `go env -w` the settings that say where modules come from; GOFLAGS and the like would make each
# machine's image another one. git reads no NETRC. The image has the standard library compiled: a build with an empty
# cache begins with it.
_PREPARED = """\
export GOENV=/tmp/goenv GOARCH=$NUCLEO_ARCH
settings='GOPROXY|GONOPROXY|GOPRIVATE|GOSUMDB|GONOSUMDB|GOINSECURE|GOAUTH|GOVCS'
grep -E "^($settings)=" "${NUCLEO_GOENV:-/dev/null}" > $GOENV || true
if [ -n "${NETRC:-}" ]; then ln -sf "$NETRC" ~/.netrc; fi
started=$GOCACHE/started-$(go env GOVERSION)
if [ ! -e "$started" ]; then
  mkdir -p "$GOCACHE"
  cp -r /usr/local/go/cache/. "$GOCACHE"
  touch "$started"
fi
if [ "$CGO_ENABLED" = 1 ] && [ "$GOARCH" != "$(go env GOHOSTARCH)" ]; then
  echo "nucleo: cgo compiles for $(go env GOHOSTARCH) here, not for $GOARCH" >&2
  exit 1
fi
"""
_LISTENS = re.compile(r"\.(?:ListenAndServe(?:TLS)?|Listen|Run|Start)\(\s*(?:\"tcp4?\",\s*)?\"([\w.\[\]:-]*):(\d+)\"")
_GIN = "github.com/gin-gonic/gin"


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml says, None where it says nothing. Raises BuildFailed with the one line
    to write where the tree is ambiguous or says too little.
    """
    found = project.find(source)
    work = (found.work,) if found.work else ()
    chosen, because = versions.choose(source, platform, version, (*found.modules, *work, *found.others))
    programs, command = starts.choose(source, found, packages.programs(source, found), start)
    cgo = packages.needs_cgo(source, found)
    step = _compile(source, found, programs, cgo)
    gin = _GIN in found.requires
    reasons = [
        Reason(f"go {chosen}", because),
        Reason(f"module {', '.join(one.module for one in found.modules)}", f"from {found.modules[0].file}"),
        *(Reason("workspace", f"{one.file} uses the module") for one in work),
        *(
            (Reason("vendored modules", "vendor/modules.txt is there: nothing is downloaded"),)
            if found.vendored
            else ()
        ),
        *((Reason("cgo", f"{cgo}: for the architecture of the build machine alone"),) if cgo else ()),
        Reason("compile", step.reason),
        *((Reason("GIN_MODE=release", f"{found.modules[0].file} requires {_GIN}"),) if gin else ()),
        Reason(f"start: {command.line}", command.because),
    ]
    env = {**ENV, "GIN_MODE": "release"} if gin else ENV
    warnings = tuple(_warnings(source, programs))
    return Plan("go", chosen, command.line, tuple(reasons), (step,), env, warnings, LEAVE_OUT)


def _compile(source: Source, found: Project, programs: tuple[Program, ...], cgo: str | None) -> Step:
    builds = (f"go build {_LINKER} -o {starts.BIN}/{one.name} {one.package}" for one in programs)
    env = {
        "PATH": "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin",
        "CGO_ENABLED": "1" if cgo else "0",
        "GOFLAGS": f"{_FLAGS} -mod={'vendor' if found.vendored else 'readonly'}",
        "GOTOOLCHAIN": "local",
        **_CACHES,
    }
    return Step(
        name="compile",
        command=" && ".join((f". {_PREPARE}", *builds)),
        output=posixpath.dirname(starts.BIN),
        reason=f"the app's program{'s are' if len(programs) > 1 else ' is'} {', '.join(one.name for one in programs)}",
        inputs=packages.inputs(source, found, cgo is not None),
        env=env if found.work else {**env, "GOWORK": "off"},
        files={_PREPARE: _PREPARED},
    )


def _warnings(source: Source, programs: tuple[Program, ...]) -> Iterator[str]:
    """Addresses that nobody outside of the pod reaches."""
    for program in programs:
        below = f"{program.folder}/" if program.folder else ""
        for path in source.paths:
            if not path.endswith(".go") or path.endswith("_test.go") or path.rpartition("/")[0] != below.rstrip("/"):
                continue
            text = source.read(path) or ""
            for host, port in _LISTENS.findall(text):
                if host in ("localhost", "127.0.0.1", "[::1]"):
                    yield f"{path} listens on {host}:{port}, which nothing outside of its pod reaches: leave {host} out"
                elif port != ENV["PORT"] and "PORT" not in text:
                    yield f'{path} listens on port {port} always: os.Getenv("PORT") says which one is meant'
