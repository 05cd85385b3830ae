"""Which Rust: what the repository asks for against what the platform has."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from nucleo_cli.errors import BuildFailed

from .manifests import Workspace

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

_FILES = ("rust-toolchain.toml", "rust-toolchain")
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?(?:\.\d+)?(?:-[\w-]+)?$")


def choose(source: Source, platform: Platform, version: str | None, workspace: Workspace) -> tuple[str, str, str]:
    """The version ("1.85"), why, and a warning or "".

    nucleo.yml wins, then rust-toolchain.toml, then the rust-version of the manifest.
    """
    if version is not None:
        return _exact(platform, version), "from nucleo.yml", ""
    if (found := _toolchain(source)) is not None:
        return _channel(platform, *found)
    if minimum := _rust_version(workspace):
        candidates = _at_least(platform, minimum)
        if not candidates:
            raise _unavailable(platform, f"rust-version in Cargo.toml asks for Rust {minimum}")
        return candidates[0], f"rust-version in Cargo.toml: {minimum} or newer", ""
    return platform.default, "the platform's default", ""


def _toolchain(source: Source) -> tuple[str, str] | None:
    """The channel that rustup's file names, and the file: in the app's folder, else in one above it."""
    above = [""] + ["../" * depth for depth in range(1, source.folder.count("/") + 2 if source.folder else 0)]
    for folder in above:
        files = [folder + name for name in _FILES if source.has(folder + name)]
        if len(files) > 1:
            raise BuildFailed(f"Both {files[0]} and {files[1]} name a Rust", f"Keep one: git rm {files[1]}")
        if files:
            return _channel_of(files[0], source.read(files[0]) or ""), files[0]
    return None


def _channel_of(file: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) == 1 and "=" not in lines[0] and not lines[0].startswith("["):
        return lines[0]
    try:
        table: Any = tomllib.loads(text).get("toolchain", {})
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"{file} is not valid TOML: {error}", f"Correct {file}") from error
    if "path" in table:
        raise BuildFailed(f"{file} names a toolchain of one machine: {table['path']}", 'Name a channel = "stable"')
    return str(table.get("channel", "stable"))


def _channel(platform: Platform, channel: str, file: str) -> tuple[str, str, str]:
    name = channel.strip().lower()
    if name == "stable" or name.startswith("stable-"):
        return platform.default, f"from {file}: {channel}", ""
    if (number := _NUMBER.match(name)) is None:
        raise _unavailable(platform, f"{file} asks for Rust {channel}")
    wanted = f"{number[1]}.{number[2]}" if number[2] else platform.default
    chosen = min(_at_least(platform, wanted), key=_numbers, default=None)
    if chosen is None:
        raise _unavailable(platform, f"{file} asks for Rust {channel}")
    if chosen == wanted:
        return chosen, f"from {file}: {channel}", ""
    warning = f"{file} asks for Rust {channel}, which this platform does not have: {chosen} compiles it, the next newer"
    return chosen, f"the next newer than {channel} in {file}", warning


def _rust_version(workspace: Workspace) -> str | None:
    shared = workspace.manifest.get("workspace", {}).get("package", {}).get("rust-version")
    stated = [package.manifest["package"].get("rust-version") for package in workspace.packages]
    found = [shared if isinstance(one, dict) else one for one in stated if one is not None]
    return max((str(one) for one in found if one), key=_numbers, default=None)


def _at_least(platform: Platform, minimum: str) -> list[str]:
    """The versions that are new enough, the default first."""
    ordered = dict.fromkeys((platform.default, *platform.versions))
    return [one for one in ordered if _numbers(one) >= _numbers(minimum)[:2]]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _exact(platform: Platform, text: str) -> str:
    found = re.fullmatch(r"(\d+\.\d+)(\.\d+)?", text.strip())
    if text.strip() == "stable":
        return platform.default
    if found is None or found[1] not in platform.versions:
        raise _unavailable(platform, f"nucleo.yml asks for Rust {text}")
    return found[1]


def _unavailable(platform: Platform, asks: str) -> BuildFailed:
    return BuildFailed(f"{asks}, which this platform does not have", f"It has: {', '.join(platform.versions)}")
