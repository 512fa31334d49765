"""Shared memory behind an overlay: its files lie in a tmpfs, under another device."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.kernel_settings import Unavailable, zram_swap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = oracle.PAGE
MADV_PAGEOUT = 21


@pytest.fixture
def merged(need_root: None, tmp_path: Path) -> Iterator[Path]:
    """An overlay whose upper folder lies in a tmpfs."""
    if shutil.which("mount") is None:
        pytest.skip("mount is not installed (Debian: apt install mount)")
    with contextlib.ExitStack() as undo:

        def mount(*words: str) -> None:
            done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"cannot mount here: {done.stderr.strip()}")
            undo.callback(subprocess.run, ["umount", words[-1]], check=True)

        mount("-t", "tmpfs", "tmpfs", str(tmp_path))
        for name in ("lower", "upper", "work", "merged"):
            (tmp_path / name).mkdir()
        options = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
        mount("-t", "overlay", "overlay", "-o", options, str(tmp_path / "merged"))
        yield tmp_path / "merged"


def swapped(start: int) -> int:
    """What smaps says of the mapping there."""
    with open("/proc/self/smaps", "rb") as file:
        maps = oracle.parse_smaps(file.read())
    return next(each.sizes["Swap"] for each in maps if each.start <= start < each.end)


def test_swap_of_a_file_behind_an_overlay(merged: Path) -> None:
    """The device of an overlay is no tmpfs, and yet its files may be shared memory."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(zram_swap(16 << 20))
        except Unavailable as reason:
            pytest.skip(str(reason))
        file = stack.enter_context((merged / "file").open("w+b"))
        file.truncate(64 * PAGE)
        memory = stack.enter_context(mmap.mmap(file.fileno(), 64 * PAGE))
        memory[:] = os.urandom(len(memory))
        start = oracle.address_of(memory)
        memory.madvise(MADV_PAGEOUT)
        wanted = swapped(start)
        if not wanted:
            pytest.skip("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
        with pagemap.Process("self") as process:
            told = {row.start: row.swap for row in process.tally(["swap"])}
        where = max(each for each in told if each <= start)
        assert told[where] == wanted == swapped(start)


def test_a_measurement_with_a_file_behind_an_overlay(merged: Path) -> None:
    """Whether that file is shared memory is not known; of all other paths it is.

    Older kernels (6.1) tell the device of the tmpfs in maps: there it is known.
    """
    size = 64 * PAGE
    with contextlib.ExitStack() as stack:
        file = stack.enter_context((merged / "file").open("w+b"))
        file.truncate(size)
        with pagemap.measure() as measured:
            memory = stack.enter_context(mmap.mmap(file.fileno(), size))
            memory[:] = bytes(size)
            anonymous = stack.enter_context(mmap.mmap(-1, 2 * size))
            anonymous[:] = bytes(2 * size)
        below = os.stat(merged.parent / "upper").st_dev
        (line,) = (each for each in oracle.maps(os.getpid()) if each.path == str(merged / "file"))
        known = line.dev == f"{os.major(below):02x}:{os.minor(below):02x}"
        rows = {row.path: row for row in measured.table}
        behind, beside = rows[str(merged / "file")], rows["/dev/zero (deleted)"]
        assert (behind.rss_change, behind.anon_change) == (size, 0)
        wanted = (0, 0, size, size) if known else (None,) * 4
        assert (behind.file, behind.file_change, behind.shmem, behind.shmem_change) == wanted
        assert (beside.rss_change, beside.shmem_change) == (2 * size, 2 * size)
        assert beside.file_change == 0
        if known:
            return
        assert measured.table.total().shmem is None
        shown = next(line for line in repr(measured).splitlines() if line.endswith(behind.path))
        assert shown.split()[1] == "+256.0K"
        assert "-" in shown.split()
