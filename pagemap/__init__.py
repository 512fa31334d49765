"""What stands behind every virtual page of a Linux process.

    import pagemap

    with pagemap.Process(pid) as process:
        for mapping in process.maps():
            pages = process.pages(mapping)
            print(mapping.path, pages.counts())

Importing this loads nothing else: the module behind a name is imported when it is first used, and
what a method needs when it is first called. A signal handler that uses pagemap may interrupt just
that, and gets a module that is half made (ImportError, AttributeError): call `pagemap.load()`
before you set it.
"""

from pagemap._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._native.types import SeenFrames
    from pagemap.analyses.gentle import Gentle
    from pagemap.analyses.huge_counts import HugeKind, HugeTally
    from pagemap.analyses.owners import Mapper, Owners
    from pagemap.analyses.page_stream import PageStream
    from pagemap.analyses.page_survey import Look, Survey
    from pagemap.analyses.page_types import Histogram, PageRun, PageType, PageTypes
    from pagemap.analyses.regions import Category, Region
    from pagemap.analyses.sharing import (
        Amounts,
        Group,
        Pair,
        SharedFrame,
        SharedPath,
        Sharer,
        Sharing,
    )
    from pagemap.analyses.tally import Tally
    from pagemap.errors import (
        AccessDenied,
        AddressError,
        AmbiguousName,
        ClosedProcess,
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
    from pagemap.export import dump
    from pagemap.history.sampler import Sample, Sampler
    from pagemap.kernel.folder import Folder
    from pagemap.kernel.frames import Frame, FrameReader, Frames
    from pagemap.kernel.maps import Mapping
    from pagemap.kernel.page_files import OpenFile
    from pagemap.kernel.processes import find
    from pagemap.kernel.smaps import Footprint
    from pagemap.process import Process, virt_to_phys
    from pagemap.space.address_space import AddressSpace
    from pagemap.space.pages import Counts, Page, Pages
    from pagemap.tables.table import Table, Texts
    from pagemap.vocabulary.frame_flags import PageFlag
    from pagemap.vocabulary.schema import Column, Schema

__all__ = [
    "AccessDenied",
    "AddressError",
    "AddressSpace",
    "AmbiguousName",
    "Amounts",
    "Category",
    "ClosedProcess",
    "Column",
    "Counts",
    "Folder",
    "Footprint",
    "Frame",
    "FrameReader",
    "Frames",
    "Gentle",
    "Group",
    "Histogram",
    "HugeKind",
    "HugeTally",
    "Look",
    "Mapper",
    "Mapping",
    "NoSuchProcess",
    "NotMapped",
    "NotPresent",
    "OpenFile",
    "Owners",
    "Page",
    "PageFlag",
    "PageRun",
    "PageStream",
    "PageType",
    "PageTypes",
    "PagemapError",
    "Pages",
    "Pair",
    "PfnsHidden",
    "Process",
    "Region",
    "Sample",
    "Sampler",
    "Schema",
    "SeenFrames",
    "SharedFrame",
    "SharedPath",
    "Sharer",
    "Sharing",
    "Survey",
    "SwappedOut",
    "Table",
    "Tally",
    "TargetVanished",
    "Texts",
    "Unsupported",
    "UsageError",
    "__version__",
    "dump",
    "find",
    "load",
    "virt_to_phys",
]

_ROOMS = {
    "AddressSpace": "space.address_space",
    "Amounts": "analyses.sharing",
    "Category": "analyses.regions",
    "Column": "vocabulary.schema",
    "Counts": "space.pages",
    "Folder": "kernel.folder",
    "Footprint": "kernel.smaps",
    "Frame": "kernel.frames",
    "FrameReader": "kernel.frames",
    "Frames": "kernel.frames",
    "Gentle": "analyses.gentle",
    "Group": "analyses.sharing",
    "Histogram": "analyses.page_types",
    "HugeKind": "analyses.huge_counts",
    "HugeTally": "analyses.huge_counts",
    "Look": "analyses.page_survey",
    "Mapper": "analyses.owners",
    "Mapping": "kernel.maps",
    "OpenFile": "kernel.page_files",
    "Owners": "analyses.owners",
    "Page": "space.pages",
    "PageFlag": "vocabulary.frame_flags",
    "PageRun": "analyses.page_types",
    "PageStream": "analyses.page_stream",
    "PageType": "analyses.page_types",
    "PageTypes": "analyses.page_types",
    "Pages": "space.pages",
    "Pair": "analyses.sharing",
    "Process": "process",
    "Region": "analyses.regions",
    "Sample": "history.sampler",
    "Sampler": "history.sampler",
    "Schema": "vocabulary.schema",
    "SeenFrames": "_native.types",
    "SharedFrame": "analyses.sharing",
    "SharedPath": "analyses.sharing",
    "Sharer": "analyses.sharing",
    "Sharing": "analyses.sharing",
    "Survey": "analyses.page_survey",
    "Table": "tables.table",
    "Tally": "analyses.tally",
    "Texts": "tables.table",
    "dump": "export",
    "find": "kernel.processes",
    "virt_to_phys": "process",
}

# What functions import when they are called; a test compares it with their sources.
_LATE = (
    "difflib",
    "json",
    "mmap",
    "pagemap._native.scan",
    "pagemap.analyses.footprint",
    "pagemap.analyses.huge",
    "pagemap.analyses.populated",
    "pagemap.analyses.tally_plan",
    "pagemap.analyses.translate",
    "pagemap.errors",
    "pagemap.export.csv",
    "pagemap.export.jsonl",
    "pagemap.export.text",
    "pagemap.tables.arrow",
    "resource",
    "zlib",
)


def load() -> None:
    """Import all that is else imported when it is first used: for who uses pagemap in a handler.

    Python gives a signal handler that interrupts an import the module that is half made. After this
    call there is none to interrupt. It takes up to 0.1 s, which is why `import pagemap` does not.
    """
    for module in (*(f"pagemap.{room}" for room in _ROOMS.values()), *_LATE):
        __import__(module)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'pagemap' has no attribute {name!r}")
    # import_module would load importlib, which costs as much as the rest of this import.
    room = _ROOMS.get(name, "errors")
    module = __import__(f"pagemap.{room}", fromlist=[name])
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
