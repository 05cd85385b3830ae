"""From functions to a command line: the lazy group, and the options that every command takes.

Typer is subclassed rather than decorated with, because importing all commands to print --help would cost more time than
--help may take.
"""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.models import OptionInfo

from nucleo_cli import __version__
from nucleo_cli.commands import SECTIONS, TABLE
from nucleo_cli.context import Context, Options
from nucleo_cli.errors import Interrupted, UsageError

_COMMON_PANEL = "Options of every command"


def seconds(text: str) -> float:
    """A duration in seconds: `90`, `90s`, `5m`, `1h`."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, factor = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        value = float(number) * factor
    except ValueError:
        raise typer.BadParameter(f'"{text}" is not a duration such as 90s, 5m or 1h') from None
    if not 0 < value < float("inf"):
        raise typer.BadParameter("a duration is more than nothing")
    return value


Directory = Annotated[
    Path, typer.Option("--directory", "-C", metavar="DIR", help="The folder with nucleo.yml.", show_default=False)
]
Environment = Annotated[str | None, typer.Option("--env", "-e", metavar="ENV", help="An environment of nucleo.yml.")]
AppName = Annotated[str | None, typer.Option("--app", "-a", metavar="APP", help="The app, without its nucleo.yml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, errors too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colour.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; fail and name the option instead.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="TIME", parser=seconds, help="Give up after this long: 90s, 5m.")
]

_COMMON: dict[str, tuple[Any, Any]] = {
    "directory": (Directory, Path()),
    "environment": (Environment, None),
    "app": (AppName, None),
    "json": (AsJson, False),
    "quiet": (Quiet, False),
    "no_color": (NoColor, False),
    "no_input": (NoInput, False),
    "timeout": (Timeout, None),
}


class Command(TyperCommand):
    """A command whose help lists its own options before those of every command."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                (common if parameter.name in _COMMON else own).append(record)
        for title, records in (("Options", own), (_COMMON_PANEL, common)):
            with formatter.section(title):
                formatter.write_dl(records)


class LazyGroup(TyperGroup):
    """`nucleo`: names and summaries come from the table; a command is imported when it is called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return list(TABLE)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002
        if cmd_name not in TABLE:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        if args and args[0] not in TABLE and not args[0].startswith("-"):
            raise unknown(args[0], TABLE)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([tuple(entry) for entry in entries])


class Group(TyperGroup):
    """A command with subcommands, such as `nucleo cluster`. `default` is the one that runs when none is named."""

    default = ""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        named = any(word in self.commands or word in ctx.help_option_names for word in args)
        only_options = all(word.startswith("-") for word in args[:1])
        return super().parse_args(ctx, [self.default, *args] if self.default and only_options and not named else args)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown(args[0], self.commands, f"{self.name} ")
        return super().resolve_command(ctx, args)


def unknown(name: str, known: Mapping[str, Any], prefix: str = "") -> UsageError:
    """The error of a misspelled command, with the nearest names."""
    near = get_close_matches(name, list(known), 3, 0.5)
    hint = "did you mean " + " or ".join(f"nucleo {prefix}{match}" for match in near) + "?" if near else ""
    return UsageError(f'there is no command "{prefix}{name}"', hint or f"nucleo {prefix}--help lists the commands")


def load(name: str) -> Any:
    """Imports the command `name` and builds what parses its options."""
    module = import_module(f"nucleo_cli.commands.{name}")
    if hasattr(module, "subcommands"):
        return _group(name, module.subcommands, TABLE[name], getattr(module, "default", ""))
    return _single(name, module.command)


def root() -> Any:
    """The whole command line, with no command imported yet."""
    app = _typer()
    app.callback(
        cls=LazyGroup,
        no_args_is_help=True,
        epilog="nucleo COMMAND --help shows the options of a command, with examples.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )(_nucleo)
    return get_command(app)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"nucleo {__version__}")
        raise typer.Exit


def _nucleo(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """From a repository with a nucleo.yml to a running app on your own Kubernetes cluster."""


def _typer() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _single(name: str, function: Callable[..., Any]) -> Any:
    app = _typer()
    app.command(name, cls=Command, context_settings=_settings(function))(_with_common_options(function))
    return get_command(app)


def _group(name: str, functions: Mapping[str, Callable[..., Any]], summary: str, default: str) -> Any:
    app = _typer()
    app.callback()(_nothing)
    for sub, function in functions.items():
        app.command(sub, cls=Command, context_settings=_settings(function))(_with_common_options(function))
    built: Any = get_command(app)
    group = Group(name=name, help=summary, commands=built.commands, no_args_is_help=not default, rich_markup_mode=None)
    group.default = default
    return group


def _nothing() -> None:
    pass


def _settings(function: Callable[..., Any]) -> dict[str, Any]:
    """`run` and `exec` take the rest of the line as a command of its own: their module says so."""
    passed = bool(getattr(function, "passes_arguments", False))
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    return {**settings, "allow_interspersed_args": False} if passed else settings


def _with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the options of every command added, and made into its Context."""

    def call(ctx: typer.Context, **values: Any) -> Any:
        chosen = {name: values.pop(name) for name in _COMMON}
        options = Options(
            directory=chosen["directory"],
            environment=chosen["environment"],
            app=chosen["app"],
            json=chosen["json"],
            quiet=chosen["quiet"],
            color=not chosen["no_color"],
            input=not chosen["no_input"],
            timeout=chosen["timeout"],
        )
        context: Context = ctx.obj.configured(options)
        ctx.obj.current = context
        try:
            return function(context, **values)
        except Interrupted as stop:
            if getattr(function, "only_looks", False):
                return stop.exit  # for what follows until it is stopped, that is the normal end
            raise

    hints = get_type_hints(function, include_extras=True)
    own = [
        parameter.replace(annotation=_with_variable(name, hints[name]), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
    ]
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_with_variable(name, annotation)
        )
        for name, (annotation, default) in _COMMON.items()
    ]
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    call.__signature__ = inspect.Signature([first, *own, *common])  # type: ignore[attr-defined]
    call.__annotations__ = {"ctx": typer.Context, **{item.name: item.annotation for item in (*own, *common)}}
    call.__doc__ = function.__doc__
    call.__name__ = function.__name__
    return call


def _with_variable(name: str, annotation: Any) -> Any:
    """Every option also reads NUCLEO_<OPTION>, named after its long form."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, OptionInfo) and extra.envvar is None:
            long = next((flag for flag in extra.param_decls or () if flag.startswith("--")), f"--{name}")
            extra.envvar = "NUCLEO_" + long.split("/")[0].removeprefix("--").replace("-", "_").upper()
            extra.show_envvar = False
    return annotation
