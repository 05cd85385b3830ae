from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.domain.quantities import cores, parse, percent, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("250m", Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("100n", Fraction(1, 10**7)),
        ("2u", Fraction(2, 10**6)),
        ("128Mi", 128 * 2**20),
        ("1.5Gi", 1536 * 2**20),
        ("1k", 1000),
        ("1E", 10**18),
        ("1E3", 1000),
        ("12e6", 12 * 10**6),
        ("1e-3", Fraction(1, 1000)),
        ("1Ei", 2**60),
        ("-1", -1),
        ("+1", 1),
    ],
)
def test_quantities_are_exact(text: str, expected: Fraction | int) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1K", "1GI", "1mi", "0x1", "1e", "1e1.5", "1_000", "٣"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(text)


@given(st.integers(0, 10**30), st.sampled_from(["n", "u", "m", "", "k", "Ki", "Gi", "E"]))
def test_no_digit_is_lost(number: int, suffix: str) -> None:
    assert parse(f"{number}{suffix}") == number * parse(f"1{suffix}")


def test_for_people() -> None:
    assert [cores(parse(text)) for text in ("0", "100n", "250m", "1", "1.25", "12")] == [
        "0m",
        "1m",
        "250m",
        "1",
        "1.25",
        "12",
    ]
    assert [size(parse(text)) for text in ("0", "900", "600Ki", "1.5Mi", "190Mi", "2Ti")] == [
        "0B",
        "900B",
        "600Ki",
        "1.5Mi",
        "190Mi",
        "2Ti",
    ]
    assert percent(Fraction(1), Fraction(3)) == 33
    assert percent(Fraction(1), None) is None
    assert percent(Fraction(1), Fraction(0)) is None
