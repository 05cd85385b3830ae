"""Waiting for what comes to rest by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PATIENCE_SECONDS = 5


def staying(look: Callable[[], list[T]]) -> list[T]:
    """What is still there after a while: containers that nobody needs any more take a moment to go."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found
