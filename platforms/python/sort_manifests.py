"""Runs in the build container: Django lists static files in the order of the disk, which is another on each machine."""

import json
import sys
from pathlib import Path


def sort(folder: Path) -> None:
    """Sort the keys of each staticfiles.json below a folder."""
    for file in sorted(folder.rglob("staticfiles.json")):
        if ".venv" not in file.parts:
            file.write_text(json.dumps(json.loads(file.read_text("utf-8")), sort_keys=True), "utf-8")


if __name__ == "__main__":
    sort(Path(sys.argv[1]))
