"""The methods of a process that give its pages one by one, or by what their frames are."""

from __future__ import annotations

from pagemap._space.address_space import AddressSpace
from pagemap._vocabulary.checks import check_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pagemap._analyses.page_stream import PageStream
    from pagemap._space.arguments import Range
    from pagemap._space.pages import Pages
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.mapping import Mapping
    from pagemap._vocabulary.rows.page_types import PageRunRow, PageTypeRow
    from pagemap._vocabulary.rows.translation import TranslationRow

__all__ = ["INTERNAL", "PageMethods"]

INTERNAL = frozenset(
    (
        *("alive", "can_find", "can_scan", "check_image", "complete", "counted", "counted_source"),
        *("descriptor", "devices", "devices_by_shmem", "end_page", "folder", "frame_reader"),
        *(
            "frames_lost",
            "has_frames",
            "has_smaps",
            "is_own",
            "live",
            "machine",
            "mappings_lost",
            "maps_blocks",
            "passed_over",
        ),
        *("read_error", "reading", "record", "require_alive", "require_live", "require_open"),
        *("scan_error", "source", "source_at", "swapped_shmem"),
    )
)
"""What a process has for those who analyse it: no part of the interface, and not in its `dir`."""


class PageMethods(AddressSpace):
    """Use `pagemap.Process`, which has them."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in INTERNAL]

    def page_types(
        self,
        *,
        ranges: Sequence[tuple[int, int]] | None = None,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        raw: bool = False,
        cgroup: int | None = None,
        threads: int | None = None,
    ) -> Table[PageTypeRow]:
        """How many of the present and swapped pages have which flags of the kernel's.

        `ranges` are addresses ``(start, end)`` to keep to; the rest is as in `pagemap.page_types`,
        which looks at several processes, at all of memory and at files too.
        Raises AccessDenied and PfnsHidden without rights, Unsupported, UsageError,
        TargetVanished.
        """
        from pagemap._analyses.page_types import page_types

        return page_types(
            [self],
            ranges=ranges,
            only=only,
            without=without,
            raw=raw,
            cgroup=cgroup,
            threads=threads,
            procfs=self.machine.procfs,
        )

    def page_runs(
        self,
        *,
        each: bool = False,
        mapcounts: bool = False,
        cgroups: bool = False,
        ranges: Sequence[tuple[int, int]] | None = None,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        raw: bool = False,
        cgroup: int | None = None,
        threads: int | None = None,
    ) -> Iterator[Table[PageRunRow]]:
        """The present and swapped pages with their flags; a row for each run of pages alike.

        The tables and arguments are those of `pagemap.page_runs`. Raises what `page_types` raises.
        """
        from pagemap._analyses.page_runs import page_runs

        return page_runs(
            [self],
            each=each,
            mapcounts=mapcounts,
            cgroups=cgroups,
            ranges=ranges,
            only=only,
            without=without,
            raw=raw,
            cgroup=cgroup,
            threads=threads,
            procfs=self.machine.procfs,
        )

    def populated(self, *, threads: int | None = None) -> Iterator[tuple[Mapping, Pages]]:
        """The present and the swapped pages: each mapping with a stretch of them, in order.

        Untouched address space costs next to nothing. A stretch may end where the next one begins.
        Entries are unchanged: `Page` says where their bit exclusive can be wrong, and `tally` and
        `columns` have it from map counts. `threads` are as in `tally`; they end when the iterator
        is closed. Raises TargetVanished, at the latest after the last page, and ClosedProcess if it
        was closed meanwhile.
        """
        from pagemap._analyses.populated import populated

        return populated(self, check_threads(threads))

    def columns(
        self,
        names: Sequence[str] | None = None,
        *,
        populated: bool = True,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        ranges: Sequence[Range] | None = None,
        frames: Sequence[str] = (),
    ) -> PageStream:
        """The pages as tables of up to 2^20 rows, one after another, made in C.

        Polars, pyarrow and DuckDB take the stream as it is: ``pl.DataFrame(process.columns())``;
        pandas by ``pd.DataFrame.from_arrow``.
        `names` are the columns, by default all that the entries tell (`PageStream.schema`), and
        those of `frames`: "flags", "mapcounts", "cgroups". Only present and swapped pages, or with
        `populated` False every page of every mapping; `only` and `without` are filters, as those of
        `dump`; `ranges` are ``(start, end)`` in bytes to keep to.

        `swapped` is the kernel's raw bit; `kind` says what the entry is. Where a PMD may map the
        page, `exclusive` comes from /proc/kpagecount if that can be read (root), otherwise from the
        page table: `exclusive_by` in the stream's `about` says which.

        Raises UsageError for an unknown name, Unsupported for a word that this kernel cannot tell,
        and what `FrameReader` raises. Reading raises TargetVanished when the target exits or calls
        exec midway; to a consumer of Arrow that is an error of its own.
        """
        from pagemap._analyses.page_stream import PageStream

        return PageStream(
            self,
            names=names,
            populated=populated,
            only=only,
            without=without,
            ranges=None if ranges is None else [(each[0], each[1]) for each in ranges],
            frames=frames,
        )

    def virt_to_phys(self, address: int) -> int:
        """The physical address, in bytes, behind the virtual `address`.

        It is valid for one moment only: the kernel may move, swap or free the page right after.

        Raises NotMapped, NotPresent or SwappedOut when there is none, PfnsHidden without
        CAP_SYS_ADMIN, UsageError for an address of more than 64 bits, TargetVanished.
        """
        from pagemap._analyses.translate import translate

        return translate(self, address)

    def translate(self, addresses: Iterable[int]) -> Table[TranslationRow]:
        """The physical addresses behind virtual ones, in their order; each is of its moment.

        A row without one says why in `error` and `detail`: not_mapped, not_present, swapped_out or
        pfns_hidden. Raises UsageError for an address of more than 64 bits, TypeError if it is not a
        number, TargetVanished.
        """
        from pagemap._analyses.translate import translated

        return translated(self, addresses)
