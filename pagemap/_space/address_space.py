"""An address space: its mappings, its page table, entries in bulk or one at a time.

Analyses take an AddressSpace, and `Process` is one with a method for each of them. It is of a
process that lives (`pagemap._space.live_space`).
"""

from __future__ import annotations

from time import time

from pagemap import _native
from pagemap._errors import NotMapped, PagemapError, UsageError
from pagemap._kernel.shmem_devices import devices_of_shmem, devices_without_shmem
from pagemap._native.descriptors import Holder
from pagemap._space.about import about
from pagemap._space.arguments import buffer_of, check_address, entries_in, range_of, ranges_of
from pagemap._space.pages import Pages
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import TypeVar

    from pagemap._kernel.folder import Folder
    from pagemap._kernel.frames import FrameReader
    from pagemap._native import Buffer
    from pagemap._native.source import Source
    from pagemap._space.arguments import Range
    from pagemap._space.machine import Machine
    from pagemap._space.page import Page
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.mapping import Mapping

    _T = TypeVar("_T")

__all__ = ["AddressSpace"]


class AddressSpace(Holder):
    """A target, its mappings and its pages. Use `pagemap.Process`, which is one.

    `machine` has what its kernel tells.
    """

    __slots__ = ()

    live = True
    """Whether it is of a process, and not of a snapshot."""

    if TYPE_CHECKING:
        pid: int
        procfs: str
        pfns_visible: bool
        machine: Machine

        @property
        def closed(self) -> bool:
            """Whether `close` was called."""
            ...

        @property
        def kernel_thread(self) -> bool:
            """Whether this is a thread of the kernel, which has no mappings."""
            ...

        @property
        def is_own(self) -> bool:
            """Whether this is ourselves."""
            ...

        @property
        def can_scan(self) -> bool:
            """Whether populated pages, and huge ones, are found without their entries."""
            ...

        @property
        def folder(self) -> Folder:
            """The files of the target that no method here reads."""
            ...

        @property
        def source(self) -> Source:
            """What to read entries from."""
            ...

        @property
        def name(self) -> str:
            """The command name."""
            ...

        @property
        def reserved_pages(self) -> int:
            """The number of pages in all mappings, touched or not."""
            ...

        @property
        def resident_pages(self) -> int:
            """The number of pages that are present, about."""
            ...

        def fileno(self) -> int:
            """The descriptor of /proc/PID/pagemap."""
            ...

        def close(self) -> None:
            """Let go of the files."""

        def can_find(self, category: str) -> bool:
            """Whether pages are found by this word of `Process.regions` here."""
            ...

        def scan_error(self, categories: int) -> int:
            """Why no page is found by these bits of categories: an errno, or 0."""
            ...

        def maps_blocks(self) -> Generator[bytes, None, None]:
            """The text of maps, in blocks of whole lines."""
            ...

        def read_error(self, error: OSError) -> PagemapError:
            """The error that stands for an OSError from its entries."""
            ...

        def alive(self) -> bool:
            """Whether the address space that was opened exists."""
            ...

        def check(self) -> None:
            """Raise TargetVanished when it is gone or replaced."""

        def check_image(self) -> None:
            """Raise TargetVanished when it is replaced."""

        def require_alive(self) -> None:
            """Raise TargetVanished when it is gone."""

        def require_open(self) -> None:
            """Raise ClosedProcess after `close`."""

        def source_at(self, address: int) -> Source:
            """What to read the page at `address` from. Raises NotMapped where there are none."""
            ...

        def end_page(self) -> int:
            """The first page number past the address space."""
            ...

    @property
    def counted(self) -> bool:
        """Whether `counted_source` has what map counts tell."""
        return False

    @property
    def counted_source(self) -> Source:
        """What to read entries from whose bit 56 is by map counts, where these were saved."""
        return self.source

    @property
    def has_frames(self) -> bool:
        """Whether there is something to tell what its frames are."""
        return True

    @property
    def frames_lost(self) -> bool:
        """Whether nothing is known of some of them: of a salvaged snapshot alone."""
        return False

    def frame_reader(self, purpose: str) -> FrameReader:
        """What tells of the frames that its pages lie in; `purpose` is what errors say failed."""
        from pagemap._kernel.frames import FrameReader

        return FrameReader(procfs=self.procfs, purpose=purpose)

    def devices(self) -> dict[str, int]:
        """What is known to back the mappings of each device, before anybody is asked."""
        return {}

    def devices_by_shmem(self) -> tuple[frozenset[str], frozenset[str]]:
        """The devices whose files are surely shared memory, and surely not, as maps has them."""
        try:
            mounts = self.folder.read("mountinfo")
        except PagemapError:
            mounts = b""
        return devices_of_shmem(mounts), devices_without_shmem(mounts)

    def swapped_shmem(self, start: int) -> int | None:  # noqa: ARG002 - of those that were saved
        """The pages of a mapping in swap that have no entry, where that was saved."""
        return None

    def passed_over(self) -> frozenset[int]:
        """The starts of mappings without struct pages, which a scan passes over, where saved."""
        return frozenset()

    def require_live(self, operation: str) -> None:
        """Raise Unsupported where there is no process any more, which `operation` needs."""

    @property
    def page_size(self) -> int:
        """The size of a page in bytes."""
        return PAGE_SIZE

    def maps(self) -> Table[Mapping]:
        """The mappings, in order of address; none for a kernel thread.

        Raises TargetVanished after exit or exec.
        """
        from pagemap._native.lines import Lines
        from pagemap._space.mapping_columns import mapping_columns
        from pagemap._tables.table import Table
        from pagemap._vocabulary.rows.mapping import MAPPINGS

        begin = time()
        columns = mapping_columns(Lines.of_blocks(self.maps_blocks()))
        return Table(MAPPINGS, columns, about=about(begin, self), checked=True)

    def reading(self, results: Iterator[_T]) -> Iterator[_T]:
        """The same results; an OSError among them becomes an error of this process.

        Raises ClosedProcess for what came after `close`: the descriptor may be another file's.
        """
        try:
            for result in results:
                self.require_open()
                yield result
        except PagemapError:  # of mappings, which were read for these results
            raise
        except OSError as error:
            raise self.read_error(error) from None

    def pages(self, where: Range) -> Pages:
        """The pages of a mapping, or of a range ``(start, end)`` in bytes, read in one call.

        A range is widened to whole pages. There are fewer than asked for only past the end of the
        address space (as in [vsyscall]). The entries are the kernel's, as they are: see `Page` for
        what bit 56, exclusive, is worth in huge pages. Raises UsageError for a range that is empty
        or past 64 bits, NotMapped for a kernel thread, TargetVanished, MemoryError.
        """
        start, end = range_of(where)
        vpn, count = start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT
        try:
            entries = _native.read(self.source_at(start), vpn, count)
        except OSError as error:
            raise self.read_error(error) from None
        if len(entries) < count:
            self.require_alive()
        return self._pages(entries, start)

    def pages_of(self, ranges: Iterable[Range]) -> list[Pages]:
        """The pages of many mappings or ranges in one call: what `pages` gives for each."""
        bounds = ranges_of(ranges)
        spans = [(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT) for start, end in bounds]
        try:
            entries, stored = _native.read_ranges(
                self.source_at(bounds[0][0] if bounds else 0), spans
            )
        except OSError as error:
            raise self.read_error(error) from None
        if sum(stored) < sum(count for _, count in spans):
            self.require_alive()
        result = []
        at = 0
        for (start, _), count in zip(bounds, stored, strict=True):
            result.append(self._pages(entries[at : at + count], start))
            at += count
        return result

    def _pages(self, entries: memoryview, start: int) -> Pages:
        return Pages(
            entries,
            start=start,
            page_size=PAGE_SIZE,
            pfns_visible=self.pfns_visible,
            told=self.machine.told(),
        )

    def read_into(self, buffer: Buffer, start: int, *, count: int | None = None) -> int:
        """Read entries into `buffer`, from the page at address `start` on; returns how many.

        `buffer` is writable and contiguous, of 8-byte integers or of bytes; it takes `count` pages,
        by default all it has room for. There are fewer only past the end of the address space; the
        rest of the buffer is then as it was.

        Raises BufferError when it is read-only or not contiguous; UsageError when it is too small,
        of another item size, not whole entries of 8 bytes, not aligned to 8, or when `start` is not
        the address of a page; NotMapped for a kernel thread; TargetVanished.
        """
        view = buffer_of("buffer", buffer)
        size = entries_in(view, count)
        check_address("start", start)
        if start % PAGE_SIZE:
            raise UsageError(f"start {start:#x} is not the address of a page of {PAGE_SIZE} bytes")
        try:
            got = _native.read_into(self.source_at(start), view, start >> PAGE_SHIFT, size)
        except OSError as error:
            raise self.read_error(error) from None
        if got < size:
            self.require_alive()
        return got

    def entry(self, address: int) -> Page:
        """The page that holds the byte at `address`.

        Raises NotMapped past the end of the address space, UsageError, TargetVanished.
        """
        check_address("address", address)
        pages = self.pages((address, address + 1))
        if not len(pages):
            raise NotMapped(
                f"{address:#x} of process {self.pid} lies past the end of the address space",
                address=address,
                pid=self.pid,
            )
        return pages[0]
