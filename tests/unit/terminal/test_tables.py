"""Columns are aligned, durations short."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.terminal.tables import ago, duration, table

CELL = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["NAME", "READY"], [["web", "2/2"], ["a-long-worker", "0/1"]]) == (
        "NAME           READY\nweb            2/2\na-long-worker  0/1"
    )


def test_a_table_without_rows_is_its_head() -> None:
    assert table(["NAME", "READY"], []) == "NAME  READY"


def test_cells_are_cleaned() -> None:
    assert table(["NAME"], [["\x1b[31mweb\x1b[0m"]]) == "NAME\nweb"


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
def test_each_column_starts_at_the_same_place_in_every_line(rows: list[tuple[str, str, str]]) -> None:
    lines = table(["A", "B", "C"], rows).splitlines()
    second = {
        line.index("  ") + len(line[line.index("  ") :]) - len(line[line.index("  ") :].lstrip()) for line in lines
    }
    assert len(second) == 1
    assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.9, "0s"),
        (12, "12s"),
        (60, "1m"),
        (200, "3m 20s"),
        (3600, "1h"),
        (3661, "1h 1m"),
        (90000, "1d 1h"),
        (864000, "10d"),
    ],
)
def test_a_duration_is_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ago_reads_what_kubernetes_writes() -> None:
    then = datetime.now(UTC) - timedelta(days=2, hours=3)
    assert ago(then.strftime("%Y-%m-%dT%H:%M:%SZ")) == "2d 3h ago"


def test_a_clock_that_runs_behind_makes_no_negative_time() -> None:
    assert ago((datetime.now(UTC) + timedelta(hours=1)).isoformat()) == "0s ago"
