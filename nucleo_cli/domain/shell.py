"""Command lines, as a shell runs them."""

import re

# What makes a command line more than one program with arguments: `exec` would then take only its first part.
_COMPOUND = re.compile(r"[;&|<>(){}`\n]|^\s*[A-Za-z_][A-Za-z0-9_]*=|^\s*(?:if|for|while|until|case|exec|!|cd|set)\b")


def shell_line(line: str) -> str:
    """`line` as a shell runs it in its own place, so that the program itself gets the signal to stop."""
    return line if _COMPOUND.search(line) else f"exec {line.strip()}"


def shell_argv(line: str) -> list[str]:
    """The argument list that runs a command line."""
    return ["/bin/sh", "-c", shell_line(line)]
