"""Runs a program of the app in the build container and tells which of the app's Python files it did not read.

Usage: trace_modules.py FOLDER PROGRAM ARGUMENTS. Files of another kind may be read by a library that Python does not
see; and a program that starts others says nothing. Source: https://docs.python.org/3/library/audit_events.html
"""

import os
import runpy
import sys
from pathlib import Path

_STARTS = frozenset({"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"})


def run(folder: str, program: str) -> None:
    """Run the program as Python itself would; write the paths to $NUCLEO_UNREAD when it has ended well."""
    opened: set[Path] = set()
    others: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            opened.add(Path(os.fsdecode(arguments[0])).absolute())
        elif event in _STARTS:
            others.append(event)

    sys.addaudithook(watch)
    sys.path[0] = str(Path(program).absolute().parent)
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    if others:
        return
    read = {path.resolve() for path in opened}
    unread: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = (name for name in folders if name != ".venv")
        paths = (Path(parent, name) for name in names if name.endswith(".py"))
        unread += (f"{path}\n" for path in paths if path not in read and not path.is_symlink())
    Path(os.environ["NUCLEO_UNREAD"]).write_text("".join(unread), "utf-8", "surrogateescape")


if __name__ == "__main__":
    del sys.argv[0]
    run(sys.argv.pop(0), sys.argv[0])
