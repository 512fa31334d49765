"""The library as users type it, for mypy and pyright, both strict: what each call gives.

Each name of `pagemap.__all__` is used; tests/contract/test_names.py looks for it here.
"""

from __future__ import annotations

import io
import subprocess
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pagemap
from pagemap import PageFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import assert_type  # noqa: TC004 - this file is never run


class ArrowStream(Protocol):
    """What pyarrow, polars, pandas and DuckDB take."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


def mappings(pid: int) -> None:
    with pagemap.Process(pid) as process:
        assert_type(process.maps(), "pagemap.Table[pagemap.Mapping]")
        for mapping in process.maps():
            assert_type(mapping, pagemap.Mapping)
            assert_type(mapping.size, int)
            assert_type(mapping.path, str)
            start, end, perms, *_ = mapping
            assert_type(start, int)
            assert_type(perms, str)
            pages = process.pages(mapping)
            assert_type(process.pages((start, end)), pagemap.Pages)
            counts = pages.counts()
            assert_type(counts, pagemap.Counts)
            assert_type(counts.present, int)
            assert_type(pages[0], pagemap.Page)
            assert_type(pages[1:], pagemap.Pages)
            assert_type([page.pfn for page in pages], "list[int | None]")
            assert_type(pages[0].present, bool)
            assert_type(pages[0].physical_address, "int | None")
            assert_type(reversed(pages), "Iterator[pagemap.Page]")
            assert_type(pages.entries, "memoryview[int]")
        assert_type(process.read_into(bytearray(64), 0x1000), int)
        assert_type(process.read_into(array("Q", [0]), 0x1000, count=1), int)
        assert_type(process.virt_to_phys(0x1000), int)
        assert_type(process.translate([0x1000]), "pagemap.Table[pagemap.TranslationRow]")
        assert_type(process.entry(0x1000), pagemap.Page)


def tables(process: pagemap.Process) -> Iterable[ArrowStream]:
    table = process.tally()
    assert_type(table.schema, "pagemap.Schema[pagemap.TallyRow]")
    assert_type(table.schema["rss"], pagemap.Column)
    assert_type([column.unit for column in table.schema], "list[str]")
    assert_type(table.about, "dict[str, object]")
    assert_type(table[-1], pagemap.TallyRow)
    assert_type(table.total().rss, "int | None")
    assert_type(table.sorted("rss", reverse=True).top(3), "pagemap.Table[pagemap.TallyRow]")
    assert_type(table.where(lambda row: row.path == "[heap]")[0].path, str)
    assert_type(table.part(0, 2).reversed(), "pagemap.Table[pagemap.TallyRow]")
    assert_type(table.grouped("path"), "pagemap.Table[Any]")
    assert_type(table.select(["path", "rss"]), "pagemap.Table[Any]")
    assert_type(table.valid("rss"), "memoryview[bool] | None")
    assert_type(table.total()._asdict(), "dict[str, Any]")
    paths: pagemap.Texts = table["path"]
    assert_type(paths[0], str)
    assert_type(list(paths), "list[str]")
    sharers: pagemap.Lists = pagemap.footprints()["sharers"]
    assert_type(sharers[0], "tuple[int, ...]")
    columns = [pagemap.Column("path", "text", "", "the file"), *pagemap.doctor().schema]
    schema: pagemap.Schema[Any] = pagemap.Schema("mine", 1, columns)
    mine = pagemap.Table.of_rows(schema, [("/bin/sh", 1)], about={"host": "here"})
    assert_type(mine, "pagemap.Table[Any]")
    pagemap.Table(schema, {"path": paths, "rss": table["rss"]})
    str(table[0].nope)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    yield from (table, process.columns(), process.regions(), process.pages((0, 1)))


def targets() -> None:
    with subprocess.Popen(["true"]) as child:
        assert_type(pagemap.Process(child), pagemap.Process)
    assert_type(pagemap.Process("self").name, str)
    assert_type(pagemap.virt_to_phys("self", 0x1000), int)
    assert_type(pagemap.find("nginx"), "list[int]")
    assert_type(pagemap.dump(1, io.BytesIO(), threads=2), int)
    assert_type(pagemap.dump("self", sys.stdout.buffer, select=lambda path: path == "[heap]"), int)
    assert_type(pagemap.dump("self", Path("rows"), format="csv"), int)
    pagemap.Process(1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def callbacks(process: pagemap.Process, calls: list[object]) -> None:
    pagemap.dump(process, 1, progress=lambda done, total: (done, total))
    pagemap.owners([1], progress=lambda done, processes: done / processes)
    pagemap.page_types(files=["/etc"], failed=lambda error: error.pid)
    pagemap.page_runs([process], failed=calls.append)


def walks(process: pagemap.Process) -> Iterator[int]:
    for mapping, pages in process.populated(threads=None):
        assert_type(mapping, pagemap.Mapping)
        assert_type(pages, pagemap.Pages)
        yield len(pages)
    regions = process.regions(only=["present", "huge"])
    assert_type(regions, pagemap.RegionStream)
    assert_type(regions.snapshot(), "pagemap.Table[pagemap.RegionRow]")
    for table in regions:
        assert_type(table, "pagemap.Table[pagemap.RegionRow]")
    for region in regions.rows():
        assert_type(region, pagemap.RegionRow)
        assert_type(region.categories, str)
    segments = process.segments(ranges=[(0, 1 << 47)], transfer=1 << 16, threads=1)
    assert_type(segments, pagemap.SegmentStream)
    assert_type(segments.snapshot(), "pagemap.Table[pagemap.SegmentRow]")
    for segment in segments.rows():
        assert_type(segment, pagemap.SegmentRow)
        assert_type(segment.node, "int | None")
    nodes = process.nodes(policies=True, sysfs="/sys", threads=1)
    assert_type(nodes, "pagemap.Table[pagemap.NodeRow]")
    for node in nodes:
        assert_type(node, pagemap.NodeRow)
        assert_type(node.misplaced, "int | None")
    tallies = process.tally(["present"], threads=1)
    assert_type(tallies, "pagemap.Table[pagemap.TallyRow]")
    for tally in tallies:
        assert_type(tally, pagemap.TallyRow)
        assert_type(tally.present, "int | None")
    assert_type(process.huge(), "pagemap.Table[pagemap.HugeRow]")
    for huge in process.huge(cont=[65536]):
        assert_type(huge, pagemap.HugeRow)
        assert_type(huge.pmd, "int | None")
    process.tally(threads="2")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def footprints(process: pagemap.Process) -> pagemap.FootprintRow:
    gentle = pagemap.Gentle()
    held = process.footprint(gentle=gentle)
    assert_type(held, pagemap.FootprintRow)
    assert_type(held.uss, "int | None")
    assert_type(held.sharers, "tuple[int, ...] | None")
    assert_type(process.footprints(), "pagemap.Table[pagemap.MappingFootprintRow]")
    assert_type(pagemap.footprints([1]), "pagemap.Table[pagemap.FootprintRow]")
    assert_type(pagemap.footprints(by="path"), "pagemap.Table[pagemap.PathFootprintRow]")
    for row in pagemap.footprints(by="mapping", cgroup="/", gentle=gentle):
        assert_type(row.start, int)
        assert_type(row.path, str)
    assert_type(gentle.total(process), pagemap.FootprintSums)
    assert_type(pagemap.freed([1]), "pagemap.Table[pagemap.FreedRow]")
    assert_type(pagemap.freed(by="user", threads=2)[0].shmem, "int | None")
    names: pagemap.Table[Any] = pagemap.footprints(names=["pid", "user"])
    assert_type(names.schema, "pagemap.Schema[Any]")
    return held


def samples() -> int:
    with pagemap.Sampler("self", ["rss"]) as sampler:
        sample = sampler.sample(max_seconds=0.01)
        assert_type(sample, pagemap.Sample)
        assert_type(sample.rss, "int | None")
        assert_type(sample.partial, bool)
        assert_type(sample.uss, "int | None")
        with sampler.stream(every=0.01, keep=100) as stream:
            assert_type(stream, pagemap.SampleStream)
            assert_type(stream.read(), pagemap.Table[pagemap.SampleRow])
            assert_type(stream.table()[0].rss, int | None)
            assert_type(stream.lost, int)
        assert_type(sampler.rss(), int)
        sampler.sample().rss + 1  # type: ignore[operator] # pyright: ignore[reportOptionalOperand, reportUnusedExpression]
        return sample.rss or 0


def columns(process: pagemap.Process, pages: pagemap.Pages) -> None:
    assert_type(process.columns(), pagemap.PageStream)
    for table in process.columns():
        assert_type(table, pagemap.Table)
        assert_type(table.schema, pagemap.Schema)
    assert_type(len(pages.column("present")), int)
    numbers: list[int] = pages.pfns().tolist()
    assert_type(numbers[0], int)


def frames(pages: pagemap.Pages) -> None:
    with pagemap.FrameReader() as reader:
        found = reader.read(pages.pfns(), ["flags", "mapcounts"])
        assert_type(found, pagemap.Frames)
        assert_type(found[0], pagemap.Frame)
        assert_type(found[0].flags, "PageFlag | None")
        flags = found[0].flags
        if flags is not None and flags & PageFlag.RESERVED:
            return
    assert_type(PageFlag.ERROR | PageFlag.MMAP_EXCLUSIVE, PageFlag)
    assert_type(PageFlag.SOFTDIRTY in PageFlag(1 << 40), bool)


def analyses(process: pagemap.Process) -> None:
    types = process.page_types(only=["anon,~ksm"])
    assert_type(types, pagemap.Table[pagemap.PageTypeRow])
    assert_type([each.pages for each in types], "list[int]")
    for table in pagemap.page_runs(files=["/etc"], each=True):
        assert_type(table[0].offset, "int | None")
    for runs in process.page_runs(mapcounts=True):
        assert_type(runs[0], pagemap.PageRunRow)
    assert_type(pagemap.page_types([process, 1]).total(), pagemap.PageTypeRow)
    for owner in pagemap.owners([0x1234]):
        assert_type(owner, pagemap.OwnerRow)
        assert_type(owner.address, int)
    for frame in pagemap.frame_files([0x1234], search=["/var/log"]):
        assert_type(frame, pagemap.FrameFileRow)
        assert_type(frame.offset, "int | None")
        assert_type(frame.pids, tuple[int, ...])
    told = pagemap.memory(cgroups=True, blockers=10, runs=10, frames=None, threads=2)
    assert_type(told, pagemap.Memory)
    assert_type(told.about, "dict[str, object]")
    assert_type(told.kinds, "pagemap.Table[pagemap.MemoryKindRow]")
    assert_type(told.kinds[0].size, "int | None")
    assert_type(told.zones, "pagemap.Table[pagemap.ZoneMemoryRow]")
    assert_type(told.nodes, "pagemap.Table[pagemap.NodeMemoryRow]")
    assert_type(told.orders, "pagemap.Table[pagemap.OrderRow]")
    assert_type(told.figures, "pagemap.Table[pagemap.FigureRow]")
    assert_type(told.swaps, "pagemap.Table[pagemap.SwapAreaRow]")
    assert_type(told.blocks, "pagemap.Table[pagemap.BlocksRow] | None")
    assert_type(told.cgroups, "pagemap.Table[pagemap.CgroupMemoryRow] | None")
    assert_type(told.groups, "pagemap.Table[pagemap.GroupMemoryRow] | None")
    assert_type(told.blockers, "pagemap.Table[pagemap.BlockerRow] | None")
    assert_type(told.runs, "pagemap.Table[pagemap.FreeRunRow] | None")
    shared = pagemap.sharing([1])
    assert_type(shared, pagemap.Sharing)
    assert_type(shared.pairs[0], pagemap.SharedPairRow)
    assert_type(shared.groups[0].pids, "tuple[int, ...]")
    assert_type(shared.frames[0].mapcount, "int | None")
    assert_type(shared.total[0], pagemap.SharedRow)
    assert_type(shared.paths[0], pagemap.SharedPathRow)
    assert_type(shared.processes[0], pagemap.SharedProcessRow)
    assert_type(shared.frames, pagemap.Table[pagemap.SharedFrameRow])
    assert_type(shared.groups, pagemap.Table[pagemap.SharedGroupRow])
    grouped = pagemap.sharing([1], by="user")
    assert_type(grouped, pagemap.GroupSharing)
    assert_type(grouped.total[0], pagemap.GroupTotalRow)
    assert_type(grouped.groups[0], pagemap.GroupShareRow)
    assert_type(grouped.groups[0].alone, "int | None")
    assert_type(grouped.pairs, pagemap.Table[pagemap.GroupPairRow])
    assert_type(grouped.sets, pagemap.Table[pagemap.GroupSetRow])
    assert_type(grouped.paths, pagemap.Table[pagemap.GroupPathRow])


def cached(paths: list[str]) -> int | None:
    table = pagemap.cache(paths, one_file_system=True, least=4096)
    assert_type(table, pagemap.Table[pagemap.CachedFileRow])
    held = pagemap.cache_held(residency=True, frames=True)
    assert_type(held[0], pagemap.HeldFileRow)
    assert_type(held[0].residency, "tuple[int, ...] | None")
    charged = pagemap.cache_charged(paths, threads=1)
    assert_type(charged[0], pagemap.ChargedFileRow)
    assert_type(pagemap.cache_cgroups([charged]), pagemap.Table[pagemap.ChargedCgroupRow])
    return table[0].cached


def working_sets(target: pagemap.Process) -> int | None:
    table = pagemap.working_set(target, over=0.5, idle=[0.2], method="referenced")
    assert_type(table, pagemap.Table[pagemap.WorkingSetRow])
    assert_type(table.total().touched, "int | None")
    pagemap.working_set(cgroup="/sys/fs/cgroup/a", regions=False, procfs="/proc", sysfs="/sys")
    return table[0].rss


def writes(process: pagemap.Process, data: bytearray) -> int | None:
    with pagemap.track(data) as tracker:
        assert_type(tracker, pagemap.Tracker)
        assert_type(tracker.collect(), pagemap.Table[pagemap.WrittenRow])
        assert_type(tracker.method, str)
    for row in tracker.written:
        assert_type(row, pagemap.WrittenRow)
    pagemap.track((0x1000, 0x2000)).close()
    with pagemap.track(process) as tracker:
        table = tracker.by_mapping(tracker.written)
    assert_type(table, pagemap.Table[pagemap.WritesRow])
    return table[0].populated


def measured(process: pagemap.Process) -> int | None:
    with pagemap.measure(process, written=True) as measured:
        assert_type(measured, pagemap.Measurement)
    assert_type(measured.table, pagemap.Table[pagemap.MeasureRow])
    assert_type(measured.before, pagemap.Table[pagemap.TallyRow])
    assert_type(measured.after, "pagemap.Table[pagemap.TallyRow] | None")
    return measured.table[0].rss_change


def checks(data: bytearray, child: subprocess.Popen[bytes]) -> None:
    with pagemap.assert_written(data, at_most=100) as tracker:
        assert_type(tracker, pagemap.Tracker)
    pagemap.assert_written("[heap]", at_most=1)
    pagemap.assert_huge((0x200000, 0x400000), at_least=0.5)
    pagemap.assert_shared([child, 1], of=data)
    pagemap.assert_resident(Path("/bin/sh"), at_least=0.9)


def moments() -> int:
    with pagemap.Recorder("self", "record", pfns=False, frames=False) as recorder:
        assert_type(recorder, pagemap.Recorder)
        assert_type(recorder.take(), int)
        assert_type(recorder.size, int)
    return recorder.moments


def changes(a: pagemap.SavedProcess, b: pagemap.Process) -> int | None:
    assert_type(pagemap.diff(a, b), pagemap.Table[pagemap.DiffRow])
    assert_type(pagemap.diff(a, b, by="path"), pagemap.Table[pagemap.PathDiffRow])
    for kind in pagemap.diff(a, b, by="kind", threads=1):
        assert_type(kind, pagemap.KindDiffRow)
        assert_type(kind.amount, int)
    regions = pagemap.diff_regions(a, b)
    assert_type(regions, pagemap.DiffRegionStream)
    for region in regions.rows():
        assert_type(region, pagemap.DiffRegionRow)
    sums: type[pagemap.DiffSums] = pagemap.DiffSums
    assert_type(pagemap.diff(a, b).total().rss, "int | None")
    return pagemap.diff(a, b)[0].was_start or len(sums.__name__)


def spaces(space: pagemap.AddressSpace) -> int:
    assert_type(space.folder, pagemap.Folder)
    assert_type(space.folder.read("status"), bytes)
    assert_type(space.pid, int)
    assert_type(space.pfns_visible, bool)
    return space.folder.open("numa_maps")


def machine() -> str:
    pagemap.load()
    for finding in pagemap.doctor():
        assert_type(finding, pagemap.FindingRow)
    return pagemap.__version__


def translations(process: pagemap.Process) -> int | None:
    try:
        return process.virt_to_phys(0x1000)
    except pagemap.SwappedOut as error:
        return error.swap_offset
    except (pagemap.NotMapped, pagemap.NotPresent) as error:
        return error.address
    except pagemap.AddressError:
        return None
    except pagemap.PfnsHidden as error:
        assert_type(error.path, "str | None")
        return None


def embedding() -> tuple[str, str]:
    assert_type(pagemap.get_include(), str)
    return pagemap.get_include(), pagemap.get_library_dir()


def errors(pid: int) -> int:
    try:
        pagemap.Process(pid).close()
    except pagemap.AccessDenied as error:
        assert_type(error.pid, "int | None")
        return error.errno or 0
    except (
        pagemap.NoSuchProcess,
        pagemap.NoSuchFile,
        pagemap.TargetVanished,
        pagemap.ClosedProcess,
    ):
        return 0
    except (pagemap.Unsupported, pagemap.UsageError) as error:
        assert_type(error.message, str)
    except pagemap.PagemapError:
        return 1
    return 2


def snapshots(path: str) -> list[pagemap.TallyRow]:
    with pagemap.Snapshot.take(["self", 1], path, pfns=False, smaps=True) as taken:
        assert_type(taken, pagemap.Snapshot)
        taken.about_moment(0)
    with pagemap.Snapshot(path) as snapshot:
        assert_type(snapshot.processes, list[int])
        assert_type(snapshot.pids(moment=0), list[int])
        assert_type(snapshot.moments, int)
        assert_type(snapshot.cut_short, bool)
        assert_type(snapshot.contents(), pagemap.Table[pagemap.ContentsRow])
        assert_type(snapshot.contents()[0].resident, int)
        process = snapshot.process(moment=-1)
        assert_type(process, pagemap.SavedProcess)
        pagemap.dump(process, "pages")
        return list(process.tally())
