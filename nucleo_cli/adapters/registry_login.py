"""How a registry is logged in to: the docker CLI's own configuration, and the challenges that a registry sends.

Sources: the Docker registry token authentication specification; docker/cli's configuration file and its
credential helper protocol.
"""

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*$")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
# Docker Hub is filed under the address that it had first.
_ALIASES = {"docker.io": "https://index.docker.io/v1/", "registry-1.docker.io": "https://index.docker.io/v1/"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or an identity token (then `user` is empty)."""

    user: str
    password: str
    identity_token: str = ""

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ***)"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a WWW-Authenticate header asks for: `scheme` is "basic" or "bearer"."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""

    @staticmethod
    def parse(header: str) -> "Challenge":
        scheme, _, rest = header.partition(" ")
        values = dict(_PARAMETER.findall(rest))
        return Challenge(scheme.lower(), values.get("realm", ""), values.get("service", ""), values.get("scope", ""))


def stored(host: str) -> Credentials | None:
    """What `docker login HOST` stored, in the file or through its credential helper; None where there is nothing."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        document: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    for name in (host, f"https://{host}", f"https://{host}/v1/", _ALIASES.get(host, host)):
        helper = document.get("credHelpers", {}).get(name) or document.get("credsStore")
        if found := (_asked(helper, name) if helper else None) or _written(document.get("auths", {}).get(name)):
            return found
    return None


def _written(entry: dict[str, Any] | None) -> Credentials | None:
    if not entry:
        return None
    if token := entry.get("identitytoken"):
        return Credentials("", "", str(token))
    if encoded := entry.get("auth"):
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return None
        return Credentials(user, password)
    if entry.get("username"):
        return Credentials(str(entry["username"]), str(entry.get("password", "")))
    return None


def _asked(helper: str, name: str) -> Credentials | None:
    if not _HELPER.match(helper):
        return None
    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=name.encode(), capture_output=True, timeout=30, check=True
        )
        found: dict[str, str] = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    user, secret = found.get("Username", ""), found.get("Secret", "")
    return Credentials("", "", secret) if user == "<token>" else Credentials(user, secret)
