"""Runs in the build container: compares what was installed with the hashes that each package states of its files.

An installer trusts its own cache, so a cache that came to harm would be found out by the app, or by nobody. Where this
very step began the cache, what differs was published so: there are packages whose hashes are wrong.
"""

import base64
import csv
import hashlib
import sys
from pathlib import Path


def damaged(site: Path) -> list[str]:
    """The installed files that are not what their package says."""
    found: list[str] = []
    for record in sorted(site.glob("*.dist-info/RECORD")):
        for name, stated, _size in csv.reader(record.read_text("utf-8").splitlines()):
            method, _, wanted = stated.partition("=")
            if not wanted or name.endswith(".pyc"):
                continue
            try:
                digest = hashlib.new(method, (site / name).read_bytes()).digest()
            except OSError:
                digest = b""
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != wanted:
                found.append(name)
    return found


def is_new(cache: Path) -> bool:
    """Whether the cache was begun after this file was put beside it."""
    began = cache / "CACHEDIR.TAG"
    return began.exists() and began.stat().st_ctime >= Path(__file__).stat().st_ctime


if __name__ == "__main__":
    (packages,) = Path(sys.argv[1]).glob("lib/python*/site-packages")
    if not is_new(Path(sys.argv[2])) and (names := damaged(packages)):
        sys.exit(f"the package cache is damaged: {', '.join(names[:5])}")
