"""nucleo config."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from nucleo_cli.context import Context
from nucleo_cli.domain.events import Work
from nucleo_cli.errors import UsageError

if TYPE_CHECKING:
    from nucleo_cli.domain.release import Revision
    from nucleo_cli.workflows.config_vars import Edit, Variable

_STDIN = "-"


def list_(context: Context) -> None:
    """List the config vars; the values of secrets stay hidden.

    \b
      nucleo config list
      nucleo config list --json
    """
    from nucleo_cli.workflows.config_vars import variables

    found = variables(context.cluster, context.target)
    document = {
        "app": context.target.app,
        "config": [
            {"name": each.name, "value": each.value, "secret": each.secret, "source": each.source} for each in found
        ],
    }
    context.terminal.show(document, lambda: _text(found))


def get(context: Context, name: Annotated[str, Argument(metavar="NAME")]) -> None:
    """Print one value, a secret's too.

    \b
      nucleo config get DATABASE_URL
    """
    from nucleo_cli.workflows.config_vars import value_of

    value = value_of(context.cluster, context.target, name)
    context.terminal.show({"app": context.target.app, "name": name, "value": value}, value)


def set_(
    context: Context,
    variables: Annotated[list[str], Argument(metavar="NAME=VALUE|NAME|-...", help="NAME alone and - read stdin.")],
    secret: Annotated[bool, Option("--secret", help="Never show it again; the value comes from stdin.")] = False,
) -> None:
    """Set config vars, as a new release.

    A value given as NAME=VALUE is seen by everybody on this machine while the command runs, so secrets are read from
    standard input: NAME alone reads one value, - reads lines of NAME=VALUE.

    \b
      nucleo config set LOG_LEVEL=debug REGION=tokyo
      nucleo config set --secret STRIPE_KEY < key.txt
      nucleo config set --secret - < production.env
    """
    from nucleo_cli.workflows.config_vars import Edit

    values = _values(context, variables, secret)
    wanted = Edit(config={}, secrets=values) if secret else Edit(config=values, secrets={})
    _apply(context, wanted)


def unset(context: Context, names: Annotated[list[str], Argument(metavar="NAME...")]) -> None:
    """Take config vars away, as a new release.

    \b
      nucleo config unset LOG_LEVEL REGION
    """
    from nucleo_cli.workflows.config_vars import Edit

    _apply(context, Edit({}, {}, tuple(names)))


subcommands = {"list": list_, "get": get, "set": set_, "unset": unset}


def _apply(context: Context, wanted: "Edit") -> None:
    from nucleo_cli.workflows.config_vars import edit

    work: Work[Revision | None] = edit(context.tools, context.target, wanted, timeout=context.options.timeout)
    revision = context.terminal.follow(work)
    release = revision.version if revision else None
    context.terminal.show({"app": context.target.app, "release": release}, "")
    context.terminal.note(f"{context.target.app} runs release {release}" if release else "nucleo deploy will use it")


def _values(context: Context, variables: list[str], secret: bool) -> dict[str, str]:
    from nucleo_cli.workflows.config_vars import check_name

    if sum("=" not in each for each in variables) > 1:
        raise UsageError("only one value can be read from standard input", "use - and lines of NAME=VALUE")
    found: dict[str, str] = {}
    for each in variables:
        name, separator, value = each.partition("=")
        if separator and secret:
            raise UsageError(
                f"a secret on the command line can be seen by others on this machine: {name}",
                f"nucleo config set --secret {name} < FILE",
            )
        if each == _STDIN:
            found |= lines(context.terminal.stdin.read())
        else:
            found[check_name(name)] = value if separator else _one(context, name, secret)
    return found


def _one(context: Context, name: str, secret: bool) -> str:
    """One value from standard input, without the newline that `echo` and editors put at its end."""
    if context.terminal.stdin.isatty():
        if not secret:
            raise UsageError(f"{name} has no value", f"nucleo config set {name}=VALUE")
        return context.terminal.ask_hidden(f"{name}:")
    return context.terminal.stdin.read().removesuffix("\n")


def lines(text: str, where: str = "standard input") -> dict[str, str]:
    """Lines of NAME=VALUE, with comments; UsageError names the line of `where`, and shows nothing of it."""
    from nucleo_cli.workflows.config_vars import check_name, is_name

    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if not separator or not is_name(name.strip()):
            # Not the line itself: it may be a part of a secret, such as the second line of a key.
            raise UsageError(f"{where}, line {number}: expected NAME=VALUE")
        found[check_name(name.strip())] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    stripped = value.strip()
    quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "\"'"
    return stripped[1:-1] if quoted else stripped


def _text(found: "list[Variable]") -> str:
    from nucleo_cli.terminal.tables import table

    if not found:
        return ""
    rows = [[each.name, "•••••• (secret)" if each.value is None else each.value, each.source] for each in found]
    return table(["NAME", "VALUE", "FROM"], rows)
