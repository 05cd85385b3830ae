"""`python -m tests.packages ruby COMMAND …` runs a command beside the server, to make a lock file for example."""

import os
import subprocess
import sys

from tests.packages import packages

with packages(sys.argv[1]) as environment:
    raise SystemExit(subprocess.run(sys.argv[2:], env={**os.environ, **environment}, check=False).returncode)
