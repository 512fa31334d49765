"""Page types of real processes and files, beside a naive twin and the kernel's page-types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.page_survey import Survey
from tests import oracle, page_words, workloads
from tests.live.as_nobody import as_nobody, without_admin
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pagemap import PageRunRow, PageTypeRow, Table
    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20


def calm(counts: dict[int, int]) -> dict[int, int]:
    """Without what others change at any time: idle, and referenced of the vdso (on no list)."""
    result: dict[int, int] = {}
    for flags, pages in counts.items():
        kept = flags & ~(1 << 25)
        if not flags >> 5 & 1:
            kept &= ~(1 << 2)
        result[kept] = result.get(kept, 0) + pages
    return result


def by_flags(types: Table[PageTypeRow]) -> dict[int, int]:
    """Pages by their flags."""
    return {each.flags: each.pages for each in types if each.flags is not None}


def rows(tables: Iterable[Table[PageRunRow]]) -> list[PageRunRow]:
    """The rows of a list."""
    return [row for table in tables for row in table]


def settled(ours: Callable[[], dict[int, int]], theirs: Callable[[], dict[int, int]]) -> None:
    """Both say the same, the kernel's own work on these pages and that of others apart.

    Libraries are everybody's, and the kernel ages pages of a stopped process too.
    """
    agreed(lambda: (calm(ours()), calm(theirs())))


@pytest.mark.usefixtures("need_frames")
@pytest.mark.parametrize("raw", [False, True], ids=["known", "raw"])
def test_the_histogram_of_each_kind(kind: str, stopped: Target, raw: bool) -> None:
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
        assert process.page_types().total().pages >= 22_000
        first, last = mappings[100], mappings[15_000]
        some = process.page_types(ranges=[(first.start, last.end)])
        entries = oracle.entries(target.pid, first.start, last.end)
        assert some.total().pages == sum(entry >> 62 != 0 for entry in entries)
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
    with pagemap.Process(target.pid) as process:
        for threads in (1, 3):
            where = [(area.start, area.end)]
            found = process.page_runs(ranges=where, mapcounts=True, cgroups=True, threads=threads)
            runs = rows(found)
            each = [
                ((run.address or 0) + at * PAGE, (run.pfn or 0) + at, run.mapcount, run.cgroup)
                for run in runs
                for at in range(run.pages)
            ]
            counts = page_words.words(pfns, "kpagecount")
            groups = page_words.words(pfns, "kpagecgroup")
            addresses = range(area.start, area.end, PAGE)
            assert each == list(zip(addresses, pfns, counts, groups, strict=True)), threads
        by_cgroup = by_flags(process.page_types(ranges=[(area.start, area.end)], cgroup=groups[0]))
        nobodys = process.page_types(ranges=[(area.start, area.end)], cgroup=2**63)
        each_page = rows(process.page_runs(ranges=[(area.start, area.end)], each=True))
    assert sum(by_cgroup.values()) == groups.count(groups[0])
    assert len(nobodys) == 0
    assert nobodys.total().pages == 0
    assert [(row.address, row.pfn) for row in each_page] == list(zip(addresses, pfns, strict=True))


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
        agreed(lambda: (list(reader.words("flags", pfns)), page_words.words(pfns)))
        whole = list(reader.words("flags", range(end - 5, end + 5)))
        assert whole[5:] == [2**64 - 1] * 5
        assert 2**64 - 1 not in whole[:5]


@pytest.mark.usefixtures("need_frames")
def test_all_of_memory() -> None:
    with pagemap.FrameReader() as reader:
        types = pagemap.page_types()
        assert types.total().pages == reader.end
        assert types.about["unknown"] == 0
        assert types.about["complete"] is True
        assert pagemap.page_types(frames=[(1, 1001)]).total().pages == 1000
        reserved = pagemap.page_types(frames=[(0, 0x100)], raw=True, only=["reserved"])
        single = page_words.words(range(0x100))
        assert reserved.total().pages == sum(1 for word in single if word and word >> 32 & 1)
        listed = rows(pagemap.page_runs(frames=[(0, 0x100), (0x80, 0x180)]))
        assert sum(row.pages for row in listed) == 0x180


@pytest.mark.usefixtures("need_frames")
def test_a_target_that_ends_midway(start: Start) -> None:
    target = start(workloads.dense(4 * MIB))
    with Survey() as survey, pagemap.Process(target.pid) as process:
        steps = survey.process(process)
        next(steps)
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            list(steps)
        with pytest.raises(pagemap.TargetVanished):
            process.page_types()
        with pytest.raises(pagemap.TargetVanished):
            list(process.page_runs())


@pytest.mark.usefixtures("need_frames")
def test_pages_chosen_by_their_entries(start: Start) -> None:
    """The words of a dump choose pages here as well, beside those of flags."""
    target = start(workloads.idle())
    target.stop()
    entries = [
        entry
        for line in oracle.maps(target.pid)
        for entry in oracle.entries(target.pid, line.start, line.end)
        if entry >> 62
    ]
    file = sum(oracle.has(entry, "file_or_shared") for entry in entries)
    with pagemap.Process(target.pid) as process:

        def pages(*only: str, without: Sequence[str] = ()) -> int:
            return process.page_types(only=only, without=without).total().pages or 0

        assert 0 < file < len(entries)
        assert pages("file") == file
        assert pages("~file") == pages(without=["file"]) == len(entries) - file
        assert pages("present/swap") == len(entries)
        assert pages("present,~file,anon") == pages("anon") < len(entries)
        assert pages("file,anon") == 0
        with pytest.raises(pagemap.UsageError, match="no page is both"):
            pages("file", without=["file"])
    for where in ({"frames": [(1, 9)]}, {"files": ["/etc/passwd"]}):
        with pytest.raises(pagemap.UsageError, match="has no page table"):
            pagemap.page_types(only=["present"], **where)


def test_places_that_do_not_go_together() -> None:
    with pytest.raises(pagemap.UsageError, match="processes and files cannot be combined"):
        pagemap.page_types([1], files=["/etc"])
    with pytest.raises(
        pagemap.UsageError, match="ranges need exactly one process, whose addresses they select"
    ):
        pagemap.page_types([1, 2], ranges=[(0, 4096)])
    with pytest.raises(TypeError, match="files must be a sequence"):
        pagemap.page_types(files="/etc")


def test_without_rights(need_root: None) -> None:
    with pytest.raises(pagemap.AccessDenied, match=r"kpageflags.*CAP_DAC_READ_SEARCH"):
        as_nobody(lambda: len(pagemap.page_types()))
    with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
        as_nobody(lambda: len(pagemap.Process("self").page_types()))


def test_files_where_frames_are_hidden(need_root: None, need_pfns: None) -> None:
    """A page that was cached counted as one whose frame has no flags, and nothing was told."""
    with pytest.raises(pagemap.PfnsHidden, match="cannot tell page types: the kernel hides PFNs"):
        without_admin(lambda: pagemap.page_types(files=[__file__]))
