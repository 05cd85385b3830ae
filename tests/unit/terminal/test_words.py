"""Small grammar."""

import pytest

from nucleo_cli.terminal.words import plural


@pytest.mark.parametrize(("count", "text"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods")])
def test_one_is_not_many(count: int, text: str) -> None:
    assert plural(count, "pod") == text
