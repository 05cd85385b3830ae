"""A deploy beside docker build, docker push and helm upgrade --wait by hand: nothing changed, and one line changed."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from tests.bench import apps, by_hand
from tests.bench.measure import Budget, MeasureError, Row, Timing, run, side_by_side
from tests.bench.setting import APP, Setting, parsed
from tests.e2e.checker import Answer, ask, eventually

_BY_HAND = "`docker build`, `docker push`, `helm upgrade --install --wait`"
# Often enough to see when the old answers end, seldom enough to leave the two cores to what is measured.
_EVERY_SECONDS = 0.1
_SETTLED = 5
_PATIENCE_SECONDS = 120


def unchanged(setting: Setting) -> Iterator[Row]:
    """Nothing changed since the last deploy."""
    folder, hand = str(setting.app), setting.by_hand
    pods = setting.pods(APP)
    created: list[str] = []

    def ours() -> Timing:
        since = f"{time.time():.6f}"
        done = setting.nucleo("deploy", "-C", folder, "--json")
        created.extend(_created(setting, since))
        document = parsed(done)
        if document["changed"]:
            raise MeasureError("a deploy without a change changed something")
        return replace(done.timing, parts=_phases(document))

    timings, theirs = side_by_side(setting.runs(7), ours, lambda: hand.deploy("first"))
    if setting.pods(APP) != pods:
        raise MeasureError("a deploy without a change replaced a pod")
    yield Row(
        "deploy, nothing changed",
        timings,
        Budget(0.6),
        _BY_HAND,
        theirs,
        "the same app, base images, engine and registry; all layers of the Dockerfile cached",
        [f"containers created meanwhile: {', '.join(created) or 'none'}; the pod stayed the same one"],
    )


def one_line(setting: Setting) -> Iterator[Row]:
    """One line changed, until the change is all that the URL answers and the command has ended."""
    assert setting.app
    numbers = count(1)
    hand = setting.by_hand

    def ours() -> Timing:
        answer = f"edit {next(numbers)}"
        apps.edit(setting.app, answer)
        return _until_healthy(setting, APP, answer, lambda: _deploy(setting))

    def theirs() -> Timing:
        answer = f"edit {next(numbers)}"
        apps.edit(hand.folder, answer)
        return _until_healthy(setting, by_hand.NAME, answer, lambda: hand.deploy(answer.replace(" ", "-")))

    timings, beside = side_by_side(setting.runs(5), ours, theirs)
    lost = sum(timing.facts["errors"] for timing in timings), sum(timing.facts["errors"] for timing in beside)
    yield Row(
        "deploy, one line changed, to healthy",
        timings,
        Budget(0.8, relative=True),
        _BY_HAND,
        beside,
        "the same edit of the same app with the same probes, until the command has ended and no old answer comes",
        [f"failed requests meanwhile: {lost[0]} with Nucleo, {lost[1]} by hand"],
    )


def _deploy(setting: Setting) -> Timing:
    done = setting.nucleo("deploy", "-C", str(setting.app), "--json")
    document = parsed(done)
    if not document["changed"]:
        raise MeasureError("a deploy of a change says that nothing changed")
    return replace(done.timing, parts=_phases(document))


def _phases(document: dict[str, Any]) -> dict[str, float]:
    return {phase["name"]: phase["seconds"] for phase in document["phases"]}


def _until_healthy(setting: Setting, namespace: str, answer: str, deploy: Callable[[], Timing]) -> Timing:
    """`deploy`, while the URL is asked all the time. The next one starts when the old pods are gone."""
    url = setting.url(namespace)
    with _asked(url) as answers:
        started = time.time()
        timing = deploy()
        eventually("the edit is answered", lambda: _settled(answers, answer))
    first = next(each.wall for each in answers if each.body == answer) - started
    last_old = max((each.wall for each in answers if each.body != answer), default=started) - started
    eventually("the old pods are gone", lambda: len(setting.pods(namespace)) == 1, _PATIENCE_SECONDS)
    if ask(url).body != answer:
        raise MeasureError(f"{url} does not answer {answer!r}")
    parts = {**timing.parts, "command": timing.seconds, "first new answer": first, "last old answer": last_old}
    return replace(
        timing,
        seconds=max(timing.seconds, last_old),
        parts=parts,
        facts={**timing.facts, "errors": sum(not each.good for each in answers), "answer": answer},
    )


@contextmanager
def _asked(url: str) -> Generator[list[Answer]]:
    """What the URL answers, again and again, while the `with` block runs."""
    answers: list[Answer] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            answers.append(ask(url))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def _settled(answers: list[Answer], answer: str) -> bool:
    return len(answers) >= _SETTLED and all(each.body == answer for each in answers[-_SETTLED:])


def _created(setting: Setting, since: str) -> list[str]:
    """The images of the containers that the engine created since then."""
    until = f"{time.time():.6f}"
    done = run(
        [
            *("docker", "events", "--since", since, "--until", until),
            *("--filter", "type=container", "--filter", "event=create", "--format", "{{.Actor.Attributes.image}}"),
        ],
        setting.env,
    )
    return done.stdout.split()
