"""How long a local cluster takes until its node is Ready and its ingress serves, seen from outside."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.bench.measure import Budget, MeasureError, Row, Timing, run, side_by_side
from tests.bench.setting import Setting
from tests.e2e.api import Api
from tests.e2e.checker import ask, engine

_NAME = "bench-up"
_EVERY_SECONDS = 0.05
_PATIENCE_SECONDS = 180
_ADMIN = "/var/lib/nucleo/admin.conf"


def up(setting: Setting) -> Iterator[Row]:
    """nucleo cluster up with the image there, then down again."""
    timings, _ = side_by_side(setting.runs(3), lambda: _up_and_down(setting))
    ready, serving = ([Timing(timing.parts[part]) for timing in timings] for part in ("node Ready", "ingress serving"))
    yield Row("`nucleo cluster up`, to Ready", ready, Budget(8), note="image present; asked every 50 ms from outside")
    yield Row("`nucleo cluster up`, to ingress serving", serving, Budget(15))
    yield Row("`nucleo cluster up`, whole command", timings)


def _up_and_down(setting: Setting) -> Timing:
    env = {**setting.env, "KUBECONFIG": str(setting.work / "bench.kubeconfig")}
    parts: dict[str, float] = {}
    started = time.perf_counter()
    over = threading.Event()
    watchers = [
        threading.Thread(target=_watch, args=(parts, part, look, started, over))
        for part, look in (("node Ready", _node_ready(setting)), ("ingress serving", _serving))
    ]
    for watcher in watchers:
        watcher.start()
    try:
        done = setting.nucleo("cluster", "up", "--name", _NAME, env=env)
        for watcher in watchers:
            watcher.join(_PATIENCE_SECONDS)
    finally:
        over.set()
        down = setting.nucleo("cluster", "down", "--name", _NAME, env=env)
    if len(parts) < len(watchers):
        raise MeasureError(f"of the new cluster only {list(parts) or 'nothing'} was seen")
    return Timing(done.seconds, {**parts, "down": down.seconds})


def _watch(parts: dict[str, float], part: str, look: Callable[[], bool], started: float, over: threading.Event) -> None:
    while not over.wait(_EVERY_SECONDS):
        try:
            found = look()
        except Exception:  # whatever it is: not there yet
            continue
        if found:
            parts[part] = time.perf_counter() - started
            return


def _node_ready(setting: Setting) -> Callable[[], bool]:
    clients: list[Api] = []

    def look() -> bool:
        if not clients:
            clients.append(_client(setting))
        nodes = clients[0].items("/api/v1/nodes")
        return any(
            each["type"] == "Ready" and each["status"] == "True"
            for node in nodes
            for each in node["status"]["conditions"]
        )

    return look


def _client(setting: Setting) -> Api:
    """The new cluster's API, with the certificate that lies in its container before any kubeconfig has it."""
    content = yaml.safe_load(run(["docker", "exec", f"nucleo-{_NAME}", "cat", _ADMIN], setting.env).stdout)
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{_port('6443/tcp')}"
    file = Path(setting.work / "admin.yaml")
    file.write_text(json.dumps(content))
    return Api(file, content["contexts"][0]["name"])


def _serving() -> bool:
    return 100 <= ask(f"http://localhost:{_port('80/tcp')}/", timeout=1).status < 500


def _port(inner: str) -> int:
    container: dict[str, Any] = engine("GET", f"/containers/nucleo-{_NAME}/json")
    return int(container["HostConfig"]["PortBindings"][inner][0]["HostPort"])
