"""Where a reader is in a container's log, so that a new connection goes on exactly there.

The API resumes by whole seconds only (sinceTime), so the same lines come again: those of the last seconds are
remembered as a multiset of time and content, and each remembered one is skipped once. An app that prints the same line
twice in one instant still has it shown twice.
"""

from collections import Counter

from nucleo_cli.workflows.logs.lines import Stamped, rfc3339

_SECOND = 1_000_000_000
# The API's documentation and its servers disagree whether sinceTime includes that very second: one second more does.
_MARGIN = 1


class Position:
    """The lines seen last. Not thread-safe: one reader, one position."""

    def __init__(self, since: int = -1) -> None:
        """`since`: seconds since the epoch before which nothing is wanted; -1: from the first line on."""
        self._since = since
        self._seen: Counter[tuple[int, int]] = Counter()
        self._again: Counter[tuple[int, int]] = Counter()

    @property
    def begun(self) -> bool:
        """Whether there is a time to go on from."""
        return self._since >= 0

    def query(self) -> dict[str, str]:
        """What to ask the API for, to go on from here."""
        return {"sinceTime": rfc3339(self._since)} if self.begun else {}

    def reconnect(self) -> None:
        """A new connection begins: what was seen since `query()` will come again."""
        self._again = self._seen.copy()

    def is_new(self, line: Stamped) -> bool:
        """Whether the line was not seen before; remembers it."""
        key = (line.time, hash(line.text))
        if self._again and self._again[key] > 0:
            self._again[key] -= 1
            return False
        self._remember(key)
        return True

    def _remember(self, key: tuple[int, int]) -> None:
        since = key[0] // _SECOND - _MARGIN
        if since > self._since:
            self._since = since
            limit = since * _SECOND
            if self._seen and min(self._seen)[0] < limit:
                self._seen = Counter({old: count for old, count in self._seen.items() if old[0] >= limit})
        self._seen[key] += 1
