"""Reading Python source: modules, their names, and what stands at their top level."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator


def parse(text: str) -> ast.Module:
    """The module; an empty one for what is not valid Python (here: a newer syntax, a template)."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def dotted(path: str) -> str:
    """`src/shop/__init__.py` is the module `shop`."""
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def module_body(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run at import: also those inside `try` and `with`, not those of the main program."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.Try | ast.With):
            waiting = [*node.body, *waiting]


def words(line: str) -> list[str]:
    """The words of a command line; where it is not well formed, what stands between spaces."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
