"""The cached pages of files: what mincore, page-types and the files themselves say of them."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import random
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses import page_runs
from pagemap._analyses.page_survey import Survey
from pagemap._kernel.page_files import OpenFile
from pagemap._native.types_files import MINCORE_TELLS
from tests import oracle, page_words, workloads
from tests.live.as_nobody import as_nobody
from tests.live.test_page_types import by_flags, rows, settled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start

PAGE = oracle.PAGE


def pages_of(path: Path | str) -> int:
    """How many pages of a file, or of those below a folder, are cached."""
    return pagemap.page_types(files=[str(path)]).total().pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    (tmp_path / "partial").write_bytes(b"x" * (5 * PAGE + 1))
    (tmp_path / "below" / "whole").write_bytes(b"y" * (40 * PAGE))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "partial")
    os.mkfifo(tmp_path / "fifo")
    os.sync()  # what is dirty is written at some time, and changes its flags
    return tmp_path


def cached(path: Path) -> list[bool]:
    """Which pages of a file are in the page cache, says mincore."""
    import ctypes

    size = path.stat().st_size
    pages = -(-size // PAGE)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as memory:
        vector = (ctypes.c_ubyte * pages)()
        libc = ctypes.CDLL(None, use_errno=True)
        address = ctypes.c_void_p(oracle.address_of(memory))
        assert libc.mincore(address, ctypes.c_size_t(size), vector) == 0
    return [bool(byte & 1) for byte in vector]


@pytest.mark.usefixtures("need_frames")
def test_files(folder: Path) -> None:
    assert pages_of(folder / "partial") == 6
    assert pages_of(folder / "empty") == 0
    (table,) = pagemap.page_runs(files=[str(folder)])
    found: dict[str, int] = {}
    for run in table:
        path = os.path.relpath(str(run.path), folder)
        assert path in found or run.offset == 0
        found[path] = found.get(path, 0) + run.pages
    assert found == {"partial": 6, "below/whole": 40}
    assert table.about["left_out"] == []
    assert pages_of(folder) == 46


@pytest.mark.usefixtures("need_frames")
def test_tables_of_a_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rows are parted among tables, each is of its own file."""
    names = [str(folder / name) for name in ("below/whole", "empty", "partial")]
    whole = [(row.path, row.offset) for row in rows(pagemap.page_runs(files=names, each=True))]
    assert whole == [
        *((names[0], at * PAGE) for at in range(40)),
        *((names[2], at * PAGE) for at in range(6)),
    ]
    for most in (1, 7, 40, 41, 46):
        monkeypatch.setattr(page_runs, "ROWS", most)
        tables = list(pagemap.page_runs(files=names, each=True))
        assert max(map(len, tables)) <= most
        assert [(row.path, row.offset) for row in rows(tables)] == whole


@pytest.mark.usefixtures("need_frames")
@pytest.mark.parametrize("part", ["all", "some"])
def test_a_file_is_left_as_it_was(folder: Path, part: str) -> None:
    """Neither what is cached, nor flags, nor the time of access are changed by looking."""
    path = folder / "below" / "whole"
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)  # no readahead
        for page in range(0, 40, 1 if part == "all" else 3):
            os.pread(fd, 1, page * PAGE)
    finally:
        os.close(fd)
    was = cached(path)
    if part == "some" and all(was):
        pytest.skip("this file system caches more than was read")
    about = path.stat()
    runs = rows(pagemap.page_runs(files=[str(path)], raw=True, mapcounts=True))
    pfns = [(run.pfn or 0) + at for run in runs for at in range(run.pages)]
    flags = page_words.words(pfns)
    for _ in range(5):
        again = rows(pagemap.page_runs(files=[str(path)], raw=True, mapcounts=True))
    after = page_words.words(pfns)
    frames = [(run.pfn or 0) + at for run in again for at in range(run.pages)]
    assert frames == pfns
    referenced, active = 1 << 2, 1 << 6
    marked = referenced | active
    assert [(word or 0) & marked for word in after] == [(word or 0) & marked for word in flags]
    assert cached(path) == was
    assert sum(run.pages for run in runs) == sum(was)
    assert path.stat().st_atime_ns == about.st_atime_ns
    assert all(run.mapcount == 0 for run in runs)
    mapped = 1 << 11
    assert not any((run.flags or 0) & mapped for run in runs)


@pytest.mark.usefixtures("need_frames")
def test_a_sparse_file_costs_what_is_cached() -> None:
    """Of 4 TiB with three pages in memory three stretches are looked at; it took 104 s."""
    fd = os.memfd_create("sparse")
    places = [0, 1 << 40, (4 << 40) - PAGE]
    try:
        os.ftruncate(fd, 4 << 40)
        for place in places:
            os.pwrite(fd, b"x", place)
        name = f"/proc/self/fd/{fd}"
        with OpenFile(name) as file:
            try:
                stretches = list(itertools.islice(file.stretches(), 10))
            except OSError as error:
                pytest.skip(f"cachestat: {error.strerror}")
            if file.tells == MINCORE_TELLS:
                pytest.skip("this kernel has no cachestat (6.5)")
            assert len(stretches) == 3
        runs = rows(pagemap.page_runs(files=[name]))
        assert [(run.offset, run.pages) for run in runs] == [(place, 1) for place in places]
        types = pagemap.page_types(files=[name])
        assert (types.total().pages, types.total().frames) == (3, 3)
        assert types.about["unknown"] == 0
    finally:
        os.close(fd)


@pytest.mark.usefixtures("need_frames")
def test_a_file_cached_in_part(tmp_path: Path) -> None:
    """Drawn at random: which pages are found is what mincore says of them."""
    drawn = random.Random(5)
    path = tmp_path / "holes"
    for pages in (1, 15, 17, 3000):
        with path.open("wb") as file:
            file.truncate(pages * PAGE)
            for page in drawn.sample(range(pages), pages // 3):
                os.pwrite(file.fileno(), b"x", page * PAGE)
        was = cached(path)
        found = [False] * pages
        for run in rows(pagemap.page_runs(files=[str(path)])):
            for at in range(run.pages):
                found[(run.offset or 0) // PAGE + at] = True
        assert found == was == cached(path)


@pytest.mark.usefixtures("need_frames")
def test_files_as_page_types_has_them(folder: Path) -> None:
    if not page_words.tool():
        pytest.skip("page-types is neither in PAGEMAP_KERNEL_TOOLS nor on the PATH")
    path = str(folder / "below" / "whole")
    settled(
        lambda: by_flags(pagemap.page_types(files=[path])),
        lambda: page_words.page_types("--file", path),
    )


@pytest.mark.usefixtures("need_frames")
def test_a_file_that_becomes_shorter(folder: Path) -> None:
    path = folder / "below" / "whole"
    with Survey() as survey, OpenFile(str(path)) as file:
        os.truncate(path, 3 * PAGE)
        failed: list[pagemap.PagemapError] = []
        assert sum(pages for step in survey.files([file], failed.append)
                   for _, pages, _ in step.types) == 3  # fmt: skip
    assert [type(error) for error in failed] == [pagemap.TargetVanished]
    assert "truncated" in str(failed[0])
    path.unlink()
    with pytest.raises(pagemap.PagemapError) as caught:
        pages_of(path)
    assert caught.value.errno == errno.ENOENT
    failed.clear()
    names = [str(path), str(folder / "partial")]
    table = pagemap.page_types(files=names, failed=failed.append)
    assert table.total().pages == 6
    assert table.about["left_out"] == [{"path": str(path), "reason": str(failed[0])}]
    assert table.about["complete"] is False


@pytest.mark.usefixtures("need_frames")
def test_shortened_again_and_again_while_it_is_looked_at(tmp_path: Path) -> None:
    """No SIGBUS ever reaches us."""
    path = tmp_path / "moving"
    path.write_bytes(b"z" * (2000 * PAGE))
    child = os.fork()
    if child == 0:
        try:
            fd = os.open(path, os.O_RDWR)
            while True:
                os.ftruncate(fd, 7 * PAGE)
                os.pwrite(fd, b"z" * (2000 * PAGE), 0)
        finally:
            os._exit(1)
    try:
        outcomes = {"whole": 0, "shorter": 0}
        for _ in range(150):
            try:
                assert pages_of(path) <= 2000
                outcomes["whole"] += 1
            except pagemap.TargetVanished:
                outcomes["shorter"] += 1
        assert sum(outcomes.values()) == 150
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.usefixtures("need_frames")
def test_hugetlbfs_has_no_page_cache_to_look_at(start: Start) -> None:
    target = start(workloads.hugetlb())
    fds = [f"/proc/{target.pid}/map_files/{target.first.start:x}-{target.first.end:x}"]
    with pytest.raises(pagemap.Unsupported, match="hugetlbfs"):
        pages_of(fds[0])


def test_without_rights(need_root: None, folder: Path) -> None:
    folder.chmod(0o755)
    for above in list(folder.parents)[:3]:
        if above.owner() == "root" and str(above) != "/tmp":
            above.chmod(above.stat().st_mode | 0o111)
    with pytest.raises(pagemap.AccessDenied, match=r"CAP_FOWNER|[Pp]ermission denied"):
        as_nobody(lambda: OpenFile(str(folder / "partial")).pages)
