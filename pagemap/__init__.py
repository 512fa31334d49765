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
    from pagemap.frame_flags import PageFlag
    from pagemap.frames import FrameReader
    from pagemap.maps import Mapping
    from pagemap.pages import Counts, Page, Pages
    from pagemap.process import Process, virt_to_phys
    from pagemap.regions import Category, Region
    from pagemap.sampler import Sample, Sampler
    from pagemap.tally import Tally
    from pagemap.targets import find

__all__ = [
    "AccessDenied",
    "AddressError",
    "AmbiguousName",
    "Category",
    "ClosedProcess",
    "Counts",
    "FrameReader",
    "Mapping",
    "NoSuchProcess",
    "NotMapped",
    "NotPresent",
    "Page",
    "PageFlag",
    "PagemapError",
    "Pages",
    "PfnsHidden",
    "Process",
    "Region",
    "Sample",
    "Sampler",
    "SwappedOut",
    "Tally",
    "TargetVanished",
    "Unsupported",
    "UsageError",
    "__version__",
    "dump",
    "find",
    "virt_to_phys",
]

_ROOMS = {
    "FrameReader": "frames",
    "PageFlag": "frame_flags",
    "Tally": "tally",
    "Sampler": "sampler",
    "Sample": "sampler",
    "Region": "regions",
    "Category": "regions",
    "Counts": "pages",
    "Mapping": "maps",
    "Page": "pages",
    "Pages": "pages",
    "Process": "process",
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
