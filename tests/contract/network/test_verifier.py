"""How much of what the verifier looks at, at most, the programs need."""

import ctypes
from pathlib import Path

import pytest

from nucleo_cli.agent.libbpf import Object

# BPF_COMPLEXITY_LIMIT_INSNS of the kernel; other kernels walk other paths, so that there has to be room.
LIMIT = 1_000_000
# Of struct bpf_prog_info in linux/bpf.h: its size up to verified_insns and the padding behind it.
INFO_BYTES, VERIFIED = 224, 216


def verified(program: int) -> int:
    """Instructions that the verifier has walked through, by the program's file descriptor."""
    info, size = ctypes.create_string_buffer(INFO_BYTES), ctypes.c_uint32(INFO_BYTES)
    assert ctypes.CDLL("libbpf.so.1").bpf_obj_get_info_by_fd(program, info, ctypes.byref(size)) == 0
    return int.from_bytes(info.raw[VERIFIED:][:4], "little")


@pytest.mark.parametrize("name", ["pod_fw", "tcp_health"])
def test_there_is_room_below_the_limit_of_the_verifier(compiled: Path, name: str) -> None:
    loaded = Object(compiled / f"{name}.bpf.o")
    walked = {program: verified(each.fd) for program, each in loaded.programs.items()}
    loaded.close()
    assert all(0 < count < LIMIT // 5 for count in walked.values()), walked
