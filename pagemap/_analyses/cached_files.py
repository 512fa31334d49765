"""The page cache by file: for paths and folders, what of each file is cached.

Nothing of a file is read in, nor marked as used. Each is open only while the kernel is asked about
it, and tables are made of some thousands at a time, so memory does not grow with their number. Of
identities those are remembered that may be met again: of folders, of files with several links, and
of files that were named.
"""

from __future__ import annotations

import os
from time import time

from pagemap._analyses.cached_rows import Rows
from pagemap._errors import PagemapError, UsageError
from pagemap._kernel.mounts import is_made_by_the_kernel, kind_of
from pagemap._kernel.page_files import file_error, open_to_ask
from pagemap._kernel.subfolders import Subfolder, Way
from pagemap._native.cache import CachedFiles
from pagemap._space.about import about
from pagemap._vocabulary.checks import check_int, check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.cached_file import CachedFileRow

    Progress = Callable[[int, int | None], object]

__all__ = ["CacheSurvey", "cache"]

_TOGETHER = 512  # files of a call into C
_ROWS = 1 << 14  # of a table
_TOLD_OF = 1000  # errors that are kept


def cache(
    paths: Sequence[str], *, one_file_system: bool = False, least: int = 1
) -> Table[CachedFileRow]:
    """How much of each file is in the page cache: of `paths`, and of all files below folders.

    There is a row for each file of which `least` bytes or more are cached; with 0 for every file,
    also where nobody tells (`cached` is None). A path may be of a block device. Symbolic links
    below a folder are not followed; with `one_file_system` no other file system is entered, and
    those of the kernel's own, such as /proc, never are. A file or folder that is met again, through
    another link or mount, is passed over.

    The `about` has `files`, how many were looked at, and `failed`, how many could not be; `reasons`
    are the first thousand of these: path and why. Nothing is read in, nor counts as used.

    Raises PagemapError where the only path cannot be looked at, AccessDenied where that is
    forbidden; of several they are among the reasons.

    >>> import pagemap, sys
    >>> (row,) = pagemap.cache([sys.executable], least=0)
    >>> row.cached is None or row.cached >= 0
    True
    """
    begin = time()
    survey = CacheSurvey(paths, one_file_system=one_file_system, least=least)
    (table,) = survey.tables(most=None)
    table.about.update(about(begin, None, **survey.about()))
    return table


class CacheSurvey:
    """What `cache` is asked, checked.

    `files` were looked at so far; `failed` files and folders could not be, with `errors`, the first
    thousand. `named` are the errors of paths that were named, where there are several.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        one_file_system: bool = False,
        least: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self._paths = check_names("paths", paths)
        if not self._paths or "" in self._paths:
            raise UsageError("paths are the names of files and folders; give at least one")
        self._least = check_int("least", least, 0, 1 << 63)
        self._one_file_system = one_file_system
        self._progress = progress
        self._found = CachedFiles(_TOGETHER)
        self._folders: set[tuple[int, int]] = set()
        self._kernels_own: dict[int, bool] = {}
        self.files = self.failed = 0
        self.errors: list[PagemapError] = []
        self.named: list[PagemapError] = []

    def about(self) -> dict[str, object]:
        """What the result says of all files."""
        return {
            "files": self.files,
            "failed": self.failed,
            "reasons": [(error.path, str(error)) for error in (*self.named, *self.errors)],
        }

    def tables(self, most: int | None = _ROWS) -> Iterator[Table[CachedFileRow]]:
        """The rows in tables of about `most`; at least one table."""
        begin = time()
        rows = Rows(self._least)
        some = False
        for _ in self._walk(rows):
            if most is not None and len(rows) >= most:
                yield rows.table(about(begin))
                some = True
        if len(rows) or not some:
            yield rows.table(about(begin))

    def _walk(self, rows: Rows) -> Iterator[None]:
        """Look at all files, some at a time."""
        folders = set(filter(os.path.isdir, self._paths))
        # first what is named itself: where it is met again in a folder, it is known
        for path in sorted(self._paths, key=folders.__contains__):
            try:
                if path in folders:
                    yield from self._below(path, rows)
                else:
                    self._look_at(path, rows, remember=len(self._paths) > 1)
                    yield
            except PagemapError as error:
                if len(self._paths) == 1:
                    raise
                self.named.append(error)

    def _below(self, path: str, rows: Rows) -> Iterator[None]:
        try:
            way = Way(path)
        except OSError as error:
            raise file_error(error, path) from None
        try:
            folders = [way.top]
            while folders:
                yield from self._enter(way, folders, rows)
        finally:
            way.close()

    def _look_at(self, path: str, rows: Rows, *, remember: bool) -> None:
        """A file, or a device, that was named."""
        fd, owned = open_to_ask(path)
        self._found.of(fd, owned=owned)
        errors = rows.add("", [path], self._found.records, remember=remember)
        if errors and self._least:
            raise _error(errors[0][1], path)
        self.files += 1
        self.failed += len(errors)

    def _enter(self, way: Way, folders: list[Subfolder], rows: Rows) -> Iterator[None]:
        """The files of the last of `folders`, in whose place come the folders in it."""
        folder = folders.pop()
        if folder.identity in self._folders:
            return
        path = folder.path()
        names: list[str] = []
        below: list[Subfolder] = []
        try:
            fd = way.enter(folder)
            self._folders.add(folder.identity)
            if folder is not way.top and self._is_kernels_own(fd, folder.identity[0]):
                return
            with os.scandir(fd) as entries:
                others = []
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        names.append(entry.name)
                    else:
                        others.append(entry)
                for entry in others:
                    if entry.is_dir(follow_symlinks=False):
                        self._note(entry, folder, below)
        except OSError as error:
            if folder is way.top:
                raise file_error(error, path) from None
            self._fail(file_error(error, path))
            return
        names.sort()
        for at in range(0, len(names), _TOGETHER):
            some = names[at : at + _TOGETHER]
            self._found.below(fd, some)
            self._add(path, some, rows)
            yield
        folders += sorted(below, key=lambda each: each.name, reverse=True)

    def _note(self, entry: os.DirEntry[str], folder: Subfolder, below: list[Subfolder]) -> None:
        try:
            each = Subfolder(entry.name, folder, entry.stat(follow_symlinks=False))
        except OSError as error:
            self._fail(file_error(error, os.path.join(folder.path(), entry.name)))
            return
        if not self._one_file_system or each.identity[0] == folder.identity[0]:
            below.append(each)

    def _is_kernels_own(self, fd: int, device: int) -> bool:
        known = self._kernels_own.get(device)
        if known is None:
            kind = kind_of(fd)
            known = kind is not None and is_made_by_the_kernel(kind)
            self._kernels_own[device] = known
        return known

    def _add(self, folder: str, names: list[str], rows: Rows) -> None:
        self.files += len(names)
        for at, number in rows.add(folder, names, self._found.records, remember=False):
            self._fail(_error(number, os.path.join(folder, names[at])))
        if self._progress is not None:
            self._progress(self.files, None)

    def _fail(self, error: PagemapError) -> None:
        self.failed += 1
        if len(self.errors) < _TOLD_OF:
            self.errors.append(error)


def _error(number: int, path: str) -> PagemapError:
    return file_error(OSError(number, os.strerror(number)), path)
