"""A file system in user space that stops answering: run as a program, with a directory for it.

It is mounted in a mount namespace of its own. A child has a file of it open, and mapped; once it
has, "ready" and its pid are printed, and no question about that file is answered any more; with
"all" behind the directory, nor one about the directory; with "run" the child runs a program that
is that file. All ends with the server.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import struct
import sys
from pathlib import Path

_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _INIT = 1, 2, 3, 14, 15, 26
_ENOSYS = 38
_TOP, _FILE, _SIZE = 1, 2, 8192  # their inodes


def _attributes(inode: int, mode: int, size: int) -> bytes:
    return struct.pack("<6Q10I", inode, size, 1, *[0] * 6, mode, 1, 0, 0, 0, 4096, 0)


def _mount(device: int, place: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if (
        libc.unshare(_CLONE_NEWNS)
        or libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
        or libc.mount(b"silent", os.fsencode(place), b"fuse.silent", 0, options)
    ):
        sys.exit(f"no FUSE here: {os.strerror(ctypes.get_errno())}")


def _hold(path: str) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    fd = os.open(path, os.O_RDONLY)
    libc.mmap.restype = ctypes.c_void_p
    assert libc.mmap(None, ctypes.c_size_t(_SIZE), 1, 2, fd, ctypes.c_long(0))
    os.write(1, b"ready %d\n" % os.getpid())
    signal.pause()


def _run(path: str) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    reading, writing = os.pipe()  # they are closed by exec
    child = os.fork()
    if not child:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execv(path, ["sleep", "1000"])
    os.close(writing)
    os.read(reading, 1)
    os.write(1, b"ready %d\n" % child)
    signal.pause()


def _serve(device: int, content: bytes, *, silent: set[int]) -> None:
    opened = False
    while True:
        request = os.read(device, 1 << 18)
        _, kind, unique, node = struct.unpack_from("<IIQQ", request)
        code, answer = 0, b""
        if kind == _INIT:
            answer = struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 9, 65536, 1, 32, *[0] * 9)[:64]
        elif kind == _LOOKUP:
            answer = struct.pack("<4Q2I", _FILE, 1, 0, 0, 0, 0)
            answer += _attributes(_FILE, 0o100755, len(content))
        elif kind == _GETATTR and (node not in silent or not opened):
            mode = 0o100755 if node == _FILE else 0o40755
            answer = struct.pack("<Q2I", 0, 0, 0) + _attributes(node, mode, len(content))
        elif kind == _OPEN:
            opened, answer = True, struct.pack("<Q2I", 1, 0, 0)
        elif kind == _READ:
            _, place, size = struct.unpack_from("<2QI", request, 40)
            answer = content[place : place + size]
        elif kind in (_FORGET, _GETATTR):
            continue
        else:
            code = -_ENOSYS
        os.write(device, struct.pack("<IiQ", 16 + len(answer), code, unique) + answer)


def _main() -> None:
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    _mount(device, sys.argv[1])
    words = sys.argv[2:]
    content = bytes(_SIZE)
    if "run" in words:
        content = Path(shutil.which("sleep") or sys.exit("sleep is missing")).read_bytes()
    if not os.fork():
        os.close(device)
        (_run if "run" in words else _hold)(f"{sys.argv[1]}/file")
    _serve(device, content, silent={_FILE, *([_TOP] if "all" in words else [])})


if __name__ == "__main__":
    _main()
