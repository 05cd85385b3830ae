"""Plans an app that is one script."""

from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Plan, Platform, Reason, Start

from .starts import find


def plan(source: Source, platform: Platform, version: str | None, start: Start | None) -> Plan:
    """The plan of the tree: nothing has to be made, and hello.sh is started."""
    command = start or find(source)
    reasons = (Reason(f"hello {platform.default}", "the only one"), Reason(f"start: {command.line}", command.because))
    return Plan(platform.name, version or platform.default, command.line, reasons, env={"PORT": "8080"})
