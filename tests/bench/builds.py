"""A build from scratch, and whether building the same commit twice gives the same image."""

from collections.abc import Iterator

from tests.bench import apps
from tests.bench.measure import Budget, Row, Timing, side_by_side
from tests.bench.setting import Setting


def cold(setting: Setting) -> Iterator[Row]:
    """nucleo build --no-cache beside docker build --no-cache with pip."""
    apps.commit(setting.app, setting.env)
    hand = setting.by_hand

    def ours() -> Timing:
        done = setting.nucleo("build", "--no-cache", "-C", str(setting.app))
        return Timing(done.seconds, facts={**done.timing.facts, "digest": done.stdout.strip()})

    timings, theirs = side_by_side(setting.runs(5), ours, hand.build_cold)
    yield Row(
        "build from scratch, python",
        timings,
        Budget(0.5, relative=True),
        "`docker build --no-cache` with pip",
        theirs,
        "the same requirements and base images, no package cache; Nucleo's time includes the push, docker's does not",
    )
    yield Row(
        "the same commit built again from scratch",
        (),
        note="",
        findings=[f"{_same(timings)} with Nucleo, {_same(theirs)} with docker build"],
    )


def _same(timings: list[Timing]) -> str:
    digests = {timing.facts["digest"] for timing in timings}
    return f"{len(digests)} digest{'s' if len(digests) != 1 else ''} in {len(timings)} builds"
