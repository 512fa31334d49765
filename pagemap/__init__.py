"""What is behind the virtual memory of Linux processes: frames, swap, sharing, footprints.

    import pagemap

    with pagemap.Process(pid) as process:
        for mapping in process.maps():
            pages = process.pages(mapping)
            print(mapping.path, pages.counts())

Importing pagemap loads nothing else: the module behind a name is imported when the name is first
used, and what a method needs when it is first called. A signal handler that uses pagemap may
interrupt such an import and find an incomplete module (ImportError, AttributeError): call
`pagemap.load()` before you install the handler. (PYTEST_DONT_REWRITE: else pytest may warn.)
"""

from pagemap._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._analyses.cached_charged import cache_cgroups, cache_charged
    from pagemap._analyses.cached_files import cache
    from pagemap._analyses.cached_held import cache_held
    from pagemap._analyses.doctor import doctor
    from pagemap._analyses.footprints import footprints
    from pagemap._analyses.frame_files import frame_files
    from pagemap._analyses.freed import freed
    from pagemap._analyses.gentle import Gentle
    from pagemap._analyses.memory import Memory, memory
    from pagemap._analyses.owners import owners
    from pagemap._analyses.page_runs import page_runs
    from pagemap._analyses.page_stream import PageStream
    from pagemap._analyses.page_types import page_types
    from pagemap._analyses.regions import RegionStream
    from pagemap._analyses.segments import SegmentStream
    from pagemap._analyses.sharing import sharing
    from pagemap._analyses.sharing_groups import GroupSharing
    from pagemap._analyses.sharing_walk import Sharing
    from pagemap._embedding import get_include, get_library_dir
    from pagemap._errors import (
        AccessDenied,
        AddressError,
        ClosedProcess,
        NoSuchFile,
        NoSuchProcess,
        NotMapped,
        NotPresent,
        PagemapError,
        PfnsHidden,
        SwappedOut,
        TargetVanished,
        Unsupported,
        UsageError,
    )
    from pagemap._export.dump import dump
    from pagemap._history.diff import DiffRegionStream, diff, diff_regions
    from pagemap._history.measure import Measurement, measure
    from pagemap._history.recorder import Recorder
    from pagemap._history.sample_stream import SampleStream
    from pagemap._history.sampler import Sample, Sampler
    from pagemap._history.tracker import Tracker, track
    from pagemap._history.working_set import working_set
    from pagemap._kernel.folder import Folder
    from pagemap._kernel.frames import Frame, FrameReader, Frames
    from pagemap._kernel.processes import find
    from pagemap._process import Process, virt_to_phys
    from pagemap._pytest.checks import assert_huge, assert_resident, assert_shared, assert_written
    from pagemap._snapshot import SavedProcess, Snapshot
    from pagemap._space.address_space import AddressSpace
    from pagemap._space.page import Page
    from pagemap._space.pages import Counts, Pages
    from pagemap._tables.table import Lists, Table, Texts
    from pagemap._vocabulary.frame_flags import PageFlag
    from pagemap._vocabulary.rows.cached_file import (
        CachedFileRow,
        ChargedCgroupRow,
        ChargedFileRow,
        HeldFileRow,
    )
    from pagemap._vocabulary.rows.contents import ContentsRow
    from pagemap._vocabulary.rows.diff import (
        DiffRegionRow,
        DiffRow,
        DiffSums,
        KindDiffRow,
        PathDiffRow,
    )
    from pagemap._vocabulary.rows.finding import FindingRow
    from pagemap._vocabulary.rows.footprint import (
        FootprintRow,
        FootprintSums,
        MappingFootprintRow,
        PathFootprintRow,
    )
    from pagemap._vocabulary.rows.frame_files import FrameFileRow
    from pagemap._vocabulary.rows.freed import FreedRow
    from pagemap._vocabulary.rows.huge import HugeRow
    from pagemap._vocabulary.rows.mapping import Mapping
    from pagemap._vocabulary.rows.measure import MeasureRow
    from pagemap._vocabulary.rows.memory import (
        BlockerRow,
        BlocksRow,
        CgroupMemoryRow,
        FigureRow,
        FreeRunRow,
        GroupMemoryRow,
        MemoryKindRow,
        NodeMemoryRow,
        OrderRow,
        SwapAreaRow,
        ZoneMemoryRow,
    )
    from pagemap._vocabulary.rows.node import NodeRow
    from pagemap._vocabulary.rows.owners import OwnerRow
    from pagemap._vocabulary.rows.page_types import PageRunRow, PageTypeRow
    from pagemap._vocabulary.rows.region import RegionRow
    from pagemap._vocabulary.rows.sample import SampleRow
    from pagemap._vocabulary.rows.segment import SegmentRow
    from pagemap._vocabulary.rows.sharing import (
        GroupPairRow,
        GroupPathRow,
        GroupSetRow,
        GroupShareRow,
        GroupTotalRow,
        SharedFrameRow,
        SharedGroupRow,
        SharedPairRow,
        SharedPathRow,
        SharedProcessRow,
        SharedRow,
    )
    from pagemap._vocabulary.rows.tally import TallyRow
    from pagemap._vocabulary.rows.translation import TranslationRow
    from pagemap._vocabulary.rows.working_set import WorkingSetRow
    from pagemap._vocabulary.rows.written import WritesRow, WrittenRow
    from pagemap._vocabulary.schema import Column, Schema

__all__ = [
    "AccessDenied",
    "AddressError",
    "AddressSpace",
    "BlockerRow",
    "BlocksRow",
    "CachedFileRow",
    "CgroupMemoryRow",
    "ChargedCgroupRow",
    "ChargedFileRow",
    "ClosedProcess",
    "Column",
    "ContentsRow",
    "Counts",
    "DiffRegionRow",
    "DiffRegionStream",
    "DiffRow",
    "DiffSums",
    "FigureRow",
    "FindingRow",
    "Folder",
    "FootprintRow",
    "FootprintSums",
    "Frame",
    "FrameFileRow",
    "FrameReader",
    "Frames",
    "FreeRunRow",
    "FreedRow",
    "Gentle",
    "GroupMemoryRow",
    "GroupPairRow",
    "GroupPathRow",
    "GroupSetRow",
    "GroupShareRow",
    "GroupSharing",
    "GroupTotalRow",
    "HeldFileRow",
    "HugeRow",
    "KindDiffRow",
    "Lists",
    "Mapping",
    "MappingFootprintRow",
    "MeasureRow",
    "Measurement",
    "Memory",
    "MemoryKindRow",
    "NoSuchFile",
    "NoSuchProcess",
    "NodeMemoryRow",
    "NodeRow",
    "NotMapped",
    "NotPresent",
    "OrderRow",
    "OwnerRow",
    "Page",
    "PageFlag",
    "PageRunRow",
    "PageStream",
    "PageTypeRow",
    "PagemapError",
    "Pages",
    "PathDiffRow",
    "PathFootprintRow",
    "PfnsHidden",
    "Process",
    "Recorder",
    "RegionRow",
    "RegionStream",
    "Sample",
    "SampleRow",
    "SampleStream",
    "Sampler",
    "SavedProcess",
    "Schema",
    "SegmentRow",
    "SegmentStream",
    "SharedFrameRow",
    "SharedGroupRow",
    "SharedPairRow",
    "SharedPathRow",
    "SharedProcessRow",
    "SharedRow",
    "Sharing",
    "Snapshot",
    "SwapAreaRow",
    "SwappedOut",
    "Table",
    "TallyRow",
    "TargetVanished",
    "Texts",
    "Tracker",
    "TranslationRow",
    "Unsupported",
    "UsageError",
    "WorkingSetRow",
    "WritesRow",
    "WrittenRow",
    "ZoneMemoryRow",
    "__version__",
    "assert_huge",
    "assert_resident",
    "assert_shared",
    "assert_written",
    "cache",
    "cache_cgroups",
    "cache_charged",
    "cache_held",
    "diff",
    "diff_regions",
    "doctor",
    "dump",
    "find",
    "footprints",
    "frame_files",
    "freed",
    "get_include",
    "get_library_dir",
    "load",
    "measure",
    "memory",
    "owners",
    "page_runs",
    "page_types",
    "sharing",
    "track",
    "virt_to_phys",
    "working_set",
]

# Modules that have several of these names.
# fmt: off
_SEVERAL = {
    "_analyses.cached_charged": ("cache_cgroups", "cache_charged"),
    "_analyses.memory": ("Memory", "memory"),
    "_embedding": ("get_include", "get_library_dir"),
    "_history.diff": ("DiffRegionStream", "diff", "diff_regions"),
    "_history.measure": ("Measurement", "measure"),
    "_history.sampler": ("Sample", "Sampler"),
    "_history.tracker": ("Tracker", "track"),
    "_kernel.frames": ("Frame", "FrameReader", "Frames"),
    "_process": ("Process", "virt_to_phys"),
    "_pytest.checks": ("assert_huge", "assert_resident", "assert_shared", "assert_written"),
    "_snapshot": ("SavedProcess", "Snapshot"),
    "_space.pages": ("Counts", "Pages"),
    "_tables.table": ("Lists", "Table", "Texts"),
    "_vocabulary.schema": ("Column", "Schema"),
    "_vocabulary.rows.cached_file": (
        "CachedFileRow", "ChargedCgroupRow", "ChargedFileRow", "HeldFileRow",
    ),
    "_vocabulary.rows.diff": ("DiffRegionRow", "DiffRow", "DiffSums", "KindDiffRow", "PathDiffRow"),
    "_vocabulary.rows.footprint": (
        "FootprintRow", "FootprintSums", "MappingFootprintRow", "PathFootprintRow",
    ),
    "_vocabulary.rows.memory": (
        "BlockerRow", "BlocksRow", "CgroupMemoryRow", "FigureRow", "FreeRunRow", "GroupMemoryRow",
        "MemoryKindRow", "NodeMemoryRow", "OrderRow", "SwapAreaRow", "ZoneMemoryRow",
    ),
    "_vocabulary.rows.page_types": ("PageRunRow", "PageTypeRow"),
    "_vocabulary.rows.sharing": (
        "GroupPairRow", "GroupPathRow", "GroupSetRow", "GroupShareRow", "GroupTotalRow",
        "SharedFrameRow", "SharedGroupRow", "SharedPairRow", "SharedPathRow", "SharedProcessRow",
        "SharedRow",
    ),
    "_vocabulary.rows.written": ("WritesRow", "WrittenRow"),
}
# fmt: on

_MODULES = {
    "AddressSpace": "_space.address_space",
    "ContentsRow": "_vocabulary.rows.contents",
    "FindingRow": "_vocabulary.rows.finding",
    "Folder": "_kernel.folder",
    "FrameFileRow": "_vocabulary.rows.frame_files",
    "FreedRow": "_vocabulary.rows.freed",
    "Gentle": "_analyses.gentle",
    "GroupSharing": "_analyses.sharing_groups",
    "HugeRow": "_vocabulary.rows.huge",
    "Mapping": "_vocabulary.rows.mapping",
    "MeasureRow": "_vocabulary.rows.measure",
    "NodeRow": "_vocabulary.rows.node",
    "OwnerRow": "_vocabulary.rows.owners",
    "Page": "_space.page",
    "PageFlag": "_vocabulary.frame_flags",
    "PageStream": "_analyses.page_stream",
    "Recorder": "_history.recorder",
    "RegionRow": "_vocabulary.rows.region",
    "RegionStream": "_analyses.regions",
    "SampleRow": "_vocabulary.rows.sample",
    "SampleStream": "_history.sample_stream",
    "SegmentRow": "_vocabulary.rows.segment",
    "SegmentStream": "_analyses.segments",
    "Sharing": "_analyses.sharing_walk",
    "TallyRow": "_vocabulary.rows.tally",
    "TranslationRow": "_vocabulary.rows.translation",
    "WorkingSetRow": "_vocabulary.rows.working_set",
    "cache": "_analyses.cached_files",
    "cache_held": "_analyses.cached_held",
    "doctor": "_analyses.doctor",
    "dump": "_export.dump",
    "find": "_kernel.processes",
    "footprints": "_analyses.footprints",
    "frame_files": "_analyses.frame_files",
    "freed": "_analyses.freed",
    "owners": "_analyses.owners",
    "page_runs": "_analyses.page_runs",
    "page_types": "_analyses.page_types",
    "sharing": "_analyses.sharing",
    "working_set": "_history.working_set",
    **{name: module for module, names in _SEVERAL.items() for name in names},
}

# What functions import when they are called; a test compares it with their sources.
_LATE = (
    "difflib",
    "hashlib",
    "json",
    "math",
    "mmap",
    "pagemap._history.hugetlb_devices",
    "pagemap._kernel.containers",
    "pagemap._kernel.maps",
    "pagemap._kernel.maps_blocks",
    "pagemap._kernel.smaps_accounts",
    "pagemap._native.scan",
    "pagemap._space.mapping_columns",
    "pagemap._analyses.footprint",
    "pagemap._analyses.huge",
    "pagemap._analyses.nodes",
    "pagemap._analyses.populated",
    "pagemap._analyses.tally",
    "pagemap._analyses.translate",
    "pagemap._errors",
    "pagemap._export.arrow",
    "pagemap._export.json",
    "pagemap._space.page_arrow",
    "pagemap._tables.arrow",
    "pwd",
    "resource",
    "zlib",
)


def load() -> None:
    """Import at once everything that is otherwise imported when it is first used.

    Call it before a signal handler uses pagemap: one that interrupts an import finds an incomplete
    module. It takes up to 0.1 s, which is why `import pagemap` does not do it.
    """
    for module in (*(f"pagemap.{inner}" for inner in _MODULES.values()), *_LATE):
        __import__(module)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'pagemap' has no attribute {name!r}")
    # import_module would load importlib, which costs as much as the rest of this import.
    inner = _MODULES.get(name, "_errors")
    module = __import__(f"pagemap.{inner}", fromlist=[name])
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
