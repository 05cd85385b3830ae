"""Options that several commands share."""

from typing import Annotated

from typer import Option

WaitLock = Annotated[bool, Option("--wait-lock", help="Wait while another deploy of the app is at work.")]
Confirm = Annotated[str | None, Option("--confirm", metavar="NAME", help="The app's name, to answer the question.")]
