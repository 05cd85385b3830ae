"""Which cluster Nucleo acts on: a kubeconfig context of its own choice, in the user file.

The kubeconfig's current context is left alone, for other tools move it.
"""

from pathlib import Path

from nucleo_cli.clusters import files
from nucleo_cli.domain import xdg

_KEY = "cluster"


def user_file() -> Path:
    return xdg.config() / "config.yml"


def chosen() -> str | None:
    """The context that was chosen, if any."""
    value = files.read(user_file()).get(_KEY)
    return value if isinstance(value, str) and value else None


def choose(context: str) -> None:
    """Remembers the context."""
    files.update(user_file(), lambda content: {**content, _KEY: context})


def forget(context: str) -> None:
    """Forgets the choice, if it is this context."""
    if chosen() == context:
        files.update(user_file(), lambda content: {key: value for key, value in content.items() if key != _KEY})
