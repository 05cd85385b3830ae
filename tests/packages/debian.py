"""Debian packages, downloaded and unpacked but not installed: the libraries that the test's package servers serve."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

# The suite of the platforms' default versions: what its libraries have compiled fits them.
SUITE = "trixie"

_DOWNLOAD = 'cd "$1" && shift && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq download "$@"'


def cache() -> Path:
    """Where downloads are kept from one run to the next."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "nucleo-tests" / "packages"


def unpacked(packages: Sequence[str]) -> Path:
    """A folder with one folder for each package, named like it. Takes half a minute once; later runs find it."""
    names = sorted(set(packages))
    target = cache() / hashlib.sha256(" ".join((SUITE, *names)).encode()).hexdigest()[:12]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder)
        (made / "debs").mkdir()
        (made / "tree").mkdir()
        _download(names, made / "debs")
        for deb in sorted((made / "debs").glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(deb), str(made / "tree" / deb.name.partition("_")[0])], check=True)
        try:
            (made / "tree").rename(target)
        except OSError:  # another run was faster
            shutil.rmtree(made / "tree")
    return target


def _download(names: Sequence[str], folder: Path) -> None:
    """mmdebstrap sets apt up for the suite, with this machine's mirror; no system is made."""
    script = folder.parent / "download"
    script.write_text(f"#!/bin/sh -eu\n{_DOWNLOAD}\n", "utf-8")
    script.chmod(0o755)
    mode = "root" if os.geteuid() == 0 else "unshare"
    hook = f"{script} {folder} {' '.join(names)}"
    argv = ["mmdebstrap", "--variant=custom", f"--mode={mode}", f"--customize-hook={hook}", "--format=null"]
    subprocess.run([*argv, SUITE, "/dev/null"], check=True, capture_output=True, text=True)
