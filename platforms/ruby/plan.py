"""Plans a Ruby app: which Ruby, which gems, which server and why. Pure: it runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Plan, Platform, Reason, Start, Step

from . import bundle as bundles
from . import rails, starts, versions

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

ENV = {
    "HOME": "/tmp",  # noqa: S108  the one folder that an app may write, with its root file system read-only
    "LANG": "C.UTF-8",
    "PORT": "8080",
    "RACK_ENV": "production",
    "APP_ENV": "production",
    "HANAMI_ENV": "production",
    # Ruby's memory grows far less with it; found by its name on each architecture.
    "LD_PRELOAD": "libjemalloc.so.2",
}


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree.

    `version` and `start` are what nucleo.yml and the Procfile say, None where they say nothing. Raises BuildFailed with
    the one line to write where the tree is ambiguous or says too little.
    """
    bundle = bundles.read(source)
    ruby = versions.choose(source, platform, version, bundle)
    command = start or starts.find(source, bundle)
    steps = [bundles.install(source, bundle, ruby.gemfile)]
    warnings = [] if ruby.warning is None else [ruby.warning]
    leave_out: list[str] = []
    env = {**ENV, **bundles.env(bundle, ruby.version)}
    if ruby.gemfile is not None:
        leave_out.append(f"/{bundle.gemfile}")
        steps.append(_gemfile(source, bundle, ruby.gemfile))
    if rails.is_rails(source, bundle):
        assets = rails.assets(source, bundle, ruby.version, ruby.gemfile)
        steps += [rails.writable(source), *([assets] if assets else [])]
        leave_out += rails.LEAVE_OUT
        env |= rails.ENV
    if _has_build_script(source):
        warnings.append(
            "package.json has a build script, which is not run: this platform has no node. Commit what it writes, "
            "or run it before each deploy"
        )
    reasons = [
        Reason(f"ruby {ruby.version}", ruby.because),
        Reason("bundler", f"the platform's own reads {bundle.lock}" + _written(bundle)),
        *(Reason(step.name, step.reason) for step in steps),
        Reason(f"start: {command.line}", command.because),
    ]
    return Plan(
        "ruby", ruby.version, command.line, tuple(reasons), tuple(steps), env, tuple(warnings), tuple(leave_out)
    )


def _gemfile(source: Source, bundle: bundles.Bundle, text: str) -> Step:
    path = f"{source.app}/{bundle.gemfile}"
    return Step(
        name="gemfile",
        command=f"test -s {path}",
        output=path,
        reason="its exact Ruby is not the one of Debian",
        once=True,
        files={path: text},
    )


def _written(bundle: bundles.Bundle) -> str:
    return f", written by {bundle.bundler}" if bundle.bundler else ""


def _has_build_script(source: Source) -> bool:
    try:
        package = json.loads(source.read("package.json") or "{}")
    except ValueError:
        return False
    return isinstance(package, dict) and "build" in package.get("scripts", {})  # pyright: ignore[reportUnknownMemberType]
