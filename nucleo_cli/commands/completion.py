"""nucleo completion."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from nucleo_cli.assets import folder
from nucleo_cli.context import Context


class Shell(StrEnum):
    """The shells there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


FILES = {Shell.BASH: "nucleo.bash", Shell.ZSH: "_nucleo", Shell.FISH: "nucleo.fish"}
_INSTALL = {
    Shell.BASH: "add to ~/.bashrc:  source <(nucleo completion bash)",
    Shell.ZSH: "add to ~/.zshrc, after compinit:  source <(nucleo completion zsh)",
    Shell.FISH: "nucleo completion fish > ~/.config/fish/completions/nucleo.fish",
}


def command(
    context: Context, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
) -> None:
    """Print the completion script of a shell.

    It completes commands and options without starting Nucleo.

    \b
    Examples:
      source <(nucleo completion bash)
      nucleo completion fish > ~/.config/fish/completions/nucleo.fish
    """
    script = (folder("completions") / FILES[shell]).read_text()
    context.terminal.show({"shell": shell.value, "script": script}, script.rstrip("\n"))
    if context.terminal.stdout.isatty():
        context.terminal.note(_INSTALL[shell])


@dataclass(frozen=True, slots=True)
class Node:
    """A command: what it is for, its long options with their help, and its subcommands."""

    summary: str
    options: Mapping[str, str]
    commands: Mapping[str, "Node"]


def generate(shell: Shell) -> str:
    """The script of a shell, made from the whole command line; `completions/` holds the results."""
    tree = _walked()
    return {Shell.BASH: _bash, Shell.ZSH: _zsh, Shell.FISH: _fish}[shell](tree)


def _walked() -> Node:
    from nucleo_cli.commands.shell import root

    command = root()
    with command.make_context("nucleo", ["version"], obj=Context()) as parsed:
        return _node(command, parsed, "")


def _node(command: Any, parsed: Any, summary: str) -> Node:
    options = {
        name: (getattr(parameter, "help", None) or "").strip()
        for parameter in command.get_params(parsed)
        for name in parameter.opts
        if name.startswith("--")
    }
    names: list[str] = command.list_commands(parsed) if hasattr(command, "list_commands") else []
    children: dict[str, Node] = {}
    for name in names:
        child = command.get_command(parsed, name)
        children[name] = _node(child, type(parsed)(child, parent=parsed, info_name=name), child.get_short_help_str(100))
    return Node(summary, dict(sorted(options.items())), children)


def _bash(tree: Node) -> str:
    rows = "\n".join(
        f'    "{path}") words="{" ".join([*node.commands, *node.options])}" ;;' for path, node in _paths(tree)
    )
    return f"""# bash completion for nucleo; made by `nucleo completion bash`
_nucleo() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
      {"|".join(f'"{path}"' for path, _ in _paths(tree) if path)}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path" in
{rows}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _nucleo nucleo
"""


def _zsh(tree: Node) -> str:
    rows = "\n".join(f'    "{path}") found_=({" ".join(_zsh_words(node))}) ;;' for path, node in _paths(tree))
    return f"""#compdef nucleo
# zsh completion for nucleo; made by `nucleo completion zsh`
_nucleo() {{
  local path_="" i
  local -a words_ found_
  words_=("${{(@)words}}")
  for ((i = 2; i < CURRENT; i++)); do
    case "$path_ ${{words_[i]}}" in
      {"|".join(f'"{path}"' for path, _ in _paths(tree) if path)}) path_="$path_ ${{words_[i]}}" ;;
    esac
  done
  case "$path_" in
{rows}
  esac
  _describe -o nucleo found_ || _files
}}
if [ "$funcstack[1]" = "_nucleo" ]; then _nucleo "$@"; else compdef _nucleo nucleo; fi
"""


def _zsh_words(node: Node) -> list[str]:
    known = {**{name: child.summary for name, child in node.commands.items()}, **node.options}
    return [_quoted(f"{name}:{text.replace(':', ';')}") for name, text in known.items()]


def _fish(tree: Node) -> str:
    lines = ["# fish completion for nucleo; made by `nucleo completion fish`"]
    for path, node in _paths(tree):
        words = path.split()
        # Every word of the path was given, and none of the commands below it yet.
        seen = " and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
        free = "" if words else "__fish_use_subcommand"
        below = f"not __fish_seen_subcommand_from {' '.join(node.commands)}" if words and node.commands else ""
        at = f" -n '{'; and '.join(part for part in (seen.replace(' and ', '; and '), free, below) if part)}'"
        lines += [
            f"complete -c nucleo -f{at} -a {name} -d {_quoted(each.summary)}" for name, each in node.commands.items()
        ]
        lines += [f"complete -c nucleo{at} -l {name[2:]} -d {_quoted(text)}" for name, text in node.options.items()]
    return "\n".join(lines) + "\n"


def _paths(tree: Node, prefix: str = "") -> list[tuple[str, Node]]:
    """Every command by its words, each with a space before it; the root is the empty text."""
    found = [(prefix, tree)]
    for name, node in tree.commands.items():
        found += _paths(node, f"{prefix} {name}")
    return found


def _quoted(text: str) -> str:
    return "'" + " ".join(text.split()).replace("'", r"'\''") + "'"
