from nucleo_cli.workflows.logs.lines import Line
from nucleo_cli.workflows.logs.order import Holding, batches, merged


def line(time: int, pod: str = "a") -> Line:
    return Line(time, "", "web", pod, f"{pod}{time}")


def test_streams_that_end_are_merged_by_time() -> None:
    found = merged([[line(1), line(4)], [line(2, "b"), line(3, "b")], []])
    assert [each.message for each in found] == ["a1", "b2", "b3", "a4"]


def test_batches_keep_every_line() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_a_line_waits_for_those_of_slower_streams() -> None:
    holding = Holding(hold=0.25)
    holding.add(line(5), now=0.0)
    assert holding.due(0.1) == []
    holding.add(line(3, "b"), now=0.2)
    assert [each.time for each in holding.due(0.25)] == [3, 5]
    assert len(holding) == 0


def test_what_is_newer_than_the_line_that_is_due_goes_on_waiting() -> None:
    holding = Holding(hold=0.25)
    holding.add(line(5), now=0.0)
    holding.add(line(7, "b"), now=0.2)
    assert [each.time for each in holding.due(0.3)] == [5]
    assert holding.wait(0.3) is not None
    assert [each.time for each in holding.due(0.45)] == [7]
    assert holding.wait(0.5) is None


def test_a_burst_is_let_go_early_so_that_memory_stays_bounded() -> None:
    holding = Holding(hold=10, most=2)
    for time in range(5):
        holding.add(line(time), now=0.0)
    assert [each.time for each in holding.due(0.0)] == [0, 1, 2]
    assert [each.time for each in holding.all()] == [3, 4]
