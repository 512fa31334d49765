"""Change what the kernel does for a while, and put it back, come what may."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build

if TYPE_CHECKING:
    from collections.abc import Iterator

ZRAM = Path("/sys/class/zram-control")
THP = Path("/sys/kernel/mm/transparent_hugepage")
LOCK_SECONDS = 120
_held: set[str] = set()


class Unavailable(Exception):
    """This machine or user cannot make a case; the message is the reason to skip."""


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a machine-wide resource: two test runs at once must not restore each other's value.

    What this run holds already it may take again: inner changes are put back before outer ones.
    """
    if name in _held:
        yield
        return
    with (build.cache() / f"{name}.lock").open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{name}: another test run has held it too long") from None
                time.sleep(0.05)
        _held.add(name)
        try:
            yield
        finally:
            _held.discard(name)


def read(path: Path) -> str:
    """A setting's value; the chosen one where the file lists all (`always [madvise] never`)."""
    text = path.read_text().strip()
    chosen = re.search(r"\[(\S+)\]", text)
    return chosen[1] if chosen else text


@contextlib.contextmanager
def setting(path: Path, value: str) -> Iterator[None]:
    """Have `path` hold `value` inside the block; Unavailable where it cannot be written."""
    with locked(path.name):
        try:
            before = read(path)
            if before != value:
                path.write_text(value)
        except OSError as error:
            raise Unavailable(f"cannot set {path} to {value}: {error.strerror}") from error
        try:
            yield
        finally:
            if read(path) != before:
                path.write_text(before)


@contextlib.contextmanager
def transparent_huge_pages() -> Iterator[int]:
    """The size of a PMD; memory that asks for huge pages in the block gets them, and keeps them."""
    try:
        size = int(read(THP / "hpage_pmd_size"))
        state = read(THP / "enabled")
    except OSError as error:
        raise Unavailable(f"THP: the kernel has none: {error.strerror}") from error
    # held also where nothing is to be set: another test run may want huge pages of another size
    with setting(THP / "enabled", "madvise" if state == "never" else state):
        yield size


@contextlib.contextmanager
def huge_page_size(size: int) -> Iterator[None]:
    """Transparent huge pages are of `size` bytes, where memory asks for them; of no other size."""
    name = f"hugepages-{size // 1024}kB"
    wanted = {"enabled": "madvise", "shmem_enabled": "advise"}
    with locked("enabled"), contextlib.ExitStack() as undo:
        paths = sorted(THP.glob("hugepages-*kB/*enabled"))
        if not any(path.parent.name == name for path in paths):
            raise Unavailable(f"THP: this kernel makes none of {size // 1024} kB")
        for path in paths:
            before = read(path)
            value = wanted[path.name] if path.parent.name == name else "never"
            if before != value:
                try:
                    path.write_text(value)
                except OSError as error:
                    raise Unavailable(f"cannot set {path}: {error.strerror}") from error
                undo.callback(path.write_text, before)
        yield


def _tool(name: str, *arguments: str) -> None:
    # swapon and mkswap live in sbin, which a user's PATH may leave out.
    path = shutil.which(name) or shutil.which(name, path="/sbin:/usr/sbin")
    if path is None:
        raise Unavailable(f"swap: {name} is not installed (Debian: apt install util-linux)")
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise Unavailable(f"swap: {name} failed: {done.stderr.strip()}")


def _write_quietly(path: Path, value: str) -> None:
    # A device is busy for a moment after swapoff, while udev or the kernel still looks at it.
    for _ in range(100):
        try:
            path.write_text(value)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise OSError(f"cannot write {value} to {path}: still busy")


@contextlib.contextmanager
def zram_swap(size: int) -> Iterator[None]:
    """Swap to a compressed RAM disk of `size` bytes, a device of our own, gone afterwards."""
    with locked("zram"), contextlib.ExitStack() as undo:
        # To read this file makes a device, which stays for good where it cannot be written to.
        if not os.access(ZRAM / "hot_remove", os.W_OK):
            raise Unavailable(f"swap: no zram device: {ZRAM}/hot_remove cannot be written to")
        try:
            number = int((ZRAM / "hot_add").read_text())
        except OSError as error:
            raise Unavailable(f"swap: no zram device: {error.strerror} ({ZRAM})") from error
        undo.callback(_write_quietly, ZRAM / "hot_remove", str(number))
        device = f"/dev/zram{number}"
        undo.callback(_write_quietly, Path(f"/sys/block/zram{number}/reset"), "1")
        Path(f"/sys/block/zram{number}/disksize").write_text(str(size))
        _tool("mkswap", device)
        # The highest priority: ours is used even where the machine swaps already.
        _tool("swapon", "--priority", "32767", device)
        undo.callback(_tool, "swapoff", device)
        yield


@contextlib.contextmanager
def huge_pages(count: int) -> Iterator[None]:
    """At least `count` free huge pages of the default size in the pool, and nobody shrinks it."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    with locked(pool.name), contextlib.ExitStack() as undo:
        if not pool.exists():
            raise Unavailable("hugetlb: the kernel has no CONFIG_HUGETLBFS")
        before = int(read(pool))
        try:
            pool.write_text(str(before + count))
        except OSError as error:
            if _free_huge_pages() < count:
                raise Unavailable(f"cannot set {pool}: {error.strerror}") from error
        else:
            undo.callback(pool.write_text, str(before))
        if _free_huge_pages() < count:
            raise Unavailable(f"hugetlb: memory is too fragmented for {count} huge pages")
        yield


def _free_huge_pages() -> int:
    free = re.search(r"HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text())
    return int(free[1]) if free else 0
