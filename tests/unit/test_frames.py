"""Files about frames as no live kernel shows them: missing, closed, torn, shrinking."""

from __future__ import annotations

import array
import errno
import os
import random
import struct
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import pagemap
from pagemap._kernel.frames import FILES, NO_WORD, FrameReader
from pagemap._native.frames import Wishes
from pagemap._vocabulary.frame_flags import PageFlag
from tests.unit import fake_proc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


PRESENT = 1 << 63


def fake(root: Path, count: int = 50, *, without: str = "") -> str:
    (root / "version").write_text("Linux version 6.18.0\n")
    if not (root / "self").is_symlink() and not (root / "self").exists():
        (root / "self").symlink_to("77")
    for number, name in enumerate(FILES.values()):
        if name != without:
            words = [number << 60 | pfn for pfn in range(count)]
            (root / name).write_bytes(struct.pack(f"={count}Q", *words))
    return str(root)


def test_a_file_is_missing_only_to_who_asks_for_it(tmp_path: Path) -> None:
    with FrameReader(procfs=fake(tmp_path, without="kpagecgroup")) as reader:
        frames = reader.read([3, 4], ("flags", "mapcounts"))
        assert list(frames.flags or ()) == [3, 4]
        assert frames.cgroups is None
        with pytest.raises(pagemap.Unsupported, match=r"kpagecgroup.*CONFIG_MEMCG") as caught:
            reader.read([3], ("flags", "cgroups"))
    assert caught.value.path == f"{tmp_path}/kpagecgroup"
    assert pagemap.page_types(procfs=str(tmp_path)).total().pages == 50
    with pytest.raises(pagemap.Unsupported, match="kpagecgroup"):
        pagemap.page_types(procfs=str(tmp_path), cgroup=5)
    with pytest.raises(pagemap.Unsupported, match="kpagecgroup"):
        pagemap.page_runs(procfs=str(tmp_path), cgroups=True)


def test_no_procfs(tmp_path: Path) -> None:
    with (
        FrameReader(procfs=str(tmp_path)) as reader,
        pytest.raises(pagemap.Unsupported, match=f"no proc file system is mounted at {tmp_path}"),
    ):
        reader.words("flags", [1])


def test_a_procfs_that_shows_processes_alone(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("77")
    with (
        FrameReader(procfs=str(tmp_path)) as reader,
        pytest.raises(pagemap.Unsupported, match="mount proc without subset=pid"),
    ):
        reader.words("flags", [1])


def test_a_kernel_without_any(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("77")
    (tmp_path / "version").touch()
    with FrameReader(procfs=str(tmp_path)) as reader:
        with pytest.raises(pagemap.Unsupported, match="CONFIG_PROC_PAGE_MONITOR"):
            reader.words("flags", [1])
        with pytest.raises(pagemap.Unsupported, match="kpageflags"):
            assert reader.end


@pytest.mark.parametrize("ask", ["huge", "page_types"])
def test_frames_are_those_of_the_process(tmp_path: Path, need_pfns: None, ask: str) -> None:
    """They are looked up where the process was, and not below /proc."""
    maps = b"1000-2000 rw-p 00000000 00:00 0 \n"
    root = fake_proc.make(tmp_path, maps=maps, entries={1: PRESENT | 7})
    with pagemap.Process(4242, procfs=root) as process:
        with pytest.raises(pagemap.Unsupported) as caught:
            list(getattr(process, ask)())
        assert caught.value.path == f"{root}/kpageflags"
        fake(tmp_path)
        assert list(getattr(process, ask)())


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_files_that_may_not_be_read(tmp_path: Path, code: int) -> None:
    procfs = fake(tmp_path)
    with mock.patch("os.open", side_effect=OSError(code, os.strerror(code))):
        with (
            FrameReader(procfs=procfs) as reader,
            pytest.raises(pagemap.AccessDenied) as one,
        ):
            reader.words("flags", [1])
        with pytest.raises(pagemap.AccessDenied) as other:
            pagemap.page_types(procfs=str(tmp_path))
    assert "CAP_DAC_READ_SEARCH" in str(one.value)
    assert "kpageflags" in str(one.value)
    assert str(other.value) == str(one.value)


@pytest.mark.parametrize(
    "pfns",
    [
        memoryview(array.array("L", [5, 6])),  # as numpy's uint64 comes
        memoryview(array.array("Q", [5, 0, 6, 0]))[::2],
        memoryview(bytes(1) + struct.pack("=2Q", 5, 6))[1:].cast("Q"),
        array.array("Q", [5, 6]),
        iter([5, 6]),
    ],
    ids=["L", "with gaps", "misaligned", "array", "iterator"],
)
def test_what_are_pfns(tmp_path: Path, pfns: memoryview | Iterable[int]) -> None:
    with FrameReader(procfs=fake(tmp_path)) as reader:
        assert list(reader.words("flags", pfns)) == [5, 6]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("spread", [1, 3000], ids=["near each other", "apart"])
def test_many_in_no_order(tmp_path: Path, spread: int, threads: int) -> None:
    """More than are sorted at a time: each column has its words in the order asked for."""
    procfs = fake(tmp_path, 50_000)
    for name in FILES.values():  # a hole in the file reads as zeros
        os.truncate(tmp_path / name, 8 * 50_000 * spread)
    drawn = random.Random(spread)
    pfns = [drawn.randrange(50_000) * drawn.choice([1, spread]) for _ in range(70_000)]
    pfns[::1000] = [NO_WORD, 50_000 * spread] * 35
    with FrameReader(procfs=procfs) as reader:
        frames = reader.read(pfns, FILES, threads=threads, raw=True)
    for number, column in enumerate((frames.flags, frames.mapcounts, frames.cgroups)):
        assert column is not None
        wanted = [
            NO_WORD if pfn >= 50_000 * spread else number << 60 | pfn if pfn < 50_000 else 0
            for pfn in pfns
        ]
        assert column.tolist() == wanted


def test_threads_share_the_sort_whatever_is_asked_for() -> None:
    """One PFN far from the others, such as a device's, does not leave one thread all of it."""
    drawn = random.Random(1)
    pfns = array.array("Q", [drawn.randrange(1 << 24) for _ in range(1 << 18)])
    for far in (0, 1 << 33, 1 << 45):
        pfns[7] = far
        wishes = Wishes(memoryview(pfns))
        sizes = [piece.work for piece in wishes.pieces(-1, None, 1 << 12)]
        assert sum(sizes) == len(pfns)
        assert max(sizes) < 1 << 13


def test_a_file_that_reads_as_empty(tmp_path: Path) -> None:
    """Its last frame is not number -1: `who` and `types` wrote "-0x1"."""
    procfs = fake(tmp_path, 0)
    (tmp_path / "kpageflags").write_bytes(b"")
    said = f"cannot read about frames: {procfs}/kpageflags is empty"
    with FrameReader(procfs=procfs) as reader, pytest.raises(pagemap.PagemapError, match=said):
        assert reader.end
    with pytest.raises(pagemap.PagemapError, match=said):
        pagemap.page_types(frames=[(1, 2)], procfs=procfs)
    with pytest.raises(pagemap.PagemapError, match=said):
        pagemap.owners([1], procfs=procfs)


def test_map_counts_that_end_before_the_frames_do(tmp_path: Path, need_pfns: None) -> None:
    """What is not told is not known, and no map count of 0."""
    procfs = fake_proc.make(tmp_path, maps=b"", entries={})
    fake(tmp_path)
    os.truncate(tmp_path / "kpagecount", 8 * 20)
    table = pagemap.owners([30], procfs=procfs)
    about: Any = table.about
    assert len(table) == 0
    (frame,) = about["frames"]
    assert (frame["mapcount"], frame["found"], frame["unexplained"]) == (None, 0, None)
    assert about["complete"] is False


def test_a_word_that_is_torn(tmp_path: Path) -> None:
    """A file that ends within a word: no kernel's, and an error rather than a word made up."""
    fake(tmp_path)
    whole = (tmp_path / "kpageflags").read_bytes()
    (tmp_path / "kpageflags").write_bytes(whole[:-3])
    with FrameReader(procfs=str(tmp_path)) as reader:
        assert list(reader.words("flags", [48])) == [48]
        with pytest.raises(pagemap.PagemapError, match="kpageflags"):
            reader.words("flags", [49])


def test_columns_of_different_lengths(tmp_path: Path) -> None:
    fake(tmp_path)
    (tmp_path / "kpagecount").write_bytes(b"")
    with FrameReader(procfs=str(tmp_path)) as reader:
        frames = reader.read([1, 2], ("flags", "mapcounts"))
    assert [frame.mapcount for frame in frames] == [None, None]
    assert [frame.flags for frame in frames] == [1, 2]


def test_unknown_bits_are_kept(tmp_path: Path) -> None:
    (tmp_path / "kpageflags").write_bytes(struct.pack("=2Q", 1 << 60 | 1 << 28, NO_WORD - 1))
    with FrameReader(procfs=str(tmp_path)) as reader:
        frames = reader.read([0, 1], raw=True)
    assert frames[0].flags == PageFlag(1 << 60 | 1 << 28)
    assert frames[1].flags == NO_WORD - 1


@pytest.mark.parametrize(
    "pfns",
    [
        memoryview(bytes(16)),
        bytes(16),
        bytearray(16),
        memoryview(array.array("q", [1])),
        memoryview(array.array("Q", range(8))).cast("B").cast("Q", (2, 4)),
        [-1],
        [1 << 64],
    ],
    ids=[
        "view of bytes",
        "bytes",
        "bytearray",
        "signed",
        "two dimensions",
        "negative",
        "too large",
    ],
)
def test_what_are_no_pfns(tmp_path: Path, pfns: memoryview | list[int]) -> None:
    with FrameReader(procfs=fake(tmp_path)) as reader, pytest.raises(pagemap.UsageError):
        reader.words("flags", pfns)


def test_arguments(tmp_path: Path) -> None:
    with FrameReader(procfs=fake(tmp_path)) as reader:
        with pytest.raises(pagemap.UsageError, match="no column"):
            reader.read([1], ("flags", "colour"))
        with pytest.raises(pagemap.UsageError, match="threads"):
            reader.read([1], threads=0)
        assert reader.read([1], "flags")[0].flags == 1
        assert len(reader.read([])) == 0
        with pytest.raises(IndexError):
            assert reader.read([1])[1]
        with pytest.raises(TypeError):
            reader.words("flags", ["1"])  # type: ignore[list-item] # that it fails is the test


def test_files_are_opened_once_and_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = FrameReader(procfs=fake(tmp_path))
    threads = [
        threading.Thread(target=reader.words, args=(column, [1]))
        for column in FILES
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir("/proc/self/fd")) == before + 3
    reader.close()
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_frames_that_no_word_is_of_are_told(tmp_path: Path) -> None:
    """Pages of device memory past the last frame: present, and of no type."""
    present = 1 << 63
    entries = {0: present | 5, 1: present | 50, 2: present | 2**50, 3: present | 6}
    procfs = fake_proc.make(tmp_path, maps=fake_proc.line(0, 4), entries=entries)
    fake(tmp_path)
    with (
        mock.patch("pagemap._native.probes.pfns", return_value=True),
        pagemap.Process(4242, procfs=procfs) as process,
    ):
        types = process.page_types()
        (runs,) = process.page_runs()
    assert (types.total().pages, types.about["unknown"]) == (4, 2)
    assert runs.about["unknown"] == 2
    assert {each.flags: each.pages for each in types} == {5: 1, 6: 1, None: 2}
    page = fake_proc.PAGE_SIZE
    assert [(run.address, run.pfn, run.flags, run.names) for run in runs] == [
        (0, 5, 5, "locked,referenced"),
        (page, 50, None, "unknown"),
        (2 * page, 2**50, None, "unknown"),
        (3 * page, 6, 6, "error,referenced"),
    ]


def test_hidden_pfns_are_an_error(tmp_path: Path) -> None:
    procfs = fake_proc.make(tmp_path, maps=fake_proc.line(0, 1), entries={0: 1 << 63})
    fake(tmp_path)
    with (
        mock.patch("pagemap._native.probes.pfns", return_value=False),
        pagemap.Process(4242, procfs=procfs) as process,
        pytest.raises(pagemap.PfnsHidden, match="CAP_SYS_ADMIN"),
    ):
        process.page_types()


def test_ranges_of_memory(tmp_path: Path) -> None:
    procfs = fake(tmp_path)
    types = pagemap.page_types(frames=[(3, 5), (49, 1000), (3, 4)], procfs=procfs)
    assert {each.flags: each.pages for each in types} == {3: 1, 4: 1, 49: 1}
    with pytest.raises(pagemap.UsageError, match="the last one here is 0x31"):
        pagemap.page_types(frames=[(50, 51)], procfs=procfs)
    with pytest.raises(pagemap.UsageError, match="not a range"):
        pagemap.page_types(frames=[(5, 5)], procfs=procfs)
    wrong: list[dict[str, Any]] = [
        {"threads": 0}, {"cgroup": -1}, {"cgroup": 1 << 64}, {"only": ["x y"]}
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(pagemap.UsageError):
            pagemap.page_types(procfs=procfs, **each)
