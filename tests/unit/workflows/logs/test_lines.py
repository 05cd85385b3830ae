import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.workflows.logs import lines
from nucleo_cli.workflows.logs.lines import Stamped, nanoseconds, rfc3339, split, stamped


@given(st.lists(st.binary().filter(lambda text: b"\n" not in text and not text.endswith(b"\r"))), st.data())
def test_lines_do_not_depend_on_where_chunks_end(texts: list[bytes], data: st.DataObject) -> None:
    body = b"".join(text + b"\n" for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert list(split(chunks)) == texts


def test_an_unfinished_last_line_is_shown_only_when_the_whole_log_was_read() -> None:
    assert list(split([b"a\nb"])) == [b"a", b"b"]
    assert list(split([b"a\nb"], whole=False)) == [b"a"]


def test_windows_line_ends_are_taken_off() -> None:
    assert list(split([b"a\r", b"\nb\r\n"])) == [b"a", b"b"]


def test_a_line_without_end_is_cut_and_says_how_much_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 4)
    assert list(split([b"abc", b"defg", b"hi\nnext\n"])) == ["abcd … (5 bytes more)".encode(), b"next"]


def test_a_line_is_told_from_its_time() -> None:
    found = list(stamped([b"2026-11-23T04:17:06.000000001Z hello world", b"2026-11-23T04:17:07Z ", b"no time at all"]))
    assert [each.text for each in found] == [b"hello world", b"", b"no time at all"]
    assert found[0] == Stamped(1795407426_000000001, "2026-11-23T04:17:06.000000001Z", b"hello world")
    assert found[2].time == found[1].time


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T09:00:00.123456789+09:00", 123_456_789),
        ("1969-12-31T23:00:00.000000001-01:00", 1),
    ],
)
def test_times_are_exact_to_the_nanosecond_in_any_zone(stamp: str, expected: int) -> None:
    assert nanoseconds(stamp) == expected


@pytest.mark.parametrize("stamp", ["", "hello", "2026-11-23T04:17:06", "2026-11-23T04:17:06.1234567891Z", "x" * 30])
def test_what_is_no_time_is_refused(stamp: str) -> None:
    with pytest.raises(ValueError, match=r"no time|Invalid"):
        nanoseconds(stamp)


def test_seconds_become_what_the_api_takes() -> None:
    assert rfc3339(1795407426) == "2026-11-23T04:17:06Z"
