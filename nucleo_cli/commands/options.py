"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Folder = Annotated[Path | None, Argument(metavar="[DIR]", help="The app's folder, as -C names it.")]
WaitLock = Annotated[bool, Option("--wait-lock", help="Wait while another deploy of the app is at work.")]
Confirm = Annotated[str | None, Option("--confirm", metavar="NAME", help="The app's name, to answer the question.")]
