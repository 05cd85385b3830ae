"""libbpf by ctypes: objects, programs, maps, links and rings. https://libbpf.readthedocs.io/en/latest/api.html"""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path

from nucleo_cli.errors import NucleoError

# linux/bpf.h
ANY, NO_EXIST, EXIST = 0, 1, 2
_LOG_BYTES = 1 << 20
_NOT_FOUND = 2

_Print = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_Sample = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class BpfError(NucleoError):
    """The kernel or libbpf refused something. `number` is the errno; the verifier's own words are in `details`."""

    def __init__(self, doing: str, number: int, log: str = "") -> None:
        said = os.strerror(number) if number else "unknown error"
        super().__init__(f"{doing}: {said}", "", {"verifier": log.splitlines()[-40:]} if log else {})
        self.number = number


class _TestRun(ctypes.Structure):
    """struct bpf_test_run_opts of bpf/bpf.h."""

    _fields_ = (
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    )


_RESULTS = {
    "bpf_object__open_file": c_void_p,
    "bpf_object__find_program_by_name": c_void_p,
    "bpf_object__find_map_by_name": c_void_p,
    "bpf_object__next_map": c_void_p,
    "bpf_object__next_program": c_void_p,
    "bpf_map__name": c_char_p,
    "bpf_program__name": c_char_p,
    "bpf_program__attach_cgroup": c_void_p,
    "bpf_link__open": c_void_p,
    "ring_buffer__new": c_void_p,
}
_ARGUMENTS = {
    "bpf_object__open_file": (c_char_p, c_void_p),
    "bpf_object__load": (c_void_p,),
    "bpf_object__close": (c_void_p,),
    "bpf_object__find_program_by_name": (c_void_p, c_char_p),
    "bpf_object__find_map_by_name": (c_void_p, c_char_p),
    "bpf_object__next_map": (c_void_p, c_void_p),
    "bpf_object__next_program": (c_void_p, c_void_p),
    "bpf_map__name": (c_void_p,),
    "bpf_map__fd": (c_void_p,),
    "bpf_map__key_size": (c_void_p,),
    "bpf_map__value_size": (c_void_p,),
    "bpf_map__type": (c_void_p,),
    "bpf_map__max_entries": (c_void_p,),
    "bpf_map__map_flags": (c_void_p,),
    "bpf_map__set_pin_path": (c_void_p, c_char_p),
    "bpf_program__name": (c_void_p,),
    "bpf_program__fd": (c_void_p,),
    "bpf_program__attach_cgroup": (c_void_p, c_int),
    "bpf_link__pin": (c_void_p, c_char_p),
    "bpf_link__open": (c_char_p,),
    "bpf_link__update_program": (c_void_p, c_void_p),
    "bpf_link__detach": (c_void_p,),
    "bpf_link__disconnect": (c_void_p,),
    "bpf_link__destroy": (c_void_p,),
    "bpf_map_update_elem": (c_int, c_void_p, c_void_p, c_uint64),
    "bpf_map_lookup_elem": (c_int, c_void_p, c_void_p),
    "bpf_map_delete_elem": (c_int, c_void_p),
    "bpf_map_get_next_key": (c_int, c_void_p, c_void_p),
    "bpf_prog_test_run_opts": (c_int, POINTER(_TestRun)),
    "ring_buffer__new": (c_int, _Sample, c_void_p, c_void_p),
    "ring_buffer__epoll_fd": (c_void_p,),
    "ring_buffer__consume": (c_void_p,),
    "ring_buffer__free": (c_void_p,),
}


class _Library:
    def __init__(self) -> None:
        try:
            self.calls = ctypes.CDLL("libbpf.so.1", use_errno=True)
        except OSError as error:
            raise NucleoError("libbpf.so.1 is not here", "Install Debian's libbpf1") from error
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.vsnprintf.argtypes = (c_void_p, c_size_t, c_char_p, c_void_p)
        for name, types in _ARGUMENTS.items():
            function = getattr(self.calls, name)
            function.argtypes, function.restype = types, _RESULTS.get(name, c_int)
        self.said: list[str] = []
        self._print = _Print(self._printed)
        self.calls.libbpf_set_print(self._print)

    def _printed(self, level: int, text: bytes, arguments: int) -> int:
        """What libbpf would print: the verifier's log comes this way."""
        if level > 1:  # LIBBPF_DEBUG
            return 0
        buffer = ctypes.create_string_buffer(_LOG_BYTES)
        self.libc.vsnprintf(buffer, _LOG_BYTES, text, arguments)
        self.said.append(buffer.value.decode("utf-8", "replace").rstrip())
        del self.said[:-50]
        return 0

    def check(self, result: int | None, doing: str, *, pointer: bool = False) -> int:
        """The result, unless it says that the call failed."""
        if result is not None and result >= 0 and not (pointer and result == 0):
            return result
        number = ctypes.get_errno() or (-result if result else 0)
        said, self.said = self.said, []
        raise BpfError(doing, number, "\n".join(said))


@cache
def _library() -> _Library:
    return _Library()


class Map:
    """A map of the kernel by its file descriptor. Keys and values are bytes of its sizes."""

    def __init__(self, name: str, fd: int, key_bytes: int, value_bytes: int) -> None:
        self.name, self.fd, self.key_bytes, self.value_bytes = name, fd, key_bytes, value_bytes
        self._calls = _library().calls

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.update(key, value)

    def update(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Raises BpfError; `number` is ENOENT or EEXIST for `flags`, E2BIG or ENOSPC where the map is full."""
        result = self._calls.bpf_map_update_elem(self.fd, key, value, flags)
        _library().check(result, f"updating the map {self.name}")

    def get(self, key: bytes) -> bytes | None:
        buffer = ctypes.create_string_buffer(self.value_bytes)
        if self._calls.bpf_map_lookup_elem(self.fd, key, buffer):
            return None
        return buffer.raw

    def delete(self, key: bytes) -> bool:
        """Whether it was there."""
        return self._calls.bpf_map_delete_elem(self.fd, key) == 0

    def keys(self) -> Iterator[bytes]:
        key = ctypes.create_string_buffer(self.key_bytes)
        at = None
        while self._calls.bpf_map_get_next_key(self.fd, at, key) == 0:
            at = key.raw
            yield at

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """What is there; an item that goes meanwhile is left out."""
        for key in list(self.keys()):
            value = self.get(key)
            if value is not None:
                yield key, value

    def values(self) -> Iterator[bytes]:
        return (value for _, value in self.items())

    def per_cpu(self, key: bytes) -> list[bytes]:
        """The values of all possible CPUs; each is padded to 8 bytes."""
        each = -(-self.value_bytes // 8) * 8
        buffer = ctypes.create_string_buffer(each * self._calls.libbpf_num_possible_cpus())
        if self._calls.bpf_map_lookup_elem(self.fd, key, buffer):
            return []
        return [buffer.raw[at : at + self.value_bytes] for at in range(0, len(buffer), each)]


class Program:
    """A program that the verifier has accepted."""

    def __init__(self, name: str, pointer: int) -> None:
        self.name, self._pointer = name, pointer
        self.fd = _library().calls.bpf_program__fd(pointer)

    def attach(self, cgroup: Path, pin: Path) -> None:
        """Attach it to a cgroup beside others, until the pin is removed or the cgroup goes. Again is fine: the program
        that was attached gives way to this one, without a moment in between."""
        calls, check = _library().calls, _library().check
        if pin.exists():
            link = calls.bpf_link__open(str(pin).encode())
            check(link, f"opening {pin}", pointer=True)
            try:
                check(calls.bpf_link__update_program(link, self._pointer), f"replacing the program of {pin}")
            finally:
                calls.bpf_link__destroy(link)
            return
        folder = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            link = calls.bpf_program__attach_cgroup(self._pointer, folder)
            check(link, f"attaching {self.name} to {cgroup}", pointer=True)
        finally:
            os.close(folder)
        try:
            check(calls.bpf_link__pin(link, str(pin).encode()), f"pinning {pin}")
        finally:
            calls.bpf_link__destroy(link)

    def run(self, packet: bytes, repeat: int = 1) -> tuple[int, int]:
        """Run it on an Ethernet frame (BPF_PROG_TEST_RUN): what it returns, and nanoseconds a run."""
        options = _TestRun(sz=ctypes.sizeof(_TestRun), data_size_in=len(packet), repeat=repeat)
        options.data_in = ctypes.cast(ctypes.create_string_buffer(packet, len(packet)), c_void_p)
        result = _library().calls.bpf_prog_test_run_opts(self.fd, ctypes.byref(options))
        _library().check(result, f"running {self.name}")
        return options.retval, options.duration


def let_go(pin: Path) -> None:
    """Remove a pin, and take its program off the cgroup now: it would go a moment later by itself."""
    calls = _library().calls
    link = calls.bpf_link__open(str(pin).encode())
    pin.unlink()  # first: a pin of what is taken off could not be used again
    if link:
        calls.bpf_link__detach(link)
        calls.bpf_link__destroy(link)


class Object:
    """The programs and maps of a compiled file.

    With `pins`, a map of that folder is used again, and pinned there where there is none. Its file says what it is
    like: one that has changed is another map, beside the one before. `pins` are these files by the map's name.
    """

    def __init__(self, file: Path, pins: Path | None = None) -> None:
        calls, check = _library().calls, _library().check
        self._pointer = calls.bpf_object__open_file(str(file).encode(), None)
        check(self._pointer, f"opening {file}", pointer=True)
        self.pins: dict[str, Path] = {}
        if pins is not None:
            for pointer in self._each("map"):
                name: str = calls.bpf_map__name(pointer).decode()
                self.pins[name] = pins / f"{name}-{_layout(pointer)}"
                check(calls.bpf_map__set_pin_path(pointer, os.fsencode(self.pins[name])), f"pinning {name}")
        check(calls.bpf_object__load(self._pointer), f"loading {file.name}")
        self.maps = {each.name: each for each in map(_map, self._each("map"))}
        found = ((calls.bpf_program__name(pointer).decode(), pointer) for pointer in self._each("program"))
        self.programs = {name: Program(name, pointer) for name, pointer in found}

    def _each(self, kind: str) -> Iterator[int]:
        following = getattr(_library().calls, f"bpf_object__next_{kind}")
        at = None
        while at := following(self._pointer, at):
            yield at

    def close(self) -> None:
        """What is pinned or attached stays."""
        _library().calls.bpf_object__close(self._pointer)


def _layout(pointer: int) -> str:
    """Names what the kernel compares before it lets a map be used again. A value of other fields but the same size is
    the same to it: then the map has to get another name."""
    known = ("type", "key_size", "value_size", "max_entries", "map_flags")
    numbers = [getattr(_library().calls, f"bpf_map__{each}")(pointer) for each in known]
    return hashlib.sha256(repr(numbers).encode()).hexdigest()[:8]


def _map(pointer: int) -> Map:
    calls = _library().calls
    return Map(
        calls.bpf_map__name(pointer).decode(),
        calls.bpf_map__fd(pointer),
        calls.bpf_map__key_size(pointer),
        calls.bpf_map__value_size(pointer),
    )


class Ring:
    """A ring of events. `take` gets the bytes of each; `fileno` can be polled for reading."""

    def __init__(self, ring: Map, take: Callable[[bytes], None]) -> None:
        def sample(_context: int, data: int, size: int) -> int:
            take(ctypes.string_at(data, size))
            return 0

        self._sample = _Sample(sample)
        self._pointer = _library().calls.ring_buffer__new(ring.fd, self._sample, None, None)
        _library().check(self._pointer, f"reading the ring {ring.name}", pointer=True)

    def fileno(self) -> int:
        return _library().calls.ring_buffer__epoll_fd(self._pointer)

    def consume(self) -> int:
        """Take in all that is there; how many events it was."""
        return _library().check(_library().calls.ring_buffer__consume(self._pointer), "reading a ring")

    def close(self) -> None:
        _library().calls.ring_buffer__free(self._pointer)
