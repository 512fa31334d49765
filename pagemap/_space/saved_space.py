"""The address space of a process in a snapshot file: nothing of it is asked of this machine.

The file may be anybody's. What it says of its own size, `pagemap._space.snapshot_file` and C check
where they read it; here its mappings are, as far as analyses rely on them.
"""

from __future__ import annotations

from errno import EBADMSG, EINVAL, EIO, ENOTSUP

from pagemap._errors import NotMapped, PagemapError, Unsupported
from pagemap._native.lines import Lines
from pagemap._native.source import saved_in
from pagemap._space.address_space import AddressSpace
from pagemap._space.saved_folder import SavedFolder
from pagemap._space.saved_frames import SavedFrameReader, SavedFrames
from pagemap._space.saved_machine import SavedMachine
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any, Protocol, TypeVar

    from pagemap._kernel.folder import Folder
    from pagemap._kernel.frames import FrameReader
    from pagemap._native.source import SavedTable, Source

    class Record(Protocol):
        """What a file has of a process (`pagemap._space.snapshot_file`)."""

        pid: int
        name: str

        @property
        def about(self) -> dict[str, Any]: ...
        @property
        def table(self) -> SavedTable: ...
        def maps_blocks(self) -> Iterator[bytes]: ...
        def smaps(self) -> bytes | None: ...
        def frames(self) -> Iterator[tuple[int, bytes, bytes]]: ...
        def groups(self, count: int, shift: int) -> bytearray | None: ...

    class OpenFile(Protocol):
        """The snapshot that is open."""

        path: str

        @property
        def closed(self) -> bool: ...

    _Saved = TypeVar("_Saved", bound="SavedSpace")

__all__ = ["SavedSpace"]

_MOST_MAPS = 1 << 28
"""Bytes of the text of maps. A file of megabytes may unpack to more."""
_MOST_LINES = 1 << 21
"""Mappings, 400 bytes of memory each: thirty times as many as a process has by default."""
_MOST_ABOVE = 1 << 24
"""Bytes of a mapping past the end of the address space: [vsyscall] alone is there, of one page."""
_MOST_SWAP = 1 << 40
"""Pages of one mapping in swap."""


def _is_above(bounds: memoryview, top: int) -> bool:
    """Whether all but the last mapping end below `top`, and that lies above, and is small."""
    *before, start, end = bounds[-3:]
    return all(each <= top for each in before) and top <= start >= end - _MOST_ABOVE


class SavedSpace(AddressSpace):
    """A process of a snapshot. Use `pagemap.Snapshot.process`, which gives one.

    `record` is what the file at `path` has of it.
    """

    __slots__ = (
        "_closed",
        "_counted",
        "_file",
        "_folder",
        "_frames",
        "_source",
        "machine",
        "path",
        "pfns_visible",
        "pid",
        "record",
    )

    live = False

    def __init__(self, record: Record, file: OpenFile) -> None:
        about = record.about
        self.record: Record = record
        self._file = file
        self.path: str = file.path
        path = self.path
        self.pid: int = record.pid
        self.pfns_visible: bool = about["pfns_visible"]
        self._closed = False
        if about["page_size"] != PAGE_SIZE:
            raise Unsupported(
                f"{printable(path)} is of a machine whose pages have {about['page_size']} bytes; "
                f"here they have {PAGE_SIZE}: read it on such a machine",
                pid=self.pid,
                errno=ENOTSUP,
                operation="read the snapshot",
                path=path,
            )
        self._frames = SavedFrames(about.get("frames_end"), [record], path)
        self.machine: SavedMachine = SavedMachine(about, path, self._frames)
        self._folder = SavedFolder(self.pid, path, about, record.smaps)
        self._source = saved_in(record.table, counted=False)
        self._counted = saved_in(record.table, counted=True) if self.counted else self._source

    def __enter__(self: _Saved) -> _Saved:  # noqa: PYI019 - typing.Self is of 3.11
        self.require_open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Process {self.pid} of {printable(self.path)}>"

    def close(self) -> None:
        """Refuse all further calls. The file is its Snapshot's."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether `close` was called, of this or of its Snapshot."""
        return self._closed or self._file.closed

    def require_open(self) -> None:
        """Raise ClosedProcess after `close`."""
        if self.closed:
            raise self._folder.closed()

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, which has no mappings."""
        return bool(self._fact("kernel_thread", default=False))

    @property
    def name(self) -> str:
        """The command name."""
        return self.record.name

    @property
    def folder(self) -> Folder:
        """The files of the process that were saved."""
        self.require_open()
        return self._folder

    @property
    def source(self) -> Source:
        """What to read entries from."""
        self._require_mappings()
        return self._source

    @property
    def counted(self) -> bool:
        """Whether map counts were saved."""
        return bool(self._fact("exclusive_by") == "map count")

    @property
    def counted_source(self) -> Source:
        """What to read entries from whose bit 56 is by map counts, where these were saved."""
        self._require_mappings()
        return self._counted

    @property
    def has_frames(self) -> bool:
        """Whether flags and map counts of frames were saved, be it that some were lost since."""
        return self._fact("frames_end") is not None

    @property
    def frames_lost(self) -> bool:
        """Whether they were saved, and some were lost since, or all."""
        return self._fact("frames_lost", default=False) is True

    def frame_reader(self, purpose: str) -> FrameReader:
        """What was saved about frames."""
        self.require_open()
        return SavedFrameReader(self._frames, purpose)

    def source_at(self, address: int) -> Source:
        """What to read the page at `address` from."""
        if self.kernel_thread:
            raise NotMapped(
                f"process {self.pid} is a kernel thread: it has no mappings",
                address=address,
                pid=self.pid,
            )
        return self.source

    def fileno(self) -> int:
        """Raise Unsupported: there is no pagemap."""
        self.require_live("read a pagemap")
        return -1

    def require_live(self, operation: str) -> None:
        """Raise Unsupported: there is no process."""
        raise Unsupported(
            f"cannot {operation} of process {self.pid}: {printable(self.path)} is a snapshot, and "
            "has nothing that tells; it takes the process itself",
            pid=self.pid,
            errno=ENOTSUP,
            operation=operation,
            path=self.path,
        )

    @property
    def can_scan(self) -> bool:
        """Whether the file has what a scan told."""
        self.require_open()
        return bool(self._fact("can_scan"))

    def can_find(self, category: str) -> bool:
        """Whether pages are found by this word of `Process.regions`."""
        check_names("category", [category], {flag.name for flag in SCAN_CATEGORIES})
        return self.can_scan and category in self._fact("categories")

    def scan_error(self, categories: int) -> int:
        """Why no page is found by these bits: EINVAL, or 0."""
        wanted = (flag.name for flag in SCAN_CATEGORIES if categories >> flag.bit & 1)
        return 0 if all(map(self.can_find, wanted)) else EINVAL

    @property
    def reserved_pages(self) -> int:
        """The number of pages in all mappings, touched or not."""
        pages, end = 0, self.end_page() << PAGE_SHIFT
        for block in self.maps_blocks():
            bounds = Lines(block).bounds
            if bounds and bounds[-1] > end:  # [vsyscall], which the kernel does not count
                bounds = bounds[:-2]
            pages += (sum(bounds[1::2]) - sum(bounds[::2])) >> PAGE_SHIFT
        return pages

    @property
    def resident_pages(self) -> int:
        """The number of pages that were present."""
        return int(self._fact("resident"))

    def end_page(self) -> int:
        """The first page number past the address space."""
        return int(self._fact("end_page"))

    def devices(self) -> dict[str, int]:
        """What backs the mappings of each device."""
        devices: Any = self._fact("devices", default={})
        if not isinstance(devices, dict) or not all(
            type(kind) is int and 0 <= kind < 1 << 4 for kind in devices.values()
        ):
            raise self._damaged("devices")
        return devices

    def devices_by_shmem(self) -> tuple[frozenset[str], frozenset[str]]:
        """The devices whose files are surely shared memory, and surely not."""
        sums = self._folder.sums()
        shmem, files = sums.get("shmem", []), sums.get("files", [])
        if not isinstance(shmem, list) or not isinstance(files, list):
            raise self._damaged("list of devices")
        return frozenset(map(str, shmem)), frozenset(map(str, files))

    def swapped_shmem(self, start: int) -> int | None:
        """The pages of a mapping in swap that have no entry."""
        pages: Any = self._fact("shmem_swap", default={})
        found = pages.get(f"{start:x}") if isinstance(pages, dict) else None
        return found if type(found) is int and 0 <= found < _MOST_SWAP else None

    def passed_over(self) -> frozenset[int]:
        """The starts of mappings that a scan passed over."""
        starts: Any = self._fact("passed_over", default=[])
        if not isinstance(starts, list) or not all(type(start) is int for start in starts):
            raise self._damaged("list of mappings that are passed over")
        return frozenset(starts)

    def maps_blocks(self) -> Generator[bytes, None, None]:
        """The text of maps, in blocks of whole lines."""
        self._require_mappings()
        end = size = lines = 0
        top = self.end_page() << PAGE_SHIFT
        for block in self.record.maps_blocks():
            bounds = Lines(block).bounds
            size += len(block)
            lines += len(bounds) >> 1
            if size > _MOST_MAPS or lines > _MOST_LINES or (bounds and bounds[0] < end):
                raise self._damaged("maps")
            end = bounds[-1] if bounds else end
            if bounds and end > top and not _is_above(bounds, top):
                raise self._damaged("maps")
            self.require_open()
            yield block

    def read_error(self, error: OSError) -> PagemapError:
        """The error that stands for an OSError of the file."""
        self.require_open()
        if error.errno in (EBADMSG, EINVAL, EIO):
            return self._damaged("page table")
        return self._folder.error(error, "read the page table")

    def alive(self) -> bool:
        """What is in a file stays."""
        self.require_open()
        return True

    def check(self) -> None:
        """Raise ClosedProcess after `close`; nothing else can have happened."""
        self.require_open()

    def check_image(self) -> None:
        """As `check`: an image that was saved stays."""
        self.check()

    def require_alive(self) -> None:
        """As `check`: what was saved stays."""
        self.check()

    @property
    def complete(self) -> bool:
        """Whether it was there until all of it was taken."""
        return bool(self._fact("complete"))

    @property
    def has_smaps(self) -> bool:
        """Whether the kernel's sums were saved."""
        return self.record.smaps() is not None

    def _fact(self, name: str, *, default: object = None) -> Any:
        return self.record.about.get(name, default)

    @property
    def mappings_lost(self) -> bool:
        """Whether it was salvaged, had memory, and no mapping of it is left."""
        if not self._fact("salvaged", default=False) or not self._fact("resident"):
            return False
        return next(iter(self.record.maps_blocks()), None) is None

    def _require_mappings(self) -> None:
        """Raise the error of a process without the mappings it had, whose sums would be 0."""
        self.require_open()
        if self.mappings_lost:
            raise PagemapError(
                f"{printable(self.path)} has lost the mappings of process {self.pid}: it was "
                "salvaged from a damaged file, and nothing tells what its memory was",
                pid=self.pid,
                errno=EBADMSG,
                operation="read the snapshot",
            )

    def _damaged(self, what: str) -> PagemapError:
        return PagemapError(
            f"{printable(self.path)} is damaged: the {what} of process {self.pid} cannot be read "
            "to the end",
            pid=self.pid,
            errno=EBADMSG,
            operation="read the snapshot",
            path=self.path,
        )
