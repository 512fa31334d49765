"""What of the page cache of files is charged to which memory cgroup.

A page is charged to the cgroup that brought it in, and stays so, whoever uses it since: so one
file may be of several.
"""

from __future__ import annotations

from contextlib import closing
from time import time

from pagemap._analyses import memory_cgroups
from pagemap._analyses.cached_held import HeldSurvey
from pagemap._analyses.cached_rows import Rows
from pagemap._analyses.cached_walk import CacheSurvey
from pagemap._analyses.file_shares import FileShares
from pagemap._kernel import cgroups
from pagemap._kernel.cgroup_memory import charged
from pagemap._kernel.containers import name_of_directory
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.rows.cached_file import (
    CHARGED_CGROUPS,
    CHARGED_FILES,
    ChargedCgroupRow,
    ChargedFileRow,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pagemap._analyses.file_shares import Share

__all__ = ["ChargedRows", "cache_cgroups", "cache_charged"]


def cache_charged(
    paths: Sequence[str] | None = None,
    *,
    one_file_system: bool = False,
    least: int = 1,
    threads: int | None = None,
    procfs: str = "/proc",
) -> Table[ChargedFileRow]:
    """What of each file is charged to which memory cgroup: a row for each two of them.

    `paths` and the rest are as in `cache`; without them the files are those that processes have
    open or mapped. Files of which nothing is cached have no row. `pagemap.cache_cgroups` sums up
    the rows of each cgroup.

    Raises as `cache` does with `frames`, and Unsupported where the kernel has no memory cgroups.

    >>> import pagemap
    >>> for row in pagemap.cache_charged(["/var/log"]):  # doctest: +SKIP
    ...     print(row.path, row.cgroup, row.cached)
    """
    begin = time()
    check_threads(threads)
    rows = ChargedRows(least, procfs=procfs)
    with closing(FileShares(by_cgroup=True, threads=threads, procfs=procfs)) as shares:
        if paths is None:
            held: Table[ChargedFileRow] = HeldSurvey(rows, shares=shares, procfs=procfs).table()
            return held
        survey = CacheSurvey(paths, rows, one_file_system=one_file_system, shares=shares)
        (table,) = survey.tables(most=None)
    table.about.update(about(begin, None, **survey.about()))
    return table


def cache_cgroups(
    tables: Iterable[Table[ChargedFileRow]], *, procfs: str = "/proc"
) -> Table[ChargedCgroupRow]:
    """The rows of `cache_charged` summed up for each cgroup, the most first.

    Beside them is what memory.stat of the cgroup has of page cache and shared memory, whatever
    files these are of.

    >>> import pagemap
    >>> for row in pagemap.cache_cgroups([pagemap.cache_charged(["/srv"])]):  # doctest: +SKIP
    ...     print(row.cgroup, row.cached, row.kernel)
    """
    begin = time()
    sums: dict[int, list[int]] = {}
    told: dict[str, object] = {}
    for table in tables:
        told = told or table.about
        for row in table:
            each = sums.setdefault(row.cgroup_inode, [0] * 5)
            amounts = 1, row.cached, row.active, row.mapped, row.dirty
            sums[row.cgroup_inode] = [a + b for a, b in zip(each, amounts, strict=True)]
    paths = {inode: path for path, inode in cgroups.directories(procfs)}
    known = {path: charged(path) for path in paths.values()}
    roots = cgroups.roots(procfs)
    rows = []
    for inode, (files, cached, active, mapped, dirty) in sums.items():
        path = paths.get(inode)
        own, _ = memory_cgroups.charged_itself(path, known)
        kernel = None if own is None else own["file"] + own["shmem"]
        container = None if path is None else name_of_directory(path, roots)
        if container is not None and container.startswith("/"):
            container = None  # a path, which says what it is of to nobody
        name = path if inode else memory_cgroups.NO_CGROUP
        marks = active, mapped, dirty
        rows.append(ChargedCgroupRow(name, files, cached, kernel, *marks, container, inode))
    rows.sort(key=lambda row: row.cached, reverse=True)
    return Table.of_rows(CHARGED_CGROUPS, rows, about=told or about(begin))


class ChargedRows(Rows):
    """Rows for each file and cgroup."""

    def __init__(self, least: int, *, procfs: str = "/proc") -> None:
        super().__init__(max(least, 1))
        self._procfs = procfs
        self._by_cgroup: list[list[Share]] = []
        self._paths_of: dict[int, str] = {}

    def share(self, shares: Iterable[list[Share] | None]) -> None:
        """Take what is charged of the files that were kept last, in order."""
        self._by_cgroup += [each or [] for each in shares]

    def table(  # type: ignore[override]
        self, about: dict[str, object], *, lacking: bool = False
    ) -> Table[ChargedFileRow]:
        """The rows so far, which are gone from here."""
        files = super().table(about, lacking=lacking)
        by_cgroup, self._by_cgroup = self._by_cgroup, []
        wanted = {share.cgroup for shares in by_cgroup for share in shares if share.cgroup}
        if not wanted <= self._paths_of.keys():
            self._paths_of = {inode: path for path, inode in cgroups.directories(self._procfs)}
        cells = zip(files["path"], files["dev"], files.cells("inode"), by_cgroup, strict=True)
        return Table.of_rows(CHARGED_FILES, self._rows_of(cells), about=about)

    def _rows_of(
        self, cells: Iterable[tuple[str, str, int, list[Share]]]
    ) -> Iterator[ChargedFileRow]:
        for path, dev, inode, shares in cells:
            for share in sorted(shares, key=lambda each: -each.cached):
                name = (
                    self._paths_of.get(share.cgroup) if share.cgroup else memory_cgroups.NO_CGROUP
                )
                yield ChargedFileRow(path, name, *share[1:], dev, inode, share.cgroup)
