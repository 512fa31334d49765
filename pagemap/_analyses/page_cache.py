"""The pages of files that are in the page cache, walked a stretch at a time.

Only a page table tells where they lie, so they are mapped for a moment; csrc/analyses/types_file.c
says how that leaves no trace. Where nothing is cached nothing is mapped. Small files are looked at
some at a time, so that a tree of thousands costs little more than to open them.
"""

from __future__ import annotations

import os

from pagemap._errors import PagemapError
from pagemap._kernel.page_files import file_error
from pagemap._native import pipeline
from pagemap._native.descriptors import CLOSED, Descriptor, Holder, spare
from pagemap._native.types_blocks import ALIKE, BLOCK_PAGES, EACH
from pagemap._native.types_files import SWAP_IS_CACHED, FilesPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from pagemap._kernel.files_below import Failed
    from pagemap._kernel.page_files import OpenFile
    from pagemap._native.types import Job
    from pagemap._native.types_blocks import Blocks, Found

__all__ = ["CacheWalk"]

_TOGETHER = 16  # files of a step
_LARGE = BLOCK_PAGES // _TOGETHER  # pages of a stretch that is a step of its own


class CacheWalk(Holder):
    """What walks through files share: a pagemap of our own, and a file in memory to copy to.

    Both are opened when first needed, and by each process for itself: after fork() the pagemap is
    another's. `threads` read, by default as many as pay.
    """

    __slots__ = ("_fds", "_pid", "_threads")

    def __init__(self, threads: int | None) -> None:
        self._fds: tuple[int, int] = (CLOSED, CLOSED)
        self._pid = -1
        self._threads = threads

    def close(self) -> None:
        """Close the files. May be called again."""
        self._fds, self._pid = (CLOSED, CLOSED), -1

    def _own(self) -> tuple[int, int]:
        pid = os.getpid()
        if self._pid != pid:
            self._fds = (
                Descriptor(os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)),
                Descriptor(os.memfd_create("pagemap")),
            )
            self._pid = pid
        return self._fds

    def steps(
        self,
        job: Job,
        blocks: Blocks,
        files: Iterable[OpenFile],
        failed: Failed,
        *,
        close: bool = False,
    ) -> Generator[tuple[list[OpenFile], Found], None, None]:
        """The files of each step, and what is found of them, in order.

        With `close` each is closed when all of it was seen. A file that cannot be looked at, or
        became shorter meanwhile, is told to `failed`, and what was seen of it stands.
        """
        job.of_files(*self._own())
        # open at a time are the files of two steps for each thread, and the folders of who lists
        together = min(_TOGETHER, (spare() - 8) // 4)
        threads = self._threads or pipeline.default_threads()
        threads = max(1, min(threads, (spare() - 8) // (4 * max(together, 1))))
        together = 1 if job.wanted in (ALIKE, EACH) else max(together, 1)
        pieces = _pieces(job, files, together, failed, close=close)
        with pipeline.run(pieces, lambda: blocks, threads) as results:
            for piece, found in results:
                yield piece.files, found
                piece.finish(failed, close=close)


class _Piece(FilesPiece):
    """A step: the `files` that it is of, and those among them that are seen to the end with it."""

    __slots__ = ("_ending", "files")

    def __init__(
        self, job: Job, stretches: list[tuple[OpenFile, int, int]], ending: list[OpenFile]
    ) -> None:
        self.files = [file for file, _, _ in stretches]
        self._ending = ending
        super().__init__(
            job,
            [
                (file.fd, file.tells == SWAP_IS_CACHED, start, end - start)
                for file, start, end in stretches
            ],
        )

    def finish(self, failed: Failed, *, close: bool) -> None:
        """Tell what failed, and what became shorter of what was seen to its end."""
        for at, error in self.errors.items():
            failed(file_error(error, self.files[at].path))
        for file in self._ending:
            try:
                file.check()
            except PagemapError as error:
                failed(error)
            if close:
                file.close()


def _pieces(
    job: Job, files: Iterable[OpenFile], together: int, failed: Failed, *, close: bool
) -> Iterator[_Piece]:
    """Steps over what may be cached of all files, small files some at a time."""
    waiting: list[tuple[OpenFile, int, int]] = []
    ending: list[OpenFile] = []
    for file in files:
        empty = True
        try:
            for start, end in file.stretches():
                empty = False
                if waiting and (len(waiting) >= together or end - start > _LARGE):
                    yield _Piece(job, waiting, ending)
                    waiting, ending = [], []
                waiting.append((file, start, end))
                if end - start > _LARGE:
                    yield _Piece(job, waiting, ending)
                    waiting, ending = [], []
        except OSError as error:
            failed(file_error(error, file.path))
        if not empty:
            ending.append(file)  # with the next step, be it of nothing else
        elif close:
            file.close()
    if waiting or ending:
        yield _Piece(job, waiting, ending)
