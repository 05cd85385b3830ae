"""`python -m tests.packages ruby COMMAND …` runs a command beside the server, to make a lock file for example."""

import importlib
import os
import subprocess
import sys

with importlib.import_module(f"tests.packages.{sys.argv[1]}").package_server() as environment:
    raise SystemExit(subprocess.run(sys.argv[2:], env={**os.environ, **environment}, check=False).returncode)
