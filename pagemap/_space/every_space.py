"""The page tables of all processes: the only way from a frame to the processes that map it."""

from __future__ import annotations

from pagemap._errors import PagemapError, PfnsHidden
from pagemap._native import pipeline, probes
from pagemap._native.descriptors import Holder, spare
from pagemap._native.owners import Visit
from pagemap._native.scan import Spans
from pagemap._space.every_process import EveryProcess
from pagemap._space.walk import Reach
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import Any, TypeVar

    from pagemap._native.owners import VisitPiece
    from pagemap._space.address_space import AddressSpace

    Spanned = tuple[list[tuple[int, int]], Any]
    Choose = Callable[[bytes, AddressSpace], Spanned]
    Make = Callable[[Visit, Any, Any, int], VisitPiece]
    Progress = Callable[[int, int], object]
    _Several = TypeVar("_Several", bound="SeveralSpaces")

__all__ = ["AMONG_SAVED", "Seen", "SeveralSpaces", "Spaces", "require_pfns"]


def require_pfns(purpose: str) -> None:
    """Raise PfnsHidden where the kernel hides PFNs from us: `purpose` is what cannot be done."""
    if not probes.pfns():
        raise PfnsHidden(
            f"cannot {purpose}: the kernel hides PFNs in /proc/PID/pagemap without CAP_SYS_ADMIN "
            "(in the initial user namespace); run with sudo",
            operation=purpose,
        )


AMONG_SAVED = "the processes of the snapshot"
"""What `about` says of a result that no other processes were looked at for."""

_HELD = 3  # descriptors of a process that is open
_BESIDE = 6  # for what is opened for a moment, and by the caller


def _affordable(threads: int | None) -> int:
    """As many threads as there are descriptors for: each has two processes open at most."""
    wanted = pipeline.default_threads() if threads is None else threads
    return max(1, min(wanted, (spare() - _BESIDE) // (2 * _HELD)))


class Seen(Holder):
    """A process that is gone through: `number` is its place among the pids of the `Spaces`.

    `note` is what the caller keeps of the mappings that the pieces at hand are of.
    """

    __slots__ = ("note", "number", "process")

    def __init__(self, process: AddressSpace, number: int, note: Any) -> None:
        self.process = process
        self.number = number
        self.note = note


class SeveralSpaces(Holder):
    """Address spaces to go through. A context manager, which closes what it opened.

    Of those that ended or called exec before they were read to the end, what was read stands.
    """

    _open: dict[int, AddressSpace]

    if TYPE_CHECKING:
        pids: list[int]

        def open(self, pid: int) -> AddressSpace:
            """The address space of one of the pids, for the caller to close."""
            ...

        def instead(self, pid: int, error: PagemapError) -> int | None:
            """Another process to read in the place of one with an error, if there is one."""

        def leave_out(self, pid: int, error: PagemapError) -> None:
            """Take note of an error of a process."""

    def __enter__(self: _Several) -> _Several:  # noqa: PYI019 - typing.Self is of 3.11
        self._open = {}
        return self

    def __exit__(self, *exc: object) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def go_through(
        self,
        choose: Choose,
        make: Make,
        make_buffer: Callable[[], Any],
        *,
        required: Sequence[int] = (),
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Generator[tuple[VisitPiece, Any], None, None]:
        """Each step of each piece, in order, with its result; ``piece.visit.tag`` is a `Seen`.

        `choose` gets the text of maps, some lines at a time, and the process, and gives the ranges
        of pages ``(vpn, count)`` to be gone through, with a note of its own; `make` makes a piece
        of some of them. Processes in `required` raise what others are left out for. `progress` is
        called with the processes done and their number.
        """
        at: Seen | None = None
        reaches: dict[int, Reach] = {}
        threads = _affordable(threads)
        pieces = self._pieces(choose, make, reaches, required, alone=threads == 1)
        with pipeline.run(pieces, make_buffer, threads) as results:
            for piece, result in results:
                seen: Seen = piece.visit.tag
                if at is not None and seen.process is not at.process:
                    self._finish(at.process)
                    if progress is not None and seen.number != at.number:
                        progress(seen.number, len(self.pids))
                at = seen
                yield piece, result
                if piece.error is not None:
                    self.leave_out(seen.process.pid, seen.process.read_error(piece.error))
                elif piece.done:
                    reaches[seen.number].learn(piece.pages, piece.work)
        if at is not None:
            self._finish(at.process)

    def _pieces(
        self,
        choose: Choose,
        make: Make,
        reaches: dict[int, Reach],
        required: Sequence[int],
        *,
        alone: bool,
    ) -> Iterator[VisitPiece]:
        for number, first in enumerate(self.pids):
            pid: int | None = first
            reached = 0
            reach = reaches.setdefault(number, Reach())
            while pid is not None:
                process = None
                given = False
                following = None
                try:
                    process = self._open[pid] = self.open(pid)
                    for block in process.maps_blocks():
                        text, end = _beyond(block, reached)
                        if text:
                            seen = Seen(process, number, None)
                            for piece in self._pieces_of(text, seen, choose, make, reach):
                                yield piece
                                given = True
                        reached = end
                except PagemapError as error:
                    if pid in required:
                        raise
                    following = self.instead(pid, error)
                # without other threads a piece is asked for when all before it were used
                if process is not None and (alone or not given):
                    self._finish(process)
                pid = following

    def _pieces_of(
        self, text: bytes, seen: Seen, choose: Choose, make: Make, reach: Reach
    ) -> Iterator[VisitPiece]:
        ranges, seen.note = choose(text, seen.process)
        if ranges:
            process = seen.process
            visit = Visit(
                Spans(ranges),
                process.source,
                PAGE_SHIFT,
                use_scan=process.can_scan,
                tag=seen,
            )
            yield from visit.pieces(make, reach)

    def _finish(self, process: AddressSpace) -> None:
        """All of it was read: each piece has told whether it was there to its end."""
        self._open.pop(process.pid, process).close()


class Spaces(EveryProcess, SeveralSpaces):
    """The address spaces of all processes, or with `only` of those in `first`, which come first.

    Each process that is gone through takes three descriptors. Where few may be opened
    (RLIMIT_NOFILE) fewer threads read; none at all is an error of ours, not of the process.
    """

    def __init__(
        self, *, procfs: str = "/proc", first: Sequence[int] = (), only: bool = False
    ) -> None:
        super().__init__(first, others=() if only else None, procfs=procfs)


def _beyond(block: bytes, reached: int) -> tuple[bytes, int]:
    """The lines of mappings from address `reached` on, and the address where the last one ends."""
    lines = [line + b"\n" for line in block.split(b"\n") if line] if reached else []
    left = [line for line in lines if int(line.partition(b"-")[0], 16) >= reached]
    text = b"".join(left) if reached else block
    last = text[text.rfind(b"\n", 0, -1) + 1 :]
    end = int(last.partition(b" ")[0].partition(b"-")[2], 16) if last else reached
    return text, end
