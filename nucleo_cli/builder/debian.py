"""Makes a platform's images from Debian packages, where no published image can be pulled."""

import os
import shutil
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from nucleo_cli.builder import platforms
from nucleo_cli.builder.host import FOLDER, Host
from nucleo_cli.builder.images import EPOCH
from nucleo_cli.domain.build import Platform
from nucleo_cli.domain.events import Output, Work
from nucleo_cli.errors import BuildFailed

Role = Literal["run", "build"]

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")
# $1 is the root of the image. Ids are numeric everywhere; the name is there for programs that ask for one.
_USER = " && ".join(
    (
        "echo 'app:x:1000:1000::/tmp:/usr/sbin/nologin' >> \"$1/etc/passwd\"",
        "echo 'app:x:1000:' >> \"$1/etc/group\"",
        'mkdir -p "$1/app"',
    )
)
_SETUP = " && ".join(
    (
        f'mkdir -p "$1{FOLDER}"',
        f'cp -r "$NUCLEO_SETUP/." "$1{FOLDER}"',
        f'chroot "$1" /bin/sh -eu {FOLDER}/setup.sh',
        f'rm -rf "$1{FOLDER}"',
    )
)
_LAST_LINES = 40


def command(platform: Platform, version: str, role: Role, target: Path) -> list[str]:
    """The mmdebstrap command that writes the root file system of an image as a tar."""
    parts = platform.versions[version]
    packages = parts.run + (parts.build if role == "build" else ())
    hooks = [_USER]
    if role == "build":
        folders = " ".join(f'"$1{folder}"' for folder in platform.caches)
        hooks.append(f'mkdir -p {folders} && chown 1000:1000 {folders} "$1/app"')
        hooks.append(_SETUP)
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *(f"--customize-hook={hook}" for hook in hooks),
        # What dpkg and apt remember of the installation is of no use in an image that is replaced as a whole.
        '--customize-hook=rm -rf "$1/var/lib/apt/lists" "$1/var/cache/apt" "$1/var/log/apt" "$1/var/log/dpkg.log"',
        "--format=tar",
        parts.suite,
        str(target),
    ]


def make(platform: Platform, version: str, role: Role, target: Path, host: Host) -> Work[None]:
    """Write the tar of an image's root file system to `target`. Takes half a minute and needs the network."""
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed(
            f"The {role} image of {platform.name} {version} can neither be pulled nor made: mmdebstrap is missing",
            "On Debian or Ubuntu: sudo apt-get install mmdebstrap; else: nucleo cluster configure --platform-images",
        )
    with TemporaryDirectory(prefix="nucleo-platform-") as folder:
        setup = Path(folder)
        _write_setup(setup, platform, host)
        lines: list[str] = []
        with _running(command(platform, version, role, target), _environment(host, setup)) as process:
            for line in process:
                lines.append(line)
                yield Output("debian", line)
    if not target.exists():
        raise BuildFailed(
            f"The {role} image of {platform.name} {version} could not be made from Debian packages",
            "Check that the Debian mirror of /etc/apt answers, then run the same command again",
            {"output": lines[-_LAST_LINES:]},
        )


def _write_setup(folder: Path, platform: Platform, host: Host) -> None:
    for name, content in host.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "setup.sh").write_text(platforms.setup_script(platform), "utf-8")


def _environment(host: Host, setup: Path) -> Mapping[str, str]:
    own = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        **own,
        **host.env,
        "NUCLEO_SETUP": str(setup),
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }


@contextmanager
def _running(argv: Sequence[str], env: Mapping[str, str]) -> Generator[Iterator[str]]:
    """The lines that a program prints. It is ended, and its target with it, when the reader stops early."""
    with subprocess.Popen(
        argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101
        output = process.stdout
        try:
            yield (line.decode("utf-8", "replace").rstrip() for line in output)
        finally:
            if process.poll() is None:
                process.terminate()
            if process.wait() != 0:
                Path(argv[-1]).unlink(missing_ok=True)
