"""How to start an app that is one script."""

from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

_SCRIPT = "hello.sh"


def find(source: Source) -> Start:
    """The script, where there is one."""
    if not source.has(_SCRIPT):
        raise BuildFailed(f"There is no {_SCRIPT}", f"Write one, or say in nucleo.yml: cmd: {{start: sh {_SCRIPT}}}")
    return Start(f"sh {_SCRIPT}", f"{_SCRIPT} is here")
