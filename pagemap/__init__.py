"""What stands behind every virtual page of a Linux process.

    import pagemap

    with pagemap.Process(pid) as process:
        for mapping in process.maps():
            pages = process.pages(mapping)
            print(mapping.path, pages.counts())

Importing this loads nothing else: each name brings its own room with it when it is first used.
"""

from pagemap._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._native.types import SeenFrames
    from pagemap.address_space import AddressSpace
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
    from pagemap.folios import HugeKind, HugeTally
    from pagemap.frame_flags import PageFlag
    from pagemap.frames import Frame, FrameReader, Frames
    from pagemap.gentle import Gentle
    from pagemap.maps import Mapping
    from pagemap.owners import Mapper, Owners
    from pagemap.page_files import OpenFile
    from pagemap.page_stream import PageStream
    from pagemap.page_survey import Look, Survey
    from pagemap.page_types import Histogram, PageRun, PageType, PageTypes
    from pagemap.pages import Counts, Page, Pages
    from pagemap.process import Process, virt_to_phys
    from pagemap.procfs import Folder
    from pagemap.regions import Category, Region
    from pagemap.sampler import Sample, Sampler
    from pagemap.sharing import Amounts, Group, Pair, SharedFrame, SharedPath, Sharer, Sharing
    from pagemap.smaps import Footprint
    from pagemap.tables.table import Table, Texts
    from pagemap.tally import Tally
    from pagemap.targets import find
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
    "virt_to_phys",
]

_ROOMS = {
    "AddressSpace": "address_space",
    "Amounts": "sharing",
    "Category": "regions",
    "Column": "vocabulary.schema",
    "Counts": "pages",
    "Folder": "procfs",
    "Footprint": "smaps",
    "Frame": "frames",
    "FrameReader": "frames",
    "Frames": "frames",
    "Gentle": "gentle",
    "Group": "sharing",
    "Histogram": "page_types",
    "HugeKind": "folios",
    "HugeTally": "folios",
    "Look": "page_survey",
    "Mapper": "owners",
    "Mapping": "maps",
    "OpenFile": "page_files",
    "Owners": "owners",
    "Page": "pages",
    "PageFlag": "frame_flags",
    "PageRun": "page_types",
    "PageStream": "page_stream",
    "PageType": "page_types",
    "PageTypes": "page_types",
    "Pages": "pages",
    "Pair": "sharing",
    "Process": "process",
    "Region": "regions",
    "Sample": "sampler",
    "Sampler": "sampler",
    "Schema": "vocabulary.schema",
    "SeenFrames": "_native.types",
    "SharedFrame": "sharing",
    "SharedPath": "sharing",
    "Sharer": "sharing",
    "Sharing": "sharing",
    "Survey": "page_survey",
    "Table": "tables.table",
    "Tally": "tally",
    "Texts": "tables.table",
    "dump": "export",
    "find": "targets",
    "virt_to_phys": "process",
}


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
