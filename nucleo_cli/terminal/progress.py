"""How events look while they happen: append-only lines off a TTY, one moving line on it. Everything goes to stderr."""

import time
from typing import IO, TYPE_CHECKING, Protocol

from nucleo_cli.domain.events import Event, Notice, Output, PhaseEnded, PhaseStarted, PodChanged, StepEnded, Warned
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.style import Style

if TYPE_CHECKING:
    from rich.status import Status

_NAME = 10
_SECONDS = 7


class Progress(Protocol):
    """Shows events; `close` leaves the screen as lines only."""

    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Silent:
    """For --quiet: warnings alone."""

    def __init__(self, stream: IO[str], style: Style) -> None:
        self._stream = stream
        self._style = style

    def show(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._write(warning(event, self._style))

    def close(self) -> None:
        pass

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except BrokenPipeError:
            return  # nobody reads the progress any more: that must not stop the work


class Lines(Silent):
    """For pipes and CI: each event is a line, nothing is ever rewritten."""

    def show(self, event: Event) -> None:
        if text := line(event, self._style):
            self._write(text)


class Moving(Silent):
    """For a TTY: finished phases are lines; the running one moves below them."""

    def __init__(self, stream: IO[str], style: Style) -> None:
        super().__init__(stream, style)
        self._status: Status | None = None
        self._phase = ""
        self._detail = ""
        self._began = time.monotonic()

    def show(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._phase, self._detail, self._began = event.name, event.detail, time.monotonic()
        elif isinstance(event, Output):
            self._detail = event.text
        elif isinstance(event, PodChanged):
            self._detail = f"{event.pod}: {event.status}"
        elif text := line(event, self._style):
            self.close()
            self._write(text)
            if isinstance(event, PhaseEnded):
                return
        self._move()

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _move(self) -> None:
        from rich.console import Console
        from rich.status import Status
        from rich.text import Text

        if not self._phase:
            return
        if self._status is None:
            console = Console(file=self._stream, no_color=not self._style.on, highlight=False)
            self._status = Status("", console=console, spinner="dots")
            self._status.start()
        width = max(20, self._status.console.width - 4 - _NAME)
        text = Text(f"{self._phase:<{_NAME}} ")
        text.append(clean(self._detail)[: width - 2], style="dim")
        self._status.update(text)


def line(event: Event, style: Style) -> str:
    """The line of an event that stays on the screen; empty when it leaves none."""
    match event:
        case PhaseStarted():
            return ""
        case PhaseEnded():
            mark = style.dim("–") if event.skipped else style.green("✓")
            spent = style.dim(f"{event.seconds:>{_SECONDS - 1}.1f}s")
            return f"{mark} {event.name:<{_NAME}} {spent}  {clean(event.detail)}".rstrip()
        case StepEnded():
            spent = f"{event.seconds:>{_SECONDS - 1}.1f}s"
            return style.dim(f"  {'step':<{_NAME}} {spent}  {clean(event.name)}") if not event.cached else ""
        case Output():
            return style.dim(f"  {event.source:<{_NAME}} {'':>{_SECONDS}}  {clean(event.text)}")
        case PodChanged():
            return style.dim(f"  {event.process:<{_NAME}} {'':>{_SECONDS}}  {event.pod}: {clean(event.status)}")
        case Notice():
            return f"  {clean(event.text)}"
        case Warned():
            return warning(event, style)


def warning(event: Warned, style: Style) -> str:
    """`! text`, with its hint on a second line."""
    text = f"{style.yellow('!')} {clean(event.text)}"
    return f"{text}\n  {style.dim(clean(event.hint))}" if event.hint else text
