"""The methods of a process: one for each analysis, whether the process lives or was saved."""

from __future__ import annotations

from pagemap._pagewise import PageMethods
from pagemap._space.arguments import ranges_of
from pagemap._vocabulary.checks import check_names, check_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._analyses.gentle import Gentle
    from pagemap._analyses.regions import RegionStream
    from pagemap._analyses.segments import SegmentStream
    from pagemap._space.arguments import Range
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.footprint import FootprintRow, MappingFootprintRow
    from pagemap._vocabulary.rows.huge import HugeRow
    from pagemap._vocabulary.rows.node import NodeRow
    from pagemap._vocabulary.rows.tally import TallyRow

__all__ = ["ProcessMethods"]


class ProcessMethods(PageMethods):
    """Use `pagemap.Process`, which has them."""

    __slots__ = ()

    def regions(
        self,
        *,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        tell: Sequence[str] | None = None,
        ranges: Sequence[Range] | None = None,
        max_pages: int | None = None,
    ) -> RegionStream:
        """Adjacent pages that are alike: tables of `pagemap.RegionRow`, in order of address.

        Pages are included if they match all filters in `only` (``["present,~file"]``, or
        ``["huge/swap"]`` for either) and none of the words in `without`. The words are present,
        swap, file, huge, pfnzero, soft_dirty, guard, wpallowed, written. Without a filter, present
        and swapped pages are included; filters that only exclude match untouched pages too.
        Adjacent pages with the same words of `tell` (by default those of `only`) are one region.
        `ranges` are ``(start, end)`` in bytes to read only; it stops after `max_pages` pages.
        Untouched address space costs next to nothing; the word file costs a look at each frame.

        swap has pages in a swap area only. The kernel's scan also counts guard regions, userfaultfd
        markers, migrating and poisoned pages. Where the kernel hides which is which (without
        CAP_SYS_ADMIN), and something is in swap, swap includes these, except guards, and
        `swap_is_certain` in the tables' `about` is False. huge has present pages only; the scan's
        own category, with untouched pages of hugetlb mappings, is used if `without` has present.

        Raises Unsupported for a word that this kernel lacks or never tells, UsageError; reading
        raises TargetVanished.

        >>> import pagemap
        >>> with pagemap.Process("self") as process:
        ...     resident = sum(region.size for region in process.regions(only=["present"]).rows())
        """
        from pagemap._analyses.regions import RegionStream

        return RegionStream(
            self,
            only=only,
            without=without,
            tell=tell,
            ranges=None if ranges is None else ranges_of(ranges),
            max_pages=max_pages,
        )

    def segments(
        self,
        *,
        ranges: Sequence[Range] | None = None,
        transfer: int | None = None,
        threads: int | None = None,
    ) -> SegmentStream:
        """Physically contiguous segments: tables of `pagemap.SegmentRow`, in order of address.

        Each is a range of present pages whose frames are in a row; huge pages that are mapped whole
        are in one segment. `transfers` of a row says how many transfers of at most `transfer` bytes
        it takes, of a device say; without it 1. `ranges` limits the result to parts of the address
        space. Pages move: unless they are pinned, what is told is of the moment it is read.

        Raises PfnsHidden without CAP_SYS_ADMIN; reading raises TargetVanished.

        >>> import pagemap
        >>> with pagemap.Process("self") as process:  # doctest: +SKIP
        ...     largest = process.segments().snapshot().top(1, "size")[0]
        """
        from pagemap._analyses.segments import SegmentStream

        return SegmentStream(
            self,
            ranges=None if ranges is None else ranges_of(ranges),
            transfer=transfer,
            threads=threads,
        )

    def nodes(
        self, *, policies: bool = True, sysfs: str = "/sys", threads: int | None = None
    ) -> Table[NodeRow]:
        """The memory of each mapping by NUMA node: a `pagemap.NodeRow` for each node it is on.

        Where PFNs are visible the node follows from the frame. Otherwise the kernel's own counts
        are used (/proc/PID/numa_maps), for which it holds the target's mmap_lock; unless all memory
        of the machine is on one node. With `policies` numa_maps is always read: the policy of a
        mapping is told nowhere else. Without them `policy` is None, and so is `misplaced` on nodes
        that the cpuset allows. `sysfs` is where that file system is mounted. Of a snapshot nobody
        knows these, nor `remote`.

        `about` has `nodes`, those that have memory; `counted_by`, which is "frames", "numa_maps" or
        "the only node"; `allowed_nodes`, by the cpuset; `ran_on`, the nodes where threads ran last,
        by which `remote` is estimated.

        Raises PfnsHidden where neither frames nor numa_maps tell, Unsupported, AccessDenied,
        TargetVanished.

        >>> import pagemap
        >>> with pagemap.Process("self") as process:
        ...     by_node = process.nodes().grouped("node")
        """
        from pagemap._analyses.nodes import nodes_of

        return nodes_of(self, policies=policies, sysfs=sysfs, threads=check_threads(threads))

    def tally(
        self, counts: Sequence[str] | None = None, *, threads: int | None = None
    ) -> Table[TallyRow]:
        """Each mapping with how much of it is resident, in swap, huge, and so on, in order.

        `counts` are the amounts of `TallyRow` to count; all others are None. The default is what
        one scan of the page table gives (14 ns a page, next to nothing for huge pages), with anon,
        file and shmem (35 ns more for pages of private file mappings): all but `uss` and `uffd_wp`,
        and `soft_dirty` before Linux 6.7. These need every entry (35 ns a page), and `uss` another
        88 ns where a PMD maps pages and their map counts can be read. If anything is in swap,
        `swap` needs smaps (12 ns a page) where there is shared memory, or the kernel hides what an
        entry is. ``total()`` has the sums. `threads` is how many threads read, by default chosen by
        size, and never more than the processors that this process may use.

        Raises Unsupported for a count that this kernel cannot tell, UsageError, TargetVanished.

        >>> import pagemap
        >>> with pagemap.Process("self") as process:
        ...     table = process.tally(["rss", "swap"])
        >>> table.total().rss == sum(row.rss for row in table)
        True
        """
        from pagemap._analyses.tally import tally
        from pagemap._vocabulary.rows.tally import COUNTS

        asked = None if counts is None else check_names("counts", counts, COUNTS)
        return tally(self, asked, check_threads(threads))

    def footprint(self, *, gentle: Gentle | None = None) -> FootprintRow:
        """What memory it takes, in bytes: rss, pss, uss, swap, shared and private, clean and dirty.

        By default these are the kernel's own sums (/proc/PID/smaps_rollup); while the kernel makes
        them, it holds the target's mmap_lock, for long if the target is large. With `gentle` (a
        `pagemap.Gentle`) the page table is read in small chunks, which needs root. This leaves
        unknown `swap_pss`, `thp`, `locked`, `lazyfree`, `referenced`, shared memory in swap and,
        once any page of this machine was read back from swap, how much anonymous memory is clean.

        `pagemap.footprints` reads many processes. Raises PfnsHidden if a gentle walk sees no PFNs,
        AccessDenied, Unsupported without CONFIG_PROC_PAGE_MONITOR, TargetVanished.
        """
        from pagemap._analyses.footprint import check_gentle, footprint

        check_gentle(gentle)
        return footprint(self, gentle)

    def footprints(self, *, gentle: Gentle | None = None) -> Table[MappingFootprintRow]:
        """The fields of `footprint` for each mapping, in order (/proc/PID/smaps).

        Raises what `footprint` raises.
        """
        from pagemap._analyses.footprint import check_gentle, footprints

        check_gentle(gentle)
        return footprints(self, gentle)

    def huge(
        self, *, sizes: bool = False, cont: Iterable[int] = (), threads: int | None = None
    ) -> Table[HugeRow]:
        """How much of each mapping lies in transparent huge pages, in order, in bytes.

        With `sizes` there is a column for each size of folios too, of each kind and way of mapping
        (thp_64k, anon_aligned_64k, file_unaligned_2m ...). `cont` are sizes in bytes of contiguous
        blocks that are counted too (cont_64k ...). The kernel's tool thpmaps counts the same.
        `threads` are as in `tally`.

        Raises PfnsHidden without CAP_SYS_ADMIN, AccessDenied where /proc/kpageflags may not be
        read, Unsupported where the kernel has none, UsageError, TargetVanished.
        """
        from pagemap._analyses.huge import huge, orders_of

        return huge(self, sizes=sizes, conts=orders_of(cont), threads=check_threads(threads))
