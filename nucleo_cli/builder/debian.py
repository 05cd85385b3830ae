"""What Nucleo knows of Debian: the base of all platform images, and the script that adds packages to one."""

import os
import shutil
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import EPOCH
from nucleo_cli.domain.events import Output, Work
from nucleo_cli.errors import BuildFailed

# In every image of every platform: what a program needs to speak TLS and to know the time elsewhere.
PACKAGES = ("ca-certificates", "tzdata")

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")
# $1 is the root of the image. Ids are numeric everywhere; the name is there for programs that ask for one.
_USER = " && ".join(
    (
        "echo 'app:x:1000:1000::/tmp:/usr/sbin/nologin' >> \"$1/etc/passwd\"",
        "echo 'app:x:1000:' >> \"$1/etc/group\"",
        'mkdir -p "$1/app"',
    )
)
# What dpkg and apt remember of the installation is of no use in an image that is replaced as a whole.
_TRACES = "/var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log"
_LAST_LINES = 40

# Folders that no layer of packages has: they are the container's own, or of no use in an image.
TRANSIENT = (
    *("proc", "sys", "dev", "run", "tmp", "var/tmp", "var/cache", "var/log", "var/lib/apt/lists"),
    *("etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv"),
)


def base_command(suite: str, architecture: str, target: Path) -> list[str]:
    """The mmdebstrap command that writes the root file system of the base image as a tar."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        f"--architectures={architecture}",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        f"--customize-hook={_USER}",
        # Packages that are added later put links there, and fail where the folder is missing.
        '--customize-hook=mkdir -p "$1/usr/share/man/man1"',
        f'--customize-hook=cd "$1" && rm -rf {" ".join(path.lstrip("/") for path in _TRACES.split())}',
        "--format=tar",
        suite,
        str(target),
    ]


def install_script(packages: Sequence[str]) -> str:
    """The shell script that installs packages in a container, as root."""
    if not packages:
        return ""
    return f"""
export DEBIAN_FRONTEND=noninteractive
get() {{
  for left in 2 1 0; do
    if apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 --quiet=2 "$@" >/tmp/apt.log 2>&1; then return; fi
    # A mirror may pass one moment and not another; a package that does not exist never comes.
    if [ $left = 0 ] || grep -q "Unable to locate package" /tmp/apt.log; then break; fi
    sleep 2
  done
  cat /tmp/apt.log
  exit 1
}}
get update
get --yes --no-install-recommends install -- {" ".join(packages)}
"""


def make_base(suite: str, architecture: str, target: Path, host: Host) -> Work[None]:
    """Write the tar of the base's root file system to `target`. Takes half a minute and needs the network."""
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed(
            f"The base image of Debian {suite} can neither be pulled nor made: mmdebstrap is missing",
            "On Debian or Ubuntu: sudo apt-get install mmdebstrap; else: nucleo cluster configure --platform-images",
        )
    lines: list[str] = []
    with _running(base_command(suite, architecture, target), _environment(host)) as process:
        for line in process:
            lines.append(line)
            yield Output("debian", line)
    if not target.exists():
        raise BuildFailed(
            f"The base image of Debian {suite} for {architecture} could not be made",
            "Check that the Debian mirror answers; for another architecture than this machine's, install "
            "qemu-user-static and arch-test; then run the same command again",
            {"output": lines[-_LAST_LINES:]},
        )


def _environment(host: Host) -> Mapping[str, str]:
    own = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        **own,
        **host.env,
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
