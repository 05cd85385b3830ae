"""The kubeconfig's plain cases: certificates and tokens, read without the kubernetes package.

Importing that package takes longer than a whole `nucleo ps` may. It is still what reads a context whose credentials
come from an exec plugin or an auth provider, and what opens websockets.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from nucleo_cli.domain.documents import Json, part, parts
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError

_SECTIONS = ("contexts", "clusters", "users")
# What the kubelet puts into a pod of a service account.
_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster. `plain` is False when the kubernetes package has to get the credentials."""

    server: str
    proxy: str | None
    plain: bool
    cluster: Json = field(repr=False)
    user: Json = field(repr=False)

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context with the cluster's CA and the user's certificate; None for plain HTTP.

        Raises NucleoError for certificates that cannot be read.
        """
        if not self.server.startswith("https"):
            return None
        try:
            return self._tls()
        except (ssl.SSLError, OSError, ValueError) as error:
            raise NucleoError(f"the kubeconfig's certificates cannot be used: {error}") from error

    @property
    def token(self) -> str | None:
        """The bearer token, if that is what they show. One in a file is read each time: it is renewed there.

        Raises NotAllowed where the file cannot be read.
        """
        if file := self.user.get("tokenFile"):
            try:
                return Path(str(file)).read_text("utf-8").strip()
            except OSError as error:
                raise NotAllowed(f"the cluster's token cannot be read: {error}") from error
        return str(self.user["token"]) if self.user.get("token") else None

    @property
    def client_certificate(self) -> str | None:
        """The user's certificate in PEM, if that is what they show."""
        return _text(self.user, "client-certificate")

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=_text(self.cluster, "certificate-authority"))
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = _text(self.user, "client-certificate"), _text(self.user, "client-key")
        if certificate and key:
            with _file(certificate) as certificate_file, _file(key) as key_file:
                context.load_cert_chain(certificate_file, key_file)
        return context


def read() -> Json:
    """Every file of KUBECONFIG merged, the first one that names a thing winning; empty when there is none."""
    merged: Json = {section: [] for section in _SECTIONS}
    for file in files():
        for section, found in _read(file).items():
            if section in _SECTIONS:
                known = {each["name"] for each in merged[section]}
                merged[section] += [each for each in found if each["name"] not in known]
            else:
                merged.setdefault(section, found)
    return merged


def files() -> list[Path]:
    """The files that KUBECONFIG names, else ~/.kube/config; only those that exist."""
    named = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return [file for file in named or [Path.home() / ".kube" / "config"] if file.is_file()]


def access(context: str) -> Access:
    """How to reach the cluster of `context`. Raises NotFound for a context that is not there or not whole."""
    config = read()
    chosen = _named(config, "contexts", context)
    cluster = _named(config, "clusters", str(part(chosen, "context").get("cluster", "")))
    user = part(_named(config, "users", str(part(chosen, "context").get("user", ""))), "user")
    details = part(cluster, "cluster")
    if not details.get("server"):
        raise NotFound(
            f'the kubeconfig has no usable context "{context}"',
            "nucleo cluster up starts a local cluster; nucleo cluster use CONTEXT chooses another",
            {"contexts": names(config)},
        )
    plain = not any(key in user for key in ("exec", "auth-provider", "username"))
    return Access(
        str(details["server"]).rstrip("/"),
        details.get("proxy-url"),
        plain,
        details,
        user,
    )


def in_pod(environ: Mapping[str, str] = os.environ, folder: Path = _POD) -> Access:
    """How a pod reaches the API server, as its service account. Raises NotFound outside of a pod.

    https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise NotFound("this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    return Access(
        server, None, True, {"certificate-authority": str(folder / "ca.crt")}, {"tokenFile": str(folder / "token")}
    )


def names(config: Json) -> list[str]:
    """The names of the contexts, in the order of the files."""
    return [str(each["name"]) for each in parts(config, "contexts")]


def _read(file: Path) -> Json:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(file.read_text("utf-8"), loader)  # noqa: S506 - one of PyYAML's two safe loaders
        document = cast(Json, found) if isinstance(found, dict) else Json()
        return {key: _absolute(value, file.parent) for key, value in document.items() if value is not None}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NucleoError(f"{file} cannot be read: {error}", "repair it, or point KUBECONFIG at another") from error


def _absolute(section: Any, folder: Path) -> Any:
    """Paths in a kubeconfig are relative to the file that they stand in."""
    if not isinstance(section, list):
        return section
    return [_with_paths(cast(Json, each), folder) for each in cast(list[Any], section) if isinstance(each, dict)]


def _with_paths(entry: Json, folder: Path) -> Json:
    return {
        key: {
            name: str(folder / str(value)) if name in _PATHS and value else value
            for name, value in cast(Json, details).items()
        }
        if isinstance(details, dict)
        else details
        for key, details in entry.items()
    }


_PATHS = frozenset({"certificate-authority", "client-certificate", "client-key", "tokenFile"})


def _named(config: Json, section: str, name: str) -> Json:
    return next((each for each in parts(config, section) if each.get("name") == name), Json())


def _text(section: Json, key: str) -> str | None:
    """A certificate or key: NAME-data holds it in base64, NAME a path to it."""
    if data := section.get(f"{key}-data"):
        return base64.b64decode(str(data)).decode()
    return Path(str(section[key])).read_text("utf-8") if section.get(key) else None


@contextmanager
def _file(content: str) -> Generator[str]:
    """OpenSSL reads keys from files only: one that nobody else can read, for a moment."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(content)
        file.flush()
        yield file.name
