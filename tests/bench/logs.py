"""Following logs beside stern: how soon each line is seen, and whether each is seen once."""

import json
import os
import re
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.bench import apps, machine
from tests.bench.measure import Budget, MeasureError, Row, Timing, side_by_side
from tests.bench.proxy import Proxy
from tests.bench.setting import Setting
from tests.e2e.checker import ask, eventually
from tests.installed import PROGRAM

NAME = "nucleo-bench-lines"
BURST = 20_000
STEADY, RATE = 300, 100
DROPPED, DROPPED_RATE = 1500, 500
_PATIENCE_SECONDS = 60
_LATE_SECONDS = 0.5

_numbers = count(1)


@dataclass
class Follower:
    """A program that follows the app's log; what it prints is kept with the time of its arrival."""

    argv: Sequence[str]
    env: dict[str, str]
    chunks: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])

    def __enter__(self) -> "Follower":
        self._process = subprocess.Popen(
            self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 1 << 20):
            self.chunks.append((time.time(), chunk))

    def wait(self, text: bytes, patience: float = _PATIENCE_SECONDS) -> bool:
        """Waits until that text was printed."""
        end, seen, tail = time.monotonic() + patience, 0, b""
        while time.monotonic() < end:
            while seen < len(self.chunks):
                tail = tail[-len(text) :] + self.chunks[seen][1]
                seen += 1
                if text in tail:
                    return True
            if self._process.poll() is not None:
                raise MeasureError(f"{Path(self.argv[0]).name} ended while it should follow")
            time.sleep(0.005)
        return False

    def lines(self, run: str) -> list[tuple[float, int, float]]:
        """(arrival, number, time of printing) of each line of a run, in order of arrival."""
        found: list[tuple[float, int, float]] = []
        rest = b""
        for arrived, chunk in self.chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if match := re.search(rb"\b" + run.encode() + rb" (\d{6}) (\d+\.\d+) ", line):
                    found.append((arrived, int(match[1]), float(match[2])))
        return found


Measure = Callable[[Setting, Follower], Timing]
Side = Callable[[], Timing]


def following(setting: Setting) -> Iterator[Row]:
    """A burst of lines, and lines at a steady rate."""
    followers = _followers(setting)
    runs = setting.runs(3)
    beside = "`stern`" if len(followers) > 1 else "stern: no Go to build it with"
    reading = _already_printed(setting)
    caught_up = side_by_side(runs, *(_reader(setting, each, reading) for each in followers))
    yield Row(
        f"`nucleo logs -f`, {BURST:,} lines there already, from its start to the last one",
        caught_up[0],
        Budget(1, relative=True),
        beside,
        caught_up[1],
        "start of the program included",
        [_whole(*caught_up)],
    )
    bursts = side_by_side(runs, *(_measured(setting, each, _burst) for each in followers))
    yield Row(
        f"`nucleo logs -f`, {BURST:,} lines printed at once, delay of the last one",
        bursts[0],
        Budget(1, relative=True),
        beside,
        bursts[1],
        "both follow the pod already when it begins to print; the app's own printing is shown apart, and varies much",
        [_whole(*bursts)],
    )
    steady = side_by_side(runs, *(_measured(setting, each, _steady) for each in followers))
    yield Row(
        f"`nucleo logs -f`, {RATE} lines a second, delay of a line",
        steady[0],
        Budget(1, relative=True),
        beside,
        steady[1],
        "median of the time from printing to seeing",
        [_whole(*steady)],
    )


def reconnecting(setting: Setting) -> Iterator[Row]:
    """The connection to the API server is reset twice while lines are printed."""
    _lines_app(setting)
    server = urlsplit(setting.api.server)
    with Proxy(server.hostname or "127.0.0.1", server.port or 443) as proxy:
        env = {**setting.env, "KUBECONFIG": str(_through(setting, proxy.port))}

        def drop(setting: Setting, follower: Follower) -> Timing:
            return _dropped(setting, follower, proxy)

        followers = _followers(setting)
        timings = side_by_side(setting.runs(3), *(_measured(setting, each, drop, env) for each in followers))
    yield Row(
        f"`nucleo logs -f`, {DROPPED_RATE} lines a second over two dropped connections, until the last one is seen",
        timings[0],
        Budget(),
        "`stern`" if len(followers) > 1 else "",
        timings[1],
        "a proxy resets every connection to the API server after a third and two thirds of the lines",
        [_whole(*timings)],
    )


def _followers(setting: Setting) -> list[list[str]]:
    """The command lines to compare: ours, and stern's where it can be built."""
    folder = _lines_app(setting)
    found = [[PROGRAM, "logs", "--follow", "--tail", "0", "--raw", "-C", str(folder)]]
    try:
        stern = str(machine.stern())
    except MeasureError:
        return found
    where = ["--context", setting.context, "--namespace", NAME, "--selector", f"nucleo.io/app={NAME}"]
    return [*found, [stern, *where, "--tail", "0", "--output", "raw"]]


def _lines_app(setting: Setting) -> Path:
    folder = setting.work / NAME
    return folder if folder.exists() else setting.deployed(NAME, apps.LINES)


def _measured(setting: Setting, argv: list[str], measure: Measure, env: dict[str, str] | None = None) -> Side:
    def side() -> Timing:
        with Follower(argv, env or setting.env) as follower:
            _until_it_follows(setting, follower)
            return measure(setting, follower)

    return side


def _already_printed(setting: Setting) -> str:
    """A run of lines in the log of a new pod, where no older ones make the kubelet begin another file."""
    setting.nucleo("restart", "--app", NAME)
    eventually("the old pod is gone", lambda: len(setting.pods(NAME)) == 1)
    eventually("the new pod answers", lambda: ask(setting.url(NAME)).status == 204)
    run = _print(setting, BURST, 0)
    last = f"{run} {BURST - 1:06d} "
    eventually("all lines are printed", lambda: last in setting.nucleo("logs", "--app", NAME, "--tail", "5").stdout)
    return run


def _reader(setting: Setting, argv: list[str], run: str) -> Side:
    """Follows from the first line of a run that was printed before."""

    def side() -> Timing:
        started = time.time()
        with Follower([str(BURST) if word == "0" else word for word in argv], setting.env) as follower:
            arrivals = _seen(follower, run, BURST)
        return Timing(max(arrived for arrived, _, _ in arrivals) - started, facts=_counts(arrivals, BURST))

    return side


def _until_it_follows(setting: Setting, follower: Follower) -> None:
    for _ in range(100):
        _print(setting, 1, 0)
        if follower.wait(b" 000000 ", 0.3):
            return
    raise MeasureError(f"{Path(follower.argv[0]).name} shows no line")


def _print(setting: Setting, lines: int, rate: int) -> str:
    """Has the app print so many lines; the name that they begin with."""
    run = f"run{next(_numbers)}"
    answer = ask(f"{setting.url(NAME)}{run}/{lines}/{rate}")
    if answer.status != 204:
        raise MeasureError(f"the app that prints lines does not answer: {answer}")
    return run


def _burst(setting: Setting, follower: Follower) -> Timing:
    run = _print(setting, BURST, 0)
    arrivals = _seen(follower, run, BURST)
    first = min(printed for _, _, printed in arrivals)
    written = max(printed for _, _, printed in arrivals) - first
    last = max(arrived for arrived, number, _ in arrivals if number == BURST - 1)
    parts = {"printing itself": written, "from the first line to the last": last - first}
    return Timing(last - first - written, parts, _counts(arrivals, BURST))


def _steady(setting: Setting, follower: Follower) -> Timing:
    run = _print(setting, STEADY, RATE)
    arrivals = _seen(follower, run, STEADY)
    delays = sorted(arrived - printed for arrived, _, printed in arrivals)
    return Timing(statistics.median(delays), {"slowest line": delays[-1]}, _counts(arrivals, STEADY))


def _dropped(setting: Setting, follower: Follower, proxy: Proxy) -> Timing:
    run = _print(setting, DROPPED, DROPPED_RATE)
    third = DROPPED / DROPPED_RATE / 3
    dropped: list[int] = []
    for _ in range(2):
        time.sleep(third)
        dropped.append(proxy.drop())
    if not all(dropped):
        raise MeasureError("there was no connection to drop")
    arrivals = _seen(follower, run, DROPPED)
    seconds = max(arrived for arrived, _, _ in arrivals) - min(printed for _, _, printed in arrivals)
    return Timing(seconds, facts=_counts(arrivals, DROPPED))


def _seen(follower: Follower, run: str, lines: int) -> list[tuple[float, int, float]]:
    """Every line that came, late ones too. Losing the last one is no reason to wait for ever."""
    follower.wait(f"{run} {lines - 1:06d} ".encode())
    time.sleep(_LATE_SECONDS)
    arrivals = follower.lines(run)
    if not arrivals:
        raise MeasureError(f"{Path(follower.argv[0]).name} shows no line of {run}")
    return arrivals


def _counts(arrivals: list[tuple[float, int, float]], expected: int) -> dict[str, int]:
    numbers = [number for _, number, _ in arrivals]
    doubled = sum(times - 1 for times in Counter(numbers).values())
    return {"lost": expected - len(set(numbers)), "doubled": doubled, "disordered": int(numbers != sorted(numbers))}


def _whole(ours: Sequence[Timing], theirs: Sequence[Timing]) -> str:
    """What was lost, doubled or out of order, over all runs."""
    said: list[str] = []
    for who, timings in (("Nucleo", ours), ("stern", theirs)):
        if timings:
            sums = {name: sum(timing.facts[name] for timing in timings) for name in ("lost", "doubled")}
            mixed = sum(timing.facts["disordered"] for timing in timings)
            order = f"out of order in {mixed} runs" if mixed else "in order"
            said.append(f"{who} lost {sums['lost']} and doubled {sums['doubled']}, {order}")
    return "; ".join(said)


def _through(setting: Setting, port: int) -> Path:
    """A kubeconfig that reaches the cluster through that port."""
    content = yaml.safe_load(setting.kubeconfig().read_text())
    names = {entry["name"]: entry["context"]["cluster"] for entry in content["contexts"]}
    for entry in content["clusters"]:
        if entry["name"] == names[setting.context]:
            entry["cluster"]["server"] = f"https://127.0.0.1:{port}"
    file = setting.work / "proxy.kubeconfig"
    file.write_text(json.dumps(content))
    return file
