"""What somebody wants to see of the app's logs."""

from dataclasses import dataclass

DEFAULT_TAIL = 100


@dataclass(frozen=True, slots=True)
class Query:
    """`since` is seconds back from now; `tail` counts the lines of all containers together; None: no limit."""

    process: str | None = None
    since: float | None = None
    tail: int | None = DEFAULT_TAIL
    previous: bool = False
    follow: bool = False
