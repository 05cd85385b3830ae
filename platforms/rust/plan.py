"""Plans a Rust app: which Rust, which programs, and which of them answers requests. Pure: it runs nothing."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step

from . import manifests, starts, versions
from .starts import PROGRAMS, Choice

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .manifests import Package, Workspace

# Inside of the build container, by the name that they have here.
SCRIPTS = {"compile.sh": "/tmp/nucleo-compile.sh", "times.sh": "/tmp/nucleo-times.sh"}  # noqa: S108
ENV = {
    "PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "LANG": "C.UTF-8",
    "PORT": "8080",
    "RUST_LOG": "info",
    # A panic says where; an error that is handled costs no backtrace.
    "RUST_BACKTRACE": "1",
    "RUST_LIB_BACKTRACE": "0",
    # tracing's formatter colours its lines whether or not a terminal reads them.
    "NO_COLOR": "1",
}
# Neither compiled nor served; the patterns are those of .gitignore.
LEFT_OUT = ("*.rs", "Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/", ".sqlx/",
            "target/", "rustfmt.toml", ".rustfmt.toml", "clippy.toml", ".clippy.toml", "deny.toml")  # fmt: skip
_NEVER_READ = re.compile(
    r"(^|/)(nucleo\.yml|Procfile|Dockerfile[^/]*|(docker-)?compose[^/]*\.ya?ml"
    r"|\.(nucleoignore|dockerignore|gitignore|gitattributes|editorconfig)|\.(git|github|vscode|idea)/.*)$"
)
_LISTENS = re.compile(
    r"""["'(](?P<host>127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0|\[::\])["']?\s*[:,]\s*(?P<port>\d{2,5})"""
)
_ALL = ("0.0.0.0", "[::]")  # noqa: S104


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` is what nucleo.yml says, None where it says nothing; `start` comes from it or a Procfile. Raises
    BuildFailed with the one line to write where the tree is ambiguous or says too little.
    """
    workspace = manifests.find(source)
    chosen, because, warning = versions.choose(source, platform, version, workspace)
    choice = starts.choose(source, workspace, start)
    warnings = [*([warning] if warning else []), *_warnings(source, choice)]
    env = dict(ENV)
    reasons = [
        Reason(f"rust {chosen}", because),
        *_packages(workspace, choice),
        Reason(f"programs: {', '.join(choice.programs)}", f"made by {', '.join(one.name for one in choice.packages)}"),
    ]
    if choice.framework == "rocket":
        env["ROCKET_ADDRESS"] = "0.0.0.0"  # noqa: S104  all that reaches a pod comes from outside
        reasons.append(Reason("ROCKET_ADDRESS, ROCKET_PORT", f"{choice.packages[0].path} depends on rocket"))
    if path := _reads(source, choice.packages[0], "HOST"):
        env["HOST"] = "0.0.0.0"  # noqa: S104
        reasons.append(Reason("HOST=0.0.0.0", f"{path} reads it"))
    step = _compile(source, workspace, choice)
    reasons += [
        Reason(f"{name}={value}", ".sqlx is there") for name, value in step.env.items() if name == "SQLX_OFFLINE"
    ]
    reasons.append(Reason(f"start: {choice.start.line}", choice.start.because))
    left_out = (*LEFT_OUT, *_test_folders(workspace), *_vendored(source, workspace))
    return Plan("rust", chosen, choice.start.line, tuple(reasons), (step,), env, tuple(warnings), left_out)


def _compile(source: Source, workspace: Workspace, choice: Choice) -> Step:
    env = {
        "CARGO_INCREMENTAL": "0",
        "CARGO_TERM_COLOR": "never",
        # git reads ~/.netrc, proxies and certificates; cargo's own client not all of them.
        "CARGO_NET_GIT_FETCH_WITH_CLI": "true",
        # sccache and its like are not there.
        "RUSTC_WRAPPER": "",
    }
    if any(path.startswith(".sqlx/") or "/.sqlx/" in path for path in source.tree):
        env["SQLX_OFFLINE"] = "true"
    selected = [*(f"-p {package.name}" for package in choice.packages), *(f"--bin {name}" for name in choice.programs)]
    return Step(
        name="compile",
        command=f"bash {SCRIPTS['compile.sh']} {' '.join(selected)}",
        output=PROGRAMS.rpartition("/")[0],
        reason=f"{workspace.lock} and the code of {', '.join(package.name for package in choice.packages)}",
        inputs=tuple(
            path for path in manifests.inputs(source, workspace, choice.packages) if not _NEVER_READ.search(path)
        ),
        env=env,
        files={path: (Path(__file__).parent / name).read_text("utf-8") for name, path in SCRIPTS.items()},
    )


def _packages(workspace: Workspace, choice: Choice) -> Iterator[Reason]:
    if workspace.folder or "workspace" in workspace.manifest:
        names = ", ".join(package.name for package in choice.packages)
        yield Reason(f"package {names}", f"of the workspace of {posixpath.join(workspace.folder, manifests.MANIFEST)}")


def _code(source: Source, package: Package) -> Iterator[tuple[str, str]]:
    """Path and text of the package's own modules."""
    below = f"{package.folder}/src/" if package.folder else "src/"
    for path in source.tree:
        if path.startswith(below) and path.endswith(".rs"):
            yield path, source.read(path) or ""


def _reads(source: Source, package: Package, variable: str) -> str | None:
    return next((path for path, text in _code(source, package) if f'"{variable}"' in text), None)


def _warnings(source: Source, choice: Choice) -> Iterator[str]:
    """An address in the code that the image's port never reaches: the usual mistake of a first deploy."""
    package = choice.packages[0]
    if choice.framework == "rocket" or "PORT" in choice.start.line:
        return
    if any("PORT" in text for _, text in _code(source, package)):
        return
    for path, text in _code(source, package):
        for number, line in enumerate(text.splitlines(), 1):
            if (found := _LISTENS.search(line)) and not line.lstrip().startswith("//"):
                why = "whatever PORT says" if found["host"] in _ALL else "which nothing outside of its pod reaches"
                yield f"{path}:{number} listens on {found['host']}:{found['port']}, {why}: use 0.0.0.0 and PORT"
                return


def _test_folders(workspace: Workspace) -> Iterator[str]:
    for package in workspace.packages:
        for name in ("tests", "benches", "examples"):
            yield from _pattern(posixpath.join(package.folder, name))


def _vendored(source: Source, workspace: Workspace) -> Iterator[str]:
    """The folder of `cargo vendor`."""
    for name in ("config.toml", "config"):
        sources = manifests.document(source, posixpath.join(workspace.folder, ".cargo", name)).get("source", {})
        for table in sources.values():
            if "directory" in table:
                yield from _pattern(posixpath.join(workspace.folder, table["directory"]))


def _pattern(folder: str) -> Iterator[str]:
    """The pattern of a folder where it lies in the app's own."""
    path = posixpath.normpath(folder)
    if not path.startswith(".."):
        yield f"/{path}/"
