"""nucleo init."""

from typing import Annotated

import typer

from nucleo_cli.builder import platforms
from nucleo_cli.config.loading import default_name, shown
from nucleo_cli.context import Context
from nucleo_cli.workflows.init import Found, check_free, check_name, check_platform, decided, detect, write

Platform = Annotated[
    str | None, typer.Option("--platform", metavar="NAME", help="What the app is built with: python, python:3.13.")
]


def command(context: Context, platform: Platform = None) -> None:
    """Write the smallest nucleo.yml for this repository.

    \b
    Examples:
      nucleo init
      nucleo init --platform python
      nucleo init --app shop
    """
    directory = context.options.directory
    check_free(directory)
    chosen = _given(platform) if platform else _found(context)
    name = context.options.app or (None if default_name(directory) else _ask_name(context))
    if name:
        check_name(name)
    write(directory, chosen.platform, name)
    document = {
        "file": shown(directory),
        "app": name or default_name(directory),
        "platform": chosen.platform,
        "because": chosen.file,
    }
    because = f", because {chosen.file} is here" if chosen.file else ""
    context.terminal.show(document, f"{document['file']} is written: platform {chosen.platform}{because}")
    context.terminal.note("nucleo plan shows how the app would be built; nucleo deploy releases it")


def _given(platform: str) -> Found:
    check_platform(platform)
    return Found(platform, "")


def _found(context: Context) -> Found:
    """The only platform that the files speak for; asked for where there are several, or none."""
    seen = detect(context.options.directory)
    found = decided(seen)
    if len(found) == 1:
        for other in seen:
            if other not in found:
                context.terminal.note(f"{other.file} is here too: platform: {other.platform} goes by that one")
        return found[0]
    if found:
        files = " and ".join(f"{each.file} ({each.platform})" for each in found)
        question, choices = f"There are {files}. Which platform is it?", [each.platform for each in found]
    else:
        question, choices = "No file here tells the platform. Which is it?", list(platforms.names())
    flag = " or ".join(f"--platform {each}" for each in choices) if found else "--platform NAME: nucleo platforms"
    answer = context.terminal.ask(question, flag, choices)
    return next((each for each in found if each.platform == answer), Found(answer, ""))


def _ask_name(context: Context) -> str:
    return context.terminal.ask("The folder's name cannot be an app's. What is the app's name?", "--app NAME")
