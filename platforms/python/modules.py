"""Reading Python source: modules, their names, and what stands at their top level."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator, Mapping


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


def imported(tree: ast.Module) -> dict[str, str]:
    """What the names that a module imports stand for: `from aiohttp import web` makes web `aiohttp.web`."""
    found: dict[str, str] = {}
    for node in module_body(tree):
        if isinstance(node, ast.Import):
            found.update({each.asname: each.name for each in node.names if each.asname})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return found


def full_name(value: ast.expr, origins: Mapping[str, str]) -> str:
    """The dotted name of what an expression names, through the imports of its module; "" where it is no name."""
    if isinstance(value, ast.Name):
        return origins.get(value.id, value.id)
    if isinstance(value, ast.Attribute) and (above := full_name(value.value, origins)):
        return f"{above}.{value.attr}"
    return value.attr if isinstance(value, ast.Attribute) else ""


def words(line: str) -> list[str]:
    """The words of a command line; where it is not well formed, what stands between spaces."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
