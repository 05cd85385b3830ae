"""A container registry over HTTP: manifests, blobs, mounts, parallel uploads.

Sources: the OCI distribution specification 1.1. Every error is one of ours: NotAllowed, Unreachable, NucleoError.
"""

import errno
import hashlib
import ipaddress
import json
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx

from nucleo_cli.adapters.registry_login import Challenge, Credentials, stored
from nucleo_cli.errors import NotAllowed, NucleoError, Unreachable

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ATTEMPTS = 6
_LONGEST_WAIT = 10.0
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_LARGEST_DOCUMENT = 8 * 1024 * 1024

_REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags)/")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the registry has it; `digest` is that of `raw`, checked."""

    body: dict[str, Any]
    raw: bytes
    digest: str
    media_type: str


class Registry:
    """One registry, under one prefix. `address` is `[http://]HOST[:PORT][/PREFIX]`; loopback speaks plain HTTP."""

    def __init__(
        self,
        address: str,
        credentials: Callable[[str], Credentials | None] = stored,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        scheme, _, rest = address.rpartition("://")
        self.host, _, self.prefix = rest.strip("/").partition("/")
        self.address = rest.strip("/")
        plain = scheme == "http" or (not scheme and _is_loopback(self.host))
        self._login = _Login(self.host, credentials)
        self._pause = pause
        self._client = httpx.Client(
            base_url=f"{'http' if plain else 'https'}://{self.host}",
            # Building a TLS context takes 20 ms, which a plain connection need not pay.
            verify=False if plain else ssl.create_default_context(),
            trust_env=not _is_loopback(self.host),
            timeout=httpx.Timeout(60, connect=10),
            limits=httpx.Limits(max_connections=8),
            transport=transport,
        )

    def close(self) -> None:
        self._client.close()

    def repository(self, *parts: str) -> str:
        """The full name of a repository under the prefix: `repository("platforms", "python-run")`."""
        return "/".join(part for part in (self.prefix, *parts) if part)

    def reference(self, repository: str, digest: str) -> str:
        """How an engine names an image of this registry."""
        return f"{self.host}/{repository}@{digest}"

    def ping(self) -> None:
        """Raise Unreachable or NotAllowed unless the registry answers."""
        self._call("GET", "/v2/")

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The image manifest that a tag or a digest names, or None."""
        answer = self._call("GET", f"/v2/{repository}/manifests/{reference}", headers=_ACCEPT, missing=True)
        if answer is None:
            return None
        digest = _sha256(answer.content)
        if reference.startswith("sha256:") and digest != reference:
            raise self._corrupt(f"{repository}@{reference}", reference)
        return Manifest(answer.json(), answer.content, digest, answer.headers.get("content-type", MANIFEST_TYPES[0]))

    def has_manifest(self, repository: str, reference: str) -> bool:
        found = self._call("HEAD", f"/v2/{repository}/manifests/{reference}", headers=_ACCEPT, missing=True)
        return found is not None

    def has_blob(self, repository: str, digest: str) -> bool:
        return self._call("HEAD", f"/v2/{repository}/blobs/{digest}", missing=True) is not None

    def document(self, repository: str, digest: str) -> dict[str, Any]:
        """A small blob that is JSON, such as an image's configuration."""
        parts: list[bytes] = []
        for part in self.blob(repository, digest):
            parts.append(part)
            if sum(map(len, parts)) > _LARGEST_DOCUMENT:
                raise NucleoError(f"{repository}@{digest} is too large to be an image's configuration")
        return json.loads(b"".join(parts))

    def blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """The bytes of a blob as they come; where the connection breaks, the rest is asked for.

        Raises after the last where they are not what `digest` says.
        """
        path, total, got = f"/v2/{repository}/blobs/{digest}", hashlib.sha256(), 0
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                for part in self._rest(path, got):
                    total.update(part)
                    got += len(part)
                    yield part
                break
            except httpx.TransportError as error:
                if not left:
                    raise self._unreachable(error) from error
                self._pause(0.1 * 2 ** (_ATTEMPTS - 1 - left))
        if f"sha256:{total.hexdigest()}" != digest:
            raise self._corrupt(f"{repository}@{digest}", digest)

    def _rest(self, path: str, start: int) -> Iterator[bytes]:
        """What is at a path, from a byte on; a server that knows no ranges sends all of it again."""
        with self._opened(path, {"range": f"bytes={start}-"} if start else {}) as answer:
            if not answer.is_success:
                answer.read()
                if answer.status_code in _PASSING:
                    raise httpx.RemoteProtocolError(_reason(answer))
                raise self._refused(answer, f"GET {path}")
            skipped = 0 if answer.status_code == HTTPStatus.PARTIAL_CONTENT else start
            for part in answer.iter_raw():
                yield part[skipped:]
                skipped = max(0, skipped - len(part))

    def mount(self, repository: str, digest: str, origin: str) -> bool:
        """Make a blob of repository `origin` one of `repository` too. False: the registry wants it uploaded."""
        query = urlencode({"mount": digest, "from": origin})
        answer = self._call("POST", f"/v2/{repository}/blobs/uploads/?{query}", origin=origin)
        return answer is not None and answer.status_code == HTTPStatus.CREATED

    def upload(self, repository: str, digest: str, size: int, content: Callable[[], Iterable[bytes]]) -> None:
        """Store a blob. `content` is called again for each attempt."""

        def attempt() -> httpx.Response:
            begun = self._send("POST", f"/v2/{repository}/blobs/uploads/")
            if begun.status_code != HTTPStatus.ACCEPTED:
                return begun
            where = urljoin(str(self._client.base_url), begun.headers["location"])
            where += ("&" if "?" in where else "?") + urlencode({"digest": digest})
            headers = {"content-type": "application/octet-stream", "content-length": str(size)}
            return self._send("PUT", where, headers=headers, content=content())

        self._checked(attempt, f"upload of {repository}@{digest[:19]}")

    def put_manifest(self, repository: str, reference: str, raw: bytes, media_type: str = MANIFEST_TYPES[0]) -> str:
        """Store a manifest under a tag or its digest; the digest."""
        headers = {"content-type": media_type}
        self._call("PUT", f"/v2/{repository}/manifests/{reference}", headers=headers, content=raw)
        return _sha256(raw)

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Remove a manifest; False where there is none. The registry must allow deletion."""
        return self._call("DELETE", f"/v2/{repository}/manifests/{digest}", missing=True) is not None

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, sorted; none where it does not exist."""
        answer = self._call("GET", f"/v2/{repository}/tags/list", missing=True)
        return sorted((answer.json().get("tags") or []) if answer is not None else [])

    def _call(self, method: str, path: str, *, missing: bool = False, **options: Any) -> httpx.Response | None:
        return self._checked(lambda: self._send(method, path, **options), f"{method} {path}", missing=missing)

    def _checked(self, attempt: Callable[[], httpx.Response], what: str, missing: bool = False) -> Any:
        answer = self._retried(attempt)
        if answer.is_success:
            return answer
        if missing and answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        raise self._refused(answer, what)

    def _retried(self, attempt: Callable[[], httpx.Response]) -> httpx.Response:
        """Try again what may pass: no connection, one that broke, and the answers that ask for it."""
        wait = 0.1
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                answer = attempt()
            except httpx.HTTPError as error:
                if not left or not isinstance(error, httpx.TransportError):
                    raise self._unreachable(error) from error
            else:
                if answer.status_code not in _PASSING or not left or _is_full(answer):
                    return answer
                wait = max(wait, _seconds(answer.headers.get("retry-after", "")))
            self._pause(min(wait, _LONGEST_WAIT))
            wait *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        origin: str = "",
    ) -> httpx.Response:
        """One request, and a second one where the registry asks who we are (never with a body that is used up)."""
        right = _right(method, url, origin)
        request_headers = {**(headers or {}), **self._login.headers(right)}
        answer = self._client.request(method, url, headers=request_headers, content=content)
        if answer.status_code != HTTPStatus.UNAUTHORIZED:
            return answer
        header = answer.headers.get("www-authenticate", "")
        if not self._login.answer(header, right) or not isinstance(content, bytes | None):
            return answer
        request_headers = {**(headers or {}), **self._login.headers(right)}
        return self._client.request(method, url, headers=request_headers, content=content)

    def _opened(self, path: str, headers: Mapping[str, str]) -> Any:
        """A streamed GET, after a HEAD that has settled the login."""
        answer = self._call("HEAD", path)
        if answer is None:
            raise NucleoError(f"{self.host}{path} does not exist")
        return _Streamed(self._client, path, {**headers, **self._login.headers(_right("GET", path, ""))})

    def _refused(self, answer: httpx.Response, what: str) -> NucleoError:
        details = {"status": answer.status_code, "request": what, "answer": _reason(answer)}
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotAllowed(
                f"The registry {self.host} refuses: {_reason(answer)}", f"Run: docker login {self.host}", details
            )
        if _is_full(answer):
            return NucleoError(
                f"The disk of the registry {self.host} is full",
                "Make room there: registry garbage-collect removes what no image uses",
                details,
            )
        if answer.status_code in _PASSING:
            return Unreachable(
                f"The registry {self.host} does not serve: {_reason(answer)}", "Run the same command again", details
            )
        return NucleoError(f"The registry {self.host} refused {what}: {_reason(answer)}", details=details)

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"The registry {self.host} does not answer: {error}",
            "Run: nucleo doctor",
            {"registry": self.host},
        )

    def _corrupt(self, name: str, digest: str) -> NucleoError:
        return NucleoError(
            f"The registry {self.host} sent something else than {name}",
            f"Its storage is damaged: remove {digest.replace(':', '/')} there, then run the same command again",
        )


@dataclass(frozen=True, slots=True)
class _Right:
    """What a request needs: to read or to write a repository, and to read `origin` where it mounts from there."""

    writes: bool
    repository: str
    origin: str


class _Login:
    """The headers that a registry wants. A token is kept for each right, for as long as this object lives."""

    def __init__(self, host: str, credentials: Callable[[str], Credentials | None]) -> None:
        self._host = host
        self._find = credentials
        self._tokens: dict[_Right, str] = {}
        self._basic = ""
        self._lock = Lock()

    def headers(self, right: _Right) -> dict[str, str]:
        value = self._basic or self._tokens.get(right)
        return {"authorization": value} if value else {}

    def answer(self, header: str, right: _Right) -> bool:
        """Get what a challenge asks for; False where there is nothing to answer with."""
        challenge = Challenge.parse(header)
        with self._lock:
            credentials = self._find(self._host)
            if challenge.scheme == "basic" and credentials is not None and credentials.basic != self._basic:
                self._basic = credentials.basic
                return True
            if challenge.scheme == "bearer" and challenge.realm.startswith(("https://", "http://")):
                token = self._fetch(challenge, credentials, right)
                self._tokens[right] = f"Bearer {token}" if token else ""
                return bool(token)
        return False

    def _fetch(self, challenge: Challenge, credentials: Credentials | None, right: _Right) -> str | None:
        wanted = [challenge.scope] if challenge.scope else []
        wanted += [f"repository:{right.origin}:pull"] if right.origin else []
        with httpx.Client(verify=ssl.create_default_context(), timeout=30) as client:
            if credentials is not None and credentials.identity_token:
                answer = client.post(
                    challenge.realm,
                    data={
                        "grant_type": "refresh_token",
                        "service": challenge.service,
                        "client_id": "nucleo",
                        "scope": " ".join(wanted),
                        "refresh_token": credentials.identity_token,
                    },
                )
            else:
                query = {"service": challenge.service, "scope": wanted}
                headers = {"authorization": credentials.basic} if credentials is not None else {}
                answer = client.get(challenge.realm, params=query, headers=headers)
        if not answer.is_success:
            return None
        document = answer.json()
        return document.get("token") or document.get("access_token")


class _Streamed:
    """A GET whose body is read as it comes."""

    def __init__(
        self,
        client: httpx.Client,
        path: str,
        headers: Mapping[str, str],
    ) -> None:
        # A token for one registry must not follow a redirect to the storage behind it; httpx drops it for another host.
        self._stream = client.stream("GET", path, headers=headers, follow_redirects=True)

    def __enter__(self) -> httpx.Response:
        return self._stream.__enter__()

    def __exit__(self, *failure: Any) -> None:
        self._stream.__exit__(*failure)


_ACCEPT = {"accept": ", ".join(MANIFEST_TYPES)}


def _right(method: str, url: str, origin: str) -> _Right:
    found = _REPOSITORY.search(url)
    return _Right(method not in ("GET", "HEAD"), found.group(1) if found else "", origin)


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _is_full(answer: httpx.Response) -> bool:
    """Whether the registry says that its disk is full; the one of the CNCF gives the number of the error (ENOSPC)."""
    if not answer.is_server_error:
        return False
    text = answer.text.lower()
    return "no space left" in text or f'"err":{errno.ENOSPC}' in text.replace(" ", "")


def _reason(answer: httpx.Response) -> str:
    try:
        first = answer.json()["errors"][0]
        return f"{answer.status_code} {first.get('message') or first.get('code')}"
    except (ValueError, LookupError, TypeError, AttributeError, httpx.ResponseNotRead):
        return f"{answer.status_code} {answer.reason_phrase}"
