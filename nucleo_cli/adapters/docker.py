"""The container engine: images, containers, volumes, and commands run in containers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, cast

import docker
import requests
from docker import errors
from docker.utils import parse_repository_tag

from nucleo_cli.adapters.channels import STDERR, wait
from nucleo_cli.adapters.docker_channels import ExecChannels
from nucleo_cli.errors import BuildFailed, Conflict, NotAllowed, NotFound, NucleoError, Unreachable

Json = dict[str, Any]
Stream = Literal["stdout", "stderr"]

_HINT = "Start it (for Docker on Linux: sudo service docker start), or set DOCKER_HOST"
_TIMEOUT_SECONDS = 300
_LAST_LINES = 40


class Engine:
    """A container engine with Docker's API: the one that DOCKER_HOST or the docker program's current context names."""

    def __init__(self) -> None:
        self._connected: docker.DockerClient | None = None

    @property
    def _client(self) -> docker.DockerClient:
        if self._connected is None:
            with _translated("The container engine"):
                self._connected = docker.from_env(timeout=_TIMEOUT_SECONDS)
        return self._connected

    @property
    def _api(self) -> Any:
        return self._client.api

    def close(self) -> None:
        """Closes the connections."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def is_local(self) -> bool:
        """Whether the engine runs on this machine's own kernel: it listens on a Unix socket of this machine."""
        return str(self._api.base_url).startswith("http+docker://localhost") and os.uname().sysname == "Linux"

    def ping(self) -> None:
        """Raises Unreachable when no engine answers."""
        with _translated("The container engine"):
            self._api.ping()

    def info(self) -> Json:
        """The engine's own description (Docker Engine API: SystemInfo)."""
        with _translated("The container engine"):
            return self._api.info()

    # Images

    def has_image(self, reference: str) -> bool:
        return self.image_id(reference) is not None

    def image_id(self, reference: str) -> str | None:
        """The `sha256:…` of the image's configuration; None when the engine has no such image."""
        try:
            return self.inspect_image(reference)["Id"]
        except NotFound:
            return None

    def inspect_image(self, reference: str) -> Json:
        with _translated(f"Image {reference}"):
            return self._api.inspect_image(reference)

    def import_image(self, tar: Path, reference: str, changes: Sequence[str] = ()) -> str:
        """Makes an image of a root file system's tar (`docker import`) and returns its id."""
        repository, tag = parse_repository_tag(reference)
        with _translated(f"Image {reference}"):
            answer = self._api.import_image_from_file(str(tar), repository=repository, tag=tag, changes=list(changes))
        if '"errorDetail"' in answer:
            raise NucleoError(f"Importing {reference} failed: {answer.strip().splitlines()[-1]}")
        return self.inspect_image(reference)["Id"]

    def build_image(self, context: Path, reference: str) -> Iterator[str]:
        """Builds the folder's Dockerfile, yielding the lines of output. Raises BuildFailed with the last of them."""
        seen: list[str] = []
        with _translated(f"Image {reference}"):
            for message in self._api.build(path=str(context), tag=reference, rm=True, forcerm=True, decode=True):
                if "error" in message:
                    raise BuildFailed(
                        f"Building {reference} failed: {message['error'].strip()}",
                        details={"output": seen[-_LAST_LINES:]},
                    )
                for line in message.get("stream", "").splitlines():
                    if line.strip():
                        seen.append(line)
                        yield line

    def save_image(self, reference: str) -> Iterator[bytes]:
        """The image as a tar stream (`docker save`), with its name in it."""
        with _translated(f"Image {reference}"):
            yield from self._client.images.get(reference).save(named=cast(Any, reference))

    def load_image(self, tar: Path) -> None:
        """Loads what `save_image` wrote."""
        with _translated(f"Image archive {tar}"), tar.open("rb") as file:
            for message in self._api.load_image(file):
                if "error" in message:
                    raise NucleoError(f"{tar} could not be loaded: {message['error']}")

    def pull(self, reference: str) -> None:
        """Raises NotFound, NotAllowed or Unreachable when the registry does not give the image."""
        repository, tag = parse_repository_tag(reference)
        with _translated(f"Image {reference}"), _transfer(f"Pulling {reference}"):
            for message in self._api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                _check_transfer(message, f"Pulling {reference}")

    def push(self, reference: str) -> str:
        """Pushes the image and returns the manifest's digest. Raises NotFound, NotAllowed or Unreachable."""
        repository, tag = parse_repository_tag(reference)
        digest = ""
        with _translated(f"Image {reference}"), _transfer(f"Pushing {reference}"):
            for message in self._api.push(repository, tag=tag or "latest", stream=True, decode=True):
                _check_transfer(message, f"Pushing {reference}")
                digest = message.get("aux", {}).get("Digest", digest)
        if not digest:
            raise NucleoError(f"Pushing {reference}: the engine named no digest")
        return digest

    def tag(self, image: str, reference: str) -> None:
        repository, tag = parse_repository_tag(reference)
        with _translated(f"Image {image}"):
            self._api.tag(image, repository, tag=tag)

    def images(self, labels: Mapping[str, str]) -> list[str]:
        """The tags of the images that have each of the labels (an empty value stands for any), the newest first."""
        with _translated("The container engine"):
            found: list[Json] = self._api.images(filters=_filters(labels))
        newest = sorted(found, key=lambda image: image["Created"], reverse=True)
        return [tag for image in newest for tag in image.get("RepoTags") or ()]

    def remove_image(self, reference: str) -> None:
        """Removes the image's name, and the image with its last one; one that is not there is fine."""
        with suppress(NotFound), _translated(f"Image {reference}"):
            self._api.remove_image(reference)

    # Containers

    def create_container(
        self,
        image: str,
        *,
        name: str | None = None,
        command: Sequence[str] = (),
        user: str = "",
        env: Mapping[str, str] | None = None,
        volumes: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> str:
        """Creates a container (it is not started yet) and returns its id.

        `volumes` maps a volume's name or a host path to `PATH[:ro]` in the container; `options` are those of
        docker.models.containers.ContainerCollection.create (cap_add, tmpfs, ports, …).
        """
        with _translated(f"Image {image}"):
            container = self._client.containers.create(
                image,
                list(command) or None,
                name=name,
                user=user or None,
                environment=dict(env or {}),
                volumes=[f"{source}:{target}" for source, target in (volumes or {}).items()],
                labels=dict(labels or {}),
                **options,
            )
        return cast(str, container.id)

    def start(self, container: str) -> None:
        with _translated(f"Container {container}"):
            self._api.start(container)

    def stop(self, container: str, timeout: int = 10) -> None:
        """Asks the container to end and kills it after `timeout` seconds."""
        with _translated(f"Container {container}"):
            self._api.stop(container, timeout=timeout)

    def commit(self, container: str, reference: str, labels: Mapping[str, str]) -> None:
        """Makes an image of what the container holds now; volumes are no part of it."""
        repository, tag = parse_repository_tag(reference)
        changes = [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
        with _translated(f"Image {reference}"):
            self._api.commit(container, repository, tag, changes=changes)

    def hold(self, container: str) -> Callable[[], None]:
        """Connects to the standard input of a container made with `stdin_open`; what it returns disconnects.

        The input ends with the connection, so also when this process is killed or its machine is gone.
        """
        with _translated(f"Container {container}"):
            stream = self._api.attach_socket(container, params={"stdin": 1, "stream": 1})

        def let_go() -> None:
            # The SDK's answer owns the stream; a plain socket has none.
            getattr(stream, "_response", stream).close()

        return let_go

    def remove_container(self, container: str, *, force: bool = True, volumes: bool = False) -> None:
        """Removes the container (`volumes`: and its unnamed volumes); one that is not there, or just goes, is fine."""
        with suppress(NotFound, Conflict), _translated(f"Container {container}"):
            self._api.remove_container(container, force=force, v=volumes)

    def containers(self, labels: Mapping[str, str], all: bool = True) -> list[Json]:
        """The containers that have each of the labels (an empty value stands for any), as the engine lists them."""
        with _translated("The container engine"):
            return self._api.containers(all=all, filters=_filters(labels))

    def inspect(self, container: str) -> Json:
        with _translated(f"Container {container}"):
            return self._api.inspect_container(container)

    def wait(self, container: str) -> int:
        """Waits until the container has ended and returns its exit code."""
        with _translated(f"Container {container}"):
            return self._api.wait(container)["StatusCode"]

    def put_archive(self, container: str, path: str, data: bytes | IO[bytes] | Iterator[bytes]) -> None:
        """Unpacks a tar into the folder `path` of the container."""
        with _translated(f"{container}:{path}"):
            self._api.put_archive(container, path, data)

    def get_archive(self, container: str, path: str) -> Iterator[bytes]:
        """The file or folder `path` of the container as a tar stream."""
        with _translated(f"{container}:{path}"):
            chunks, _ = self._api.get_archive(container, path)
            yield from chunks

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
    ) -> "Execution":
        """Runs a command in a running container."""
        with _translated(f"Container {container}"):
            created = self._api.exec_create(
                container, list(command), user=user, environment=dict(env or {}), workdir=workdir
            )
            return Execution(self._api, created["Id"])

    @contextmanager
    def talk(
        self,
        container: str,
        command: Sequence[str],
        *,
        tty: bool,
        user: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
    ) -> Generator["Talk"]:
        """Runs a command in a running container that reads what this side says, with a terminal of its own or none."""
        with _translated(f"Container {container}"):
            created = self._api.exec_create(
                container,
                list(command),
                stdin=True,
                tty=tty,
                user=user,
                environment=dict(env or {}),
                workdir=workdir,
            )
            stream = self._api.exec_start(created["Id"], tty=tty, socket=True)
        talk = Talk(self._api, created["Id"], ExecChannels(self._api, created["Id"], stream, tty=tty))
        try:
            yield talk
        finally:
            talk.channels.close()

    # Volumes

    def volumes(self, labels: Mapping[str, str]) -> list[Json]:
        """The volumes that have each of the labels."""
        with _translated("The container engine"):
            return self._api.volumes(filters=_filters(labels))["Volumes"] or []

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Creates the volume; one that is there already is fine."""
        with _translated(f"Volume {name}"):
            self._api.create_volume(name, labels=dict(labels))

    def remove_volume(self, name: str) -> None:
        """Removes the volume; one that is not there is fine."""
        with suppress(NotFound), _translated(f"Volume {name}"):
            self._api.remove_volume(name, force=True)


class Execution:
    """A command in a container: iterate over its output while it runs, then ask for its `code`."""

    def __init__(self, api: Any, id: str) -> None:
        self._api = api
        self._id = id
        # Not the SDK's own stream: it loses what comes in one piece with the headers of the engine's answer.
        self._channels = ExecChannels(api, id, api.exec_start(id, socket=True), tty=False)

    def __iter__(self) -> Iterator[tuple[Stream, bytes]]:
        try:
            while self._channels.open:
                wait(self._channels, [], None)
                for channel, data in self._channels.receive():
                    yield ("stderr" if channel == STDERR else "stdout"), data
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the output; the command runs on."""
        self._channels.close()

    @property
    def code(self) -> int:
        """The exit code; output that nobody has read is thrown away first."""
        for _ in self:
            pass
        return _exit_code(self._api, self._id)


class Talk:
    """A command in a container that reads and writes at the same time, and how it ended."""

    def __init__(self, api: Any, id: str, channels: ExecChannels) -> None:
        self.channels = channels
        self._api = api
        self._id = id

    @property
    def code(self) -> int:
        """The exit code, once the command has closed its outputs."""
        return _exit_code(self._api, self._id)


def _exit_code(api: Any, execution: str) -> int:
    with _translated("The command's exit code"):
        while (code := api.exec_inspect(execution)["ExitCode"]) is None:
            # The stream ends a moment before the engine notes the code.
            time.sleep(0.005)
    return code


@contextmanager
def _translated(subject: str) -> Generator[None]:
    """The SDK's exceptions as Nucleo's; `subject` begins the message."""
    try:
        yield
    except errors.NotFound as error:
        raise NotFound(f"{subject} was not found: {_explained(error)}") from error
    except errors.APIError as error:
        _check_room(_explained(error))
        kinds = {401: NotAllowed, 403: NotAllowed, 409: Conflict}
        raise kinds.get(error.status_code or 0, NucleoError)(f"{subject}: {_explained(error)}") from error
    except (errors.DockerException, requests.exceptions.RequestException) as error:
        raise Unreachable("The container engine does not answer", _HINT, {"cause": str(error)}) from error


@contextmanager
def _transfer(doing: str) -> Generator[None]:
    """What the registry did wrong, where the engine answers as if it were its own error."""
    try:
        yield
    except errors.NotFound:
        raise
    except errors.APIError as error:
        _check_transfer({"error": _explained(error)}, doing)


def _filters(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {"label": [f"{key}={value}" if value else key for key, value in labels.items()]}


def _explained(error: errors.APIError) -> str:
    return str(error.explanation or error)


def _check_room(text: str) -> None:
    if "no space left on device" in text.lower() or "disk quota exceeded" in text.lower():
        raise NucleoError("The container engine's disk is full", "Make room: docker system prune", {"cause": text})


def _check_transfer(message: Mapping[str, Any], doing: str) -> None:
    """Raises the error that a push or pull reports inside of its stream."""
    if "error" not in message:
        return
    text = str(message["error"])
    _check_room(text)
    lower = text.lower()
    if any(word in lower for word in ("denied", "unauthorized", "authentication required", "forbidden")):
        raise NotAllowed(f"{doing}: {text}", "Log in to the registry: docker login")
    if any(word in lower for word in ("not found", "not exist", "manifest unknown")):
        raise NotFound(f"{doing}: {text}")
    if any(word in lower for word in ("dial tcp", "no such host", "timeout", "connection", "eof")):
        raise Unreachable(f"{doing}: {text}", "Check the registry's address, and that it runs")
    raise NucleoError(f"{doing}: {text}", "Run the same command again; nucleo doctor looks for what is wrong")
