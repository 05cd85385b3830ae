"""Tar archives of the source tree: the app's own layer, and what a build container gets to see."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, cast

from pathspec import GitIgnoreSpec

from nucleo_cli.builder.images import APP, EPOCH, OUTPUT, Layer
from nucleo_cli.builder.source import Entry, Source
from nucleo_cli.errors import BuildFailed

ROOT = APP.lstrip("/")
_BLOCK = 1 << 20


class _Hashed:
    """A writable file that hashes and counts what passes through it."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Read:
    """A readable file that hashes what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


@contextmanager
def source_layer(source: Source, leave_out: Iterable[str] = ()) -> Generator[tuple[Layer, IO[bytes]]]:
    """The app's own files as a layer, owned by root: the app cannot change itself. The file is open for reading.

    `leave_out` are patterns, as in .gitignore, of files that the image does not need.
    """
    spec = GitIgnoreSpec.from_lines(leave_out)
    paths = [path for path in source.tree if not spec.match_file(path.removeprefix("../"))]
    with temporary() as file:
        packed = _Hashed(file)
        target = cast("IO[bytes]", packed)
        with no_space(), gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=0) as zipped:
            plain = _Hashed(cast("IO[bytes]", zipped))
            write_tree(source, paths, cast("IO[bytes]", plain), owner=0)
        yield Layer(packed.digest, packed.size, plain.digest), file


def small_layer(files: Mapping[str, bytes]) -> tuple[Layer, bytes]:
    """Files by their absolute path as a layer, owned by root, with the bytes of it."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=packed, mtime=0) as zipped:
        plain = _Hashed(cast("IO[bytes]", zipped))
        with tarfile.open(fileobj=cast("IO[bytes]", plain), mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for path, content in sorted(files.items()):
                member = _member(path.lstrip("/"), 0o644, 0, tarfile.REGTYPE)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    raw = packed.getvalue()
    return Layer(f"sha256:{hashlib.sha256(raw).hexdigest()}", len(raw), plain.digest), raw


def write_tree(source: Source, paths: Iterable[str], target: IO[bytes], owner: int) -> None:
    """Write the files at `paths` of the source below `app/`, with fixed times, numeric owner and sorted names."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT, bufsize=_BLOCK) as tar:
        folders: set[str] = set()
        for entry in sorted((entry for path in paths if (entry := source.entry(path))), key=lambda each: each.path):
            name = f"{ROOT}/{entry.path}"
            for folder in reversed(PurePosixPath(name).parents[:-1]):
                if str(folder) not in folders:
                    folders.add(str(folder))
                    tar.addfile(_member(str(folder), 0o755, owner, tarfile.DIRTYPE))
            _add(tar, source, entry, name, owner)


class Bundle:
    """A tar in the making that brings all that a build container needs in one go. Close it in the end.

    Secrets come first in it, and are on no disk of this side.
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        with no_space():
            self._file = TemporaryFile()  # noqa: SIM115
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        self._head = io.BytesIO()

    def folders(self, paths: Iterable[str]) -> None:
        """Make the folders on the way to these files the owner's, below those that steps write to."""
        with no_space():
            for parent in {parent: None for path in paths for parent in _parents(path)}:
                self._tar.addfile(_member(parent, 0o755, self.owner, tarfile.DIRTYPE))

    def secrets(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Files by their path below `folder`, which nobody but the owner can read."""
        folders = {str(parent): None for path in sorted(files) for parent in reversed(PurePosixPath(path).parents)}
        for parent in folders or (".",):
            self._private(f"{folder}/{parent}".removesuffix("/."), None)
        for path, content in sorted(files.items()):
            self._private(f"{folder}/{path}", content)

    def add(self, path: str, write: Callable[[IO[bytes]], object]) -> None:
        """A file at an absolute path whose size is known only when it is written."""
        with no_space():
            begin = self._tar.offset
            self._file.seek(begin + tarfile.BLOCKSIZE)
            write(self._file)
            member = _member(path.lstrip("/"), 0o600, self.owner, tarfile.REGTYPE)
            member.size = self._file.tell() - begin - tarfile.BLOCKSIZE
            self._file.write(tarfile.NUL * (-member.size % tarfile.BLOCKSIZE))
            self._tar.offset = self._file.tell()
            self._file.seek(begin)
            self._file.write(member.tobuf(tarfile.GNU_FORMAT))
            self._file.seek(self._tar.offset)

    def finish(self) -> Iterator[bytes]:
        """The whole tar, in pieces."""
        with no_space():
            self._tar.close()
        yield self._head.getvalue()
        yield from blocks(self._file)

    def close(self) -> None:
        with suppress(OSError):  # where the disk is full, so it is for the last bytes, which nobody needs now
            self._file.close()

    def _private(self, path: str, content: bytes | None) -> None:
        mode, kind = (0o700, tarfile.DIRTYPE) if content is None else (0o400, tarfile.REGTYPE)
        member = _member(path.lstrip("/"), mode, self.owner, kind)
        member.size = len(content or b"")
        padding = tarfile.NUL * (-member.size % tarfile.BLOCKSIZE)
        self._head.write(member.tobuf(tarfile.GNU_FORMAT) + (content or b"") + padding)


def write_texts(files: Mapping[str, str], target: IO[bytes], owner: int) -> None:
    """Write files by their absolute path as a tar to be unpacked at `/`."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path, text in sorted(files.items()):
            content = text.encode()
            member = _member(path.lstrip("/"), 0o644, owner, tarfile.REGTYPE)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _parents(path: str) -> Iterator[str]:
    """The folders on the way to a file that are below one that steps write to, or are this one; the outermost first."""
    for parent in reversed(PurePosixPath(path.lstrip("/")).parents):
        if any(parent.is_relative_to(top.lstrip("/")) for top in (APP, OUTPUT)):
            yield str(parent)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its beginning, in pieces."""
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _add(tar: tarfile.TarFile, source: Source, entry: Entry, name: str, owner: int) -> None:
    if entry.link is not None:
        member = _member(name, 0o777, owner, tarfile.SYMTYPE)
        member.linkname = entry.link
        tar.addfile(member)
        return
    member = _member(name, entry.mode, owner, tarfile.REGTYPE)
    member.size = entry.size
    try:
        expected = source.content_hash(entry.path)
        with (source.root / entry.path).open("rb") as file:
            content = _Read(file)
            tar.addfile(member, cast("IO[bytes]", content))
            changed = bool(file.read(1)) or content.hash.hexdigest() != expected
    except FileNotFoundError:
        changed = True
    except OSError as error:
        if "unexpected end of data" not in str(error):
            raise
        changed = True
    if changed:
        raise BuildFailed(f"{entry.path} changed while it was read", "Run the same command again")


def _member(name: str, mode: int, owner: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.mtime = mode, kind, EPOCH
    member.uid = member.gid = owner
    return member


@contextmanager
def temporary() -> Generator[IO[bytes]]:
    """A file for the time being."""
    with no_space():
        file = TemporaryFile()  # noqa: SIM115
    try:
        yield file
    finally:
        with suppress(OSError):  # where the disk is full, so it is for the last bytes, which nobody needs now
            file.close()


@contextmanager
def no_space() -> Generator[None]:
    """BuildFailed for a temporary file that cannot be written."""
    try:
        yield
    except OSError as error:
        folder = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
        raise BuildFailed(
            f"A temporary file could not be written in {folder}: {error.strerror or error}",
            "Make room there, or name a folder with room in TMPDIR",
        ) from error
