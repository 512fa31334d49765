"""Goes through files and folders, and asks how much of each file is cached.

Each file is open only while the kernel is asked about it, and tables are made of some thousands at
a time, so memory does not grow with their number. Of identities those are remembered that may be
met again: of folders, of files with several links, and of files that were named.
"""

from __future__ import annotations

import os
from time import time

from pagemap._errors import PagemapError, UsageError
from pagemap._kernel.mounts import is_made_by_the_kernel, kind_of
from pagemap._kernel.page_files import file_error, open_to_ask, unasked_error
from pagemap._kernel.subfolders import Subfolder, Way
from pagemap._native.cache import CachedFiles
from pagemap._space.about import about
from pagemap._vocabulary.checks import check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Protocol

    from pagemap._analyses.file_shares import FileShares, Share
    from pagemap._tables.table import Table

    Progress = Callable[[int, int | None], object]

    class CacheRows(Protocol):
        """What rows are made of; see `Rows`."""

        kept: Sequence[int]

        def __len__(self) -> int: ...
        def add(
            self, folder: str, names: list[str], records: bytes, *, remember: bool, parts: bytes
        ) -> list[tuple[int, int]]: ...
        def share(self, shares: list[list[Share] | None]) -> None: ...
        def table(self, about: dict[str, object], *, lacking: bool = ...) -> Table[Any]: ...


__all__ = ["CacheSurvey"]

_TOGETHER = 512  # files of a call into C
_ROWS = 1 << 14  # of a table
_TOLD_OF = 1000  # errors that are kept


class CacheSurvey:
    """What `cache` is asked, checked: what is found is put into `rows`.

    `shares` tells what the frames of each file are, if that is asked for.
    `files` were looked at so far; `failed` files and folders could not be, with `errors`, the first
    thousand. `named` are the errors of paths that were named, where there are several. `unasked`
    is how many mounts were left out, and `left_out` says why, of the first thousand.
    """

    def __init__(
        self,
        paths: Sequence[str],
        rows: CacheRows,
        *,
        one_file_system: bool = False,
        residency: bool = False,
        shares: FileShares | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._paths = check_names("paths", paths)
        if not self._paths or "" in self._paths:
            raise UsageError("paths are the names of files and directories; give at least one")
        self._one_file_system = one_file_system
        self._progress = progress
        self._found = CachedFiles(_TOGETHER, in_parts=residency)
        self._rows = rows
        self._shares = shares
        self._folders: set[tuple[int, int]] = set()
        self._kernels_own: dict[int, bool] = {}
        self.files = self.failed = self.unasked = 0
        self.left_out: list[PagemapError] = []
        self.errors: list[PagemapError] = []
        self.named: list[PagemapError] = []

    def about(self) -> dict[str, object]:
        """What the result says of all files."""
        return {
            "files": self.files,
            "failed": self.failed,
            "unasked": self.unasked,
            "reasons": [
                (error.path, str(error)) for error in (*self.named, *self.errors, *self.left_out)
            ],
        }

    def tables(self, most: int | None = _ROWS) -> Iterator[Table[Any]]:
        """The rows in tables of about `most`; at least one table."""
        begin = time()
        rows = self._rows
        some = False
        for _ in self._walk():
            if most is not None and len(rows) >= most:
                yield rows.table(about(begin))
                some = True
        if len(rows) or not some:
            yield rows.table(about(begin), lacking=self.failed > 0)

    def _walk(self) -> Iterator[None]:
        """Look at all files, some at a time."""
        folders = set(filter(os.path.isdir, self._paths))
        # first what is named itself: where it is met again in a folder, it is known
        for path in sorted(self._paths, key=folders.__contains__):
            try:
                if path in folders:
                    yield from self._below(path)
                else:
                    self._look_at(path, remember=len(self._paths) > 1)
                    yield
            except PagemapError as error:
                if len(self._paths) == 1:
                    raise
                self.named.append(error)

    def _below(self, path: str) -> Iterator[None]:
        try:
            way = Way(path)
        except OSError as error:
            raise file_error(error, path) from None
        try:
            folders = [way.top]
            while folders:
                yield from self._enter(way, folders)
        finally:
            way.close()

    def _look_at(self, path: str, *, remember: bool) -> None:
        """A file, or a device, that was named."""
        fd, owned = open_to_ask(path)
        if self._is_kernels_own(fd, os.fstat(fd).st_dev):
            self._leave_out(_made_error(path))
        found = self._found
        found.of(fd, owned=owned)
        errors = self._rows.add("", [path], found.records, remember=remember, parts=found.parts)
        if self._shares is not None and self._rows.kept:
            self._rows.share([self._shares.of(path)])
        if errors and not self._rows.kept:
            raise _error(errors[0][1], path)
        self.files += 1
        self.failed += len(errors)

    def _enter(self, way: Way, folders: list[Subfolder]) -> Iterator[None]:
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
            if self._is_kernels_own(fd, folder.identity[0]):
                if folder is way.top:
                    self._leave_out(_made_error(path))
                return
            unasked = way.unasked(folder)
            with os.scandir(fd) as entries:
                others = []
                for entry in entries:
                    if entry.name in unasked:
                        if not self._one_file_system:
                            self._leave_out(unasked_error(os.path.join(path, entry.name)))
                    elif entry.is_file(follow_symlinks=False):
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
            self._add(path, some)
            if self._shares is not None and self._rows.kept:
                kept = [some[number] for number in self._rows.kept]
                self._rows.share(self._shares.below(fd, path, kept))
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

    def _add(self, folder: str, names: list[str]) -> None:
        self.files += len(names)
        found = self._found
        errors = self._rows.add(folder, names, found.records, remember=False, parts=found.parts)
        for at, number in errors:
            self._fail(_error(number, os.path.join(folder, names[at])))
        if self._progress is not None:
            self._progress(self.files, None)

    def _fail(self, error: PagemapError) -> None:
        self.failed += 1
        if len(self.errors) < _TOLD_OF:
            self.errors.append(error)

    def _leave_out(self, error: PagemapError) -> None:
        self.unasked += 1
        if len(self.left_out) < _TOLD_OF:
            self.left_out.append(error)


def _made_error(path: str) -> PagemapError:
    return PagemapError(
        f"nothing of {path!r} is in the page cache: the kernel has that file system for itself",
        operation="look at the page cache",
        path=path,
    )


def _error(number: int, path: str) -> PagemapError:
    return file_error(OSError(number, os.strerror(number)), path)
