"""Which page of which file lies in a frame: of files whose frames our own page table has shown."""

from __future__ import annotations

import errno
import mmap
import os
import random
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.askable_mounts import AskableMounts
from pagemap._kernel.folder import Folder
from pagemap._kernel.held_files import held_files
from tests import kernel_settings, oracle, page_words
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PAGE = oracle.PAGE
COUNT = int(os.environ.get("PAGEMAP_CACHED_FRAMES", "40"))
"""Frames that are drawn."""

Place = tuple[str, int]  # the path of a file, and an offset


def frames_of(fd: int, path: str) -> dict[int, Place]:
    """The frames of the cached pages of a file, read through a mapping of our own."""
    size = os.fstat(fd).st_size
    with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        for at in range(0, size, PAGE):
            memory[at]
        start = oracle.address_of(memory)
        entries = oracle.entries(os.getpid(), start, start + -(-size // PAGE) * PAGE)
    frames = {oracle.pfn(entry): (path, at * PAGE) for at, entry in enumerate(entries)}
    frames.pop(None, None)
    return frames  # type: ignore[return-value]


def marks_of(pfns: list[int], folder: Path) -> list[int]:
    """Which of these frames are referenced and active, once all lists of processors are drained.

    The kernel marks some pages at a time. It does so at once where pages that are to be dropped
    cannot be (generic_fadvise in mm/fadvise.c), as those that are mapped.
    """
    with (folder / "mapped").open("w+b") as file:
        file.write(b"x" * PAGE)
        file.flush()
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), PAGE) as memory:
            assert memory[0] == ord("x")
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return [(word or 0) & 0x44 for word in page_words.words(pfns)]


@pytest.fixture
def known(tmp_path: Path) -> Iterator[dict[int, Place]]:
    """Frames of files in a folder, of one that is open and deleted, and of a memfd."""
    drawn = random.Random(os.environ.get("PAGEMAP_SEED"))
    frames: dict[int, Place] = {}
    folder = tmp_path / "searched"
    folder.mkdir()
    held = []
    for number in range(30):
        name = str((folder if number else tmp_path) / f"file {number}")
        with open(name, "w+b") as file:
            file.write(os.urandom(drawn.randrange(1, 60) * PAGE + number % 2))
            file.flush()
            os.fsync(file.fileno())
            frames |= frames_of(file.fileno(), name)
            if number == 0:  # open, and without a name
                held.append(os.dup(file.fileno()))
                os.unlink(name)
    held.append(os.memfd_create("known"))
    os.pwrite(held[-1], os.urandom(40 * PAGE), 0)
    frames |= frames_of(held[-1], "/memfd:known")
    try:
        yield frames
    finally:
        for fd in held:
            os.close(fd)


@pytest.mark.usefixtures("need_frames")
def test_frames_drawn_at_random(known: dict[int, Place], tmp_path: Path) -> None:
    """Each is found, and neither are its marks changed nor is anything read in."""
    # those of the open files come first; the others are of the folder
    chosen = random.sample([*known], min(COUNT, len(known) * 3 // 4))
    chosen += [pfn for pfn, (path, _) in known.items() if "file 0" in path][:5]
    chosen += [pfn for pfn, (path, _) in known.items() if "memfd" in path][:5]
    marks = marks_of(chosen, tmp_path)
    folder = str(tmp_path / "searched")
    sizes = {row.path: row.cached for row in pagemap.cache([folder])}
    found = pagemap.frame_files(chosen, search=[folder])
    told = {row.pfn: row for row in found}
    moved = [pfn for pfn in told if (told[pfn].path, told[pfn].offset) != known[pfn]]
    assert not moved
    assert len(told) == len(set(chosen))
    assert marks_of(chosen, tmp_path) == marks
    assert {row.path: row.cached for row in pagemap.cache([folder])} == sizes
    for row in found:
        in_memory = row.path == "/memfd:known"
        on_tmpfs = row.kind == "shmem"
        assert on_tmpfs or (row.kind == "file" and not in_memory)
        assert row.deleted == (in_memory or str(row.path).endswith("file 0"))
        assert (os.getpid() in row.pids) == row.deleted
        if not row.deleted:
            about = os.stat(str(row.path))
            assert row.inode == about.st_ino
            dev = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}"
            assert row.dev == dev
    assert found.about["unsearched"] == []
    searched = found.about["searched"]
    assert isinstance(searched, dict)
    assert searched["files"] >= 2


@pytest.mark.usefixtures("need_frames")
def test_where_it_was_not_looked(known: dict[int, Place], tmp_path: Path) -> None:
    """Of a file that nobody has open the frame is found only where it is searched for."""
    pfn, (path, offset) = next(each for each in known.items() if "searched" in each[1][0])
    table = pagemap.frame_files([pfn])
    (row,) = table
    assert (row.kind in ("file", "shmem"), row.path, row.offset, row.pids) == (True, None, None, ())
    unsearched = "files that no process has open or mapped, and that are not in a folder to search"
    assert unsearched in table.about["unsearched"]  # type: ignore[operator]
    failing = str(tmp_path / "none")
    table = pagemap.frame_files([pfn], search=[failing, path])
    assert (table[0].path, table[0].offset) == (path, offset)
    assert table.about["failed"] == 1
    assert table.about["reasons"][0][0] == failing  # type: ignore[index]


@pytest.mark.usefixtures("need_frames")
def test_frames_of_the_kernel() -> None:
    """What is not of a file is not looked for."""
    with open("/proc/kpageflags", "rb") as file:
        words = memoryview(file.read(8 << 16)).cast("Q")
    wanted = {"free": 10, "slab": 7, "pagetables": 26, "reserved": 32}
    pfns = {}
    for kind, bit in wanted.items():
        at = next((pfn for pfn, word in enumerate(words) if word >> bit & 1), None)
        if at is not None:
            pfns[at] = kind
    table = pagemap.frame_files(list(pfns))
    same = [row.kind == pfns[row.pfn] for row in table]
    assert sum(same) >= len(same) - 1, list(table)  # one may have been used meanwhile
    if all(same):
        assert table.about["searched"] == {"processes": 0, "files": 0}
        assert table.about["unsearched"] == []


@pytest.mark.usefixtures("need_frames")
def test_the_pages_of_a_block_device(need_root: None) -> None:
    """A file system keeps what is its own in the cache of its device, which may be named."""
    try:
        with kernel_settings.zram_swap(4 * 1024 * 1024):
            text = Path("/proc/swaps").read_text()
            path = next(line.split()[0] for line in text.splitlines() if line.endswith("32767"))
            fd = os.open(path, os.O_RDONLY)
            try:
                with mmap.mmap(fd, 3 * PAGE, mmap.MAP_PRIVATE) as memory:
                    assert memory[2 * PAGE] is not None
                    entries = oracle.entries(
                        os.getpid(), at := oracle.address_of(memory), at + 3 * PAGE
                    )
                pfn = oracle.pfn(entries[2])
                assert pfn
                (row,) = pagemap.frame_files([pfn], search=[path])
            finally:
                os.close(fd)
    except kernel_settings.Unavailable as reason:
        pytest.skip(str(reason))
    assert (row.kind, row.path, row.offset) == ("file", path, 2 * PAGE)


def test_out_of_range(need_root: None) -> None:
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    with pytest.raises(pagemap.UsageError, match="out of range"):
        pagemap.frame_files([1 << 50])
    with pytest.raises(TypeError):
        pagemap.frame_files([1], search="/etc")


def test_without_rights(need_root: None) -> None:
    with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
        as_nobody(lambda: pagemap.frame_files([1]))


def changed(fd: int, change: Callable[[int], int]) -> int:
    """The errno of looking at a file after its descriptor became another's."""
    with closing(Folder(os.getpid(), "self", "/proc")) as folder:
        here = os.fstat(fd)
        for held in held_files(folder, AskableMounts()):
            if not held.mapped and held.identity == (here.st_dev, here.st_ino):
                assert held.look()
                other = change(fd)
                os.dup2(other, fd)
                os.close(other)
                try:
                    held.look()
                except OSError as error:
                    return error.errno or 0
                return 0
    pytest.fail("the file was not found")


def test_another_file_under_the_same_number(tmp_path: Path) -> None:
    """What is opened is what was seen, and a fifo in its place is not waited for."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * PAGE)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "other").write_bytes(b"y")
    for name in ("fifo", "other"):
        fd = os.open(path, os.O_RDONLY)
        try:
            code = changed(
                fd,
                lambda _, name=name: os.open(tmp_path / name, os.O_RDWR),  # type: ignore[misc]
            )
            assert code == errno.ESTALE
        finally:
            os.close(fd)
