"""nucleo open."""

import webbrowser

from nucleo_cli.context import Context
from nucleo_cli.workflows.urls import read_url


def command(context: Context) -> None:
    """Open the app's URL in the browser.

    Where there is no terminal, or no browser, the URL is printed and nothing is opened.

    \b
    Examples:
      nucleo open
      curl "$(nucleo open)"
      nucleo open --json
    """
    terminal = context.terminal
    url = read_url(context.cluster, context.target)
    terminal.show({"url": url}, url)
    if terminal.interactive and terminal.stdout.isatty() and not webbrowser.open(url):
        terminal.note("there is no browser here: open it yourself")
