"""Who maps a frame: every process, mapping and address."""

from __future__ import annotations

import time

from pagemap._analyses.owner_search import Search
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.owners import OWNERS, OwnerRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pagemap._space.every_space import Progress
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["owners", "owners_in"]

MOST = 1 << 17
"""Rows that are listed: what they take must not be up to those who map a page again and again."""


def owners(
    pfns: Iterable[int],
    *,
    procfs: str = "/proc",
    threads: int | None = None,
    progress: Progress | None = None,
    most: int = MOST,
) -> Table[OwnerRow]:
    """The pages of all processes that map the frames `pfns`: a row for each, process by process.

    There are at most `most` rows, because the zero page may be mapped any number of times. The
    table's `about` has `frames`: for each its flags and map count, how many mappings were `found`,
    how many more the kernel counts (`unexplained`), and how many of those found are `listed`.
    `left_out` has the processes that could not be read, and it is `complete` if there are none. It
    is `explained` if all mappings that the kernel counts were found.

    The answer is valid for the moment only: while processes are read one after another, the kernel
    may move a page, and processes may map and unmap it. `threads` is how many threads read, by
    default chosen by size; `progress` is called with the processes done and their number.

    Raises AccessDenied without CAP_DAC_READ_SEARCH (/proc/kpageflags and kpagecount are root's),
    PfnsHidden without CAP_SYS_ADMIN, UsageError for a PFN past the machine's last frame.

    >>> import pagemap
    >>> table = pagemap.owners([0x1234])  # doctest: +SKIP
    >>> [(row.pid, hex(row.address)) for row in table]  # doctest: +SKIP
    [(811, '0x7f7c6a5d2000'), (812, '0x7f7c6a5d2000')]
    """
    begin = time.time()
    search = Search(pfns, None, procfs=procfs, threads=threads, progress=progress)
    rows = search.rows(most)
    return Table.of_rows(OWNERS, rows, about=about(begin, None, **search.about(rows)))


def owners_in(
    saved: SavedProcesses,
    pfns: Iterable[int],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    most: int = MOST,
) -> Table[OwnerRow]:
    """See `pagemap.Snapshot.owners`."""
    search = Search(pfns, saved, procfs="", threads=threads, progress=progress)
    rows = search.rows(most)
    return Table.of_rows(OWNERS, rows, about=search.about(rows))
