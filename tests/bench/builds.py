"""A build from scratch, and whether building the same commit twice gives the same image."""

from collections.abc import Iterator

from tests.bench import apps
from tests.bench.measure import Budget, Row, Timing, median, side_by_side
from tests.bench.setting import Setting


def cold(setting: Setting) -> Iterator[Row]:
    """nucleo build --no-cache beside docker build --no-cache with pip."""
    apps.commit(setting.app, setting.env)
    hand = setting.by_hand

    def ours() -> Timing:
        done = setting.nucleo("build", "--no-cache", "-C", str(setting.app))
        return Timing(done.seconds, facts={**done.timing.facts, "digest": done.stdout.strip()})

    timings, theirs = side_by_side(setting.runs(5), ours, hand.build_cold)
    alone = [Timing(timing.parts["build"]) for timing in theirs]
    yield Row(
        "build from scratch, python",
        timings,
        Budget(0.5, relative=True),
        "`docker build --no-cache` with pip, `docker push`",
        theirs,
        "the same requirements and base images, no package cache, until the image is in the registry",
        [
            f"{median(timings) / median(alone):.2f} of docker build alone, without its push",
            "Nucleo's layers are the same each time, so that the registry has them after the warm-up",
        ],
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
