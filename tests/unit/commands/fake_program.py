"""The command line on a fake cluster: what it prints, and its exit code."""

import io
import json
from functools import cached_property
from typing import Any, NamedTuple

from nucleo_cli.context import Context
from nucleo_cli.main import run
from nucleo_cli.terminal.terminal import Terminal
from nucleo_cli.workflows.tools import Tools
from tests.unit.workflows.shop import Shop


class Answer(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


class Tty(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


class Program:
    """`nucleo` in the folder of an app and on its cluster."""

    def __init__(self, app: Shop, *, idle: bool = False) -> None:
        self.app = app
        self.tools = app.idle if idle else app.tools

    def __call__(self, *argv: str, stdin: str = "", typed: str | None = None) -> Answer:
        """Runs one command line; `stdin` comes from a pipe, `typed` from a person at a terminal."""
        given = io.StringIO(stdin) if typed is None else Tty(typed)
        out, err = io.StringIO(), io.StringIO() if typed is None else Tty()
        app, tools = self.app, self.tools

        class Here(Context):
            @cached_property
            def terminal(self) -> Terminal:
                chosen = self.options
                return Terminal(
                    machine=chosen.json,
                    quiet=chosen.quiet,
                    color=False,
                    input=chosen.input,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                )

            @cached_property
            def cluster(self) -> Any:
                return app.cluster

            @cached_property
            def cluster_context(self) -> str:
                return "test"

            @cached_property
            def tools(self) -> Tools:
                return tools

        words = argv if any(word in argv for word in ("-C", "-a")) else (*argv[:1], "-C", str(app.folder), *argv[1:])
        if argv[0] in ("config", "network") and words is not argv:
            words = (*argv[:2], "-C", str(app.folder), *argv[2:])
        code = run(words, Here())
        return Answer(code, out.getvalue(), err.getvalue())
