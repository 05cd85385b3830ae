"""nucleo build."""

from typing import Annotated

import typer

from nucleo_cli.context import Context
from nucleo_cli.workflows.build import build


def command(
    context: Context,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step, with empty caches.")] = False,
) -> None:
    """Build and push the image; print its digest.

    \b
    Examples:
      nucleo build
      nucleo build --quiet --env production
      nucleo build --json | jq -r .image
    """
    built = context.terminal.follow(build(context.tools, context.app, no_cache=no_cache))
    context.terminal.show(built.document(), built.image.digest)
