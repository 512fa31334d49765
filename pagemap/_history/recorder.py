"""Recording: one moment of a process after another, in one file, each as what changed."""

from __future__ import annotations

import os
from array import array
from hashlib import sha256
from time import time

from pagemap._analyses.saved_facts import facts_of
from pagemap._errors import ClosedProcess, PagemapError, UsageError
from pagemap._history import snapshot_facts
from pagemap._history.snapshot import Options, categories_of, take_maps
from pagemap._history.snapshot_frames import FrameTaking
from pagemap._history.snapshot_writer import SnapshotWriter
from pagemap._kernel.os_errors import kind_of_file_error
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.patches import Patching
from pagemap._native.snapshot import BLOCK_WORDS, SavedTable, Taking
from pagemap._space.about import about as about_all
from pagemap._space.live_space import LiveSpace
from pagemap._space.snapshot_chunks import MOST_BLOCKS
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from pagemap._native.scan import Spans
    from pagemap._space.arguments import Target

__all__ = ["MOST_PATCHES", "Recorder"]

MOST_PATCHES = 16
"""After so many a whole moment is written: who reads the last one reads all of them."""

_SOFT_DIRTY = 1 << 7  # the category: untouched pages have it, and would be terabytes of changes


class Recorder(Holder):
    """Writes moments of one process into the new file `path`, of mode 0600.

    `take` writes one: the first whole, later ones as what changed since the one before. Each can be
    read once that returns, whatever becomes of this process. `pfns` False leaves out where pages
    lie; `frames` saves in each moment the flags and map counts of all frames (root), and so not
    with `pfns` False. Untouched pages have no entry in a record, also where a kernel marks them as
    soft-dirty.

    Raises PagemapError where the file is there already or cannot be made, of these NoSuchFile
    where its directory is missing; UsageError, and what `pagemap.Process` raises.
    """

    def __init__(
        self,
        target: Target,
        path: str,
        *,
        pfns: bool = True,
        frames: bool = False,
        procfs: str = "/proc",
    ) -> None:
        if frames and not pfns:
            raise UsageError("frames are saved by PFN: they cannot be had without PFNs")
        self.path = path
        self._fd: int = CLOSED
        self._options = Options(pfns=pfns, frames=frames)
        self._process = LiveSpace(target, procfs=procfs)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._fd = Descriptor(os.open(path, flags, 0o600))
        except OSError as error:
            self._process.close()
            why = error.strerror
            if isinstance(error, FileExistsError):
                why = "it is there already; remove it, or give another name"
            elif isinstance(error, FileNotFoundError):
                why = f"{why} (its directory must be there)"
            raise kind_of_file_error(error)(
                f"cannot make the file {path}: {why}", errno=error.errno, path=path
            ) from None
        self._at = 0  # where the file ends
        self._writer = SnapshotWriter(self._write)
        self._whole = 0  # bytes that can be read
        self._layers: list[array[int]] = []
        self._sizes: list[int] = []
        self._windows: array[int] = array("Q")
        self._within: Spans | None = None  # of the last whole moment
        self._maps: tuple[bytes, list[Any]] = (b"", [])
        self._more: dict[str, object] = {}

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def moments(self) -> int:
        """How many moments the file has."""
        return self._writer.number

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return self._whole

    def close(self) -> None:
        """Let go of the process and the file, and drop a moment that was only begun."""
        fd, self._fd = self._fd, CLOSED
        self._process.close()
        if fd >= 0:
            os.ftruncate(fd, self._whole)
            if not self.moments:
                self._remove(fd)

    def _remove(self, fd: int) -> None:
        """Remove the file where it has no moment, if it still is the one of this name."""
        try:
            if os.path.samestat(os.lstat(self.path), os.fstat(fd)):
                os.unlink(self.path)
        except OSError:
            return  # it is gone, or its folder cannot be changed any more

    def take(self) -> int:
        """Write a moment; returns how many bytes it takes.

        Raises TargetVanished where the process exits or calls exec: the moments before stand;
        PagemapError where the file cannot be written; where `frames` cannot be read AccessDenied,
        Unsupported or PfnsHidden.
        """
        if self._fd < 0:
            raise ClosedProcess(f"the record {self.path} is closed; begin another one")
        begin, before = time(), self._writer.size
        full = not self._layers or len(self._layers) > MOST_PATCHES or self._is_large()
        layers = [] if full else self._layers
        try:
            self._writer.begin_moment({"begin": about_all(begin)["begin"]}, full=full)
            layer, windows = self._take_process(layers, full=full)
            self._writer.end_moment({**about_all(begin, self._process), "complete": True})
        except BaseException:
            # The next one begins where this one did, and refers to nothing of it.
            self._writer.size = self._at = before
            self._maps = (b"", [])
            os.ftruncate(self._fd, before)
            raise
        self._layers = [*layers, layer]
        self._windows = windows
        size = self._writer.size - before
        self._sizes = [size] if full else [*self._sizes, size]
        self._whole = self._writer.size
        return size

    def _is_large(self) -> bool:
        """Whether the patches take more than what they change, or more blocks than a reader reads.

        Then a whole moment is cheaper.
        """
        blocks = sum(map(len, self._layers)) // BLOCK_WORDS
        return sum(self._sizes[1:]) > self._sizes[0] or blocks > MOST_BLOCKS // 2

    def _take_process(
        self, layers: list[array[int]], *, full: bool
    ) -> tuple[array[int], array[int]]:
        process, writer = self._process, self._writer.process(0)
        facts = snapshot_facts.before(process, pfns=self._options.pfns, stopped=False)
        writer.begin(facts)
        # what is read of maps is written only where it is not what was written before
        spans, text, _ = take_maps(process, None)
        if sha256(text).digest() != self._maps[0] or not text:
            spans, text, _ = take_maps(process, writer)  # perhaps others by now: these count
            self._maps = sha256(text).digest(), writer.entry["maps"]
            self._more = facts_of(process, text) if text else {}
        writer.entry["maps"] = self._maps[1]
        frames = FrameTaking(process) if self._options.frames else None
        taking = Taking(
            spans,
            process.descriptor(),
            PAGE_SHIFT,
            use_scan=process.can_scan,
            categories=categories_of(process) & ~_SOFT_DIRTY,
            places=self._options.pfns,
            whose=0,
            groups=None if frames is None else frames.groups,
        )
        if full:
            self._within = spans
        patching = Patching(
            taking, self._saved(layers, facts), array("Q") if full else self._windows
        )
        layer = array("Q")
        for data, words in process.reading(patching.steps()):
            at = self._writer.size
            writer.blocks(data, words)
            numbers = array("Q", words.tobytes())
            for offset in range(2, len(numbers), BLOCK_WORDS):
                numbers[offset] += at
            layer += numbers
            if patching.ended is not None:
                process.require_alive()
        process.check()
        more = self._more if frames is None else {**self._more, **frames.write(writer)}
        writer.end(snapshot_facts.after(cut_at=None, complete=True), more)
        return layer, patching.windows

    def _saved(self, layers: list[array[int]], facts: dict[str, Any]) -> SavedTable | None:
        if not layers:
            return None
        return SavedTable(
            self._fd,
            [memoryview(layer) for layer in layers],
            within=self._within,
            page_shift=PAGE_SHIFT,
            end_page=facts["end_page"],
            file_size=self._writer.size,
        )

    def _write(self, data: bytes | memoryview) -> None:
        left, at = memoryview(data), self._at
        while left:
            try:
                size = os.pwrite(self._fd, left, at)
                left, at = left[size:], at + size
            except OSError as error:
                raise PagemapError(
                    f"cannot write {self.path}: {error.strerror}",
                    errno=error.errno,
                    operation="write",
                    path=self.path,
                ) from None
        self._at = at
