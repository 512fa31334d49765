"""Dumps: maps are read in blocks, blocks cut into pieces, and pieces formatted in C, in order.

Memory stays flat: a block of maps is forgotten when its pieces are written, and there are only as
many pieces under way as `pipeline` has buffers. Nothing here is done per page.
"""

from __future__ import annotations

import os
from errno import EIO

from pagemap._analyses.page_filter import Choice
from pagemap._errors import UsageError
from pagemap._export.dump_formats import HEADERS, LABELS, printable_label
from pagemap._export.dump_mappings import batches, selected
from pagemap._methods import ProcessMethods
from pagemap._native import pipeline
from pagemap._native.rows import RowBuffer, RowPiece
from pagemap._process import Process
from pagemap._space.walk import Reach
from pagemap._vocabulary.checks import check_int, check_threads
from pagemap._vocabulary.page_columns import DUMPED, PAGES
from pagemap._vocabulary.units import page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Protocol

    from pagemap._analyses.page_stream import PageStream
    from pagemap._native.rows import Rows
    from pagemap._snapshot import SavedProcess
    from pagemap._space.arguments import Target
    from pagemap._tables.table import Table

    class Writable(Protocol):
        """A binary file, buffered or raw."""

        def write(self, data: memoryview, /) -> int | None: ...

    Progress = Callable[[int, int | None], object]

__all__ = ["FORMATS", "dump"]

FORMATS = (*LABELS, "arrow")

# Rows that one call into C writes: long enough that the hand-over between threads does not count,
# short enough for the cache and for progress.
PIECE_BYTES = 1 << 20


def dump(
    target: Target | Process | SavedProcess,
    file: Writable | int | str | os.PathLike[str],
    *,
    format: str = "text",
    header: bool = True,
    select: Callable[[str], bool] | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
    populated: bool = False,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    printable: bool = False,
    progress: Progress | None = None,
    threads: int | None = None,
) -> int:
    r"""Write a row for every page of every mapping of `target` to `file`; returns their number.

    Untouched pages have rows too; pages past the end of the address space (as in [vsyscall]) have
    no entry and no row.

    With `populated` only present and swapped pages have rows, and untouched address space costs
    next to nothing. A page has a row if it matches all filters in `only` (``["present,~file"]``:
    present and not of a file; ``["swap/guard"]``: either) and none of the words in `without`. The
    words are present, file_or_shared, exclusive, soft_dirty, uffd_wp, swap (in a swap area), and
    guard, marker, migrating, poisoned and device, for which the kernel also sets its bit swapped.
    Where the kernel hides which is which (without CAP_SYS_ADMIN), and something is in swap, swap
    matches all of these but guards.

    ``exclusive``, the column and the word, uses map counts where a PMD maps a huge page, if PFNs
    and /proc/kpagecount can be read; otherwise the bit in the page table (see `TallyRow`).

    `format` is one of ``text``, ``csv``, ``json``, ``jsonl`` and ``arrow``. JSON is one document,
    with `PageStream.about` at its top; JSON lines are rows alone; Arrow is a stream of its IPC
    format, written through pyarrow by one thread, and holds names that are not UTF-8 as bytes.
    `header` is for text and CSV.

    Paths may contain any characters. In CSV those that control a terminal or a spreadsheet are in
    octal (``\033``). JSON is all ASCII; bytes that are not UTF-8 are in octal there too
    (``\377``), because most readers refuse them. The text table has the bytes of maps, or with
    `printable`, for a terminal, octal too.

    A flag that this kernel does not provide is empty in CSV and null in JSON and Arrow; the text
    table has 0 for it.

    `file` is a path, a binary file or a file descriptor; a new file has mode 0600, because a page
    table should be kept from others. `select(path)` says which mappings to dump; `ranges` are
    ``(start, end)`` in bytes to dump only, widened to whole pages. `progress(done, total)` is
    called now and then, from this thread, with numbers of pages; `total` is None if `select` or
    `ranges` are given, and for Arrow. `threads` is how many threads read and format, by default
    chosen by size.

    Raises TargetVanished when the target exits or calls exec midway (the rows written until then
    stand), UsageError for an unknown format or word, Unsupported for a flag to choose by that this
    kernel does not tell, and for Arrow without pyarrow, PfnsHidden for a word that it hides, and
    whatever writing raises.

    >>> import io, pagemap
    >>> file = io.BytesIO()
    >>> rows = pagemap.dump("self", file, select=lambda path: path == "[stack]")
    >>> file.getvalue().count(b"\n") == rows + 1
    True
    """
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}; choose from {', '.join(FORMATS)}")
    _check_file(file)
    if select is not None and not callable(select):
        raise TypeError(f"select must be a function of a path, not {select!r}")
    kept = None if ranges is None else page_ranges(ranges)
    choice = Choice(only, without)
    threads = check_threads(threads)
    again: dict[str, Any] = {
        "format": format,
        "header": header,
        "select": select,
        "ranges": ranges,
        "populated": populated,
        "only": only,
        "without": without,
        "printable": printable,
        "progress": progress,
        "threads": threads,
    }
    if not isinstance(target, ProcessMethods):
        with Process(target) as process:
            return dump(process, file, **again)
    choice = choice.of(target)
    if isinstance(file, (str, bytes, os.PathLike)):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY
        with open(os.open(file, flags, 0o600), "wb", buffering=0) as opened:
            return dump(target, opened, **again)
    write = _writer(file)
    if format == "arrow":
        where = kept if select is None else selected(target, select, kept)
        stream = target.columns(
            DUMPED, populated=populated, only=only, without=without, ranges=where
        )
        return _write_arrow(stream, write, progress)
    total = None
    if progress and not select and not ranges and not target.kernel_thread:
        total = target.reserved_pages
    label = printable_label if printable and format == "text" else LABELS[format]
    batched = batches(target, format, label, select, kept, choice)
    populated = populated or choice.populated

    def write_rows(put: Callable[[memoryview], object]) -> int:
        return _write_rows(target, batched, put, populated, progress, total, threads)

    if format == "json":
        from pagemap._export.json import Document

        about = target.columns(DUMPED, only=only, without=without).about
        with Document(PAGES.select(DUMPED), about, write) as document:
            return write_rows(lambda data: document.rows(data[:-2]))  # the last comma is too many
    if header and format in HEADERS:
        write(HEADERS[format])
    return write_rows(write)


def _write_rows(
    process: ProcessMethods,
    batched: Iterator[Rows],
    put: Callable[[memoryview], object],
    populated: bool,
    progress: Progress | None,
    total: int | None,
    threads: int | None,
) -> int:
    rows = done = 0
    reach = Reach(first=pipeline.ALONE_PAGES)
    plans: Iterator[RowPiece]
    if populated:
        plans = (piece for batch in batched for piece in batch.stretches(reach))
    else:
        plans = (piece for batch in batched for piece in batch.plan(PIECE_BYTES))
    with pipeline.run(plans, lambda: RowBuffer(PIECE_BYTES), threads) as pieces:
        for piece, (data, shown, missing) in process.reading(pieces):
            put(data)
            rows += shown
            if piece.done:
                done += piece.pages
                reach.learn(piece.pages, shown)
            if missing:
                # no entry: past the end of the address space, or the target is gone
                process.require_alive()
            if progress:
                progress(done, total)
    if populated:
        process.require_alive()  # what is skipped is not told from what is gone
    process.check_image()
    return rows


def _write_arrow(
    stream: PageStream, write: Callable[[bytes], None], progress: Progress | None
) -> int:
    from pagemap._export import arrow

    rows = 0

    def counted() -> Iterator[Table]:
        nonlocal rows
        for table in stream:
            yield table
            rows += len(table)
            if progress:
                progress(rows, None)

    arrow.write(counted(), write)
    return rows


def _check_file(file: Writable | int | str | os.PathLike[str]) -> None:
    """Raise TypeError or UsageError for what cannot be written to, before any work."""
    if isinstance(file, int) and not isinstance(file, bool):
        check_int("file", file, 0, 1 << 31)
    elif not isinstance(file, (str, bytes, os.PathLike)) and not hasattr(file, "write"):
        raise TypeError(f"file must be a path, a binary file or a descriptor, not {file!r}")
    elif not isinstance(file, os.PathLike) and not file:
        raise UsageError("file is an empty path")


def _writer(file: Writable | int) -> Callable[[bytes | memoryview], None]:
    """A function that writes all of its argument: raw files may take less at a time."""

    def write(data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            took = os.write(file, left) if isinstance(file, int) else file.write(left)
            if took is None:
                raise BlockingIOError(f"{file!r} is in non-blocking mode and full")
            if took == 0:
                raise OSError(EIO, f"{file!r} accepts no more data")
            left = left[took:]

    return write
