"""From the file nucleo.yml to an App: read, check everything, lay the environment over it."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from nucleo_cli.config.kinds import did_you_mean
from nucleo_cli.config.model import DEFAULT_CPU_THRESHOLD, DEFAULT_PORTS, LONGEST_NAME, NUCLEO_YML
from nucleo_cli.config.nodes import List, Map, Mark, Node, Scalar, find, quoted
from nucleo_cli.config.problems import Place, Problem, Report
from nucleo_cli.config.reading import MAX_BYTES, MalformedError, parse
from nucleo_cli.config.values import as_label, platforms
from nucleo_cli.domain.app import WEB, App, Build, Health, Port, Process, Resources, Scale, Target
from nucleo_cli.domain.edge import Dns, Tls
from nucleo_cli.domain.network import HttpRule, Limits, Network
from nucleo_cli.errors import ConfigInvalid, UsageError

FILE = "nucleo.yml"
_START = Mark(1, 1)
_THRESHOLDS = ("cpu_threshold", "memory_threshold")


def load(directory: Path, environment: str | None = None) -> App:
    """The app of `directory`/nucleo.yml in `environment`; None is the unnamed one, without an overlay.

    The whole file is checked, each environment too. Raises ConfigInvalid with every problem; UsageError where
    `directory` is no folder.
    """
    values = read(directory)
    overlays = values.pop("environments", {})
    if environment is not None and environment not in overlays:
        raise _unknown_environment(directory, environment, list(overlays))
    overlay: dict[str, Any] = overlays[environment] if environment is not None else {}
    return _app(directory.resolve(), environment, merged(values, overlay))


def environments(directory: Path) -> list[str]:
    """The names of the environments in `directory`/nucleo.yml, in the file's order. Raises as load does."""
    return list(read(directory).get("environments", {}))


def shown(directory: Path) -> str:
    """How the person would name the file from where they stand."""
    path = directory / FILE
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return os.fsencode(path).decode("utf-8", "replace")


def read(directory: Path) -> dict[str, Any]:
    """The checked values of the file by key, environments not yet laid over. Raises as load does."""
    report = Report(shown(directory), directory)
    try:
        root = parse(_bytes(directory, report.file))
    except MalformedError as error:
        report.problems.append(Problem(error.mark, "", error.message, error.hint))
        raise report.error() from None
    values = NUCLEO_YML.read(root, Place(report, "", _START)) or {}
    _check(root, values, report)
    if report.problems:
        raise report.error()
    return values


def place(app: App, key: str, text: str) -> Mark | None:
    """Where `text` stands in the file below network.`key`, or else what is nearest to it; None where nothing is."""
    try:
        root = parse(_bytes(app.directory, FILE))
    except (ConfigInvalid, UsageError, MalformedError):
        return None  # it was there when the app was read
    overlay = ("environments", app.environment) if app.environment else ()
    for path in ((*overlay, "network", key), ("network", key), (*overlay, "network"), ("network",)):
        if entry := find(root, *path):
            items = entry.node.items if isinstance(entry.node, List) else ()
            return next((each.mark for each in items if _says(each, text)), entry.mark)
    return None


def _says(node: Node, text: str) -> bool:
    entry = find(node, "from")
    node = entry.node if entry else node
    return isinstance(node, Scalar) and node.text.strip() == text


def _bytes(directory: Path, file: str) -> bytes:
    if not directory.is_dir():
        what = "is not a folder" if directory.exists() else "does not exist"
        raise UsageError(f"{quoted(str(directory))} {what}", hint="name the folder of nucleo.yml with -C DIR")
    path = directory / FILE
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
            raise _unreadable(file, "is not a regular file", "")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "does not exist", _missing_hint(directory)) from None
    except OSError as error:
        raise _unreadable(file, f"cannot be read: {error.strerror}", "") from None


def _unreadable(file: str, what: str, hint: str) -> ConfigInvalid:
    """A problem of the file as a whole, which has no line."""
    problem = {"file": file, "line": None, "column": None, "path": "", "message": what, "hint": hint}
    return ConfigInvalid(f"{file} {what}", hint=hint, details={"problems": [problem]})


def _missing_hint(directory: Path) -> str:
    if (directory / "nucleo.yaml").is_file():
        return "rename nucleo.yaml to nucleo.yml"
    return "nucleo init writes one; -C DIR names another folder"


def _check(root: Node, values: Mapping[str, Any], report: Report) -> None:
    """The rules that concern more than one value."""
    if report.problems and not isinstance(root, Map):
        return
    scale_is_known = not any("scale" in problem.path for problem in report.problems)
    _check_platform(root, report)
    _check_name(root, report)
    if scale_is_known:
        _check_thresholds(root, values, {}, (), report)
        for name, overlay in values.get("environments", {}).items():
            _check_thresholds(root, overlay, values.get("scale", {}), ("environments", name), report)


def _check_platform(root: Node, report: Report) -> None:
    if not find(root, "platform"):
        what = f"platform is missing; expected one of {', '.join(platforms())}"
        Place(report, "", _START).wrong(what, "write platform: NAME; nucleo platforms says what speaks for each")


def _check_name(root: Node, report: Report) -> None:
    if not find(root, "name") and not default_name(report.directory):
        folder = quoted(report.directory.resolve().name)
        Place(report, "", _START).wrong(
            f"name is missing, and the folder's name {folder} holds nothing to make one of", "write name: my-app"
        )


def default_name(directory: Path) -> str:
    """The app's name where none is written: the folder's, made a DNS label; "" when it has no letter or digit."""
    return as_label(directory.resolve().name, LONGEST_NAME)


def _check_thresholds(
    root: Node, values: Mapping[str, Any], below: Mapping[str, Any], path: tuple[str, ...], report: Report
) -> None:
    """A threshold means something only where the replicas in force are a range."""
    minimum, maximum = {**below, **values.get("scale", {})}.get("replicas", (1, 1))
    for key in _THRESHOLDS if minimum == maximum else ():
        if entry := find(root, *path, "scale", key):
            place = Place(report, ".".join((*path, "scale", entry.key)), entry.mark)
            place.wrong(f"needs a range of replicas, got a fixed {maximum}", 'for example replicas: "2-20"')


def _unknown_environment(directory: Path, environment: str, known: list[str]) -> ConfigInvalid:
    what = f"has no environment {quoted(environment)}{did_you_mean(environment, known)}"
    hint = f"the environments are {', '.join(known)}" if known else f"write environments: {{{environment}: {{}}}}"
    return _unreadable(shown(directory), what, hint)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: mappings merge at every depth, anything else replaces."""
    result = dict(below)
    for key, value in above.items():
        result[key] = merged(result.get(key) or {}, cast("dict[str, Any]", value)) if isinstance(value, dict) else value
    return result


def _app(directory: Path, environment: str | None, values: Mapping[str, Any]) -> App:
    name = values.get("name") or default_name(directory)
    platform, _, version = values["platform"].partition(":")
    return App(
        name=name,
        directory=directory,
        platform=platform,
        platform_version=version or None,
        environment=environment,
        namespace=Target.named(name, environment, values.get("namespace")).namespace,
        cluster=values.get("cluster"),
        processes=(_web(values),),
        kernel=values.get("kernel", {}),
        env=values.get("env", {}),
        build=_build(values),
        network=_network(values.get("network", {})),
        domains=tuple(values.get("domains", ())),
        tls=Tls(**values.get("tls", {})),
        dns=Dns(**values.get("dns", {})),
    )


def _build(values: Mapping[str, Any]) -> Build:
    build = values.get("build", {})
    return Build(
        root=build.get("root", Build().root),
        architectures=tuple(sorted(build.get("architectures", ()))),
        env=build.get("env", {}),
        secrets=tuple(build.get("secrets", ())),
        apt=tuple(sorted(values.get("apt", ()))),
    )


def _network(values: Mapping[str, Any]) -> Network:
    return Network(
        mode=values.get("mode", Network().mode),
        default=values.get("default", Network().default),
        inbound=values.get("from"),
        outbound=values.get("to"),
        http=tuple(
            HttpRule(each["from"], each.get("methods", ()), each.get("paths", ())) for each in values.get("http", ())
        ),
        limits=Limits(values.get("limits", {}).get("egress")),
        egress_ip=values.get("egress_ip"),
    )


def _web(values: Mapping[str, Any]) -> Process:
    cmd = values.get("cmd", {})
    health = values.get("health", {})
    return Process(
        name=WEB,
        start=cmd.get("start"),
        pre_stop=cmd.get("pre_stop"),
        ports=values["ports"] if "ports" in values else _default_ports(),
        scale=_scale(values.get("scale", {})),
        resources=_resources(values.get("resources", {})),
        health=Health(health.get("path"), health.get("timeout", Health().timeout)),
    )


def _default_ports() -> tuple[Port, ...]:
    pairs = (text.split(":") for text in DEFAULT_PORTS)
    return tuple(Port(int(internal), int(external)) for internal, external in pairs)


def _scale(values: Mapping[str, Any]) -> Scale | None:
    if "replicas" not in values:
        return None
    minimum, maximum = values["replicas"]
    if minimum == maximum:
        return Scale(minimum, maximum)  # thresholds of the base go unused where an environment fixes the number
    cpu, memory = (values.get(key) for key in _THRESHOLDS)
    if cpu is None and memory is None:
        cpu = DEFAULT_CPU_THRESHOLD
    return Scale(minimum, maximum, cpu, memory)


def _resources(values: Mapping[str, Any]) -> Resources:
    cpu = values.get("cpu", (None, None))
    memory = values.get("memory", (None, None))
    return Resources(cpu[0], cpu[1], memory[0], memory[1])
