"""A tiny app to deploy: a git repository with one Python file that needs nothing but the standard library."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from tests.installed import Nucleo, Result

# Ends as soon as it is told to, having answered what it was asked before.
APP = """\
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "one"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{ANSWER} {os.environ.get('GREETING', '')}".strip().encode() + b"\\n"
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", flush=True)
server.serve_forever()
"""
CONFIG = """\
name: {name}
platform: python
ports: ["8080:80"]
cmd: {{start: python app.py}}
scale: {{replicas: 1}}
"""

# After which word the options go.
_SUBCOMMANDS = {"config": 2, "network": 2}


@dataclass
class Sample:
    """An app under test, in a directory and a namespace of its own. Calling it runs a command on it."""

    directory: Path
    name: str
    nucleo: Nucleo
    answer: str = "one"
    url: str = ""
    secrets: tuple[str, ...] = ()
    namespace: str = field(init=False)

    def __post_init__(self) -> None:
        self.namespace = self.name

    def __call__(self, command: str, *argv: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        words = [command, *argv]
        words[_SUBCOMMANDS.get(command, 1) : _SUBCOMMANDS.get(command, 1)] = ["-C", str(self.directory)]
        return self.nucleo(*words, stdin=stdin, env=env)

    def deploy(self) -> Result:
        """A deploy that has to succeed."""
        result = self("deploy", "--json").expect(0)
        self.url = result.json["url"]
        return result

    def ensure(self) -> None:
        """Makes the app what it was at first, but for its answer, and lets that run."""
        self.configure()
        self.say(self.answer)
        self.write("requirements.txt", "")
        self.deploy()

    def keep_secret(self, name: str, value: str) -> None:
        """Gives the app a secret, which from then on is looked for wherever it must not be."""
        self("config", "set", "--secret", name, stdin=value).expect(0)
        self.secrets += (value,)

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> None:
        """Puts a file into the work tree."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)

    def configure(self, *lines: str) -> None:
        """nucleo.yml, with these lines instead of those that begin with the same key; `key:` alone leaves it out."""
        keys = {line.split(":")[0] for line in lines}
        kept = [line for line in CONFIG.format(name=self.name).splitlines() if line.split(":")[0] not in keys]
        self.write("nucleo.yml", "\n".join([*kept, *(line for line in lines if not line.endswith(":"))]) + "\n")

    def say(self, answer: str) -> str:
        """A one-line edit: the app will answer this."""
        self.write("app.py", APP.replace('ANSWER = "one"', f'ANSWER = "{answer}"'))
        self.answer = answer
        return answer

    def commit(self, message: str = "change") -> None:
        """Commits all of the work tree."""
        git(self.directory, "add", "--all")
        git(self.directory, "commit", "--quiet", "--allow-empty", "--message", message)


def git(directory: Path, *argv: str) -> str:
    """Runs git in a directory."""
    return subprocess.run(["git", *argv], cwd=directory, check=True, capture_output=True, text=True).stdout


def make(directory: Path, nucleo: Nucleo, name: str = "sample") -> Sample:
    """A new repository with the app in it, committed."""
    # A name of its own, for the namespace of an earlier run may still be on its way out.
    sample = Sample(directory, f"{name}-{token_hex(2)}", nucleo)
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "--quiet", "--initial-branch", "main")
    sample.configure()
    sample.write("app.py", APP)
    sample.write("requirements.txt", "")
    sample.commit("first")
    return sample
