"""nucleo deploy: from a tree and a nucleo.yml to a healthy release.

Kill it anywhere: nothing half-done stays, and the same call finishes the work.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleo_cli import __version__, assets
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.builder.plans import architectures, inputs_hash, plan_app
from nucleo_cli.builder.platforms import load as load_platform
from nucleo_cli.builder.source import Source, read_source
from nucleo_cli.charts.routes import url
from nucleo_cli.charts.scale import scales
from nucleo_cli.charts.sysctls import check as check_sysctls
from nucleo_cli.charts.values import values
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Image, Plan
from nucleo_cli.domain.documents import Json, labels, part, parts
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.events import Notice, PhaseEnded, StepEnded, Warned, Work
from nucleo_cli.domain.labels import of_app
from nucleo_cli.domain.release import Facts, Revision
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotFound, NucleoError
from nucleo_cli.network.backends import refuse
from nucleo_cli.network.manifest import where as rule_path
from nucleo_cli.workflows.answer import first_answer
from nucleo_cli.workflows.build import step_documents
from nucleo_cli.workflows.certificates import certificates, named, sign_missing
from nucleo_cli.workflows.certificates import collect as collect_certificates
from nucleo_cli.workflows.dns import Publication, prepare, publish
from nucleo_cli.workflows.drops import check_drops
from nucleo_cli.workflows.edge import with_edge
from nucleo_cli.workflows.history import History, is_healthy, mark_healthy, read_history, recover
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.phases import Phase, recorded
from nucleo_cli.workflows.release import Change, change, resume
from nucleo_cli.workflows.rollout import is_complete
from nucleo_cli.workflows.secrets import collect, drop_staged, read_staged, write_secret
from nucleo_cli.workflows.settings import read_settings, with_back_end

if TYPE_CHECKING:
    from nucleo_cli.workflows.tools import Tools


@dataclass(frozen=True, slots=True)
class Wish:
    """How to deploy: wait for another deploy's lock, build without the step cache, release rules that would drop flows
    which were seen, seconds for the rollout."""

    wait_lock: bool = False
    no_cache: bool = False
    accept_drops: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy came to. `changed` is False when the running release was already the wanted one."""

    app: App
    revision: Revision
    url: str | None
    changed: bool
    phases: tuple[PhaseEnded, ...] = ()
    steps: tuple[StepEnded, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON of `nucleo deploy`."""
        facts = self.revision.facts
        return {
            "app": self.app.name,
            "environment": self.app.environment,
            "namespace": self.app.namespace,
            "release": self.revision.version,
            "image": self.revision.image,
            "commit": facts.get("commit"),
            "dirty": bool(facts.get("dirty")),
            "url": self.url,
            "changed": self.changed,
            "phases": [{"name": each.name, "seconds": each.seconds, "skipped": each.skipped} for each in self.phases],
            "steps": step_documents(self.steps),
        }


@dataclass(frozen=True, slots=True)
class _Intent:
    """All that is known before anything is built: what should run."""

    app: App
    source: Source
    plan: Plan
    settings: Settings
    certificates: tuple[Certificate, ...]
    inputs: str


def deploy(tools: "Tools", app: App, wish: Wish) -> Work[Deployed]:
    """Makes the app's newest state run. Raises what the exit table says; see the design's "Deploy, step by step"."""
    phases: list[PhaseEnded] = []
    steps: list[StepEnded] = []
    done = yield from recorded(recorded(_deploy(tools, app, wish), StepEnded, steps), PhaseEnded, phases)
    return dataclasses.replace(done, phases=tuple(phases), steps=tuple(steps))


def _deploy(tools: "Tools", app: App, wish: Wish) -> Work[Deployed]:
    check = Phase("check")
    yield check.start(f"{app.name} in namespace {app.namespace}")
    intent = _intend(tools, app)
    with (yield from acquire(tools.cluster, app.target, wait=wish.wait_lock)) as lease:
        yield from sign_missing(tools.cluster, app.target, intent.certificates)
        history = recover(tools.cluster, read_history(tools.cluster, app.target))
        records = _records(tools, intent, history)
        work = Change(tools, app.target, lease, history, wish.timeout)
        done = yield from _bring(work, intent, wish, check)
        if records:
            yield from publish(tools.cluster, app.target, records)
        return done


def _bring(work: Change, intent: _Intent, wish: Wish, check: Phase) -> Work[Deployed]:
    """What is to be done about the release: nothing, to watch the one that is there, or a new one."""
    tools, app, history = work.tools, intent.app, work.history
    deployments = _deployments(tools, app)
    current = _unchanged(intent, history, deployments)
    where = url(app, intent.settings)
    rules_are_there = current is None or _rules_are_there(tools, current)
    if current is not None and rules_are_there and all(is_complete(each) for each in deployments):
        if not is_healthy(current):
            mark_healthy(tools.cluster, app.target, current.version)
        yield check.end("nothing changed", skipped=True)
        for process, count in _live(deployments).items():
            if not count:
                yield Warned(f"{process} is scaled to 0: nothing serves", f"nucleo scale {process}=1 starts it")
        return Deployed(app, current, where, changed=False)
    yield check.end(_summary(intent))
    if current is not None and not rules_are_there:
        gone = f"the network rules of release {current.version} are gone from the cluster"
        yield Notice(f"{gone}: releasing them again")
    elif current is not None:
        seen = "is not whole just now" if is_healthy(current) else "was not seen healthy yet"
        yield Notice(f"release {current.version} {seen}: watching it")
        return Deployed(app, (yield from resume(work, current)), where, changed=True)
    if not wish.accept_drops:
        yield from check_drops(tools.cluster, app, intent.settings, history.current)
    revision = yield from _release(work, intent, wish, _live(deployments))
    if where and history.current is None:
        yield from first_answer(where)
    return Deployed(app, revision, where, changed=True)


def _records(tools: "Tools", intent: _Intent, history: History) -> Publication | None:
    """The records to write; an app that has no domains and had none is no business of DNS."""
    had = history.current is not None and len(part(history.current.values, "routes").get("hosts") or ()) > 1
    if not intent.app.domains and not had:
        return None
    return prepare(tools.cluster, intent.app, intent.settings)


def _intend(tools: "Tools", app: App) -> _Intent:
    source = read_source(app.directory, app.build.root)
    plan = plan_app(app, source)
    settings = read_settings(tools.cluster, to_push=True)
    check_sysctls(app.kernel, settings.sysctls)
    settings = with_edge(tools.cluster, settings, app)
    if not app.network.is_silent:
        settings = with_back_end(tools.cluster, settings)
        refuse(app, settings)
    if not settings.registry_push:
        raise NucleoError(
            f'cluster "{tools.cluster.context}" does not say which registry to use',
            "nucleo cluster configure --registry HOST/PREFIX",
        )
    found = certificates(tools.cluster, app, settings)
    return _Intent(app, source, plan, settings, found, _inputs(app, source, plan, settings, found))


def _summary(intent: _Intent) -> str:
    return f"{intent.plan.platform} {intent.plan.version}, {len(intent.source.paths)} files"


def _inputs(app: App, source: Source, plan: Plan, settings: Settings, found: tuple[Certificate, ...]) -> str:
    """A hash of all that decides what would run: the image's inputs, nucleo.yml, the chart, the cluster's settings."""
    wanted = architectures(app, settings, load_platform(plan.platform))
    described = dataclasses.asdict(dataclasses.replace(app, directory=Path()))
    at_edge = [dataclasses.asdict(each) for each in found]
    parts = [inputs_hash(app, source, plan, wanted), described, dataclasses.asdict(settings), at_edge, _chart_hash()]
    return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _chart_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(chart().rglob("*")):
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def chart() -> Path:
    """The folder of the chart that every app is released with."""
    return assets.folder("chart_templates") / "app"


def _deployments(tools: "Tools", app: App) -> list[Json]:
    where = path("apps/v1", "deployments", app.namespace)
    return tools.cluster.items(where, labelSelector=of_app(app.name))


def _live(deployments: list[Json]) -> dict[str, int]:
    return {labels(each).get("nucleo.io/process", ""): each["spec"].get("replicas", 1) for each in deployments}


def _unchanged(intent: _Intent, history: History, deployments: list[Json]) -> Revision | None:
    """The running release when it already is what is wanted, its scale included."""
    current, live = history.current, _live(deployments)
    if current is None or current is not history.last or current.facts.get("inputs") != intent.inputs:
        return None
    decided = scales(intent.app, live, current.values)
    as_wanted = all(name in live and each.overrode is None for name, each in decided.items())
    return current if as_wanted else None


def _rules_are_there(tools: "Tools", current: Revision) -> bool:
    """Whether the release's network rules still exist: with the agent, for one, those of all apps are removed."""
    for each in parts(current.values, "network", "objects"):
        try:
            tools.cluster.get(rule_path(each))
        except NotFound:
            return False
    return True


def _release(work: Change, intent: _Intent, wish: Wish, live: dict[str, int]) -> Work[Revision]:
    from nucleo_cli.adapters.git import facts as git_facts  # a deploy with nothing to do needs none of these
    from nucleo_cli.builder.build import build

    app, previous = intent.app, work.history.current
    work.tools.helm()  # where it is missing, that is better known before the build than after it
    commit = git_facts(app.directory / app.build.root)
    registry = work.tools.registry(intent.settings)
    image = yield from build(
        app, intent.source, intent.plan, intent.settings, work.tools.engine, registry, commit, no_cache=wish.no_cache
    )
    work.lease.check()
    staged = read_staged(work.tools.cluster, app.target) if previous is None else None
    for name, each in scales(app, live, previous.values if previous else {}).items():
        if each.overrode is not None:
            yield Notice(f"{name}: nucleo.yml's scale wins over the {each.overrode} set by hand")
    document = values(
        app,
        image,
        _facts(intent, commit),
        intent.settings,
        previous=previous,
        live=live,
        certificates=intent.certificates,
        config=staged.config if staged else None,
        secret=write_secret(work.tools.cluster, app.target, staged.secrets) if staged and staged.secrets else None,
    )
    revision = yield from change(work, _write(work, document, _description(commit, image)), "installing the release")
    if staged:
        drop_staged(work.tools.cluster, app.target)
    after = read_history(work.tools.cluster, app.target)
    collect(work.tools.cluster, after)
    if app.domains or (previous and named(previous.values)):
        collect_certificates(work.tools.cluster, after)
    return revision


def _write(work: Change, document: Any, description: str) -> Any:
    def write() -> None:
        target = work.target
        work.tools.helm().upgrade(target.app, chart(), target.namespace, document, description=description)

    return write


def _description(commit: GitFacts | None, image: Image) -> str:
    if commit is None:
        return f"deploy {image.digest.removeprefix('sha256:')[:12]}"
    return f"deploy {commit.sha[:12]}{' with changes' if commit.dirty else ''}"


def _facts(intent: _Intent, commit: GitFacts | None) -> Facts:
    return Facts(
        nucleo=__version__,
        inputs=intent.inputs,
        platform=f"{intent.plan.platform}:{intent.plan.version}",
        commit=commit.sha if commit else None,
        dirty=commit.dirty if commit else False,
        user=(commit.user if commit else "") or os.environ.get("USER", ""),
        read_only_root=load_platform(intent.plan.platform).read_only_root,
    )
