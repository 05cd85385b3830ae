"""Which Go: what the repository asks for against what the platform has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

    from .gomod import Manifest

_VERSION = re.compile(r"(?:go)?v?(\d+)\.(\d+)(?:\.(\d+))?")


def choose(source: Source, platform: Platform, version: str | None, manifests: Iterable[Manifest]) -> tuple[str, str]:
    """The minor ("1.27") and why. The `go` line is the least that the code needs, as it is for Go itself."""
    manifests = tuple(manifests)
    chosen, because = _wanted(source, platform, version, manifests)
    for manifest in manifests:
        if _numbers(manifest.go) > _numbers(platform.versions[chosen].tools["go"]):
            raise BuildFailed(
                f"{manifest.file} needs Go {manifest.go}, and this platform has: {_list(platform)}",
                f"Lower the go line of {manifest.file}: go mod edit -go={_numbers_text(platform, chosen)}"
                if chosen == platform.default
                else f"{because.capitalize()} comes Go {chosen}: ask for a newer one there",
            )
    return chosen, because


def _wanted(
    source: Source, platform: Platform, version: str | None, manifests: tuple[Manifest, ...]
) -> tuple[str, str]:
    if version is not None:
        return _exact(platform, version, "nucleo.yml"), "from nucleo.yml"
    for text, where in _files(source, manifests):
        return _exact(platform, text, where), f"from {where}"
    for manifest in manifests:
        found = _VERSION.fullmatch(manifest.toolchain)
        minor = f"{found[1]}.{found[2]}" if found else ""
        # One that is not there any more is no error: like the go line, it is the least that will do.
        if minor in platform.versions:
            return minor, f"from the toolchain line of {manifest.file}"
    least = max((manifest for manifest in manifests if manifest.go), key=lambda one: _numbers(one.go), default=None)
    if least is None:
        return platform.default, "the platform's default"
    return platform.default, f"the platform's default; {least.file} needs {least.go} or later"


def _files(source: Source, manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, str]]:
    for manifest in manifests:
        yield from (
            (value.split()[0].lstrip("=^~>"), manifest.file) for name, value in manifest.heroku if name == "goVersion"
        )
    lines = [line.strip() for line in (source.read(".go-version") or "").splitlines()]
    yield from ((line, ".go-version") for line in lines if line and not line.startswith("#"))
    tools = [line.split() for line in (source.read(".tool-versions") or "").splitlines()]
    yield from ((words[1], ".tool-versions") for words in tools if len(words) > 1 and words[0] in ("golang", "go"))


def _exact(platform: Platform, text: str, where: str) -> str:
    found = _VERSION.fullmatch(text)
    if found and f"{found[1]}.{found[2]}" in platform.versions:
        return f"{found[1]}.{found[2]}"
    raise BuildFailed(f"{where} asks for Go {text}, which this platform does not have", f"It has: {_list(platform)}")


def _numbers(text: str) -> tuple[int, ...]:
    """`1.27rc1` counts as 1.27."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"rc|beta", text)[0]))


def _numbers_text(platform: Platform, version: str) -> str:
    return platform.versions[version].tools["go"]


def _list(platform: Platform) -> str:
    return ", ".join(version.tools["go"] for version in platform.versions.values())
