"""The page cache by file: for paths and folders, what of each file is cached.

Nothing of a file is read in, nor marked as used.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from time import time

from pagemap._analyses.cached_rows import Rows
from pagemap._analyses.cached_walk import CacheSurvey
from pagemap._analyses.file_shares import FileShares
from pagemap._space.about import about
from pagemap._vocabulary.checks import check_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.cached_file import CachedFileRow

__all__ = ["cache"]


def cache(
    paths: Sequence[str],
    *,
    one_file_system: bool = False,
    least: int = 1,
    residency: bool = False,
    frames: bool = False,
    threads: int | None = None,
) -> Table[CachedFileRow]:
    """How much of each file is in the page cache: of `paths`, and of all files below folders.

    There is a row for each file of which `least` bytes or more are cached; with 0 for every file,
    also where nobody tells (`cached` is None). A path may be of a block device. Symbolic links
    below a folder are not followed; with `one_file_system` no other file system is entered; those
    of the kernel's own, such as /proc, never are, and those in user space and of the network only
    where they are named: they need not answer. A file or folder that is met again, through
    another link or mount, is passed over.

    `residency` asks how much of each of 32 parts of a file is cached, and `frames` what its frames
    are: active, mapped, and how often. For these cached pages are mapped for a moment, by
    `threads`, by default as many as pay.

    The `about` has `files`, how many were looked at, and `failed`, how many could not be; `reasons`
    are the first thousand of these: path and why; `unasked` mounts were left out, for which
    there are reasons too. Nothing is read in, nor counts as used: the kernel is asked by cachestat
    (Linux 6.5) or, where that cannot be, by mincore, which tells the owner of a file alone.

    Raises PagemapError where the only path cannot be looked at, NoSuchFile where there is nothing
    of that name, AccessDenied where that is forbidden; of several they are among the reasons. With
    `frames` AccessDenied without CAP_DAC_READ_SEARCH, PfnsHidden without CAP_SYS_ADMIN.

    >>> import pagemap, sys
    >>> (row,) = pagemap.cache([sys.executable], least=0)
    >>> row.cached is None or row.cached >= 0
    True
    """
    begin = time()
    check_threads(threads)
    rows = Rows(least)
    asked = closing(FileShares(by_cgroup=False, threads=threads)) if frames else nullcontext()
    with asked as shares:
        survey = CacheSurvey(
            paths, rows, one_file_system=one_file_system, residency=residency, shares=shares
        )
        (table,) = survey.tables(most=None)
    table.about.update(about(begin, None, **survey.about()))
    return table
