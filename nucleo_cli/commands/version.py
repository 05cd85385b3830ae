"""nucleo version."""

import sys
from collections.abc import Callable
from functools import partial

from nucleo_cli import __version__
from nucleo_cli.context import Context
from nucleo_cli.errors import NucleoError


def command(context: Context) -> None:
    """Print the versions of Nucleo and of what it works with.

    What is missing or does not answer is left out.

    \b
    Examples:
      nucleo version
      nucleo version --json
    """
    document = {"nucleo": __version__, "python": sys.version.split()[0]}
    for name, read in (("helm", _helm), ("cluster", _cluster)):
        if found := _asked(partial(read, context)):
            document[name] = found
    context.terminal.show(document, lambda: "\n".join(f"{name} {version}" for name, version in document.items()))


def _helm(_context: Context) -> str:
    from nucleo_cli.adapters.helm import find, program_version

    return ".".join(map(str, program_version(find())))


def _cluster(context: Context) -> str:
    return str(context.cluster.get("/version")["gitVersion"])


def _asked(read: Callable[[], str]) -> str:
    try:
        return read()
    except NucleoError:
        return ""
