"""Groups of processes that are killed, in a memory cgroup that tells what came back.

Each case is a program in Python whose first process forks the others, and prints which pids are to
end. It runs in a cgroup of its own from its first page on, so what the kernel charges to that is
the truth. Nothing of `pagemap` is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel_settings import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
PATIENCE = 60
_IPC_RMID = 0

PRELUDE = """
import ctypes, json, mmap, os, signal, sys, tempfile, threading, time

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
SIZE = int(sys.argv[1])
PAGE = mmap.PAGESIZE
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
SHARED = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
HUGETLB = 0x40000
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
kept = []


def touch(area, start=0, end=None, step=PAGE):
    for at in range(start, len(area) if end is None else end, step):
        area[at] = 1 + at // PAGE % 250


def memory(flags=PRIVATE, size=SIZE, advice=None):
    area = mmap.mmap(-1, size, flags=flags)
    if advice is not None:
        area.madvise(advice)
    touch(area)
    kept.append(area)
    return area


def child(work=lambda: None):
    ready, done = os.pipe()
    pid = os.fork()
    if not pid:
        work()
        os.write(done, b".")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(done)
    return pid


def ends(*pids, **more):
    print(json.dumps({"pids": pids, **more}), flush=True)
    while True:
        signal.pause()
"""

CASES = {
    "alone": """
        memory()
        ends(os.getpid())
    """,
    "forked workers": """
        memory()
        ends(os.getpid(), *[child() for _ in range(4)])
    """,
    "one of the workers": """
        area = memory()
        child()
        ends(child(lambda: touch(area, 0, SIZE // 2)))
    """,
    "a parent whose child wrote": """
        area = memory()
        child(lambda: touch(area, 0, SIZE // 4))
        pid = os.fork()
        if pid:
            ends(os.getpid())
        signal.pause()
    """,
    "threads": """
        def work():
            memory(size=SIZE // 8)
            ready.release()
            threading.Event().wait()
        ready = threading.Semaphore(0)
        for _ in range(8):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(8):
            ready.acquire()
        ends(os.getpid())
    """,
    "shared memory": """
        area = memory(SHARED)
        ends(os.getpid(), child(lambda: touch(area)))
    """,
    "one that shares memory": """
        area = memory(SHARED)
        ends(child(lambda: touch(area)))
    """,
    "a memfd that nobody maps": """
        fd = os.memfd_create("alone")
        os.write(fd, bytes(SIZE))
        ends(os.getpid(), child())
    """,
    "a memfd that another has open": """
        fd = os.memfd_create("held")
        os.write(fd, bytes(SIZE))
        child()
        ends(os.getpid())
    """,
    "removed file": """
        file = tempfile.TemporaryFile(dir="/dev/shm")
        file.write(bytes(SIZE))
        file.flush()
        area = mmap.mmap(file.fileno(), SIZE)
        touch(area)
        ends(os.getpid())
    """,
    "segments of System V": """
        for marked in (True, False):
            number = libc.shmget(0, ctypes.c_size_t(SIZE), 0o600)
            at = libc.shmat(number, None, 0)
            ctypes.memset(at, 1, SIZE)
            if marked:
                libc.shmctl(number, 0, None)
        ends(os.getpid(), segment=number)
    """,
    "huge pages": """
        memory(advice=mmap.MADV_HUGEPAGE, size=SIZE + (2 << 20))
        ends(os.getpid(), child())
    """,
    "part of huge pages": """
        area = memory(advice=mmap.MADV_HUGEPAGE, size=SIZE + (2 << 20))
        def keep():
            # a page of each, which keeps all of it
            for at in range(0, len(area), 2 << 20):
                start = ctypes.addressof(ctypes.c_char.from_buffer(area)) + at
                start = -(-start // PAGE) * PAGE
                libc.munmap(ctypes.c_void_p(start + PAGE), ctypes.c_size_t((2 << 20) - PAGE))
        child(keep)
        ends(os.getpid())
    """,
    "hugetlb": """
        memory(PRIVATE | HUGETLB, size=4 << 20)
        memory(SHARED | HUGETLB, size=4 << 20)
        ends(os.getpid(), child())
    """,
    "pages of zeros": """
        area = mmap.mmap(-1, SIZE, flags=PRIVATE)
        huge = mmap.mmap(-1, SIZE, flags=PRIVATE)
        huge.madvise(mmap.MADV_HUGEPAGE)
        total = sum(each[at] for each in (area, huge) for at in range(0, SIZE, PAGE))
        ends(os.getpid(), child())
    """,
    "merged by KSM": """
        def work():
            area = mmap.mmap(-1, SIZE, flags=PRIVATE)
            area.madvise(12)
            for at in range(0, SIZE, PAGE):
                area[at:at + 8] = b"the same"
            kept.append(area)
        ends(child(work), child(work), merges=True)
    """,
    "swapped out": """
        memory().madvise(21)
        ends(os.getpid(), child())
    """,
    "one of two that swapped": """
        area = memory()
        area.madvise(21)
        child()
        ends(child(lambda: touch(area, 0, SIZE // 2)))
    """,
    "a child of posix_spawn": """
        memory()
        script = "import os, signal; signal.pause()"
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", script], {})
        time.sleep(0.2)
        ends(os.getpid(), pid)
    """,
}  # fmt: skip


class Cgroup:
    """A memory cgroup of version 1 or 2 for the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._v2 = not (path / "memory.usage_in_bytes").exists()

    def usage(self) -> int:
        """All that is charged to it, in bytes."""
        name = "memory.current" if self._v2 else "memory.usage_in_bytes"
        return int((self.path / name).read_text())

    def stat(self) -> dict[str, int]:
        """anon, shmem and swap of memory.stat, in bytes."""
        lines = dict(line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        swap = self.path / "memory.swap.current"  # version 2 has it in a file of its own
        if self._v2 and swap.exists():
            lines["swap"] = swap.read_text()
        names = {"anon": "total_rss", "shmem": "total_shmem", "swap": "total_swap"}
        return {name: int(lines.get(name if self._v2 else old, 0)) for name, old in names.items()}

    def pids(self) -> list[int]:
        """The processes in it."""
        return [int(word) for word in (self.path / "cgroup.procs").read_text().split()]

    def kill(self, pids: list[int]) -> None:
        """Kill these, and wait until they are gone and their memory was given back."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while set(pids) & set(self.pids()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pids} do not end")
            time.sleep(0.01)


@contextlib.contextmanager
def cgroup() -> Iterator[Cgroup]:
    """A memory cgroup of our own, empty; its processes are killed at the end."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [
        each[1] for each in mounts if each[2] == "cgroup" and "memory" in each[3].split(",")
    ] or [each[1] for each in mounts if each[2] == "cgroup2"]
    if not places:
        raise Unavailable("no hierarchy of memory cgroups is mounted")
    top = Path(places[0])
    path = top / f"pagemap-ending-{os.getpid()}"
    try:
        hand_on(top)
        path.mkdir()
    except OSError as error:
        raise Unavailable(f"cannot make a memory cgroup: {error.strerror}") from error
    made = Cgroup(path)
    try:
        if not (path / "memory.stat").exists():
            raise Unavailable("the memory controller is not on for new cgroups")
        yield made
    finally:
        made.kill(made.pids())
        for _ in range(100):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.02)


@contextlib.contextmanager
def running(code: str, group: Cgroup, size: int) -> Iterator[dict[str, object]]:
    """Run a case in the cgroup; gives what it printed: the pids that are to end."""
    program = PRELUDE + textwrap.dedent(code)
    procs = str(group.path / "cgroup.procs")
    line = b""

    def enter() -> None:
        Path(procs).write_text("0")

    with subprocess.Popen(
        [sys.executable, "-c", program, str(size)],
        stdout=subprocess.PIPE,
        preexec_fn=enter,  # noqa: PLW1509 - so that all of it is charged there
        env={**os.environ, "PYTHONMALLOC": "malloc"},
    ) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
            line = process.stdout.readline() if ready else b""
            if not line:
                raise Unavailable("the case did not come to its end")
            said: dict[str, object] = json.loads(line)
            yield said
        finally:
            group.kill(group.pids())
            process.kill()
            if line and "segment" in said:  # no process ends it
                ctypes.CDLL(None).shmctl(said["segment"], _IPC_RMID, None)


def hand_on(path: Path) -> None:
    """Let cgroups below one tell of memory too: in version 2 each says so of those below it."""
    control = path / "cgroup.subtree_control"
    if control.exists() and "memory" not in control.read_text().split():
        control.write_text("+memory")


def remove(path: Path, top: Path) -> None:
    """Remove a cgroup, and those above it up to `top` that are empty then."""
    deadline = time.monotonic() + PATIENCE
    while path != top:
        try:
            path.rmdir()
        except OSError:
            if any(each.is_dir() for each in path.iterdir()) or time.monotonic() > deadline:
                return
            time.sleep(0.02)
            continue
        path = path.parent


def amount(name: str) -> int:
    """A line of /proc/meminfo, in bytes; of pages their number."""
    found = re.search(rf"^{name}:\s+(\d+)( kB)?", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << (10 if found[2] else 0)


def available() -> int:
    """MemAvailable, and what is free on per-CPU lists, which the kernel leaves out of it."""
    text = Path("/proc/zoneinfo").read_text()
    listed = sum(map(int, re.findall(r"^ +count: +(\d+)", text, re.MULTILINE)))
    return amount("MemAvailable") + listed * os.sysconf("SC_PAGE_SIZE")
