"""Measures the budgets beside the raw tools: `make bench`, `make bench ONLY=help,ps RUNS=3`.

`make bench ONLY=builds APPS=gin,axum SCENARIOS=one-line` compares images that are built by several programs.
"""

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from tests.bench import builds, clusters, deploys, logs, machine, matrix, network, report, starting, tables
from tests.bench.measure import Comparison, MeasureError, Row
from tests.bench.samples import SAMPLES
from tests.bench.setting import Setting

ROWS: dict[str, Callable[[Setting], Iterator[Row | Comparison]]] = {
    "help": starting.starts,
    "ps": starting.ps,
    "unchanged": deploys.unchanged,
    "one-line": deploys.one_line,
    "cold": builds.cold,
    "builds": matrix.builds,
    "logs": logs.following,
    "reconnect": logs.reconnecting,
    "up": clusters.up,
    "network": network.pods,
    "agent": network.agent,
}


def main() -> int:
    """Prints the table; 1 when something could not be measured. A missed budget is no failure."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    rows: list[Row] = []
    compared: list[Comparison] = []
    failed = 0
    with Setting(options.cluster, options.runs, options.apps, options.scenarios) as setting:
        setting.start()
        facts = machine.facts(setting.env)
        for name in options.only:
            print(f"· {name}", file=sys.stderr, flush=True)
            try:
                for row in ROWS[name](setting):
                    if isinstance(row, Comparison):
                        compared.append(row)
                        failed += row.failed
                    else:
                        rows.append(row)
            except MeasureError as failure:
                rows.append(Row(name, (), note=f"NOT MEASURED: {failure}"))
                failed += 1
            except Exception as error:  # the rest of the table is worth having
                traceback.print_exc()
                rows.append(Row(name, (), note=f"NOT MEASURED: {type(error).__name__}: {error}"))
                failed += 1
    if compared:
        print(tables.markdown(compared))
    if rows or not compared:
        print(report.markdown(rows))
    print(f"\nMachine: {facts}")
    if options.json:
        options.json.write_text(json.dumps(report.document(rows, compared, facts), indent=1) + "\n")
    return 1 if failed else 0


def _stop(_number: int, _frame: object) -> None:
    """Leaves through every `with`, so that nothing is left behind."""
    sys.exit(143)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", type=_of(ROWS), default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--apps", type=_of(SAMPLES), default=[], help=f"for builds, some of {','.join(SAMPLES)}")
    scenarios = f"for builds, some of {','.join(matrix.SCENARIOS)}"
    parser.add_argument("--scenarios", type=_of(matrix.SCENARIOS), default=[], help=scenarios)
    parser.add_argument("--runs", type=int, default=None, help="how often each; usually 7, 3 to 5 for the slow ones")
    parser.add_argument("--cluster", default="local", help="the local cluster to measure on; started when missing")
    parser.add_argument("--json", type=Path, default=None, help="where to write every single run")
    return parser.parse_args()


def _of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Reads names with commas between them; an empty text is all of them."""

    def names(text: str) -> list[str]:
        found = [name for name in text.split(",") if name]
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return found or list(known)

    return names


if __name__ == "__main__":
    sys.exit(main())
