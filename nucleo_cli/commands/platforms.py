"""nucleo platforms."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from typer import Argument

from nucleo_cli.context import Context
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.tables import table
from nucleo_cli.terminal.words import plural
from nucleo_cli.workflows.platforms import read_platform, read_platforms

Json = dict[str, Any]

# So long before the end of a version's support there is time to change it without haste.
_SOON_DAYS = 180
_FEW = 3


def list_platforms(context: Context) -> None:
    """List the platforms, how long each version is supported, and the files that speak for them.

    \b
      nucleo platforms
      nucleo platforms --json | jq -r '.platforms[].platform'
    """
    document = read_platforms(_today())
    context.terminal.show(document, lambda: render(document, context.terminal.style))
    for each in document["problems"]:
        context.terminal.note(f"{clean(each['package'])} cannot be used: {clean(each['problem'])}")


def show(context: Context, name: Annotated[str, Argument(metavar="NAME", help="A platform, such as python.")]) -> None:
    """Show one platform: versions, pinned tools, Debian packages, caches, and what of this machine its builds see.

    \b
      nucleo platforms show python
      nucleo platforms show python --json | jq -r '.versions[].until'
    """
    document = read_platform(name, _today())
    context.terminal.show(document, lambda: render_one(document, context.terminal.style))


subcommands = {"list": list_platforms, "show": show}
default = "list"


def render(document: Json, style: Style) -> str:
    """One row for each version; those whose support has ended, or will soon, in yellow."""
    rows: list[tuple[tuple[str, ...], Json]] = []
    for platform in document["platforms"]:
        for index, version in enumerate(platform["versions"]):
            first = (platform["platform"], _shortened(platform["detect"])) if index == 0 else ("", "")
            rows.append(((first[0], _name(version), _until(version), first[1]), version))
    return _lines(("PLATFORM", "VERSION", "SUPPORT ENDS", "DETECTED BY"), rows, style)


def render_one(document: Json, style: Style) -> str:
    """The versions as a table, then what is the same for all of them; what there is nothing of is left out."""
    versions = document["versions"]
    own = any(each["tools"] for each in versions)
    rows = [((_name(each), _until(each), each["suite"], _tools(each["tools"]))[: 3 + own], each) for each in versions]
    facts = {
        "detected by": ", ".join(document["detect"]),
        "tools": _tools(document["tools"]),
        "in the image": ", ".join(document["packages"]["run"]),
        "for building": ", ".join(document["packages"]["build"]),
        "caches": _caches(document["caches"]),
        "of this machine": ", ".join(document["host"]["variables"] + document["host"]["files"]),
        "builds for": "amd64 and arm64, on any machine" if document["cross"] else "the machine's own architecture",
        "comes from": document["package"] if not document["bundled"] else f"Nucleo itself, {document['package']}",
    }
    width = max(map(len, facts))
    return "\n".join(
        [
            _lines(("VERSION", "SUPPORT ENDS", "DEBIAN", "TOOLS")[: 3 + own], rows, style),
            "",
            *(f"{style.dim(f'{name:<{width}}')}  {clean(text)}" for name, text in facts.items() if text),
        ]
    )


def _lines(head: tuple[str, ...], rows: list[tuple[tuple[str, ...], Json]], style: Style) -> str:
    first, *lines = table(head, [cells for cells, _ in rows]).splitlines()
    colored = (style.yellow(line) if _ends(each) else line for line, (_, each) in zip(lines, rows, strict=True))
    return "\n".join([style.dim(first), *colored])


def _name(version: Json) -> str:
    return f"{version['version']} (default)" if version["default"] else version["version"]


def _ends(version: Json) -> bool:
    return version["days_left"] is not None and version["days_left"] <= _SOON_DAYS


def _until(version: Json) -> str:
    days = version["days_left"]
    if days is None:
        return "-"
    if days < 0:
        return f"{version['until']}, over"
    return f"{version['until']}, in {plural(days, 'day')}" if _ends(version) else version["until"]


def _shortened(files: list[str]) -> str:
    return ", ".join(files[:_FEW]) + (" …" if len(files) > _FEW else "")


def _tools(tools: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in tools.items())


def _caches(caches: dict[str, list[str]]) -> str:
    shared = [f"{folder} (of all apps)" for folder in caches["platform"]]
    return ", ".join([*shared, *(f"{folder} (of each app)" for folder in caches["app"])])


def _today() -> date:
    return datetime.now(UTC).date()
