"""Writes tracked by a userfaultfd: memory is write-protected, and a write lifts that.

A round finds what was written and protects it anew in one call for each mapping, so that no write
is lost (csrc/history/writes.c). Mappings come and go, and what was moved or made since the last
round is tracked no more, or not yet: so each round registers what it finds.
"""

from __future__ import annotations

from array import array
from errno import EAGAIN, EBUSY, EINVAL

from pagemap._history.found import GONE, NEW, UNTRACKED, Found
from pagemap._history.shared_pages import MOST, NOTHING, SharedPages
from pagemap._history.spans import Spans
from pagemap._kernel.userfaultfd import busy
from pagemap._native import procmap, userfaultfd
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._native.writes import Writes
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._errors import PagemapError
    from pagemap._history.spans import Ranges
    from pagemap._space.address_space import AddressSpace

__all__ = ["Protection"]

_NEVER = ("pfnzero", "guard")  # pages that nobody wrote
_TRIES = 5  # to register what changes meanwhile


class Protection:
    """Tracks the memory of `process`, or with `ranges` what lies in these, by the tracker `fd`.

    Raises PagemapError where another userfaultfd has a part of it.
    """

    method = "userfaultfd"

    def __init__(self, process: AddressSpace, ranges: Ranges | None, fd: int) -> None:
        self._process = process
        self._ranges = ranges
        self._fd: int = fd
        del fd  # an error that somebody keeps has this frame, and would hold it
        self._populated = SharedPages()
        self._known: set[tuple[int, int]] = set()
        self._refused: set[tuple[int, int]] = set()
        bits = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
        self._never = sum(bits[name] for name in _NEVER if process.can_find(name))
        self._maps: int = CLOSED
        try:
            self._maps = self._open_maps()
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def unseen(self) -> str:
        """Which writes are in no round."""
        forgotten = self._populated.forgotten
        if forgotten:
            forgotten += (
                "; there zeros over all of a page of a transparent huge page that the kernel "
                "splits in the same round (Linux 6.12)"
            )
        return (
            "writes through other mappings of shared memory or of a file; by devices into memory "
            "that is pinned (io_uring buffers, RDMA); to pages of shared memory or of a shared "
            "file that leave the page table in the round in which they are first touched, or "
            f"moved by mremap{forgotten}; and to private memory that is thrown away "
            "(MADV_DONTNEED), or unmapped"
        )

    def _open_maps(self) -> Descriptor:
        folder = self._process.folder
        try:
            return Descriptor(folder.open("maps"))
        except OSError as error:
            raise folder.error(error, "read the mappings", "maps") from None

    def _begin(self) -> None:
        spans = Spans(self._process, self._ranges)
        errors = self._register(spans, range(len(spans.bounds)))
        for number, code in errors.items():
            if code == EBUSY:
                raise self._busy(spans, number)
        ours = [number for number in range(len(spans.bounds)) if number not in errors]
        self._keep(spans, ours, errors)
        new = bytes([NEW]) * len(spans.bounds)
        writes = self._writes(spans, ours, self._populated.files(spans, ours, new))
        writes.protect()
        self._populated.keep(writes, NOTHING, writes.populated())

    def round(self, *, clear: bool) -> tuple[Spans, Found]:
        """What was written since the last round, and with `clear` begin another."""
        spans = Spans(self._process, self._ranges)
        every = range(len(spans.bounds))
        left = self._writes(spans, every).untracked()  # what is not tracked
        # What reads as tracked may be another's now: mapped anew, with whatever bounds. The kernel
        # says EBUSY to that, and nothing new to what is ours, but where it grew just now.
        known = self._known
        failed = self._register(spans, [n for n in every if clear or not left[n]])
        refused = {
            n
            for n, code in failed.items()
            if code == EBUSY or left[n] or spans.bounds[n] not in known
        }
        if not clear:
            refused |= {n for n, bound in enumerate(spans.bounds) if bound in self._refused}
        ours = [n for n in every if n not in refused and (clear or not left[n])]
        writes = self._writes(spans, ours, self._populated.files(spans, ours, left))
        look = writes.collect if clear else writes.peek
        written, gone, guarded, marked = look(self._populated.before)
        found = Found()
        # left is 1 of what is new, as NEW is, and 0 of what was tracked all along
        found.extend(written, ours, left)
        for each in (gone, guarded):
            found.extend(each, ours, bytes([GONE]) * len(every))
        others = [n for n in refused if spans.writable(n)]
        if not clear:
            others += [n for n in every if left[n] and n not in refused]
        if others:
            others.sort()
            how = [UNTRACKED if n in refused else NEW for n in every]
            files = self._populated.files(spans, others)
            files = array(
                "Q", [0 if n in refused else f for n, f in zip(others, files, strict=True)]
            )
            new = self._writes(spans, others, files)
            there = new.populated()
            found.extend(there, others, how)
            if any(files):  # the same shared memory, mapped anew: some of it may be gone
                left_behind = new.kept(self._populated.before, there, NOTHING, MOST).words
                found.extend(left_behind, others, bytes([GONE]) * len(every))
        if others or gone or guarded:
            found.sort()
        if clear:
            self._keep(spans, ours, refused)
            # what changed just as it was to be registered may be as it was in the next round
            changed = [n for n, code in failed.items() if code == EAGAIN and n in refused]
            there = NOTHING
            if changed:
                ours = sorted([*ours, *changed])
                writes = self._writes(spans, ours, self._populated.files(spans, ours, left))
                there = self._writes(spans, changed).populated()
            self._populated.keep(writes, guarded, written, marked, there)
        return spans, found

    def _keep(self, spans: Spans, ours: Iterable[int], refused: Iterable[int]) -> None:
        self._known = set(map(spans.bounds.__getitem__, ours))
        self._refused = set(map(spans.bounds.__getitem__, refused))

    def _writes(
        self, spans: Spans, numbers: Sequence[int], files: array[int] | None = None
    ) -> Writes:
        """Some of these spans, to look at together; what leaves them is known by `files` alone."""
        return Writes(
            self._process.fileno(),
            list(map(spans.bounds.__getitem__, numbers)),
            bytes(map(spans.private_file.__getitem__, numbers)),
            bytes(map(spans.shared.__getitem__, numbers)),
            array("Q", bytes(8 * len(numbers))) if files is None else files,
            self._never,
            self._fd,
        )

    def _register(self, spans: Spans, numbers: Iterable[int]) -> dict[int, int]:
        """Have writes to these spans tracked; the errno of each where that cannot be."""
        wanted = list(numbers)
        errors = userfaultfd.register(
            self._fd,
            self._maps,
            list(map(spans.bounds.__getitem__, wanted)),
            list(map(spans.whole.__getitem__, wanted)),
        )
        failed = {number: code for number, code in zip(wanted, errors, strict=True) if code}
        for number, code in list(failed.items()):
            if code == EINVAL and self._widened(spans, number):
                del failed[number]
            elif code == EAGAIN and self._ranges is not None:
                failed[number] = self._registered_part(spans, number)
                if not failed[number]:
                    del failed[number]
        return failed

    def _registered_part(self, spans: Spans, number: int) -> int:
        """Have what was asked for tracked, though the mapping that it is in grew or shrank.

        To read maps takes memory, of this process perhaps just beside it. Returns 0 or the errno.
        """
        start, end = spans.bounds[number]
        error = EAGAIN
        for _ in range(_TRIES):
            try:
                vma = procmap.vma_at(self._maps, start)
            except OSError:
                return error
            if end > vma.end:
                return error
            whole = [(vma.start, vma.end)]
            (error,) = userfaultfd.register(self._fd, self._maps, [(start, end)], whole)
            if error != EAGAIN:
                break
        return error

    def _widened(self, spans: Spans, number: int) -> bool:
        """Have this span tracked by whole huge pages, where it is a part of hugetlb memory.

        The kernel neither registers nor protects parts of these. The span is those pages then.
        """
        first, last = spans.whole[number]
        start, end = spans.bounds[number]
        size = PAGE_SIZE
        while (start, end) != (first, last):
            size *= 2
            start, end = max(start & -size, first), min(-(-end & -size), last)
            widened = userfaultfd.register(
                self._fd, self._maps, [(start, end)], [spans.whole[number]]
            )
            if widened == [0]:
                spans.bounds[number] = start, end
                return True
        return False

    def _busy(self, spans: Spans, number: int) -> PagemapError:
        start, end = spans.bounds[number]
        label = printable(spans.label(number))
        where = f"its memory from {start:#x} to {end:#x}{f' ({label})' if label else ''}"
        return busy(self._process.pid, where)

    def close(self) -> None:
        """End the tracking: closing does that, but for a child of fork that has the file, too."""
        if self._fd != CLOSED:
            userfaultfd.unregister(self._fd, list(self._known))
        self._fd = self._maps = CLOSED
