"""Pages of a live process as a stream of tables: columns filled in C, no object for any page.

The mappings are read when the stream is asked for; pages are read while it is consumed, a batch at
a time (pagemap_read in fs/proc/task_mmu.c), so memory stays flat however large the target is.
"""

from __future__ import annotations

import time
from array import array

from pagemap._analyses.page_filter import Choice
from pagemap._analyses.tally_plan import exclusive_by
from pagemap._kernel import features
from pagemap._native.columns import Words
from pagemap._native.descriptors import CLOSED
from pagemap._native.lines import Lines
from pagemap._native.page_columns import PageReader
from pagemap._native.pipeline import default_threads
from pagemap._native.scan import Spans
from pagemap._space.about import about as about_of
from pagemap._tables.stream import Stream
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.page_columns import ENTRY_BITS, FRAME_COLUMNS, KIND_WORDS, PAGES
from pagemap._vocabulary.units import PAGE_SHIFT, clipped, page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._kernel.frames import FrameReader
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.schema import Schema

__all__ = ["PageStream"]

_EXCLUSIVE = 1 << ENTRY_BITS["exclusive"]


class PageStream(Stream):
    """See `Process.columns`. Iterating, and each consumer of Arrow, reads the pages anew."""

    __slots__ = (
        "_choice",
        "_exclusive_by",
        "_frames",
        "_populated",
        "_process",
        "_ranges",
    )

    def __init__(
        self,
        process: AddressSpace,
        *,
        names: Sequence[str] | None,
        populated: bool,
        only: Sequence[str],
        without: Sequence[str],
        ranges: Sequence[tuple[int, int]] | None,
        frames: Sequence[str],
    ) -> None:
        asked = [FRAME_COLUMNS[name] for name in check_names("frames", frames, FRAME_COLUMNS)]
        if names is None:
            words = FRAME_COLUMNS.values()
            names = [name for name in PAGES.names if name not in words or name in asked]
        self.schema: Schema = PAGES.select(check_names("names", names))
        self._process = process
        self._populated = populated
        self._choice = Choice(only, without)
        self._ranges = None if ranges is None else page_ranges(ranges)
        self._frames = [
            name for name, column in FRAME_COLUMNS.items() if column in self.schema.names
        ]
        self._exclusive_by: str | None = None  # until it is asked for

    def __iter__(self) -> Iterator[Table]:
        """The tables, one at least, in order of address, each of up to 2^20 rows."""
        reader, paths, frames = self._reader()
        process = self._process
        words, about = self._words(paths), self.about
        rows = 0
        try:
            for count, columns in process.reading(reader.batches()):
                rows += count
                yield Table(
                    self.schema,
                    {
                        name: Texts(values, words[name]) if name in words else values
                        for name, (values, _) in columns.items()
                    },
                    valid={name: known for name, (_, known) in columns.items() if known},
                    about=about,
                    checked=True,
                )
        finally:
            if frames is not None:
                frames.close()
        process.check()
        if not rows:
            yield Table.of_rows(self.schema, (), about=about)

    def __arrow_c_schema__(self) -> object:
        """The schema, for consumers of Arrow."""
        from pagemap._tables.arrow import schema_capsule

        return schema_capsule(self.schema, self._words(self._paths()), self.about)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A fresh stream, for consumers of Arrow; in our schema, whichever is asked for.

        It holds descriptors of its own, so it goes on when the Process is closed.
        """
        from pagemap._tables.arrow import about_text, stream_capsule

        reader, paths, frames = self._reader()
        try:
            words = {name: Words(each) for name, each in self._words(paths).items()}
            address = reader.stream_address(words, about_text(self.about))
        finally:
            if frames is not None:
                frames.close()
        return stream_capsule(address)

    @property
    def about(self) -> dict[str, object]:
        """What holds for all rows.

        `exclusive_by` says what `exclusive` comes from where a PMD maps the page, if it is a column
        or in a filter: "map count", or "page table", the bit of the first page from Linux 6.15 on.
        """
        about: dict[str, object] = {"pfns_visible": self._process.pfns_visible}
        if self._tells_exclusive():
            if self._exclusive_by is None:
                self._exclusive_by = exclusive_by(self._process)[1]
            about["exclusive_by"] = self._exclusive_by
        return about_of(time.time(), self._process, **about)

    def _tells_exclusive(self) -> bool:
        chosen = (self._choice.all_of | self._choice.none_of) & _EXCLUSIVE
        return "exclusive" in self.schema or bool(chosen)

    @staticmethod
    def _words(paths: Sequence[str]) -> dict[str, Sequence[str]]:
        return {"path": paths, "kind": KIND_WORDS}

    def _paths(self) -> list[str]:
        return self._mapped()[3] if "path" in self.schema else []

    def _reader(self) -> tuple[PageReader, list[str], FrameReader | None]:
        process = self._process
        choice = self._choice.of(process)
        spans, starts, codes, paths = self._mapped()
        frames = None
        fds = {}
        if self._frames:
            frames = process.frame_reader("look up frames")
            fds = {FRAME_COLUMNS[name]: frames.fileno(name) for name in self._frames}
        source, mapcounts = process.source, CLOSED
        if self._tells_exclusive():
            source, (mapcounts, _) = process.counted_source, exclusive_by(process)
        if spans.count:
            process.source_at(0)  # of a kernel thread there is none
        reader = PageReader(
            self.schema,
            ENTRY_BITS,
            spans=spans,
            starts=starts,
            paths=codes,
            pid=process.pid,
            source=source,
            frames=fds,
            page_shift=PAGE_SHIFT,
            use_scan=process.can_scan,
            populated=self._populated or choice.populated,
            hidden=not process.pfns_visible,
            all_of=choice.all_of,
            none_of=choice.none_of,
            kinds=process.machine.swap_kinds(),
            kinds_wanted=choice.wanted,
            untold=features.ALL & ~process.machine.told(),
            mapcounts=mapcounts,
            threads=default_threads(),
        )
        return reader, paths, frames

    def _mapped(self) -> tuple[Spans, memoryview, memoryview, list[str]]:
        """What is mapped now: spans, the starts of their mappings, numbers of paths, paths."""
        lines = Lines.of_blocks(self._process.maps_blocks())
        paths = lines.paths.words
        if self._ranges is None:
            starts = memoryview(lines.bounds[::2].tobytes()).cast("Q")
            return Spans.of_bounds(lines.bounds, PAGE_SHIFT), starts, lines.paths.codes, paths
        bounds, begins, codes = array("Q"), array("Q"), array("i")
        mapped = zip(lines.bounds[::2], lines.bounds[1::2], lines.paths.codes, strict=True)
        for start, end, code in mapped:
            for first, last in clipped(start, end, self._ranges):
                bounds.extend((first, last))
                begins.append(start)
                codes.append(code)
        spans = Spans.of_bounds(memoryview(bounds), PAGE_SHIFT)
        return spans, memoryview(begins), memoryview(codes), paths
