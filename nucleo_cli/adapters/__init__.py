"""The only modules that import an SDK: one for each kind of server, program or file that is talked to."""

import sys
from typing import Any, cast

# httpx imports a command line of its own, with click and pygments, unless it cannot: 30 ms of every command.
cast("dict[str, Any]", sys.modules).setdefault("httpx._main", None)
