"""A build from scratch, and whether building the same commit twice gives the same image."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench import apps
from tests.bench.measure import Budget, Row, Timing, median, side_by_side
from tests.bench.setting import Setting

_HALF = Budget(0.5, relative=True)


def cold(setting: Setting) -> Iterator[Row]:
    """nucleo build --no-cache beside docker build --no-cache with pip."""
    apps.commit(setting.app, setting.env)
    hand = setting.by_hand

    def ours() -> Timing:
        done = setting.nucleo("build", "--no-cache", "-C", str(setting.app))
        return replace(done.timing, facts={**done.timing.facts, "digest": done.stdout.strip()})

    timings, theirs = side_by_side(setting.runs(5), ours, lambda: hand.build_cold("Dockerfile.plain"))
    yield Row(
        "build from scratch, python",
        timings,
        _HALF,
        "`docker build --no-cache` with venv and pip, `docker push`",
        theirs,
        "the same requirements and base images, no package cache, until the image is in the registry",
        _alone(timings, theirs),
    )
    again, prepared = side_by_side(setting.runs(5), ours, hand.build_cold)
    yield Row(
        "build from scratch, python, pip in the base image",
        again,
        _HALF,
        "`docker build --no-cache` with pip, `docker push`",
        prepared,
        "the same, but by hand the base image has a pip that Nucleo's does not need",
        _alone(again, prepared),
    )
    every = [*timings, *again]
    yield Row(
        "the same commit built again from scratch",
        (),
        findings=[f"{_same(every)} with Nucleo, {_same(theirs)} with docker build"],
    )


def _alone(timings: Sequence[Timing], theirs: Sequence[Timing]) -> list[str]:
    ratio = median(timings) / median([Timing(timing.parts["build"]) for timing in theirs])
    return [
        f"{ratio:.2f} of docker build alone, without its push",
        "Nucleo's layers are the same each time, so that the registry has them after the warm-up",
    ]


def _same(timings: Sequence[Timing]) -> str:
    digests = {timing.facts["digest"] for timing in timings}
    return f"{len(digests)} digest{'s' if len(digests) != 1 else ''} in {len(timings)} builds"
