"""Every address space of the machine, each once.

What is mapped where, only the page tables tell, so who wants to know it of a frame goes through
those of all processes. A process is one address space however many threads it has; several
processes are one too, a child of vfork and its parent, or what clone made with CLONE_VM: their
pages are looked at once, and all are named.
"""

from __future__ import annotations

import os
from contextlib import closing
from errno import EACCES, EMFILE, ENFILE, EPERM

from pagemap._errors import (
    AccessDenied,
    NoSuchProcess,
    PagemapError,
    PfnsHidden,
    TargetVanished,
)
from pagemap._kernel.folder import Folder
from pagemap._kernel.processes import pids
from pagemap._native import pipeline, probe_pfns
from pagemap._native.descriptors import Holder, spare
from pagemap._native.owners import Visit
from pagemap._native.scan import Spans
from pagemap._space.address_space import AddressSpace
from pagemap._space.twins import Twins
from pagemap._space.walk import Reach
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import Any

    from pagemap._native.owners import VisitPiece

    Choose = Callable[[bytes], tuple[list[tuple[int, int]], Any]]
    Make = Callable[[Visit, Any, Any, int], VisitPiece]
    Progress = Callable[[int, int], object]

__all__ = ["Seen", "Spaces", "require_pfns"]


def require_pfns(purpose: str) -> None:
    """Raise PfnsHidden where the kernel hides PFNs from us: `purpose` is what cannot be done."""
    if not probe_pfns():
        raise PfnsHidden(
            f"cannot {purpose}: the kernel hides PFNs in /proc/PID/pagemap from who opens it "
            "without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
            operation=purpose,
        )


_HELD = 3  # descriptors of a process that is open
_BESIDE = 6  # for what is opened for a moment, and by the caller


def _affordable(threads: int | None) -> int:
    """As many threads as there are descriptors for: each has two processes open at most."""
    wanted = pipeline.default_threads() if threads is None else threads
    return max(1, min(wanted, (spare() - _BESIDE) // (2 * _HELD)))


def _sees_all(procfs: str) -> bool:
    """Whether /proc shows the initial PID namespace, which holds all others: its kernel threads."""
    try:
        with closing(Folder(2, "2", procfs)) as folder:
            return folder.is_kernel_thread()
    except PagemapError:
        return False


class Seen(Holder):
    """A process that is gone through: `number` is its place among the pids of the `Spaces`.

    `note` is what the caller keeps of the mappings that the pieces at hand are of.
    """

    __slots__ = ("note", "number", "process")

    def __init__(self, process: AddressSpace, number: int, note: Any) -> None:
        self.process = process
        self.number = number
        self.note = note


class Spaces(Holder):
    """The address spaces of all processes, or with `only` of those in `first`, which come first.

    A context manager, which closes what it opened. Afterwards it tells who was left out:
    `unreadable`, why by pid; `vanished`, those that ended or called exec before they were read to
    the end, of which what was read stands. Kernel threads and zombies have no memory and do not
    count; a process whose main thread has ended is looked at through one that lives.

    `pids` are those to look at, one for each address space, and ``sharers[pid]`` the other
    processes with the memory of `pid`: told by kcmp(2) of those whose auxiliary vectors are alike,
    at the moment this is made. Where `pid` ends, the next of them is read on in its place, and
    stands for it in `pids`. Where kcmp cannot be used (`sharers_known` is False; it needs
    CONFIG_KCMP, and may be forbidden) they are looked at apart, and counted twice. `names` are
    the command names by pid. `complete` is False where there are processes that cannot even be
    seen: those of other PID namespaces than that of the /proc that is read.

    Each process that is gone through takes three descriptors. Where few may be opened
    (RLIMIT_NOFILE) fewer threads read; none at all is an error of ours, not of the process.
    """

    def __init__(
        self, *, procfs: str = "/proc", first: Sequence[int] = (), only: bool = False
    ) -> None:
        self.unreadable: dict[int, str] = {}
        self.vanished: list[int] = []
        self.sharers: dict[int, list[int]] = {}
        self._twins = Twins(procfs=procfs)
        self.names: dict[int, str] = {}
        self._procfs = procfs
        self._open: dict[int, AddressSpace] = {}
        self.complete = _sees_all(procfs)
        given = dict.fromkeys(first)
        rest = () if only else (pid for pid in pids(procfs) if pid not in given)
        self.pids = [
            found
            for pid in (*given, *rest)
            if (found := self._identify(pid, wanted=pid in given)) is not None
        ]

    @property
    def sharers_known(self) -> bool:
        """Whether kcmp could tell who shares memory."""
        return self._twins.known

    def __enter__(self) -> Spaces:
        return self

    def __exit__(self, *exc: object) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _identify(self, pid: int, *, wanted: bool) -> int | None:
        """The id to read process `pid` by; None for what has no memory of its own to look at."""
        try:
            image = self._twins.image(pid)
            if not image:
                return pid if wanted else None  # opening it will say what is wrong
        except OSError as error:
            _raise_for_want_of_files(error)
            if wanted:
                return pid
            if error.errno in (EACCES, EPERM) and not self._is_kernel_thread(pid):
                self.unreadable[pid] = "permission denied"
            return None
        twin = self._twins.find(pid, image)
        if twin is None:
            return pid
        self.sharers.setdefault(twin, []).append(pid)
        return None

    def _is_kernel_thread(self, pid: int) -> bool:
        try:
            with closing(Folder(pid, str(pid), self._procfs)) as folder:
                return folder.is_kernel_thread()
        except PagemapError:
            return True  # by now it is gone

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

        `choose` gets the text of maps, some lines at a time, and gives the ranges of pages ``(vpn,
        count)`` to be gone through, with a note of its own; `make` makes a piece of some of them.
        Processes in `required` raise what others are left out for. `progress` is
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
                    self._fail(seen.process.pid, seen.process.read_error(piece.error))
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
            pid, reached = first, 0
            failure: PagemapError | None = None
            while True:
                process = None
                given = False
                reach = reaches.setdefault(number, Reach())
                ended = None
                try:
                    process = self._open_one(pid)
                    for block in process.maps_blocks():
                        text, end = _beyond(block, reached)
                        if text:
                            seen = Seen(process, number, None)
                            for piece in self._pieces_of(text, seen, choose, make, reach):
                                yield piece
                                given = True
                        reached = end
                except (NoSuchProcess, TargetVanished) as error:
                    ended = error
                    if pid in required:
                        raise
                except PagemapError as error:
                    if pid in required:
                        raise
                    self._fail(pid, error)
                # without other threads a piece is asked for when all before it were used
                if process is not None and (alone or not given):
                    self._finish(process)
                if ended is None:
                    break
                failure = failure or ended
                twin = self._replace(number, pid)
                if twin is None:
                    self._fail(first, failure)
                    break
                pid = twin

    def _open_one(self, pid: int) -> AddressSpace:
        meant = self._twins.meant.get(pid, pid)
        process = self._open[pid] = AddressSpace(meant, procfs=self._procfs)
        self.names[pid] = process.name
        return process

    def _replace(self, number: int, ended: int) -> int | None:
        """Another with the memory of process `ended`, in whose place it is read from now on.

        Whoever shares memory with short-lived processes would else not be looked at.
        """
        others = self.sharers.pop(ended, [])
        if not others:
            return None
        twin = self.pids[number] = others.pop(0)
        if others:
            self.sharers[twin] = others
        return twin

    def _pieces_of(
        self, text: bytes, seen: Seen, choose: Choose, make: Make, reach: Reach
    ) -> Iterator[VisitPiece]:
        ranges, seen.note = choose(text)
        if ranges:
            process = seen.process
            visit = Visit(
                Spans(ranges),
                process.fileno(),
                PAGE_SHIFT,
                use_scan=process.can_scan,
                tag=seen,
            )
            yield from visit.pieces(make, reach)

    def _finish(self, process: AddressSpace) -> None:
        """All of it was read: each piece has told whether it was there to its end."""
        self._open.pop(process.pid, process).close()

    def _fail(self, pid: int, error: PagemapError) -> None:
        _raise_for_want_of_files(error)
        if isinstance(error, (NoSuchProcess, TargetVanished)):
            if pid not in self.vanished:
                self.vanished.append(pid)
        elif isinstance(error, AccessDenied):
            self.unreadable[pid] = "permission denied"
        else:
            self.unreadable[pid] = str(error)


def _beyond(block: bytes, reached: int) -> tuple[bytes, int]:
    """The lines of mappings from address `reached` on, and the address where the last one ends."""
    lines = block.splitlines(keepends=True) if reached else []
    left = [line for line in lines if int(line.partition(b"-")[0], 16) >= reached]
    text = b"".join(left) if reached else block
    last = text[text.rfind(b"\n", 0, -1) + 1 :]
    end = int(last.partition(b" ")[0].partition(b"-")[2], 16) if last else reached
    return text, end


def _raise_for_want_of_files(error: OSError | PagemapError) -> None:
    """Raise an error of ours where a limit of open files is met: nobody is left out for that."""
    if error.errno in (EMFILE, ENFILE):
        raise PagemapError(
            f"cannot look at all processes: {os.strerror(error.errno)}; "
            "raise the limit (ulimit -n, or the sysctl fs.file-max)",
            errno=error.errno,
            operation="look at all processes",
        ) from None
