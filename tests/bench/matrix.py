"""Images of many kinds of apps, built by Nucleo and by its peers: from nothing, and again after each kind of change."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.ground import OURS, Ground, Place, prepare
from tests.bench.measure import Comparison, MeasureError, Timing
from tests.bench.samples import SAMPLES, Sample
from tests.bench.setting import Setting

COLD, UNCHANGED, LINE, DEPENDENCY, RUN_IMAGE = SCENARIOS = ("cold", "unchanged", "one-line", "dependency", "run-image")
# Each of these needs a place that has not seen it yet; the others can be repeated in one.
_ONCE_A_PLACE = (COLD, DEPENDENCY)


def builds(setting: Setting) -> Iterator[Comparison]:
    """Every app that was asked for, one after the other."""
    with Ground(setting) as ground:
        for name, why in ground.missing.items():
            print(f"  without {name}: {why}", file=sys.stderr)
        for sample in (SAMPLES[name] for name in setting.apps or SAMPLES):
            try:
                yield from _App(ground, sample, setting.scenarios or SCENARIOS).measured()
            except MeasureError as failure:
                yield Comparison(sample.title, "", {}, note=f"NOT MEASURED: {failure}", failed=True)


@dataclass
class _App:
    """One app in all scenarios. Sides that fail once are left out from then on, and said to be."""

    ground: Ground
    sample: Sample
    scenarios: Sequence[str]
    found: dict[str, dict[str, list[Timing]]] = field(default_factory=dict[str, dict[str, list[Timing]]])
    sizes: dict[str, list[Timing]] = field(default_factory=dict[str, list[Timing]])
    again: list[Timing] = field(default_factory=list[Timing])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    edits: int = 0

    def measured(self) -> Iterator[Comparison]:
        runs = self.ground.setting.runs(3)
        places = runs if any(name in self.scenarios for name in _ONCE_A_PLACE) else 1
        bases = prepare(self.ground, self.sample)
        for number in range(places):
            self._one_place(Place(self.ground, self.sample, bases, number), repeats=1 if places == runs else runs)
        for scenario in self.scenarios:
            if scenario in self.found:
                yield Comparison(self.sample.title, scenario, self.found[scenario], self.sample.compiled)
        yield Comparison(self.sample.title, "size", self.sizes, note=self._said(), failed=bool(self.failed))
        yield Comparison(self.sample.title, "digests", {OURS: self.again})

    def _one_place(self, place: Place, repeats: int) -> None:
        cold = self._measure(COLD, place)
        for side, timing in cold.items():
            self.sizes.setdefault(side, []).append(Timing(place.size(timing)))
        if OURS in cold:
            self.again += [cold[OURS], place.again()]
        if set(self.scenarios) <= {COLD}:
            return
        self._measure("warm-up", place, self._edit(place))
        for _ in range(repeats):
            for scenario, change, pull in (
                (LINE, self._edit(place), False),
                (UNCHANGED, None, False),
                (RUN_IMAGE, None, True),
            ):
                if scenario in self.scenarios:
                    if scenario == RUN_IMAGE:
                        place.update_run_image()
                    self._measure(scenario, place, change, pull=pull)
        if DEPENDENCY in self.scenarios and self.sample.dependency.exists():
            self._measure(DEPENDENCY, place, place.add_dependency)

    def _edit(self, place: Place) -> Callable[[str], None]:
        def edit(side: str) -> None:
            self.edits += 1
            place.edit(side, f"edit {self.edits}")

        return edit

    def _measure(
        self, scenario: str, place: Place, change: Callable[[str], None] | None = None, *, pull: bool = False
    ) -> dict[str, Timing]:
        """One build of each side, each time beginning with another one."""
        sides = [side for side in self.ground.sides if side not in self.failed]
        turn = max(map(len, self.found.get(scenario, {}).values()), default=0) % max(1, len(sides))
        done: dict[str, Timing] = {}
        for side in (*sides[turn:], *sides[:turn]):
            try:
                if change is not None:
                    change(side)
                done[side] = place.build(side, pull=pull)
            except MeasureError as failure:
                self.failed[side] = str(failure)
                continue
            self.found.setdefault(scenario, {}).setdefault(side, []).append(done[side])
            print(f"  {self.sample.name} {scenario} {side}: {done[side].seconds:.2f} s", file=sys.stderr, flush=True)
        return done

    def _said(self) -> str:
        return "; ".join(f"{side} FAILED: {why}" for side, why in self.failed.items())
