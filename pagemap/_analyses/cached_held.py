"""The page cache of the files that processes have open or mapped, and who has them."""

from __future__ import annotations

import os
from contextlib import closing, nullcontext
from time import time

from pagemap._analyses.cached_rows import Rows
from pagemap._analyses.file_shares import FileShares
from pagemap._analyses.held_files import HeldFiles
from pagemap._errors import PagemapError
from pagemap._kernel.page_files import file_error, open_to_ask
from pagemap._native.cache import CachedFiles, numbers
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.rows.cached_file import CACHED_FILES, HELD_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pagemap._analyses.cached_walk import CacheRows
    from pagemap._kernel.held_files import Held
    from pagemap._vocabulary.rows.cached_file import CachedFileRow, HeldFileRow

    Progress = Callable[[int, int], object]
    Identity = tuple[int, int]

__all__ = ["HeldSurvey", "cache_held"]

_TOLD_OF = 1000  # reasons that are kept


def cache_held(
    *,
    least: int = 1,
    residency: bool = False,
    frames: bool = False,
    threads: int | None = None,
    procfs: str = "/proc",
) -> Table[HeldFileRow]:
    """How much is cached of each file that a process has open or mapped, and which processes.

    Files are known by device and inode: those too that have no name any more, memfds and shared
    memory, and those of other mount namespaces. The arguments are those of `cache`; files of which
    nobody tells are among the rows where `least` is at most 1. Files of the kernel's own (proc,
    sysfs) are not.

    The `about` has `left_out`, the processes that could not be read, and `complete`, whether there
    are none; without root those are all processes of others. `unasked` is how many files were left
    out because a file system in user space or of the network, or one that is not known, need not
    answer.

    Raises NoSuchProcess when /proc shows no process; with `frames` as `cache` does.

    >>> import pagemap
    >>> table = pagemap.cache_held(least=0)
    >>> any("python" in row.names for row in table)
    True
    """
    check_threads(threads)
    rows = Rows(least, untold=least <= 1)
    asked = closing(FileShares(by_cgroup=False, threads=threads)) if frames else nullcontext()
    with asked as shares:
        survey = HeldSurvey(rows, residency=residency, shares=shares, procfs=procfs)
        return survey.table()


class HeldSurvey:
    """The files of processes, each once: what is found is put into `rows`.

    `failed` are those that could not be looked at, with `errors`, the first thousand.
    """

    def __init__(
        self,
        rows: CacheRows,
        *,
        residency: bool = False,
        shares: FileShares | None = None,
        procfs: str = "/proc",
        progress: Progress | None = None,
    ) -> None:
        self._held = HeldFiles(procfs=procfs, progress=progress)
        self._found = CachedFiles(1, in_parts=residency)
        self._rows = rows
        self._shares = shares
        self._kept: list[tuple[Identity, bool]] = []
        self.files = self.failed = 0
        self.errors: list[PagemapError] = []
        self.named: tuple[PagemapError, ...] = ()
        self.left_out: tuple[PagemapError, ...] = ()
        self.unasked = 0

    def table(self) -> Table[Any]:
        """The rows, each with who has the file where they are of files; all of them at once."""
        begin = time()
        self._look()
        table = self._rows.table({})
        if table.schema is CACHED_FILES:
            table = Table.of_rows(HELD_FILES, self._with_holders(table))
        table.about.update(about(begin, None, **self.about()))
        return table

    def _look(self) -> None:
        for held in self._held:
            self.files += 1
            try:
                self._look_at(held)
            except PagemapError as error:
                self._fail(error)

    def _look_at(self, held: Held) -> None:
        try:
            look = held.look()
        except OSError as error:
            raise file_error(error, held.path) from None
        fd, owned = open_to_ask(held.path, look)
        found, rows = self._found, self._rows
        found.of(fd, owned=owned)
        rows.add("", [held.path], found.records, remember=True, parts=found.parts)
        if rows.kept:
            self._kept.append((held.identity, held.deleted))
            if self._shares is not None:
                rows.share([self._shares.of(held.path, look)])
        (number,) = numbers(found.records, "error")
        if number:
            raise file_error(OSError(number, os.strerror(number)), held.path)

    def _fail(self, error: PagemapError) -> None:
        self.failed += 1
        if len(self.errors) < _TOLD_OF:
            self.errors.append(error)

    def about(self) -> dict[str, object]:
        """What the result says of processes and files."""
        reasons = [(error.path, str(error)) for error in self.errors]
        counts = {"files": self.files, "failed": self.failed, "reasons": reasons}
        return {**self._held.about(), **counts}

    def _with_holders(self, table: Table[CachedFileRow]) -> Iterator[list[object]]:
        for row, (identity, deleted) in zip(table, self._kept, strict=True):
            holders = self._held.holders[identity]
            cells = {
                **row._asdict(),
                "deleted": deleted,
                "processes": len(holders.pids),
                "descriptors": holders.descriptors,
                "mappings": holders.mappings,
                "pids": tuple(holders.pids),
                "names": ", ".join(holders.names),
            }
            yield [cells[name] for name in HELD_FILES.names]
