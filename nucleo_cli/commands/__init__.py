"""The table of commands that `nucleo --help` and completion are made of.

A command is one module of this folder, named as the command. It has either `command`, a function
`(context: Context, …options) -> None | int`, or `subcommands`, a table of such functions, with `default` where one of
them runs when none is named. Nothing here imports one before it is asked for; a test compares each summary with the
docstring of its command.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """One command: its name, which is also its module's, and its summary."""

    name: str
    summary: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Build and release": (
        Entry("init", "Write the smallest nucleo.yml for this repository."),
        Entry("validate", "Check nucleo.yml and print every problem at once."),
        Entry("plan", "Show how the image would be built, and why; run nothing."),
        Entry("build", "Build and push the image; print its digest."),
        Entry("deploy", "Build what changed, release it, and watch it become healthy."),
        Entry("releases", "List the releases of the app."),
        Entry("rollback", "Bring an old release back, as a new one."),
    ),
    "Run": (
        Entry("ps", "Show the app's processes and their pods."),
        Entry("scale", "Set how many pods a process has."),
        Entry("restart", "Replace every pod, a few at a time."),
        Entry("logs", "Show what the app printed; -f follows."),
        Entry("run", "Run a one-off command in a new pod of the app."),
        Entry("exec", "Run a command inside a running pod."),
        Entry("open", "Open the app's URL in the browser."),
        Entry("metrics", "Show CPU and memory of each pod against request and limit."),
        Entry("config", "Read and change the app's config vars and secrets."),
        Entry("network", "Show, try and learn network rules; install what enforces them."),
    ),
    "Manage": (
        Entry("apps", "List the apps on the cluster."),
        Entry("platforms", "List the platforms that apps can be built with, or show one."),
        Entry("destroy", "Remove the app and everything that belongs to it."),
        Entry("doctor", "Check this machine and the cluster, and say what to fix."),
        Entry("cluster", "Start, stop, choose and configure a cluster."),
        Entry("completion", "Print the completion script of a shell."),
        Entry("version", "Print the versions of Nucleo and of what it works with."),
    ),
}

TABLE: dict[str, str] = {entry.name: entry.summary for entries in SECTIONS.values() for entry in entries}
