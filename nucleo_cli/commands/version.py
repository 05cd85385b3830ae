"""nucleo version."""

import sys

from nucleo_cli import __version__
from nucleo_cli.context import Context


def command(context: Context) -> None:
    """Print the versions of Nucleo and of what it works with."""
    document = {"nucleo": __version__, "python": sys.version.split()[0]}
    context.terminal.show(document, lambda: "\n".join(f"{name} {version}" for name, version in document.items()))
