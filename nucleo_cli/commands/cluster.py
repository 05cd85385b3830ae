"""nucleo cluster."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from nucleo_cli.context import Context
from nucleo_cli.errors import NotFound, NucleoError, UsageError

if TYPE_CHECKING:
    from nucleo_cli.clusters.node.status import Status

LOCAL = "local"

Name = Annotated[str, Option("--name", metavar="NAME", help="The local cluster's name.")]
Named = Annotated[
    str | None, Option("--name", metavar="NAME", help=f'The local cluster\'s name; "{LOCAL}" if not said.')
]
_LISTS = ("architectures", "sysctls", "ingress_from", "switched_off", "dns_zones", "edge_addresses")
# Of one app's edge, and no setting.
_FOUND_OUT = ("controller", "listeners", "gateway_class", "endpoints")
Confirm = Annotated[str | None, Option("--confirm", metavar="NAME", help="The cluster's name, to answer the question.")]


def up(context: Context, name: Name = LOCAL) -> None:
    """Start a local cluster of one node, in a container; make it where there is none.

    \b
      nucleo cluster up
      nucleo cluster up --name two
    """
    from nucleo_cli.clusters import tools
    from nucleo_cli.clusters.node import node

    started = context.terminal.follow(node.up(context.engine, name))
    try:
        context.terminal.follow(tools.helm())
    except NucleoError as error:
        context.terminal.note(f"helm is still missing: {error.message}\n{error.hint}")
    context.terminal.show(asdict(started), f"{started.context}  {started.url}  registry {started.registry}")
    context.terminal.note("nucleo deploy uses it" if started.changed else f"{started.context} was running already")


def down(context: Context, name: Named = None, confirm: Confirm = None) -> None:
    """Remove a local cluster, with every app and image on it.

    \b
      nucleo cluster down
      nucleo cluster down --name two
    """
    from nucleo_cli.clusters.node import node

    chosen = name or LOCAL
    if node.exists(context.engine, chosen):
        question = f'This removes the local cluster "{chosen}" with all apps, images and data on it.'
        # Who names the cluster has confirmed it.
        context.terminal.confirm(question, chosen, confirm or name)
    done = context.terminal.follow(node.down(context.engine, chosen))
    context.terminal.show(asdict(done), "\n".join(f"removed {what}" for what in done.removed))
    if not done.removed:
        context.terminal.note(f'there is no local cluster "{chosen}"')


def status(
    context: Context,
    name: Name = LOCAL,
    logs: Annotated[str | None, Option("--logs", metavar="COMPONENT", help="Show a component's log instead.")] = None,
    tail: Annotated[int, Option("--tail", metavar="N", min=0, help="So many lines of it.")] = 100,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what it writes from now on.")] = False,
) -> None:
    """Show the local cluster's components, and the settings of the chosen cluster.

    \b
      nucleo cluster status
      nucleo cluster status --logs kubelet -f
      nucleo cluster status --json | jq -r .settings.registry_push
    """
    from nucleo_cli.clusters.node import status as node

    if logs:
        for line in node.logs(context.engine, name, logs, tail, follow):
            context.terminal.show({"component": logs, "message": line}, line or " ")
        return
    local = node.status(context.engine, name)
    chosen, settings = _chosen(context)
    document = {"context": chosen, "settings": settings, "local": asdict(local)}
    context.terminal.show(document, lambda: _render(local, chosen, settings))


def use(
    context: Context, chosen: Annotated[str, Argument(metavar="CONTEXT", help="A context of the kubeconfig.")]
) -> None:
    """Choose the cluster that Nucleo acts on; the kubeconfig's current context is left alone.

    \b
      nucleo cluster use prod-tokyo
    """
    from nucleo_cli.adapters.kubernetes import contexts
    from nucleo_cli.clusters.choice import choose

    known = contexts()
    if chosen not in known:
        hint = f"it has {', '.join(known)}" if known else "it has none; nucleo cluster up makes a local cluster"
        raise NotFound(f'the kubeconfig has no context "{chosen}"', hint, {"contexts": known})
    choose(chosen)
    context.terminal.show({"context": chosen}, f"{chosen} is the cluster that Nucleo acts on")


def configure(
    context: Context,
    registry: Annotated[str | None, Option("--registry", help="HOST[/PREFIX] that images are pushed to.")] = None,
    registry_pull: Annotated[str | None, Option("--registry-pull", help="The same as the nodes see it.")] = None,
    base_domain: Annotated[str | None, Option("--base-domain", help="Apps are at NAME.BASE-DOMAIN.")] = None,
    http_port: Annotated[str | None, Option("--http-port", help="The port of those URLs, 80 if not said.")] = None,
    routes: Annotated[str | None, Option("--routes", help="gateway, ingress or none.")] = None,
    gateway: Annotated[str | None, Option("--gateway", help="NAMESPACE/NAME of the Gateway for HTTPRoutes.")] = None,
    ingress_class: Annotated[str | None, Option("--ingress-class", help="The class of Ingresses.")] = None,
    platform_images: Annotated[str | None, Option("--platform-images", help="Where platform images come from.")] = None,
    architectures: Annotated[
        str | None, Option("--architectures", help="Those of the nodes: amd64, arm64 or both, with a comma.")
    ] = None,
    sysctls: Annotated[str | None, Option("--sysctls", help="Unsafe sysctls that the nodes allow.")] = None,
    network: Annotated[
        str | None, Option("--network", help="What enforces rules: networkpolicy, cilium, agent, none or auto.")
    ] = None,
    ingress_from: Annotated[
        str | None, Option("--ingress-from", help="Where the proxies of routes are: namespaces, blocks, or nodes.")
    ] = None,
    https_port: Annotated[str | None, Option("--https-port", help="The port of HTTPS, 443 if not said.")] = None,
    issuer: Annotated[
        str | None, Option("--issuer", help="Who signs the certificates of domains: nucleo or ClusterIssuer/NAME.")
    ] = None,
    dns: Annotated[
        str | None,
        Option("--dns", help="Who writes their records: external-dns, rfc2136, designate, hosts, lexicon:PROVIDER."),
    ] = None,
    dns_zones: Annotated[str | None, Option("--dns-zones", help="The zones that it may write to.")] = None,
    dns_credentials: Annotated[
        str | None, Option("--dns-credentials", metavar="FILE", help="What it needs, as NAME=VALUE; - reads stdin.")
    ] = None,
    edge_addresses: Annotated[str | None, Option("--edge-addresses", help="What the records lead to.")] = None,
) -> None:
    """Write the settings that every deploy to the chosen cluster reads; an empty value takes one away.

    \b
      nucleo cluster configure --registry registry.example.com/apps --base-domain apps.example.com
      nucleo cluster configure --routes ingress --ingress-class nginx
      nucleo cluster configure --dns rfc2136 --dns-credentials dns.env
    """
    from nucleo_cli.workflows.configure import configure, keep_credentials

    given = {
        "registry-push": registry,
        "registry-pull": registry_pull,
        "base-domain": base_domain,
        "http-port": http_port,
        "routes": routes,
        "gateway": gateway,
        "ingress-class": ingress_class,
        "platform-images": platform_images,
        "architectures": architectures,
        "sysctls": sysctls,
        "network": network,
        "ingress-from": ingress_from,
        "https-port": https_port,
        "issuer": issuer,
        "dns": dns,
        "dns-zones": dns_zones,
        "edge-addresses": edge_addresses,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes and not dns_credentials:
        raise UsageError("no setting is given", "nucleo cluster status shows the settings; --help lists the options")
    settings = asdict(configure(context.cluster, changes))
    if dns_credentials:
        keep_credentials(context.cluster, _credentials(context, dns_credentials))
    context.terminal.show({"context": context.cluster_context, "settings": settings}, lambda: _pairs(settings))


subcommands = {"up": up, "down": down, "status": status, "use": use, "configure": configure}


def _chosen(context: Context) -> tuple[str | None, dict[str, Any] | None]:
    """The chosen cluster's context and settings; None for what cannot be said."""
    from nucleo_cli.workflows.settings import read_settings

    try:
        chosen = context.cluster_context
    except NucleoError:
        return None, None
    try:
        return chosen, asdict(read_settings(context.cluster))
    except NucleoError:
        return chosen, None


def _render(local: "Status", chosen: str | None, settings: dict[str, Any] | None) -> str:
    from nucleo_cli.terminal.tables import duration, table

    parts = [f"{local.context}  {_summary(local)}"]
    if local.components:
        rows = [(each.name, each.state, duration(each.seconds)) for each in local.components]
        parts.append(table(("COMPONENT", "STATE", "SINCE"), rows))
    if chosen:
        parts.append(f"Nucleo acts on {chosen}" + ("" if settings else ", which does not answer"))
    if settings:
        parts.append(_pairs(settings))
    return "\n\n".join(parts)


def _summary(local: "Status") -> str:
    if local.state == "absent":
        return "not there; nucleo cluster up makes it"
    if local.state != "running":
        return f"{local.state}; nucleo cluster up starts it"
    ready = "ready" if local.ready else "not ready"
    where = f"http://127.0.0.1:{local.ports.http}, registry 127.0.0.1:{local.ports.registry}" if local.ports else ""
    return f"Kubernetes {local.kubernetes.removeprefix('v')}, {ready}, {local.memory >> 20} MiB, {where}"


def _credentials(context: Context, file: str) -> dict[str, str]:
    """NAME=VALUE lines; an error shows none of them, for they are secret."""
    from nucleo_cli.commands.config import lines

    try:
        text = context.terminal.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    return lines(text, "standard input" if file == "-" else file)


def _pairs(settings: dict[str, Any]) -> str:
    from nucleo_cli.terminal.tables import table

    shown = {**settings, **{key: " ".join(settings[key]) for key in _LISTS}}
    rows = [(key.replace("_", "-"), str(value)) for key, value in shown.items() if value and key not in _FOUND_OUT]
    return table(("SETTING", "VALUE"), rows)
