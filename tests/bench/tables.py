"""Builds by several programs, as a Markdown table for people: one row an app and scenario, one column a program."""

from collections.abc import Iterator, Sequence

from tests.bench.measure import Comparison, Timing, median
from tests.bench.report import parts

_OURS = "Nucleo"
_TITLES = {
    "cold": "from nothing",
    "unchanged": "nothing changed",
    "one-line": "one line changed",
    "dependency": "one dependency added",
    "run-image": "run image updated",
    "size": "the image's size",
    "digests": "built again from nothing",
}
_UNCHANGED_SECONDS = 0.6
_LARGER = 1.1


def markdown(compared: Sequence[Comparison]) -> str:
    """The table, then what the runs consist of."""
    peers = list(dict.fromkeys(side for each in compared for side in each.sides if side != _OURS))
    head = ("app", "what", _OURS, *peers, "ratio to the best", "budget")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cells(each, peers))} |" for each in compared if each.sides]
    notes = [note for each in compared for note in _notes(each)]
    return "\n".join([*lines, "", *notes])


def _cells(each: Comparison, peers: Sequence[str]) -> Iterator[str]:
    yield each.app
    yield _TITLES[each.scenario]
    for side in (_OURS, *peers):
        yield _cell(each, each.sides.get(side, ()))
    ratio = best(each)
    yield "" if ratio is None else f"{ratio:.2f}"
    yield budget(each)


def _cell(each: Comparison, timings: Sequence[Timing]) -> str:
    if not timings:
        return ""
    if each.scenario == "digests":
        found = {timing.facts["digest"] for timing in timings}
        return f"{len(found)} digest{'s' if len(found) > 1 else ''} in {len(timings)} builds"
    if each.scenario == "size":
        return _bytes(median(timings))
    pushed = median([Timing(timing.facts["pushed"]) for timing in timings])
    return f"{median(timings):.2f} s, {_bytes(pushed)}"


def best(each: Comparison) -> float | None:
    """Our median by the smallest of the others'."""
    others = [median(timings) for side, timings in each.sides.items() if side != _OURS and timings]
    ours = each.sides.get(_OURS)
    return median(ours) / min(others) if ours and others else None


def budget(each: Comparison) -> str:
    """What was promised, and whether it was kept."""
    ours, ratio = each.sides.get(_OURS), best(each)
    if not ours:
        return ""
    match each.scenario:
        case "unchanged":
            return _said("0.6 s", median(ours) <= _UNCHANGED_SECONDS)
        case "one-line" if ratio is not None:
            return _said("1×", ratio <= 1 and (not each.compiled or _below(each, "docker build")))
        case "dependency" if ratio is not None:
            return _said("below 1×", ratio < 1)
        case "size" if ratio is not None:
            return _said(f"{_LARGER}×", ratio <= _LARGER)
        case "digests":
            return _said("one digest", len({timing.facts["digest"] for timing in ours}) == 1)
        case _:
            return ""


def _below(each: Comparison, side: str) -> bool:
    timings = each.sides.get(side)
    return not timings or median(each.sides[_OURS]) < median(timings)


def _said(limit: str, kept: bool) -> str:
    return f"{limit}, {'kept' if kept else 'MISSED'}"


def _bytes(count: float) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _notes(each: Comparison) -> Iterator[str]:
    took = [f"{side} {text}" for side, timings in each.sides.items() if (text := parts(timings))]
    if each.scenario not in ("size", "digests") and took:
        yield f"- {each.app}, {_TITLES[each.scenario]}: {'; '.join(took)}"
    if each.note:
        yield f"- {each.app}: {each.note}"
