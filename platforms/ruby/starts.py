"""The start command: of the web server that is in the bundle, for config.ru or a classic Sinatra app."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .bundle import Bundle

# By the gem that has it, in order of preference. Each reads its own file in config/ by itself, or is told of it.
_SERVERS = {
    "puma": "puma -b tcp://0.0.0.0:$PORT",
    "falcon": "falcon serve --bind http://0.0.0.0:$PORT",
    "unicorn": "unicorn -o 0.0.0.0 -p $PORT",
    "iodine": "iodine -b 0.0.0.0 -p $PORT",
    "thin": "thin start -a 0.0.0.0 -p $PORT",
    "webrick": "rackup -s webrick -o 0.0.0.0 -p $PORT",
}
_UNICORN = "config/unicorn.rb"
# `require "sinatra"` makes the file itself a program that serves; "sinatra/base" does not.
_CLASSIC = re.compile(r"""^\s*require\s*\(?\s*["']sinatra["']""", re.MULTILINE)


def find(source: Source, bundle: Bundle) -> Start:
    """The server of the bundle on config.ru, else the one file that is a classic Sinatra app."""
    if source.has("config.ru"):
        server = _server(bundle)
        line = f"bundle exec {_SERVERS[server]}"
        if server == "unicorn" and source.has(_UNICORN):
            line += f" -c {_UNICORN}"
        return Start(line, f"{'Rails' if 'railties' in bundle.gems else 'config.ru'}, with {server} of the bundle")
    scripts = [path for path in source.paths if path.endswith(".rb") and "/" not in path]
    classic = [path for path in scripts if _CLASSIC.search(source.read(path) or "")]
    if len(classic) == 1:
        _server(bundle)
        return Start(f"bundle exec ruby {classic[0]} -o 0.0.0.0 -p $PORT", f"{classic[0]} is a classic Sinatra app")
    if classic:
        raise BuildFailed(
            f"Both {classic[0]} and {classic[1]} are Sinatra apps",
            f'Choose one in nucleo.yml: cmd: {{start: "bundle exec ruby {classic[0]} -o 0.0.0.0 -p $PORT"}}',
        )
    raise BuildFailed(
        "There is no config.ru and no Sinatra app at the top, so it is not known how to start it",
        'Add config.ru, or say it in nucleo.yml: cmd: {start: "bundle exec ruby main.rb"}',
    )


def _server(bundle: Bundle) -> str:
    found = next((gem for gem in _SERVERS if gem in bundle.gems), None)
    # rackup needs webrick, so that many a bundle has it whose author meant to run another server.
    if found is None:
        raise BuildFailed(
            f"No gem of {bundle.lock} is a web server: none of {', '.join(_SERVERS)}",
            "Run: bundle add puma, then commit Gemfile and Gemfile.lock",
        )
    return found
