"""Real processes with known memory, for tests and benchmarks.

Each kind is a context manager that yields a running `Target` and always kills
and reaps it, and puts back each kernel setting that it changed. A kind that
this machine or user cannot make raises `Unavailable`, whose message is the
reason to skip, found by trying. `KINDS` holds them all at test size.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build
from tests.kernel_settings import (
    Unavailable,
    huge_page_size,
    huge_pages,
    setting,
    transparent_huge_pages,
    zram_swap,
)
from tests.target import Area, Target, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Maker = Callable[[], AbstractContextManager[Target]]

__all__ = [
    "KINDS",
    "Area",
    "Target",
    "Unavailable",
    "merged",
    "own_target",
    "run",
    "smaps_number",
    "unavailable",
    "wait_until",
]

PAGE = os.sysconf("SC_PAGESIZE")
MIB = 1 << 20
KSM = Path("/sys/kernel/mm/ksm")


def own_target(kind: str, *arguments: int | bytes) -> AbstractContextManager[Target]:
    """What tests/targets.c makes of a kind of its own."""
    words = [a if isinstance(a, bytes) else str(a) for a in arguments]
    return run(build.targets(), kind, *words)


def idle() -> AbstractContextManager[Target]:
    """One touched page and what every C program has."""
    return own_target("idle")


def dense(size: int = 16 * MIB) -> AbstractContextManager[Target]:
    """`size` bytes of private anonymous base pages, each written."""
    return own_target("dense", size)


def sparse(size: int = 4096 * MIB, step: int = 16 * MIB) -> AbstractContextManager[Target]:
    """`size` bytes reserved, one page written in every `step` bytes."""
    return own_target("sparse", size, step)


@contextlib.contextmanager
def temporary_file(name: bytes, size: int) -> Iterator[bytes]:
    """The path of a file of `size` bytes that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pagemap-") as folder:
        path = os.path.join(os.fsencode(folder), name)
        Path(os.fsdecode(path)).write_bytes(random.Random(size).randbytes(size))
        yield path


def file_at(path: bytes, size: int) -> AbstractContextManager[Target]:
    """A file mapped thrice: areas `clean` (private, read), `written` (private) and `shared`."""
    return own_target("file", path, size)


@contextlib.contextmanager
def file(size: int = 512 * 1024, name: bytes = b"file") -> Iterator[Target]:
    """What `file_at` makes, of a file of its own."""
    with temporary_file(name, size) as path, file_at(path, size) as target:
        yield target


def odd_path() -> AbstractContextManager[Target]:
    """A mapped file whose name holds blanks, a newline, no UTF-8, and ends in ` (deleted)`."""
    return file(64 * 1024, b" two  blanks\nand a \xff line (deleted)")


@contextlib.contextmanager
def deleted(size: int = 256 * 1024) -> Iterator[Target]:
    """A private file mapping, read, whose file is unlinked."""
    with temporary_file(b"unlinked", size) as path, own_target("deleted", path, size) as target:
        yield target


def shared(size: int = MIB) -> AbstractContextManager[Target]:
    """Shared memory: `anonymous`, its first half written, and `memfd`, all written."""
    return own_target("shared", size)


@contextlib.contextmanager
def thp(size: int = 8 * MIB) -> Iterator[Target]:
    """`size` bytes of private anonymous memory in PMD-mapped transparent huge pages."""
    with contextlib.ExitStack() as stack:
        with transparent_huge_pages() as huge:
            target = stack.enter_context(own_target("thp", size, huge))
        if smaps_number(target.pid, "AnonHugePages") < size:
            raise Unavailable("THP: memory is too fragmented for huge pages")
        yield target


@contextlib.contextmanager
def folios(huge: int, size: int = 4 * MIB) -> Iterator[Target]:
    """`size` bytes of each sort in transparent huge pages of `huge` bytes.

    Areas `whole`, `moved` (each folio a page off its place), `torn` (each lacks a page), `split`
    (mapped by PTEs whatever its size), `shared` (of shared memory), `zero` (only read).
    """
    with contextlib.ExitStack() as stack:
        with huge_page_size(huge):
            target = stack.enter_context(own_target("folios", size, huge))
        yield target


@contextlib.contextmanager
def hugetlb(count: int = 2) -> Iterator[Target]:
    """`count` written pages of the hugetlb pool, at its default page size."""
    size = huge_page_bytes()
    with huge_pages(count), own_target("hugetlb", count * size) as target:
        yield target


def huge_page_bytes() -> int:
    """The size of a page of the hugetlb pool, by default."""
    found = re.search(r"Hugepagesize:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    if found is None:
        raise Unavailable("hugetlb: the kernel has no CONFIG_HUGETLBFS")
    return int(found[1]) * 1024


@contextlib.contextmanager
def swapped(size: int = 2 * MIB) -> Iterator[Target]:
    """Anonymous memory: area `swapped` pushed out to a zram disk, `resident` as big and not."""
    with zram_swap(max(4 * size, 16 * MIB)), own_target("swapped", size) as target:
        if smaps_number(target.pid, "Swap") == 0:
            raise Unavailable("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
        yield target


def guard(size: int = 256 * 1024) -> AbstractContextManager[Target]:
    """Written anonymous pages of which every second, from the second on, is a guard region."""
    return own_target("guard", size)


def ksm(size: int = MIB) -> AbstractContextManager[Target]:
    """Equal pages that the kernel has merged; ksmd rests again when this yields."""
    return merged("ksm", size)


@contextlib.contextmanager
def merged(kind: str, size: int) -> Iterator[Target]:
    """A target of this kind, once `size` bytes of it and of each child of its are merged."""
    with (
        setting(KSM / "run", "1"),
        setting(KSM / "pages_to_scan", "10000"),
        own_target(kind, size) as target,
    ):
        if b"\nKSM:" not in Path(f"/proc/{target.pid}/smaps").read_bytes():
            raise Unavailable("KSM: smaps tells nothing of merged pages (Linux 6.8 does)")
        family = (target.pid, *target.children)
        try:
            wait_until(lambda: all(smaps_number(pid, "KSM") >= size for pid in family), seconds=20)
        except TimeoutError:
            raise Unavailable("KSM: the kernel merged too little") from None
        try:
            (KSM / "run").write_text("0")
        except OSError as error:  # it was running already, by somebody else's will
            raise Unavailable(f"cannot stop ksmd: {error.strerror}") from None
        # what is merged stays merged, nothing moves any more
        yield target


def many(count: int = 60_000) -> AbstractContextManager[Target]:
    """`count` mappings of one written page each."""
    return own_target("many", count)


def zero(size: int = 256 * 1024) -> AbstractContextManager[Target]:
    """Anonymous pages that were only read: each is the zero page."""
    return own_target("zero", size)


def untouchable(size: int = MIB) -> AbstractContextManager[Target]:
    """A PROT_NONE reservation: no page behind it."""
    return own_target("untouchable", size)


def uffd_wp(size: int = 256 * 1024) -> AbstractContextManager[Target]:
    """Written pages: area `protected` through userfaultfd write-protection, `open` not."""
    return own_target("uffd_wp", size)


def bash() -> AbstractContextManager[Target]:
    """A bash that waits for a line."""
    return run("bash", "--norc", "-c", "echo ready; read -r line")


def python() -> AbstractContextManager[Target]:
    """A Python with many shared libraries."""
    modules = "ssl, sqlite3, ctypes, decimal, lzma, bz2, zlib, socket, json, select, unicodedata"
    script = f"import sys, {modules}; print('ready', flush=True); sys.stdin.read()"
    return run(sys.executable, "-c", script)


KINDS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        idle,
        dense,
        sparse,
        file,
        odd_path,
        deleted,
        shared,
        thp,
        hugetlb,
        swapped,
        guard,
        ksm,
        many,
        zero,
        untouchable,
        uffd_wp,
        bash,
        python,
    )
}


def unavailable(kind: str) -> str | None:
    """Why `kind` cannot be made here, found by making one; None when it can."""
    try:
        with KINDS[kind]():
            return None
    except Unavailable as reason:
        return str(reason)


def smaps_number(pid: int, field: str) -> int:
    """The sum of a field over all of /proc/PID/smaps, in bytes; 0 where the kernel has it not."""
    text = Path(f"/proc/{pid}/smaps").read_bytes()
    return 1024 * sum(
        map(int, re.findall(rb"^%s:\s+(\d+) kB" % field.encode(), text, re.MULTILINE))
    )
