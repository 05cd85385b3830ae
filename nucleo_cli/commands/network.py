"""nucleo network."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from nucleo_cli.commands.shell import seconds
from nucleo_cli.context import Context
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.tables import table
from nucleo_cli.terminal.words import plural

if TYPE_CHECKING:
    from nucleo_cli.domain.flows import Flow
    from nucleo_cli.domain.settings import Settings
    from nucleo_cli.network.explain import Row
    from nucleo_cli.workflows.rates import Rate

Confirm = Annotated[
    str | None, typer.Option("--confirm", metavar="CONTEXT", help="The cluster's context, to answer the question.")
]

_MILLISECOND = 1000
_LEARN_SECONDS = 3600.0
_WEEK_SECONDS = 7 * 24 * 3600.0


def _release(text: str) -> int:
    number = text.removeprefix("v")
    if not number.isdecimal():
        raise typer.BadParameter(f'"{text}" is not a release: 3 or v3')
    return int(number)


Since = Annotated[float | None, typer.Option("--since", metavar="TIME", parser=seconds, help="As far back: 5m, 1h.")]
Dropped = Annotated[bool, typer.Option("--dropped", help="Only what was dropped, or no rule allows.")]
To = Annotated[str | None, typer.Option("--to", metavar="NAME", help="Only flows with this app, host or address.")]
Release = Annotated[
    int | None, typer.Option("--release", metavar="N", parser=_release, help="Only what began under this release: v3.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes from now on.")]


def show(context: Context) -> None:
    """Show the app's network rules: who may reach it, whom it may reach, and who enforces that.

    \b
      nucleo network show
      nucleo network show --json | jq -r '.rules[].why'
    """
    _table(context, [row for row in _rows(context) if not row.implied], "no rule")


def explain(context: Context) -> None:
    """Show every allowed flow with its reason: the rules, and what is always allowed.

    \b
      nucleo network explain
      nucleo network explain --env production
    """
    _table(context, _rows(context), "nothing is allowed")


def flows(
    context: Context,
    dropped: Dropped = False,
    to: To = None,
    since: Since = None,
    release: Release = None,
    follow: Follow = False,
) -> None:
    """Show what the app has talked to, by name, and what the rules said to it.

    The agents keep a week of it. With --json one flow is one line. Beside Cilium a flow that no rule allows is
    "undecided": the agent sees it before Cilium decides.

    \b
      nucleo network flows --dropped
      nucleo network flows -f --to api.stripe.com
      nucleo network flows --dropped --release v3
      nucleo network flows --since 1h --json | jq -r .peer
    """
    from nucleo_cli.workflows.flows import Query, during, read_flows

    begin, end = time.time() - (since or _WEEK_SECONDS), float("inf")
    if release is not None:
        began, end = during(context.cluster, context.target, release)
        begin = max(begin, began)
    query = Query(begin, end, dropped, to or "", follow)
    found = read_flows(context.cluster, context.target, query)
    style, app = context.terminal.style, context.target.app
    if follow:
        for flow in found:
            context.terminal.show(asdict(flow), clean(_line(flow, app)))
        return
    seen = list(found)
    if context.terminal.machine:
        for flow in seen:
            context.terminal.show(asdict(flow), "")
    elif seen:
        context.terminal.show({}, lambda: _flow_table(seen, app, style))
    else:
        context.terminal.note("the rules allow all that was seen" if dropped else "nothing was seen")


flows.only_looks = True  # type: ignore[attr-defined]


def learn(
    context: Context,
    since: Since = None,
    write: Annotated[bool, typer.Option("--write", help="Add them to nucleo.yml.")] = False,
) -> None:
    """Propose the rules that the flows of the last hour lack.

    With `mode: audit` nothing is dropped meanwhile.

    \b
      nucleo network learn
      nucleo network learn --since 24h --write
    """
    from difflib import unified_diff

    from nucleo_cli.config.editing import with_rules
    from nucleo_cli.domain.flows import UNRULED
    from nucleo_cli.network.drops import would_allow
    from nucleo_cli.network.learn import missing
    from nucleo_cli.workflows.drops import apps_behind
    from nucleo_cli.workflows.flows import Query, read_flows

    query = Query(time.time() - (since or _LEARN_SECONDS), dropped=True)
    seen = read_flows(context.cluster, context.target, query)
    settings, behind = _settings(context), apps_behind(context.cluster, context.app)
    unruled = [
        flow for flow in seen if flow.verdict in UNRULED and not would_allow(context.app, settings, flow, behind)
    ]
    found = missing(context.app, unruled)
    file = context.options.directory / "nucleo.yml"
    before = file.read_text("utf-8")
    after = with_rules(before, found, context.app.environment)
    diff = list(unified_diff(before.splitlines(), after.splitlines(), "nucleo.yml", "nucleo.yml", n=2, lineterm=""))
    context.terminal.show({"rules": found, "written": write and bool(diff)}, "\n".join(diff))
    if not unruled:
        context.terminal.note("the rules allow all that was seen")
    elif not diff:
        context.terminal.note("no rule to propose: nucleo network flows --dropped shows what none allows")
    elif write:
        file.write_text(after, "utf-8")
        context.terminal.note("written to nucleo.yml: nucleo deploy releases it")
    else:
        context.terminal.note("nucleo network learn --write adds this to nucleo.yml")


def test(context: Context) -> int | None:
    """Try the rules from inside the app: what they allow, and some of what they do not.

    Exit code 10 where the cluster does something else than nucleo.yml says.

    \b
      nucleo network test
      nucleo network test --json | jq '.trials[] | select(.as_expected == false)'
    """
    from nucleo_cli.errors import Exit
    from nucleo_cli.network.trials import NOWHERE
    from nucleo_cli.workflows.trials import try_rules

    tried, left_out = try_rules(context.cluster, context.app, _settings(context))
    style = context.terminal.style
    different = [each for each in tried if each.as_expected is False]
    document = {
        "app": context.app.name,
        "trials": [{**asdict(each.trial), "result": each.result, "as_expected": each.as_expected} for each in tried],
        "untried": [asdict(each) for each in left_out],
    }
    marks = {True: style.green("✓"), False: style.red("✗"), None: style.yellow("?")}
    cells = [(f"{each.trial.host}:{each.trial.port}", each.result, each.trial.why) for each in tried]

    def text() -> str:
        first, *lines = table(("TO", "RESULT", "WHY"), cells).splitlines()
        marked = [f"{marks[each.as_expected]} {line}" for each, line in zip(tried, lines, strict=True)]
        return "\n".join([f"  {style.dim(first)}", *marked])

    context.terminal.show(document, text if tried else "")
    for each in left_out:
        context.terminal.note(f'"{each.rule}" was not tried: {each.why}')
    if any(not each.trial.expected and each.trial.host != NOWHERE for each in tried):
        context.terminal.note(
            "the agent saw these connections too: for an hour nucleo network learn would propose them"
        )
    if context.app.network.mode == "audit":
        context.terminal.note("mode is audit: nothing is dropped, and only what rules allow was tried")
    elif not tried:
        context.terminal.note(f"nothing closes what {context.app.name} may connect to: there is nothing to try")
    elif different:
        context.terminal.note(f"{len(different)} of {len(tried)} are not as nucleo.yml says: is it deployed?")
        return Exit.DIFFERENT
    return None


def top(context: Context) -> None:
    """Show what the app's connections carry now: rates, round trips and retransmits by peer.

    Sums of the last ten seconds; Ctrl-C ends it.

    \b
      nucleo network top
      nucleo network top --json --timeout 10 | jq '.peers[0]'
    """
    from nucleo_cli.terminal.live import watch
    from nucleo_cli.workflows.flows import Query, read_flows
    from nucleo_cli.workflows.rates import Rates

    rates = Rates()
    rates.start(read_flows(context.cluster, context.target, Query(time.time(), follow=True)))

    def read() -> tuple[dict[str, object], str]:
        found = rates.read()
        head = ("", "PEER", "PORT", "OUT", "IN", "CONNECTIONS", "RTT", "RETRANSMITS", "DROPPED")
        cells = [_rate_cells(rate) for rate in found]
        text = table(head, cells) if cells else "nothing comes and nothing goes"
        return {"app": context.target.app, "peers": [asdict(rate) for rate in found]}, text

    limit = context.options.timeout
    watch(context.terminal, read, 1.0, time.monotonic() + limit if limit else float("inf"))


top.only_looks = True  # type: ignore[attr-defined]


def _rate_cells(rate: "Rate") -> tuple[str, ...]:
    trip = "" if rate.rtt_us is None else _trip(rate.rtt_us)
    volumes = (f"{_volume(rate.bytes_out)}/s", f"{_volume(rate.bytes_in)}/s", f"{rate.connections:.1f}/s")
    troubles = (f"{each:.1f}/s" if each else "" for each in (rate.retransmits, rate.dropped))
    return rate.direction, rate.peer, str(rate.port), *volumes, trip, *troubles


def _trip(microseconds: int) -> str:
    return f"{microseconds / _MILLISECOND:.1f} ms" if microseconds >= _MILLISECOND else f"{microseconds} µs"


def install(context: Context) -> None:
    """Put Nucleo's agent on every node of the cluster, or bring it to this version.

    It enforces the network rules of apps by BPF, and the kernel goes on with that while it is away. Where Cilium
    enforces them it only observes, for flows, top and learn.

    \b
      nucleo network install
      nucleo network install --json | jq -r .image
    """
    from nucleo_cli.workflows.agent import install

    done = context.terminal.follow(install(context.tools, context.options.timeout))
    does = "observes" if done["observes"] else "is ready"
    context.terminal.show(done, f"the agent {does} on {plural(done['nodes'], 'node')}")
    if done["observes"]:
        context.terminal.note("it sees an app with rules from its next deploy on")


def uninstall(context: Context, confirm: Confirm = None) -> None:
    """Remove the agent, its programs in the kernel, and the rules that it enforces.

    \b
      nucleo network uninstall
      nucleo network uninstall --confirm nucleo-local
    """
    from nucleo_cli.workflows.agent import ruled_apps, uninstall

    apps = ruled_apps(context.cluster)
    open_apps = f" {plural(len(apps), 'app')} will be open to everybody, and to go anywhere." if apps else ""
    question = f'This removes the agent from cluster "{context.cluster_context}".{open_apps}'
    context.terminal.confirm(question, context.cluster_context, confirm)
    done = context.terminal.follow(uninstall(context.tools, context.options.timeout))
    context.terminal.show(done, f"the agent is gone from {plural(done['nodes'], 'node')}")
    for each in done["apps"]:
        context.terminal.note(
            f"deploy {each['app']} in namespace {each['namespace']} again: new pods of it wait for the agent"
        )


def _settings(context: Context) -> "Settings":
    from nucleo_cli.workflows.settings import read_settings, with_back_end

    return with_back_end(context.cluster, read_settings(context.cluster))


def _rows(context: Context) -> "tuple[Row, ...]":
    from nucleo_cli.network.backends import enforcing
    from nucleo_cli.network.explain import explained

    settings = _settings(context)
    return explained(context.app, settings, enforcing(settings))


def _table(context: Context, rows: "list[Row] | tuple[Row, ...]", nothing: str) -> None:
    from nucleo_cli.network.backends import NAMES

    mode = context.app.network.mode
    document = {"app": context.app.name, "mode": mode, "rules": [asdict(row) for row in rows]}
    cells = [(row.direction, row.peer, row.ports, row.why, NAMES[row.back_end]) for row in rows]
    context.terminal.show(document, lambda: table(("", "PEER", "PORTS", "WHY", "BY"), cells) if rows else "")
    if not rows:
        context.terminal.note(f"{context.app.name} has {nothing} in nucleo.yml: every direction is open")


def _flow_table(flows: "list[Flow]", app: str, style: Style) -> str:
    head = ("LAST", "", "PEER", "PORT", "VERDICT", "CONNECTIONS", "BYTES", "RULE")
    cells = [_cells(flow, app) for flow in flows]
    first, *lines = table(head, cells).splitlines()
    doubtful = dict.fromkeys(("audited", "undecided"), style.yellow)
    colors = {"denied": style.red, "limited": style.red, **doubtful}
    colored = [colors.get(flow.verdict, str)(line) for line, flow in zip(lines, flows, strict=True)]
    return "\n".join([style.dim(first), *colored])


def _cells(flow: "Flow", app: str) -> tuple[str, ...]:
    when = time.strftime("%H:%M:%S", time.localtime(flow.last))
    port = f"{flow.port}/{flow.protocol.lower()}" if flow.port else flow.protocol.lower()
    volume = _volume(flow.bytes_in + flow.bytes_out)
    return when, flow.direction, _who(flow), port, flow.verdict, str(flow.connections), volume, _why(flow, app)


def _line(flow: "Flow", app: str) -> str:
    when, direction, peer, port, verdict, _, volume, why = _cells(flow, app)
    arrow = "->" if direction == "out" else "<-"
    return f"{when}  {flow.pod} {arrow} {peer} {port}  {verdict}  {volume}  {why}"


def _who(flow: "Flow") -> str:
    return flow.address if flow.kind == "address" else f"{flow.peer} ({flow.address})"


def _why(flow: "Flow", app: str) -> str:
    if flow.rule or flow.verdict == "allowed":
        return flow.rule or "open"
    if flow.port and not flow.target:
        return f"{flow.name} has no port {flow.port}"
    ways = (app, flow.name) if flow.direction == "out" else (flow.name, app)
    decides = ", Cilium decides" if flow.verdict == "undecided" else ""
    return f"no rule allows {ways[0]} to {ways[1]}:{flow.target}{decides}"


def _volume(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""


subcommands = {
    "show": show,
    "explain": explain,
    "flows": flows,
    "top": top,
    "learn": learn,
    "test": test,
    "install": install,
    "uninstall": uninstall,
}
