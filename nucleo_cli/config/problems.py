"""What is wrong with a nucleo.yml: every problem, each with its place, collected while reading goes on."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleo_cli.config.nodes import Entry, Mark, quoted
from nucleo_cli.errors import ConfigInvalid

_SHOWN = 100
_PLAIN = re.compile(r"[\w.\-…=]{1,60}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct. `path` is the key as the person would write it (`scale.replicas`), "" for the file."""

    mark: Mark
    path: str
    message: str
    hint: str = ""


@dataclass(slots=True, eq=False)
class Report:
    """The problems of one file; `file` is its name for people, `directory` the folder that holds it."""

    file: str
    directory: Path
    problems: list[Problem] = field(default_factory=list[Problem])

    def error(self) -> ConfigInvalid:
        """All of the problems as one error, a line each, in the file's order."""
        ordered = sorted(self.problems, key=lambda problem: problem.mark)
        lines = [f"{self._at(problem)}: {problem.message}" for problem in ordered]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"and {len(lines) - _SHOWN} more"]
        details = {"problems": [self._details(problem) for problem in ordered]}
        return ConfigInvalid("\n".join(lines), hint=_hints(ordered[:_SHOWN]), details=details)

    def _at(self, problem: Problem) -> str:
        return f"{self.file}:{problem.mark.line}:{problem.mark.column}"

    def _details(self, problem: Problem) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": problem.mark.line,
            "column": problem.mark.column,
            "path": problem.path,
            "message": problem.message,
            "hint": problem.hint,
        }


def _hints(problems: list[Problem]) -> str:
    """The hint alone where there is one problem; otherwise each hint after its place."""
    if len(problems) == 1:
        return problems[0].hint
    return "\n".join(f"{each.mark.line}:{each.mark.column}: {each.hint}" for each in problems if each.hint)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is read: its path, its position, and the report that its problems go to."""

    report: Report
    path: str
    mark: Mark

    def wrong(self, what: str, hint: str = "") -> None:
        """Notes that the value at this place `what`: "must be a number"."""
        message = f"{self.path} {what}" if self.path else what
        self.report.problems.append(Problem(self.mark, self.path, message, hint))

    def key(self, entry: Entry, shown: str | None = None) -> "Place":
        """The place of an entry: the key's, since there a value of several lines, or of none, can be pointed at."""
        name = entry.key if shown is None else shown
        name = name if _PLAIN.fullmatch(name) else quoted(name)
        return Place(self.report, f"{self.path}.{name}" if self.path else name, entry.mark)

    def item(self, index: int, mark: Mark) -> "Place":
        return Place(self.report, f"{self.path}[{index}]", mark)
