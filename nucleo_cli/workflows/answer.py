"""Waits until a new route leads to the app: the proxy at the edge learns of it some moments after the cluster does."""

import http.client
import time
from urllib.parse import urlsplit

from nucleo_cli.domain.events import Work
from nucleo_cli.workflows.phases import Phase

WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_ANSWER_SECONDS = 2.0
# What a proxy says of a host that it does not know yet, or knows no pod of.
_NOT_YET = frozenset({404, 502, 503})


def first_answer(url: str) -> Work[None]:
    """Asks `url` until something other than the proxy's own refusal comes, for WAIT_SECONDS at most.

    It never fails: the pods are healthy, and this machine may not be able to reach the route at all.
    """
    phase = Phase("route")
    yield phase.start(url)
    deadline = time.monotonic() + WAIT_SECONDS
    while (status := _status(url)) in _NOT_YET and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    said = "not reachable from here" if status is None else f"{url} answers {status}"
    yield phase.end(said, skipped=status is None)


def _status(url: str) -> int | None:
    """The status that a GET of `url` gets; None when nobody can be reached there from this machine."""
    parts = urlsplit(url)
    # RFC 6761, section 6.3: names below localhost are this machine, whatever the resolver knows of them.
    host = "127.0.0.1" if (parts.hostname or "").endswith(".localhost") else parts.hostname or ""
    connection = http.client.HTTPConnection(host, parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
