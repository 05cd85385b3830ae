"""What was measured, as a Markdown table for people and as JSON for programs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from tests.bench.measure import Comparison, Row, Timing, median

_HEAD = ("what", "Nucleo: median (min-max)", "beside", "median (min-max)", "ratio", "budget")
# What medians below that many seconds are said in: the unit, how many of it are a second, digits behind the point.
_UNITS = (("ns", 1e-6, 1e9, 0), ("µs", 1e-3, 1e6, 0), ("ms", 0.02, 1e3, 1), ("s", math.inf, 1, 2))


def markdown(rows: Sequence[Row]) -> str:
    """The table, then a line for each comparison."""
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}", *(_line(row) for row in rows), ""]
    lines += [f"- {row.command}: {'; '.join(said)}" for row in rows if (said := _said(row))]
    return "\n".join(lines)


def document(rows: Iterable[Row], compared: Iterable[Comparison], machine: str) -> dict[str, Any]:
    """Every single run, so that nothing is hidden by a median."""
    return {
        "machine": machine,
        "rows": [{**asdict(row), "ratio": _ratio(row)} for row in rows],
        "builds": [asdict(each) for each in compared],
    }


def _line(row: Row) -> str:
    ratio = _ratio(row)
    budget = row.budget.text(median(row.ours), ratio) if row.ours else ""
    cells = (
        row.command,
        _spread(row.ours),
        row.beside,
        _spread(row.theirs),
        "" if ratio is None else f"{ratio:.2f}",
        budget,
    )
    return f"| {' | '.join(cells)} |"


def _ratio(row: Row) -> float | None:
    return median(row.ours) / median(row.theirs) if row.ours and row.theirs else None


def _spread(timings: Sequence[Timing]) -> str:
    if not timings:
        return ""
    seconds = sorted(timing.seconds for timing in timings)
    unit, _, factor, digits = next(each for each in _UNITS if median(timings) < each[1])
    middle, least, most = (f"{each * factor:.{digits}f}" for each in (median(timings), seconds[0], seconds[-1]))
    return f"{middle} {unit} ({least}-{most})"


def _said(row: Row) -> list[str]:
    sides = (("Nucleo", row.ours), ("beside", row.theirs))
    took = [f"{who} {text}" for who, timings in sides if (text := parts(timings))]
    return [each for each in (row.note, *row.findings, *took) if each]


def parts(timings: Sequence[Timing]) -> str:
    """The medians of what a run consists of."""
    timings = [replace(timing, parts={**timing.parts, **_cpu(timing)}) for timing in timings]
    names = list(dict.fromkeys(name for timing in timings for name in timing.parts))
    medians = {
        name: median([Timing(timing.parts[name]) for timing in timings if name in timing.parts]) for name in names
    }
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in medians.items())


def _cpu(timing: Timing) -> dict[str, float]:
    return {"computing": timing.facts["cpu"]} if "cpu" in timing.facts else {}
