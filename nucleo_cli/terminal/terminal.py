"""The terminal: follows a workflow, shows a result, asks a question, tells an error."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

from nucleo_cli.domain.events import Event, Work
from nucleo_cli.errors import Interrupted, NucleoError, UsageError
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.progress import Lines, Moving, Progress, Silent
from nucleo_cli.terminal.style import Style

T = TypeVar("T")
Json = dict[str, Any]


class Terminal:
    """stdout is data, stderr is progress, warnings and errors.

    `machine` is --json: stdout gets exactly one document, or one object a line for streams.
    """

    def __init__(
        self,
        *,
        machine: bool = False,
        quiet: bool = False,
        color: bool = True,
        input: bool = True,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.machine = machine
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.style = Style.of(self.stdout, color)
        self.error_style = Style.of(self.stderr, color)
        self.interactive = input and not machine and self.stdin.isatty() and self.stderr.isatty()
        self._quiet = quiet

    def follow(self, work: Work[T]) -> T:
        """Runs a workflow to its end, showing its events; its result."""
        progress = self._progress()
        try:
            event = next(work)
            while True:
                event = self._step(progress, work, event)
        except StopIteration as end:
            return end.value
        finally:
            progress.close()

    def show(self, document: Json, text: str | Callable[[], str]) -> None:
        """The result: the document for machines, the text for people."""
        if self.machine:
            self._out(_json(document))
        elif rendered := text if isinstance(text, str) else text():
            self._out(rendered)

    def note(self, text: str) -> None:
        """A line for people beside the data: where to look next. Not shown with --quiet or --json."""
        if not self._quiet and not self.machine:
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def error(self, error: NucleoError) -> None:
        """The message, what belongs to it, and last what to do next."""
        if self.machine:
            document = {"error": error.message, "code": error.code, "hint": error.hint, "details": dict(error.details)}
            self._out(_json(document))
        style = self.error_style
        lines = [clean(line) for line in error.message.splitlines() or [""]]
        text = "\n".join([f"{style.red('error:')} {lines[0]}", *(f"       {line}" for line in lines[1:])])
        # A build step's output comes before, as if it had just been printed: message and hint stay together at the end.
        text = "".join(f"{style.dim(f'  | {clean(line)}')}\n" for line in _lines(error, "output")) + text
        text += "".join(f"\n  {style.dim('|')} {clean(line)}" for line in _lines(error, "log"))
        if error.hint:
            text += "".join(f"\n{style.cyan('hint:')}  {clean(line)}" for line in error.hint.splitlines())
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def confirm(self, question: str, name: str, given: str | None) -> None:
        """A severe action: `name` must be typed, or given with --confirm. UsageError otherwise."""
        if given is not None:
            if given != name:
                raise UsageError(f'--confirm says "{given}", but this is about "{name}"', f"--confirm {name}")
            return
        if not self.interactive:
            raise UsageError(f"{question} This needs a confirmation", f"add --confirm {name}")
        if self.ask(f"{question} Type {name} to go on:") != name:
            raise UsageError("not confirmed: nothing was changed")

    def ask(self, question: str, flag: str = "", choices: Sequence[str] = ()) -> str:
        """The answer to a question, on a TTY only; UsageError naming `flag` elsewhere."""
        if not self.interactive:
            raise UsageError(f"{question} (nobody to ask here)", f"say it with {flag}" if flag else "")
        while True:
            suffix = f" [{'/'.join(choices)}]" if choices else ""
            self.stderr.write(f"{question}{suffix} ")
            self.stderr.flush()
            answer = self.stdin.readline()
            if not answer:
                raise UsageError("no answer: nothing was changed")
            if not choices or answer.strip() in choices:
                return answer.strip()

    def ask_hidden(self, question: str) -> str:
        """The answer to a question, not shown while it is typed; on a TTY only."""
        import getpass

        if not self.interactive:
            raise UsageError(f"{question} (nobody to ask here)", "give it on standard input")
        return getpass.getpass(f"{question} ")

    def _progress(self) -> Progress:
        if self._quiet:
            return Silent(self.stderr, self.error_style)
        kind = Moving if self.stderr.isatty() and self.error_style.on else Lines
        return kind(self.stderr, self.error_style)

    def _step(self, progress: Progress, work: Work[T], event: Event) -> Event:
        try:
            progress.show(event)
        except Interrupted as stop:
            # The signal came while a line was being written: the workflow must still hear of it to tidy up.
            return work.throw(stop)
        return next(work)

    def _out(self, text: str) -> None:
        self.stdout.write(text + "\n")
        self.stdout.flush()


# JSON may carry these as they are, but a terminal would obey them, and no encoding takes a lone surrogate.
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _json(document: Json) -> str:
    """One line of JSON that is safe to look at and reads as exactly the same document."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _lines(error: NucleoError, of: str) -> Sequence[str]:
    """Lines that a program printed before it failed: the `log` of a pod, the `output` of a build step."""
    return [str(line) for line in error.details.get(of) or ()]
