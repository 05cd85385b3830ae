"""The cluster's API, spoken in plain JSON.

Certificates and tokens are read by kubeconfig.py and the connections are urllib3's, as in the kubernetes package. The
package itself, which takes longer to import than a whole command may, comes in where it is needed: for credentials from
exec plugins and auth providers, and for websockets.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportUnknownLambdaType=false

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import urllib3

from nucleo_cli.adapters import kubeconfig
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable

if TYPE_CHECKING:
    from nucleo_cli.adapters.channels import Channels

Json = dict[str, Any]

_CONNECTIONS = 128
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_JSON = "application/json"
_PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


def path(
    api_version: str, plural: str, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """The API path of a resource: `path("apps/v1", "deployments", "shop", "web", "scale")`.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
    """
    parts = ["/apis" if "/" in api_version else "/api", api_version]
    if namespace is not None:
        parts += ["namespaces", namespace]
    parts += [part for part in (plural, name, subresource) if part]
    return "/".join(parts)


def _socket_options() -> list[tuple[int, int, int]]:
    """A watch or a log may be silent for hours: without keep-alives a dead connection would look the same."""
    found = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            found.append((socket.IPPROTO_TCP, option, value))
    return found


def contexts() -> list[str]:
    """The names of the kubeconfig's contexts; empty when there is no kubeconfig."""
    return kubeconfig.names(kubeconfig.read())


class Cluster:
    """One cluster, by the name of its kubeconfig context; in a pod by the `access` that it has.

    Every method raises NotFound, NotAllowed, Conflict or Unreachable, or NucleoError with the server's own words.
    """

    def __init__(self, context: str, access: kubeconfig.Access | None = None) -> None:
        self.context = context
        self._access = access or kubeconfig.access(context)
        self.server = self._access.server

    @cached_property
    def configuration(self) -> Any:
        """The kubernetes package's own configuration of this context."""
        from kubernetes.client.configuration import Configuration
        from kubernetes.config.config_exception import ConfigException
        from kubernetes.config.kube_config import load_kube_config

        # A failing exec plugin is reported by the error below; the package would also log it.
        logging.getLogger().addHandler(logging.NullHandler())
        found = Configuration()
        try:
            # Named, for the package looks at KUBECONFIG only once, when it is imported.
            files = os.pathsep.join(map(str, kubeconfig.files()))
            load_kube_config(files, self.context, client_configuration=found, persist_config=False)
        except ConfigException as error:
            hint = "log in to the cluster again, or get a new kubeconfig for it"
            raise NotAllowed(f'no credentials for cluster "{self.context}": {error}', hint) from error
        found.retries = False
        found.connection_pool_maxsize = _CONNECTIONS
        found.socket_options = _socket_options()
        return found

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        if not self._access.plain:
            from kubernetes.client.rest import RESTClientObject

            return RESTClientObject(self.configuration).pool_manager
        tls = {"ssl_context": self._access.tls(), "server_hostname": self._access.cluster.get("tls-server-name")}
        options: dict[str, Any] = {key: value for key, value in tls.items() if value is not None}
        options["socket_options"] = _socket_options()
        if proxy := self._access.proxy or _proxy_of_environment(self.server):
            return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, **options)
        return urllib3.PoolManager(maxsize=_CONNECTIONS, **options)

    def get(self, path: str, **query: Any) -> Json:
        """The object or list at `path`."""
        return self._json("GET", path, query)

    def items(self, path: str, **query: Any) -> list[Json]:
        """All items of the list at `path`, page by page."""
        return _paged(lambda page: self.get(path, **query, **page))

    def metadata(self, path: str, **query: Any) -> list[Json]:
        """The metadata alone of all items of the list at `path`: for objects whose content is large or secret.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
        """
        accept = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{_JSON}"
        return _paged(lambda page: json.loads(self._request("GET", path, {**query, **page}, accept=accept).data))

    def create(self, path: str, body: Json, **query: Any) -> Json:
        """Creates the object `body` in the collection at `path`; Conflict when it exists."""
        return self._json("POST", path, query, body)

    def replace(self, path: str, body: Json, **query: Any) -> Json:
        """Replaces the object at `path`; Conflict when its resourceVersion is not the current one."""
        return self._json("PUT", path, query, body)

    def patch(self, path: str, body: Any, kind: str = "merge", **query: Any) -> Json:
        """Patches the object at `path`; `kind` is merge, strategic, json or apply (server-side, forced)."""
        if kind == "apply":
            query = {"fieldManager": "nucleo", "force": "true", **query}
        return self._json("PATCH", path, query, body, _PATCHES[kind])

    def delete(self, path: str, body: Json | None = None, **query: Any) -> Json:
        """Deletes the object at `path`; `body` may hold DeleteOptions."""
        return self._json("DELETE", path, query, body)

    def server_time(self) -> float:
        """The API server's clock, in seconds since the epoch, to one second."""
        response = self._request("GET", "/version", {})
        return parsedate_to_datetime(response.headers["Date"]).timestamp()

    def watch(self, path: str, **query: Any) -> Iterator[Json]:
        """The raw {"type", "object"} events of one watch request, until the server ends it.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", **query}
        with self.stream(path, **query) as chunks:
            buffer = b""
            for chunk in chunks:
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)

    def certificate_days(self) -> float | None:
        """Days until the kubeconfig's client certificate expires, less than 0 afterwards; None: there is none."""
        from nucleo_cli.adapters.certificates import expiry

        certificate = self._access.client_certificate
        return (expiry(certificate).timestamp() - time.time()) / 86400 if certificate else None

    @contextmanager
    def stream(self, path: str, read_timeout: float | None = None, **query: Any) -> Generator[Iterator[bytes]]:
        """The body at `path` as chunks of bytes, as they arrive; `read_timeout` seconds of silence end it."""
        response = self._send("GET", path, query, None, None, read_timeout, preload=False)
        try:
            _raise_for(response, path)
            yield _chunks(response)
        finally:
            response.close()
            response.release_conn()

    def websocket(self, path: str, query: list[tuple[str, Any]]) -> "Channels":
        """The channels of an exec or attach path.

        https://kubernetes.io/docs/reference/using-api/websockets/
        """
        from kubernetes.stream import ws_client  # only run and exec pay for websockets

        from nucleo_cli.adapters.channels import Channels

        headers = {"authorization": token} if (token := self._token()) else {}
        url = ws_client.get_websocket_url(self.server + path, query)
        try:
            connection = ws_client.create_websocket(self.configuration, url, headers)
        except Exception as error:
            raise _websocket_failed(error, path) from error
        # The package asks for the protocol in a header of its own, so that websocket-client does not know of it.
        return Channels(connection.sock, (connection.getheaders() or {}).get("sec-websocket-protocol"))

    def _json(self, method: str, path: str, query: Json, body: Any = None, media: str | None = None) -> Json:
        response = self._request(method, path, query, body, media)
        return json.loads(response.data) if response.data else {}

    def _request(
        self,
        method: str,
        path: str,
        query: Json,
        body: Any = None,
        media: str | None = None,
        accept: str = _JSON,
    ) -> urllib3.BaseHTTPResponse:
        response = self._send(method, path, query, body, media, _READ_SECONDS, accept=accept)
        _raise_for(response, path)
        return response

    def _send(
        self,
        method: str,
        path: str,
        query: Json,
        body: Any,
        media: str | None,
        read: float | None,
        preload: bool = True,
        accept: str = _JSON,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.server}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=self._headers(media, accept),
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read),
                preload_content=preload,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(self.context, self.server, error) from error

    def _headers(self, media: str | None, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "Content-Type": media or _JSON, "User-Agent": "nucleo"}
        if token := self._token():
            headers["Authorization"] = token
        return headers

    def _token(self) -> str | None:
        if self._access.plain:
            return f"Bearer {token}" if (token := self._access.token) else None
        return self.configuration.get_api_key_with_prefix("authorization")


def _proxy_of_environment(server: str) -> str | None:
    if not any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")):
        return None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(server)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _paged(fetch: Callable[[Json], Json]) -> list[Json]:
    """The items of every page of a list; `fetch` takes what to add to the query."""
    found: list[Json] = []
    token = ""
    while True:
        page = fetch({"limit": 500, **({"continue": token} if token else {})})
        found += page.get("items") or []
        token = page.get("metadata", {}).get("continue", "")
        if not token:
            return found


def _chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(65536):
            yield chunk
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable("the connection to the cluster broke while reading", "", {"reason": str(error)}) from error


def _unreachable(context: str, server: str, error: Exception) -> NucleoError:
    text = str(error)
    if "certificate has expired" in text or "certificate is not yet valid" in text:
        return NotAllowed(
            f'the certificate of cluster "{context}" is not valid now', "check this machine's clock, or log in again"
        )
    if "CERTIFICATE_EXPIRED" in text.upper() or "alert certificate expired" in text:
        return NotAllowed(f'your certificate for cluster "{context}" has expired', "get a new kubeconfig for it")
    return Unreachable(
        f'cluster "{context}" does not answer at {server}',
        "nucleo cluster status shows a local cluster; nucleo cluster use CONTEXT chooses another",
        {"reason": text},
    )


def _raise_for(response: urllib3.BaseHTTPResponse, path: str) -> None:
    if response.status < 400:
        return
    raise _failure(response.status, _message(response.data), path)


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message") or "")
    except (ValueError, AttributeError):
        return data.decode("utf-8", "replace")[:500].strip()


def _failure(status: int, message: str, path: str) -> NucleoError:
    details = {"status": status, "path": path}
    if status == 404:
        return NotFound(message or f"nothing at {path}", details=details)
    if status == 401:
        return NotAllowed(
            "the cluster does not accept your credentials",
            "they may have expired: get new ones for this cluster",
            details,
        )
    if status == 403:
        return NotAllowed(message, "ask the cluster's administrators for this right", details)
    if status == 409:
        return Conflict(message, "run the command again", details)
    return NucleoError(f"the cluster answered {status}: {message}", details=details)


def _websocket_failed(error: Exception, path: str) -> NucleoError:
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        body = getattr(error, "resp_body", None)
        return _failure(status, _message(body) if isinstance(body, bytes) else str(error), path)
    return Unreachable("the cluster did not open the connection", "", {"reason": str(error)})
