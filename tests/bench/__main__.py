"""Measures the budgets beside the raw tools: `make bench`, `make bench ONLY=help,ps RUNS=3`."""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import builds, clusters, deploys, logs, machine, report, starting
from tests.bench.measure import MeasureError, Row
from tests.bench.setting import Setting

ROWS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "help": starting.starts,
    "ps": starting.ps,
    "unchanged": deploys.unchanged,
    "one-line": deploys.one_line,
    "cold": builds.cold,
    "logs": logs.following,
    "reconnect": logs.reconnecting,
    "up": clusters.up,
}


def main() -> int:
    """Prints the table; 1 when something could not be measured. A missed budget is no failure."""
    options = _options()
    rows: list[Row] = []
    failed = 0
    with Setting(options.cluster, options.runs) as setting:
        setting.start()
        facts = machine.facts(setting.env)
        for name in options.only:
            print(f"· {name}", file=sys.stderr, flush=True)
            try:
                for row in ROWS[name](setting):
                    rows.append(row)
            except MeasureError as failure:
                rows.append(Row(name, (), note=f"NOT MEASURED: {failure}"))
                failed += 1
            except Exception as error:  # the rest of the table is worth having
                traceback.print_exc()
                rows.append(Row(name, (), note=f"NOT MEASURED: {type(error).__name__}: {error}"))
                failed += 1
    print(report.markdown(rows, facts))
    if options.json:
        options.json.write_text(json.dumps(report.document(rows, facts), indent=1) + "\n")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--runs", type=int, default=None, help="how often each; usually 7, 3 to 5 for the slow ones")
    parser.add_argument("--cluster", default="local", help="the local cluster to measure on; started when missing")
    parser.add_argument("--json", type=Path, default=None, help="where to write every single run")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    found = [name for name in text.split(",") if name]
    if unknown := [name for name in found if name not in ROWS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(ROWS)}")
    return found or list(ROWS)


if __name__ == "__main__":
    sys.exit(main())
