"""A text that is shown again and again in the same place."""

import time
from collections.abc import Callable

from nucleo_cli.terminal.terminal import Terminal


def watch(terminal: Terminal, read: Callable[[], tuple[dict[str, object], str]], seconds: float, end: float) -> None:
    """Shows what `read` gives, as (document, text), every `seconds` until the monotonic time `end`.

    In place on a terminal; elsewhere one after the other, with --json one object a line.
    """
    if terminal.machine or not terminal.stdout.isatty():
        while time.monotonic() < end:
            document, text = read()
            terminal.show(document, text)
            time.sleep(seconds)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=terminal.stdout, no_color=not terminal.style.on, highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while time.monotonic() < end:
            live.update(Text.from_ansi(read()[1]), refresh=True)
            time.sleep(seconds)
