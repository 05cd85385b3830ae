"""What of this machine a build needs: certificates, proxies, package indexes. It reaches steps, never a layer."""

import os
import re
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from nucleo_cli.domain.app import Build
from nucleo_cli.domain.build import Platform
from nucleo_cli.errors import ConfigInvalid

# Inside of build containers; no layer is ever made of it.
FOLDER = "/run/nucleo"

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_CA_VARIABLES = (*_BUNDLES, "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")
_LOOPBACK = re.compile(r"//([^/@]*@)?(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|/|$)")
_USER = re.compile(r"//[^/@]*@")
_PASSWORD = re.compile(r"//[^/@:]*:([^/@]+)@")
_VARIABLE = re.compile(r"\$(\w+)")
_SHORTEST_SECRET = 4
_BUNDLE = "ca.crt"
_NO_BUILD = Build()


@dataclass(frozen=True, slots=True)
class Host:
    """Variables, and files by their path below FOLDER. Both may hold secrets; `secrets` certainly are."""

    env: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    secrets: tuple[str, ...] = ()

    @property
    def needs_loopback(self) -> bool:
        """Whether a proxy or an index listens on this machine only, so that steps need its network."""
        texts = (content.decode("utf-8", "replace") for name, content in self.files.items() if name != _BUNDLE)
        return any(_LOOPBACK.search(text) for text in (*self.env.values(), *texts))

    def hide(self, text: str) -> str:
        """The text without the secrets that a program printed into it."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def indexes(self) -> dict[str, str]:
        """The package indexes, which decide what a step installs; without the user names and passwords in them."""
        return {name: _USER.sub("//", value) for name, value in sorted(self.env.items()) if "INDEX" in name}


def read(
    platform: Platform, build: Build = _NO_BUILD, environ: Mapping[str, str] | None = None, home: Path | None = None
) -> Host:
    """What the steps of `platform` get of this machine, and what nucleo.yml's `build` adds.

    Raises ConfigInvalid where a build secret is not among this machine's variables.
    """
    environ = os.environ if environ is None else environ
    home = home or Path.home()
    env = {
        name: value
        for name, value in environ.items()
        if value and any(fnmatchcase(name, pattern) for pattern in platform.host_env)
    }
    files: dict[str, bytes] = {}
    env |= _proxies(environ)
    env |= _certificates(environ, files)
    env |= _settings_files(environ, home, files)
    env |= _host_files(platform, environ, home, files)
    if "PIP_INDEX_URL" in platform.host_env:
        env = {**_pip(environ, home), **env}
        env = {**_as_uv(env), **env}
    secrets = {name: _secret(name, environ) for name in build.secrets}
    passwords = (found for value in env.values() for found in _PASSWORD.findall(value))
    hidden = sorted({each for each in (*secrets.values(), *passwords) if len(each) >= _SHORTEST_SECRET}, key=len)
    return Host({**env, **build.env, **secrets}, files, tuple(reversed(hidden)))


def _secret(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ConfigInvalid(
            f"build.secrets names {name}, which is not set in the environment of this command", f"export {name}=…"
        )
    return environ[name]


def _host_files(platform: Platform, environ: Mapping[str, str], home: Path, files: dict[str, bytes]) -> dict[str, str]:
    env: dict[str, str] = {}
    for name, file in platform.host_files.items():
        paths = (Path(home, place) for text in file.places if (place := _place(text, environ)))
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            files[name] = path.read_bytes()
            env |= {file.env: f"{FOLDER}/{name}"} if file.env else {}
    return env


def _place(text: str, environ: Mapping[str, str]) -> str | None:
    """The path with its variables filled in, relative to the home folder; None where one of them is not set."""
    if not all(environ.get(name) for name in _VARIABLE.findall(text)):
        return None
    return _VARIABLE.sub(lambda found: environ[found[1]], text).removeprefix("~/")


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PROXIES:
        if value := environ.get(name) or environ.get(name.lower()):
            found |= {name: value, name.lower(): value}
    return found


def _certificates(environ: Mapping[str, str], files: dict[str, bytes]) -> dict[str, str]:
    for candidate in (*(environ.get(name, "") for name in _BUNDLES), *_SYSTEM_BUNDLES):
        if candidate and Path(candidate).is_file():
            files[_BUNDLE] = Path(candidate).read_bytes()
            return dict.fromkeys(_CA_VARIABLES, f"{FOLDER}/{_BUNDLE}")
    return {}


def _settings_files(environ: Mapping[str, str], home: Path, files: dict[str, bytes]) -> dict[str, str]:
    env: dict[str, str] = {}
    netrc = Path(environ.get("NETRC") or home / ".netrc")
    if netrc.is_file():
        files["netrc"] = netrc.read_bytes()
        env["NETRC"] = f"{FOLDER}/netrc"
    uv = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    if uv.is_file():
        files["config/uv/uv.toml"] = uv.read_bytes()
        env["XDG_CONFIG_HOME"] = f"{FOLDER}/config"
    return env


def _pip(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The index settings of pip.conf, as pip reads them: the machine's, then the user's, then PIP_CONFIG_FILE."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    if environ.get("PIP_CONFIG_FILE"):
        places.append(Path(environ["PIP_CONFIG_FILE"]))
    found: dict[str, str] = {}
    for place in places:
        parser = ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(place.read_text("utf-8"))
        except (OSError, ValueError, Error):
            continue
        for section in ("global", "install"):
            for key in ("index-url", "extra-index-url", "trusted-host"):
                if value := parser.get(section, key, fallback=""):
                    found[f"PIP_{key.replace('-', '_').upper()}"] = " ".join(value.split())
    return found


def _as_uv(env: Mapping[str, str]) -> dict[str, str]:
    """uv reads no settings of pip: the same ones under the names that it knows."""
    names = {
        "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
        "PIP_EXTRA_INDEX_URL": "UV_INDEX",
        "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    }
    return {uv: env[pip] for pip, uv in names.items() if pip in env}
