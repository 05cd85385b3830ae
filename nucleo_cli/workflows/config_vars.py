"""nucleo config: the app's config vars and secrets. A change is a release of its own, so a rollback undoes it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.charts.shape import SecretValues
from nucleo_cli.charts.values import carried_config
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import part
from nucleo_cli.domain.events import Notice, Work
from nucleo_cli.domain.release import Revision
from nucleo_cli.errors import NotFound, UsageError
from nucleo_cli.workflows.history import read_history, recover
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.release import Change, change
from nucleo_cli.workflows.secrets import Staged, collect, read_secret, read_staged, write_secret, write_staged

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.workflows.tools import Tools

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"PORT"})


@dataclass(frozen=True, slots=True)
class Variable:
    """One config var; `value` is None for a secret. `source`: nucleo.yml, config, or staged for the first deploy."""

    name: str
    value: str | None
    secret: bool
    source: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What to set as config vars, what as secrets, and what to take away."""

    config: Mapping[str, str]
    secrets: Mapping[str, str]
    unset: Sequence[str] = ()


def is_name(name: str) -> bool:
    """Whether a process can have a variable of that name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """The name, when a process can have a variable of that name; UsageError otherwise."""
    if not is_name(name):
        raise UsageError(
            f'"{name}" is not a name for a config var', "letters, digits and _, and no digit first: LOG_LEVEL"
        )
    if name in RESERVED:
        raise UsageError(f"{name} is set by Nucleo, from ports in nucleo.yml")
    return name


def variables(cluster: "Cluster", target: Target) -> list[Variable]:
    """Every config var of the running release, sorted; what is staged when there is none yet."""
    current = read_history(cluster, target).current
    if current is None:
        staged = read_staged(cluster, target)
        if staged is None:
            read_history(cluster, target).running()
            return []
        found = [Variable(name, value, False, "staged") for name, value in staged.config.items()]
        return sorted([*found, *(Variable(name, None, True, "staged") for name in staged.secrets)], key=_by_name)
    return sorted(_of(current), key=_by_name)


def _of(revision: Revision) -> list[Variable]:
    config, secrets = carried_config(revision), _secret_names(revision)
    written = part(revision.values, "env")
    return [
        *(
            Variable(name, value, False, "nucleo.yml")
            for name, value in written.items()
            if name not in {*config, *secrets}
        ),
        *(Variable(name, value, False, "config") for name, value in config.items() if name not in secrets),
        *(Variable(name, None, True, "config") for name in secrets),
    ]


def _by_name(variable: Variable) -> str:
    return variable.name


def value_of(cluster: "Cluster", target: Target, name: str) -> str:
    """The value of one config var, a secret's too: who may read Secrets may see it. NotFound when it is not set."""
    history = read_history(cluster, target)
    if history.current is None and (staged := read_staged(cluster, target)) is not None:
        if (value := (staged.config | staged.secrets).get(name)) is not None:
            return value
        raise _not_set(target, name)
    current = history.running()
    if name in _secret_names(current):
        return read_secret(cluster, target, str(part(current.values, "secret")["name"]))[name]
    for variable in _of(current):
        if variable.name == name and variable.value is not None:
            return variable.value
    raise _not_set(target, name)


def _not_set(target: Target, name: str) -> NotFound:
    return NotFound(f'"{target.app}" has no config var {name}', "nucleo config list shows them")


def edit(tools: "Tools", target: Target, wanted: Edit, *, timeout: float | None = None) -> Work[Revision | None]:
    """Makes a release with the config vars changed; None when there is no release yet, and the first will take them.

    The running release itself is returned when nothing would change.
    """
    sets = bool(wanted.config or wanted.secrets)
    with (yield from acquire(tools.cluster, target, create=sets)) as lease:
        history = recover(tools.cluster, read_history(tools.cluster, target))
        current = history.current
        if current is None:
            _stage(tools.cluster, target, wanted)
            yield Notice("kept for the first deploy")
            return None
        config, secret = _changed(tools.cluster, target, current, wanted)
        if config == carried_config(current) and secret == _secret(current):
            return current
        document = {**current.values, "config": config, "secret": secret}

        def write() -> None:
            from nucleo_cli.workflows.deploy import chart

            tools.helm().upgrade(target.app, chart(), target.namespace, document, description=_description(wanted))

        revision = yield from change(
            Change(tools, target, lease, history, timeout), write, "installing the release with the new config"
        )
        collect(tools.cluster, read_history(tools.cluster, target))
        return revision


def _changed(
    cluster: "Cluster", target: Target, current: Revision, wanted: Edit
) -> tuple[dict[str, str], SecretValues]:
    known = {variable.name for variable in _of(current) if variable.source == "config"}
    if missing := sorted(set(wanted.unset) - known):
        raise NotFound(f"not set by nucleo config: {', '.join(missing)}", "nucleo config list shows what is, and where")
    gone = {*wanted.unset, *wanted.config, *wanted.secrets}
    config = {name: value for name, value in carried_config(current).items() if name not in gone} | dict(wanted.config)
    old = read_secret(cluster, target, _secret(current)["name"])
    secrets = {name: value for name, value in old.items() if name not in gone} | dict(wanted.secrets)
    return dict(sorted(config.items())), write_secret(cluster, target, secrets)


def _stage(cluster: "Cluster", target: Target, wanted: Edit) -> None:
    staged = read_staged(cluster, target) or Staged()
    if missing := sorted(set(wanted.unset) - {*staged.config, *staged.secrets}):
        raise NotFound(f"not set: {', '.join(missing)}", "nucleo config list shows what is")
    gone = {*wanted.unset, *wanted.config, *wanted.secrets}
    config = {name: value for name, value in staged.config.items() if name not in gone} | dict(wanted.config)
    secrets = {name: value for name, value in staged.secrets.items() if name not in gone} | dict(wanted.secrets)
    write_staged(cluster, target, Staged(config, secrets))


def _secret(revision: Revision) -> SecretValues:
    found = part(revision.values, "secret")
    return {"name": str(found.get("name", "")), "keys": sorted(found.get("keys") or ())}


def _secret_names(revision: Revision) -> list[str]:
    return _secret(revision)["keys"]


def _description(wanted: Edit) -> str:
    changed = sorted({*wanted.config, *wanted.secrets})
    words = [f"set {', '.join(changed)}"] if changed else []
    words += [f"unset {', '.join(sorted(wanted.unset))}"] if wanted.unset else []
    return f"config: {'; '.join(words)}"[:200]
