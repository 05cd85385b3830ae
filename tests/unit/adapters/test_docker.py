"""The engine's adapter, as far as it can be tried without an engine: its errors."""

import gc
from typing import Any

import pytest
from docker import errors
from requests import Response

from nucleo_cli.adapters import docker
from nucleo_cli.adapters.docker import Engine
from nucleo_cli.errors import Conflict, NotAllowed, NotFound, NucleoError, Unreachable


def answer(status: int) -> errors.APIError:
    response = Response()
    response.status_code = status
    kind = errors.NotFound if status == 404 else errors.APIError
    return kind("failed", response=response, explanation="the engine's own words")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (401, NotAllowed), (403, NotAllowed), (409, Conflict), (500, NucleoError), (400, NucleoError)],
)
def test_an_answer_becomes_the_fitting_error(status: int, kind: type[NucleoError]) -> None:
    with pytest.raises(kind, match=r"Container x.*the engine's own words") as caught, docker._translated("Container x"):  # pyright: ignore[reportPrivateUsage]
        raise answer(status)
    assert type(caught.value) is kind


# The SDK forgets to close a socket that could not connect.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine_is_unreachable_with_what_to_do() -> None:
    with pytest.raises(Unreachable) as caught:
        Engine().ping()
    assert "DOCKER_HOST" in caught.value.hint
    del caught
    gc.collect()


def test_an_address_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "gopher://x")
    with pytest.raises(Unreachable):
        Engine().ping()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("denied: requested access to the resource is denied", NotAllowed),
        ("unauthorized: authentication required", NotAllowed),
        ("manifest for x:1 not found: manifest unknown", NotFound),
        ("dial tcp 127.0.0.1:1: connect: connection refused", Unreachable),
        ("dial tcp: lookup r.example.com: no such host", Unreachable),
        ("something else", NucleoError),
    ],
)
def test_an_error_inside_of_a_transfer(text: str, kind: type[NucleoError]) -> None:
    with pytest.raises(kind) as caught:
        docker._check_transfer({"error": text}, "Pushing x:1")  # pyright: ignore[reportPrivateUsage]
    assert type(caught.value) is kind
    assert text in caught.value.message


def test_progress_of_a_transfer_is_no_error() -> None:
    message: dict[str, Any] = {"status": "Pushed", "id": "abc"}
    docker._check_transfer(message, "Pushing x:1")  # pyright: ignore[reportPrivateUsage]


def test_a_full_disk_is_said_in_so_many_words() -> None:
    failed = errors.APIError("500", explanation="write /app/x: no space left on device")
    with pytest.raises(NucleoError, match=r"^The container engine's disk is full$") as caught, docker._translated("x"):  # pyright: ignore[reportPrivateUsage]
        raise failed
    assert caught.value.hint == "Make room: docker system prune"
    with pytest.raises(NucleoError, match=r"^The container engine's disk is full$"):
        docker._check_transfer({"error": "failed to register layer: No space left on device"}, "Pulling x")  # pyright: ignore[reportPrivateUsage]


def test_a_registry_that_breaks_off_is_not_the_engines_fault() -> None:
    reset = errors.APIError("failed", explanation='Get "http://r/v2/": read: connection reset by peer')
    with pytest.raises(Unreachable, match="Pulling r/x: Get") as caught, docker._transfer("Pulling r/x"):  # pyright: ignore[reportPrivateUsage]
        raise reset
    assert caught.value.hint
