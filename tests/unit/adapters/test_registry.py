"""The registry adapter: login, retries, errors. A transport in memory stands in for the network."""

import base64
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from nucleo_cli.adapters.registry import Registry
from nucleo_cli.adapters.registry_login import Challenge, Credentials, stored
from nucleo_cli.errors import NotAllowed, NucleoError, Unreachable

Handler = Callable[[httpx.Request], httpx.Response]
ADA = Credentials("ada", "secret")


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def registry(
    handler: Handler, address: str = "127.0.0.1:5000", who: Credentials | None = None, pauses: list[float] | None = None
) -> Registry:
    slept = pauses if pauses is not None else []
    return Registry(address, lambda _: who, httpx.MockTransport(handler), slept.append)


@pytest.mark.parametrize(
    ("address", "url", "prefix"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/", "a/b"),
        ("localhost/apps", "http://localhost/v2/", "apps/a/b"),
        ("[::1]:5000", "http://[::1]:5000/v2/", "a/b"),
        ("registry.example.com/team/apps/", "https://registry.example.com/v2/", "team/apps/a/b"),
        ("http://registry.lan:5000", "http://registry.lan:5000/v2/", "a/b"),
    ],
)
def test_the_address(address: str, url: str, prefix: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    found = registry(handler, address)
    found.ping()
    assert asked == [url]
    assert found.repository("a", "b") == prefix
    assert found.reference("x", "sha256:1") == f"{found.host}/x@sha256:1"


def test_a_manifest_is_checked_against_its_digest() -> None:
    raw = b'{"layers": []}'
    found = registry(lambda _: httpx.Response(200, content=raw))
    manifest = found.manifest("shop", digest(raw))
    assert manifest is not None
    assert manifest.digest == digest(raw)
    with pytest.raises(NucleoError, match="sent something else"):
        found.manifest("shop", digest(b"other"))


def test_a_blob_is_checked_against_its_digest() -> None:
    found = registry(lambda _: httpx.Response(200, content=iter([b"da", b"ta"])))
    assert b"".join(found.blob("shop", digest(b"data"))) == b"data"
    with pytest.raises(NucleoError, match="sent something else"):
        list(found.blob("shop", digest(b"other")))


def test_what_is_not_there_is_none() -> None:
    found = registry(lambda _: httpx.Response(404))
    assert found.manifest("shop", "latest") is None
    assert not found.has_manifest("shop", "latest")
    assert not found.has_blob("shop", "sha256:1")
    assert not found.delete_manifest("shop", "sha256:1")
    assert found.tags("shop") == []


@pytest.mark.parametrize(("status", "mounted"), [(201, True), (202, False)])
def test_mounting(status: int, mounted: bool) -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status)

    assert registry(handler).mount("shop", "sha256:1", "platforms/python-run") is mounted
    assert dict(asked[0].url.params) == {"mount": "sha256:1", "from": "platforms/python-run"}


def uploads(answers: Iterator[httpx.Response | Exception], bodies: list[bytes]) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, headers={"location": "/v2/shop/blobs/uploads/1?state=x"})
        bodies.append(request.read())
        assert request.url.params["state"] == "x"
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def test_an_upload_that_breaks_is_begun_again() -> None:
    bodies: list[bytes] = []
    answers = iter([httpx.ReadError("reset"), httpx.Response(503), httpx.Response(201)])
    pauses: list[float] = []
    registry(uploads(answers, bodies), pauses=pauses).upload("shop", "sha256:1", 4, lambda: iter([b"da", b"ta"]))
    assert bodies == [b"data", b"data", b"data"]
    assert pauses == [0.1, 0.2]


def test_a_registry_that_asks_to_wait_is_given_the_time() -> None:
    answers = iter([httpx.Response(429, headers={"retry-after": "3"}), httpx.Response(200)])
    pauses: list[float] = []
    registry(lambda _: next(answers), pauses=pauses).ping()
    assert pauses == [3.0]


def test_a_registry_that_asks_for_a_day_is_not_waited_for() -> None:
    answers = iter([httpx.Response(429, headers={"retry-after": "86400"}), httpx.Response(200)])
    pauses: list[float] = []
    registry(lambda _: next(answers), pauses=pauses).ping()
    assert pauses == [10.0]


def test_attempts_are_bounded() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise httpx.ConnectError("refused")

    with pytest.raises(Unreachable, match=r"The registry 127\.0\.0\.1:5000 does not answer: refused") as caught:
        registry(handler).ping()
    assert len(asked) == 6
    assert caught.value.hint


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (401, NotAllowed, "refuses: 401 denied"),
        (403, NotAllowed, "refuses: 403 denied"),
        (500, Unreachable, "does not serve: 500 denied"),
        (400, NucleoError, "refused GET /v2/: 400 denied"),
    ],
)
def test_errors_say_what_the_registry_said(status: int, error: type[NucleoError], text: str) -> None:
    body = {"errors": [{"code": "DENIED", "message": "denied"}]}
    with pytest.raises(error, match=text) as caught:
        registry(lambda _: httpx.Response(status, json=body)).ping()
    assert type(caught.value) is error


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"errors": []}', b'{"errors": 1}'])
def test_an_answer_that_is_no_document_is_told_by_its_status(content: bytes) -> None:
    with pytest.raises(NotAllowed, match="403 Forbidden"):
        registry(lambda _: httpx.Response(403, content=content)).ping()


# Login


def test_basic_login() -> None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        allowed = request.headers.get("authorization") == ADA.basic
        return httpx.Response(200 if allowed else 401, headers={"www-authenticate": 'Basic realm="r"'})

    found = registry(handler, who=ADA)
    found.ping()
    found.ping()
    assert seen == [None, ADA.basic, ADA.basic]


def test_wrong_credentials_are_tried_once() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(401, headers={"www-authenticate": 'Basic realm="r"'})

    with pytest.raises(NotAllowed) as caught:
        registry(handler, who=ADA).ping()
    assert len(asked) == 2
    assert caught.value.hint == "Run: docker login 127.0.0.1:5000"
    assert "secret" not in str(caught.value.details)


def test_the_challenge_is_read() -> None:
    header = 'Bearer realm="https://auth/token",service="registry",scope="repository:shop:pull,push"'
    assert Challenge.parse(header) == Challenge("bearer", "https://auth/token", "registry", "repository:shop:pull,push")
    assert Challenge.parse("") == Challenge("")


# Credentials


def config(folder: Path, document: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.json").write_text(json.dumps(document))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("host", "auths", "expected"),
    [
        ("r.io", {"r.io": {"auth": encoded("ada:se:cret")}}, Credentials("ada", "se:cret")),
        ("r.io", {"https://r.io": {"auth": encoded("ada:x")}}, Credentials("ada", "x")),
        ("r.io", {"r.io": {"identitytoken": "t"}}, Credentials("", "", "t")),
        ("r.io", {"r.io": {"username": "ada", "password": "x"}}, Credentials("ada", "x")),
        ("docker.io", {"https://index.docker.io/v1/": {"auth": encoded("a:b")}}, Credentials("a", "b")),
        ("r.io", {"other.io": {"auth": encoded("a:b")}}, None),
        ("r.io", {"r.io": {"auth": "not base64"}}, None),
        ("r.io", {"r.io": {}}, None),
    ],
)
def test_what_docker_login_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, auths: object, expected: Credentials | None
) -> None:
    config(tmp_path, {"auths": auths}, monkeypatch)
    assert stored(host) == expected


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\ncat > {folder}/asked\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_credential_helpers_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, {"credHelpers": {"r.io": "test"}}, monkeypatch)
    helper(tmp_path, monkeypatch, '{"Username": "ada", "Secret": "x"}')
    assert stored("r.io") == Credentials("ada", "x")
    assert (tmp_path / "asked").read_text() == "r.io"


def test_a_helper_may_give_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, {"credsStore": "test"}, monkeypatch)
    helper(tmp_path, monkeypatch, '{"Username": "<token>", "Secret": "x"}')
    assert stored("r.io") == Credentials("", "", "x")


@pytest.mark.parametrize("name", ["missing", "../evil", "-x"])
def test_a_helper_that_does_not_answer_is_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    config(tmp_path, {"credsStore": name}, monkeypatch)
    assert stored("r.io") is None


def test_without_a_file_there_is_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert stored("r.io") is None


def test_credentials_do_not_show_their_password() -> None:
    assert "secret" not in repr(ADA)


# Blobs that come in pieces


class Broken(httpx.SyncByteStream):
    """A body whose connection breaks at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
        raise httpx.ReadError("cut")


@pytest.mark.parametrize("ranges", [True, False])
def test_the_rest_of_a_blob_is_asked_for(ranges: bool) -> None:
    data = bytes(range(256)) * 4
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "HEAD":
            return httpx.Response(200)
        asked.append(request.headers.get("range", ""))
        if len(asked) == 1:
            return httpx.Response(200, stream=Broken(data[:700]))
        if len(asked) == 2:
            return httpx.Response(503)
        return (
            httpx.Response(206, stream=httpx.ByteStream(data[700:]))
            if ranges
            else httpx.Response(200, stream=httpx.ByteStream(data))
        )

    client = registry(answer)
    assert b"".join(client.blob("shop", digest(data))) == data
    assert asked == ["", "bytes=700-", "bytes=700-"]


def test_a_blob_that_never_comes_whole() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if request.method == "HEAD" else httpx.Response(200, stream=Broken(b""))

    client = registry(answer)
    with pytest.raises(Unreachable, match="does not answer: cut"):
        list(client.blob("shop", "sha256:1"))


@pytest.mark.parametrize(
    "answer",
    [
        {"errors": [{"code": "UNKNOWN", "detail": {"Enclosed": {"Op": "write", "Err": 28}}}]},
        {"errors": [{"code": "UNKNOWN", "message": "write x: no space left on device"}]},
    ],
)
def test_a_full_disk_of_the_registry_is_told_at_once(answer: dict[str, Any]) -> None:
    pauses: list[float] = []
    client = registry(lambda _: httpx.Response(500, json=answer), pauses=pauses)
    with pytest.raises(NucleoError, match=r"The disk of the registry 127.0.0.1:5000 is full"):
        client.put_manifest("shop", "1", b"{}")
    assert pauses == []
