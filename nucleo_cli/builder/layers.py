"""Tar archives of the source tree: the app's own layer, and what a build container gets to see."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Generator, Iterable, Iterator, Mapping
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


@contextmanager
def archive(source: Source, paths: Iterable[str], owner: int) -> Generator[IO[bytes]]:
    """Some files of the tree as a tar, open for reading."""
    with temporary() as file:
        with no_space():
            write_tree(source, paths, file, owner)
            file.seek(0)
        yield file


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


@contextmanager
def one_file(path: str, content: Iterable[bytes], owner: int) -> Generator[IO[bytes]]:
    """A tar of one file at an absolute path, whose size is known only at its end; open for reading."""
    with temporary() as file:
        with no_space():
            file.seek(tarfile.BLOCKSIZE)
            file.writelines(content)
            member = _member(path.lstrip("/"), 0o644, owner, tarfile.REGTYPE)
            member.size = file.tell() - tarfile.BLOCKSIZE
            file.write(tarfile.NUL * (-member.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE))
            file.seek(0)
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            file.seek(0)
        yield file


def texts(files: Mapping[str, str], owner: int, folder: str = "") -> bytes:
    """Files by their absolute path as a tar to be unpacked at `/`, and `folder`, which is made where it is missing.

    The folders on the way to them are the owner's too, below those that steps write to.
    """
    buffer = io.BytesIO()
    folders = {parent: None for path in (f"{folder}/file", *sorted(files)) for parent in _parents(path)}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for parent in folders:
            tar.addfile(_member(parent, 0o755, owner, tarfile.DIRTYPE))
        for path, text in sorted(files.items()):
            content = text.encode()
            member = _member(path.lstrip("/"), 0o644, owner, tarfile.REGTYPE)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


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
