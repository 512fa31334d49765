"""Page types of real processes and files, beside a naive twin and the kernel's page-types."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.page_survey import Survey
from pagemap._kernel.page_files import OpenFile, files_in
from pagemap._native.types import MINCORE_TELLS
from tests import oracle, page_words, workloads
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pagemap._analyses.page_types import PageTypes
    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
TRIES = 6
MIB = 1 << 20


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the files about frames may not be read."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")


def calm(counts: dict[int, int]) -> dict[int, int]:
    """Without what others change at any time: idle, and referenced of the vdso (on no list)."""
    result: dict[int, int] = {}
    for flags, pages in counts.items():
        kept = flags & ~(1 << 25)
        if not flags >> 5 & 1:
            kept &= ~(1 << 2)
        result[kept] = result.get(kept, 0) + pages
    return result


def by_flags(types: PageTypes) -> dict[int, int]:
    """Pages by their flags."""
    return {each.flags: each.pages for each in types}


def settled(ours: Callable[[], dict[int, int]], theirs: Callable[[], dict[int, int]]) -> None:
    """Both say the same, the kernel's own work on these pages and that of others apart.

    Libraries are everybody's, and the kernel ages pages of a stopped process too: so the other
    is asked before and after, and only when it agrees with itself must we.
    """
    found: dict[str, tuple[int, int]] = {}
    for _ in range(TRIES):
        before = calm(theirs())
        got = calm(ours())
        found = page_words.differences(got, before)
        if not found:
            return
        assert sum(got.values()) == sum(before.values()), found
        time.sleep(0.2)
    moved = page_words.differences(calm(theirs()), calm(theirs()))
    if moved:
        pytest.skip(f"the flags of these pages change all the time: {moved}")
    raise AssertionError(found)


@pytest.mark.usefixtures("need_frames")
@pytest.mark.parametrize("raw", [False, True], ids=["known", "raw"])
def test_the_histogram_of_each_kind(kind: str, stopped: Target, raw: bool) -> None:
    if kind == "many":
        pytest.skip("many: see below, with as many mappings as page-types gives up at")
    with pagemap.Process(stopped.pid) as process:
        settled(
            lambda: by_flags(process.page_types(raw=raw)),
            lambda: page_words.of_process(stopped.pid, raw=raw),
        )
        if page_words.tool():
            options = ["--raw"] if raw else []
            settled(
                lambda: by_flags(process.page_types(raw=raw)),
                lambda: page_words.page_types("--pid", stopped.pid, *options),
            )


@pytest.mark.usefixtures("need_frames")
def test_every_page_of_22_000_mappings(start: Start) -> None:
    """page-types stops at 10,240 mappings."""
    target = start(workloads.many(22_000))
    target.stop()
    mappings = oracle.maps(target.pid)
    assert len(mappings) > 22_000
    with pagemap.Process(target.pid) as process:
        settled(
            lambda: by_flags(process.page_types()),
            lambda: page_words.of_process(target.pid),
        )
        assert process.page_types().pages >= 22_000
        first, last = mappings[100], mappings[15_000]
        some = process.page_types(ranges=[(first.start, last.end)])
        entries = oracle.entries(target.pid, first.start, last.end)
        assert some.pages == sum(entry >> 62 != 0 for entry in entries)
    if page_words.tool():
        theirs = page_words.page_types("--pid", target.pid)
        assert sum(theirs.values()) < 22_000


@pytest.mark.usefixtures("need_frames")
def test_runs_are_the_pages_one_by_one(start: Start) -> None:
    target = start(workloads.dense(2 * MIB))
    target.stop()
    area = target.first
    entries = oracle.entries(target.pid, area.start, area.end)
    pfns = [oracle.place(entry) for entry in entries]
    with Survey(mapcounts=True, cgroups=True) as survey, pagemap.Process(target.pid) as process:
        for threads in (1, 3):
            runs = list(survey.process(process, [(area.start, area.end)]).runs())
            each = [
                ((run.start or 0) + at * PAGE, (run.pfn or 0) + at, run.mapcount, run.cgroup)
                for run in runs
                for at in range(run.pages)
            ]
            counts = page_words.words(pfns, "kpagecount")
            groups = page_words.words(pfns, "kpagecgroup")
            addresses = range(area.start, area.end, PAGE)
            assert each == list(zip(addresses, pfns, counts, groups, strict=True)), threads
        by_cgroup = by_flags(process.page_types(ranges=[(area.start, area.end)], cgroup=groups[0]))
        nobodys = process.page_types(ranges=[(area.start, area.end)], cgroup=2**63)
    assert sum(by_cgroup.values()) == groups.count(groups[0])
    assert nobodys.pages == 0


@pytest.mark.usefixtures("need_frames")
def test_words_of_frames_are_those_of_single_reads(start: Start) -> None:
    """In any order, holes of memory and what lies past its end among them."""
    target = start(workloads.dense(4 * MIB))
    target.stop()
    with pagemap.Process(target.pid) as process, pagemap.FrameReader() as reader:
        area = target.first
        pfns = list(process.pages((area.start, area.end)).pfns())[::-1]
        end = reader.end
        holes = [0, 0xA0, 0xC0000, end - 1, end // 2]
        past = [end, end + 1, 2**40, 2**64 - 1]
        asked = [*pfns[:100], *holes, *past, *pfns, pfns[3], pfns[3]]
        for name, file in (("mapcounts", "kpagecount"), ("cgroups", "kpagecgroup")):
            single = [*page_words.words(pfns, file)]
            got = reader.words(name, pfns)
            assert list(got) == single
        words = reader.words("flags", asked)
        assert list(words[105:109]) == [2**64 - 1] * 4
        assert page_words.words([end - 1, end])[1] is None
        for _ in range(TRIES):
            ours, single = list(reader.words("flags", pfns)), page_words.words(pfns)
            if ours == single:
                break
        assert ours == single
        whole = list(reader.words("flags", range(end - 5, end + 5)))
        assert whole[5:] == [2**64 - 1] * 5
        assert 2**64 - 1 not in whole[:5]


@pytest.mark.usefixtures("need_frames")
def test_all_of_memory() -> None:
    with Survey() as survey, pagemap.FrameReader() as reader:
        types = survey.memory().types()
        assert types.pages == reader.end
        assert types.unknown == 0
        assert survey.memory([(1, 1001)]).types().pages == 1000
        reserved = 0
        with Survey(raw=True, bits=["reserved"]) as other:
            reserved = other.memory([(0, 0x100)]).types().pages
        single = page_words.words(range(0x100))
        assert reserved == sum(1 for word in single if word and word >> 32 & 1)


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
    with Survey() as survey:
        with OpenFile(str(folder / "partial")) as file:
            assert survey.file(file).types().pages == 6
            runs = list(survey.file(file).runs())
            assert sum(run.pages for run in runs) == 6
            assert runs[0].start == 0
        with OpenFile(str(folder / "empty")) as file:
            assert survey.file(file).types().pages == 0
        failed: list[pagemap.PagemapError] = []
        found = {
            os.path.relpath(file.path, folder): survey.file(file).types().pages
            for file in files_in(str(folder), failed.append)
        }
    assert found == {"empty": 0, "partial": 6, "below/whole": 40}
    assert failed == []


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
    with Survey(raw=True, mapcounts=True) as survey, OpenFile(str(path)) as file:
        runs = list(survey.file(file).runs())
        pfns = [(run.pfn or 0) + at for run in runs for at in range(run.pages)]
        flags = page_words.words(pfns)
        for _ in range(5):
            again = list(survey.file(file).runs())
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
    assert not any(run.flags & mapped for run in runs)


@pytest.mark.usefixtures("need_frames")
def test_a_sparse_file_costs_what_is_cached() -> None:
    """Of 4 TiB with three pages in memory three stretches are looked at; it took 104 s."""
    fd = os.memfd_create("sparse")
    places = [0, 1 << 40, (4 << 40) - PAGE]
    try:
        os.ftruncate(fd, 4 << 40)
        for place in places:
            os.pwrite(fd, b"x", place)
        with Survey() as survey, OpenFile(f"/proc/self/fd/{fd}") as file:
            try:
                stretches = list(itertools.islice(file.stretches(), 10))
            except OSError as error:
                pytest.skip(f"cachestat: {error.strerror}")
            if file.tells == MINCORE_TELLS:
                pytest.skip("this kernel has no cachestat (6.5)")
            assert len(stretches) == 3
            runs = list(survey.file(file).runs())
            assert [(run.start, run.pages) for run in runs] == [(place, 1) for place in places]
            types = survey.file(file).types()
            assert (types.pages, types.frames, types.unknown) == (3, 3, 0)
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
        with Survey() as survey, OpenFile(str(path)) as opened:
            found = [False] * pages
            for run in survey.file(opened).runs():
                for at in range(run.pages):
                    found[(run.start or 0) // PAGE + at] = True
        assert found == was == cached(path)


@pytest.mark.usefixtures("need_frames")
def test_files_as_page_types_has_them(folder: Path) -> None:
    if not page_words.tool():
        pytest.skip("page-types is neither in PAGEMAP_KERNEL_TOOLS nor on the PATH")
    path = str(folder / "below" / "whole")
    with Survey() as survey, OpenFile(path) as file:
        settled(
            lambda: by_flags(survey.file(file).types()),
            lambda: page_words.page_types("--file", path),
        )


@pytest.mark.usefixtures("need_frames")
def test_a_file_that_becomes_shorter(folder: Path) -> None:
    path = folder / "below" / "whole"
    with Survey() as survey, OpenFile(str(path)) as file:
        os.truncate(path, 3 * PAGE)
        with pytest.raises(pagemap.TargetVanished, match="shorter"):
            survey.file(file).types()
        path.unlink()
    with pytest.raises(pagemap.PagemapError) as caught:
        OpenFile(str(path))
    assert caught.value.errno == errno.ENOENT


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
        with Survey() as survey:
            for _ in range(150):
                with OpenFile(str(path)) as file:
                    try:
                        assert survey.file(file).types().pages <= 2000
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
        OpenFile(fds[0])


def test_without_rights(need_root: None, folder: Path) -> None:
    with pytest.raises(pagemap.AccessDenied, match=r"kpageflags.*CAP_DAC_READ_SEARCH"):
        as_nobody(lambda: Survey().close())
    with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
        as_nobody(lambda: pagemap.Process("self").page_types())
    folder.chmod(0o755)
    for above in list(folder.parents)[:3]:
        if above.owner() == "root" and str(above) != "/tmp":
            above.chmod(above.stat().st_mode | 0o111)
    with pytest.raises(pagemap.AccessDenied, match=r"CAP_FOWNER|[Pp]ermission denied"):
        as_nobody(lambda: OpenFile(str(folder / "partial")).pages)


@pytest.mark.usefixtures("need_frames")
def test_a_target_that_ends_midway(start: Start) -> None:
    target = start(workloads.dense(4 * MIB))
    with Survey() as survey, pagemap.Process(target.pid) as process:
        walk = survey.process(process).runs()
        next(walk)
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            list(walk)
        with pytest.raises(pagemap.TargetVanished):
            process.page_types()
