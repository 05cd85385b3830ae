"""What the comparison of builds says: budgets, ratios, and the Dockerfile that each peer gets."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bench import peers, samples, tables
from tests.bench.measure import Comparison, Timing


def _comparison(scenario: str, seconds: Mapping[str, float], *, compiled: bool = False) -> Comparison:
    sides = {side: [Timing(each, facts={"pushed": 1500, "digest": "sha256:1"})] for side, each in seconds.items()}
    return Comparison("shop", scenario, sides, compiled)


@pytest.mark.parametrize(
    ("scenario", "seconds", "said"),
    [
        ("cold", {"Nucleo": 9, "buildx": 1}, ""),
        ("unchanged", {"Nucleo": 0.6, "buildx": 0.1}, "0.6 s, kept"),
        ("unchanged", {"Nucleo": 0.61, "buildx": 9}, "0.6 s, MISSED"),
        ("one-line", {"Nucleo": 1, "buildx": 1, "buildah": 0.9}, "1×, MISSED"),
        ("one-line", {"Nucleo": 1, "buildx": 1, "buildah": 2}, "1×, kept"),
        ("one-line", {"Nucleo": 1}, ""),
        ("dependency", {"Nucleo": 1, "docker build": 1}, "below 1×, MISSED"),
        ("size", {"Nucleo": 110, "docker build": 120, "buildx": 100}, "1.1×, kept"),
        ("digests", {"Nucleo": 0}, "one digest, kept"),
        ("run-image", {"Nucleo": 1, "buildx": 2}, ""),
    ],
)
def test_a_budget_is_kept_or_missed(scenario: str, seconds: Mapping[str, float], said: str) -> None:
    assert tables.budget(_comparison(scenario, seconds)) == said


def test_a_compiled_app_has_to_be_faster_than_docker_build_too() -> None:
    seconds = {"Nucleo": 1.0, "docker build": 1.0, "buildx": 1.0}
    assert tables.budget(_comparison("one-line", seconds)) == "1×, kept"
    assert tables.budget(_comparison("one-line", seconds, compiled=True)) == "1×, MISSED"


def test_a_side_that_failed_leaves_its_cell_empty() -> None:
    both = _comparison("cold", {"Nucleo": 2, "docker build": 1, "buildx": 3})
    one = _comparison("unchanged", {"Nucleo": 0.5, "buildx": 0.25})
    table = tables.markdown([both, one]).splitlines()
    assert table[2] == "| shop | from nothing | 2.00 s, 1.5 kB | 1.00 s, 1.5 kB | 3.00 s, 1.5 kB | 2.00 |  |"
    assert table[3] == "| shop | nothing changed | 0.50 s, 1.5 kB |  | 0.25 s, 1.5 kB | 2.00 | 0.6 s, kept |"


@pytest.mark.parametrize("sample", samples.SAMPLES.values(), ids=lambda sample: sample.name)
def test_every_sample_is_whole(sample: samples.Sample) -> None:
    edited = (sample.folder / "app" / sample.edit).read_text()
    assert "first" in edited
    assert sample.app in (sample.folder / "app" / "nucleo.yml").read_text()
    assert "--mount" not in peers.dockerfile(sample.folder, cache_mounts=False, place="here")
    for line in peers.dockerfile(sample.folder, cache_mounts=True, place="here").splitlines():
        assert line.count("--mount=type=cache,") == line.count("--mount=type=cache,id=here-")


def test_cache_mounts_are_of_one_place(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("RUN --mount=type=cache,target=/root/.npm npm ci\n")
    text = peers.dockerfile(tmp_path, cache_mounts=True, place="here")
    assert text == "RUN --mount=type=cache,id=here-root-.npm,target=/root/.npm npm ci\n"
    assert peers.dockerfile(tmp_path, cache_mounts=False, place="here") == "RUN npm ci\n"
