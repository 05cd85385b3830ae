"""The apps that are deployed: one that answers a line over HTTP, and one that prints numbered lines when asked to."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

_ANSWER = 'ANSWER = "first"'
START = "gunicorn app:app --bind 0.0.0.0:$PORT --workers 2 --threads 4 --worker-tmp-dir /dev/shm --graceful-timeout 10"

WEB = {
    "app.py": f"""\
from flask import Flask

{_ANSWER}
app = Flask(__name__)


@app.get("/")
def answer() -> str:
    return ANSWER
""",
    "requirements.txt": "flask==3.1.3\ngunicorn==27.0.1\n",
    "nucleo.yml": f"""\
name: nucleo-bench
platform: python
ports: ["8080:80"]
cmd: {{start: "{START}"}}
scale: {{replicas: 1}}
""",
}

# GET /RUN/LINES/PER-SECOND prints that many lines at that rate, 0 for as fast as it can: run, number, time of printing.
LINES = {
    "app.py": """\
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def write(run, lines, rate):
    started = time.time()
    for number in range(lines):
        if rate:
            time.sleep(max(0, started + number / rate - time.time()))
        print(f"{run} {number:06d} {time.time():.6f} the quick brown fox jumps over the lazy dog", flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = self.path.strip("/").split("/")
        if len(parts) == 3:
            threading.Thread(target=write, args=(parts[0], int(parts[1]), int(parts[2]))).start()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
""",
    "requirements.txt": "",
    "nucleo.yml": """\
name: nucleo-bench-lines
platform: python
ports: ["8080:80"]
cmd: {start: python app.py}
scale: {replicas: 1}
""",
}


def write(folder: Path, files: Mapping[str, str], env: Mapping[str, str]) -> None:
    """A git repository of these files, committed."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, env, "init", "--quiet")
    commit(folder, env)


def edit(folder: Path, answer: str) -> None:
    """The one-line edit: the web app will answer this."""
    (folder / "app.py").write_text(WEB["app.py"].replace(_ANSWER, f'ANSWER = "{answer}"'))


def commit(folder: Path, env: Mapping[str, str]) -> None:
    git(folder, env, "add", "--all")
    git(folder, env, "commit", "--quiet", "--allow-empty", "--message", "bench")


def git(folder: Path, env: Mapping[str, str], *argv: str) -> None:
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", *who, *argv], cwd=folder, env=env, check=True)
