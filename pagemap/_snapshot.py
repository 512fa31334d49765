"""A snapshot file: what it says of itself, and its processes, with the methods of a Process."""

from __future__ import annotations

from errno import ENOENT

from pagemap._errors import ClosedProcess, NoSuchProcess, PagemapError, UsageError
from pagemap._history.snapshot import Options
from pagemap._history.snapshot_new import take_file
from pagemap._methods import ProcessMethods
from pagemap._native.descriptors import Holder
from pagemap._space.arguments import pid_of
from pagemap._space.saved_space import SavedSpace
from pagemap._space.snapshot_contents import contents_of
from pagemap._space.snapshot_file import SnapshotFile
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any, overload

    from pagemap._analyses.sharing_groups import GroupSharing
    from pagemap._analyses.sharing_walk import Sharing
    from pagemap._space.arguments import Target
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._space.snapshot_file import SavedRecord
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.contents import ContentsRow
    from pagemap._vocabulary.rows.owners import OwnerRow

__all__ = ["SavedProcess", "Snapshot"]


class SavedProcess(SavedSpace, ProcessMethods):
    """A process of a snapshot, as `Snapshot.process` gives it, with the methods of `Process`.

    They give what those of the process would have given when the snapshot was taken, if it was
    stopped then. The file may not have all of it: without PFNs (`pfns_visible` is False) `pfn` is
    None, and virt_to_phys, segments and huge raise PfnsHidden; without smaps footprints raises
    Unsupported, and without frames huge, page_types, page_runs and frames of columns.

    `path` is the file, and `pid` the number that it had. No method looks at a process that runs, or
    at any file of this machine.
    """

    __slots__ = ()


class Snapshot(Holder):
    """A snapshot file, open to be read: page tables of processes at one moment, or at several.

    Use it as a context manager, or call `close()`; `closed` says whether it was. `path` is the
    file. The moments of a record are numbered from 0; -1 is the last, and the default.

    Raises NoSuchFile where there is none, AccessDenied, and PagemapError for a file that is no
    snapshot, damaged, or of a newer version.

    >>> import os, pagemap, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "self.pagemap")
    ...     with pagemap.Snapshot.take("self", path, pfns=False) as snapshot:
    ...         resident = snapshot.process().tally(["rss"]).total().rss
    >>> resident > 1_000_000
    True
    """

    __slots__ = ("_file", "closed", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import os

        self.path: str = os.fsdecode(path)
        self.closed: bool = False
        self._file = SnapshotFile(self.path)

    @classmethod
    def take(
        cls,
        targets: Target | Iterable[Target],
        path: str | os.PathLike[str],
        *,
        pfns: bool = True,
        stop: bool = False,
        smaps: bool = False,
        frames: bool = False,
        threads: int | None = None,
    ) -> Snapshot:
        """Write a snapshot of one process or several into the file `path`, and open it.

        The file has mode 0600, and comes into its place only when it is complete; an older one is
        replaced. `pfns` False leaves out where pages lie, in memory and in swap: a much smaller
        file. `stop` stops each process while it is read, then resumes it. `smaps` saves what the
        kernel adds up for each mapping, which holds the target's mmap_lock meanwhile. `frames`
        saves the flags and map counts of frames (root), and so not with `pfns` False. `threads`
        read at once.

        Where a process exits or calls exec midway, the file has what was read until then: `about`
        has ``complete`` False, ``cut_short`` names those, and ``left_out`` what could not be read.
        Raises NoSuchProcess where one is not there, AccessDenied or TargetVanished where none could
        be read, PfnsHidden where `frames` cannot be read, UsageError, and PagemapError where the
        file cannot be written.
        """
        import os
        from collections.abc import Iterable

        if isinstance(targets, Iterable) and not isinstance(targets, str):
            pids = list(dict.fromkeys(map(pid_of, targets)))
        else:
            pids = [pid_of(targets)]
        if frames and not pfns:
            raise UsageError("frames are saved by PFN: they cannot be had without PFNs")
        options = Options(pfns=pfns, stop=stop, smaps=smaps, frames=frames, threads=threads)
        take_file(pids, os.fsdecode(path), options)
        return cls(path)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Snapshot {printable(self.path)}>"

    def close(self) -> None:
        """Let go of the file: its processes are closed with it."""
        self.closed = True
        self._file.close()

    @property
    def moments(self) -> int:
        """How many moments the file has."""
        return self._file.moments

    @property
    def cut_short(self) -> bool:
        """Whether a moment that is not whole follows the last one.

        The writing of a record ended within it, or goes on.
        """
        return self._file.cut_short

    def contents(self) -> Table[ContentsRow]:
        """What the file has: a table of `pagemap.ContentsRow`, for each process of each moment.

        `about` has ``size`` in bytes, ``moments``, ``format``, the version of the file, and
        ``cut_short``. No page table is read. Raises PagemapError where the file is damaged.

        >>> import os, pagemap, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "self.pagemap")
        ...     with pagemap.Snapshot.take("self", path, pfns=False) as snapshot:
        ...         row = snapshot.contents()[0]
        >>> (row.moment, row.pid == os.getpid(), row.pfns, row.complete)
        (0, True, False, True)
        """
        self._check(-1)
        return contents_of(self._file)

    @property
    def about(self) -> dict[str, Any]:
        """What holds for all processes of the last moment: when, where, whole or cut short."""
        return self.about_moment(-1)

    def about_moment(self, moment: int) -> dict[str, Any]:
        """What holds for all processes of one moment."""
        self._check(moment)
        return self._file.about(moment)

    @property
    def processes(self) -> list[int]:
        """The pids of the processes, as they were, in the order in which they were taken."""
        return self.pids()

    def pids(self, *, moment: int = -1) -> list[int]:
        """The pids of the processes at one moment."""
        return [record.pid for record in self._records(moment)]

    def names(self, *, moment: int = -1) -> dict[int, str]:
        """The command names of the processes at one moment, by pid."""
        return {record.pid: record.name for record in self._records(moment)}

    def process(self, pid: int | None = None, *, moment: int = -1) -> SavedProcess:
        """The process with this pid; without, that which the file has alone.

        Raises NoSuchProcess where the file has none with this pid, UsageError where it has several
        and none is named, or no such moment; Unsupported for a file of a machine whose pages have
        another size.
        """
        records = self._records(moment)
        if pid is None and len(records) == 1:
            return SavedProcess(records[0], self)
        pids = ", ".join(str(record.pid) for record in records)
        if pid is None:
            raise UsageError(
                f"{printable(self.path)} has {len(records)} processes; choose one: {pids}"
            )
        for record in records:
            if record.pid == pid:
                return SavedProcess(record, self)
        raise NoSuchProcess(
            f"{printable(self.path)} has no process {pid}; it has {pids}",
            pid=pid,
            operation="find",
            path=self.path,
        )

    if TYPE_CHECKING:

        @overload
        def sharing(
            self,
            pids: Iterable[int] = ...,
            *,
            by: None = ...,
            only: bool = ...,
            top: int = ...,
            moment: int = ...,
            threads: int | None = ...,
        ) -> Sharing: ...
        @overload
        def sharing(
            self,
            pids: Iterable[int] = ...,
            *,
            by: str,
            only: bool = ...,
            top: int = ...,
            moment: int = ...,
            threads: int | None = ...,
        ) -> GroupSharing: ...

    def sharing(
        self,
        pids: Iterable[int] = (),
        *,
        by: str | None = None,
        only: bool = False,
        top: int = 20,
        moment: int = -1,
        threads: int | None = None,
    ) -> Sharing | GroupSharing:
        """What the processes of the file share with each other, as `pagemap.sharing` gives it.

        With `pids` only what one of these shares with another counts; with `only` no others are
        looked at. Nothing is known of processes that are not in the file. Without frames
        (`take` with ``frames=True``) the kinds of memory are unknown, and what KSM merged within
        one process is left out: `kinds_told` in `about` is False. `by` may be "name": the file has
        nothing else that tells groups.

        Raises PfnsHidden for a file without PFNs, NoSuchProcess and UsageError as `process`.
        """
        from pagemap._analyses.sharing import sharing_in

        chosen = list(dict.fromkeys(pids))
        saved = self._several(chosen, moment, only=only and bool(chosen))
        return sharing_in(saved, chosen, by=by, top=top, threads=threads)

    def owners(
        self, pfns: Iterable[int], *, moment: int = -1, threads: int | None = None
    ) -> Table[OwnerRow]:
        """The pages of the processes in the file that map these frames, as `pagemap.owners` does.

        Nothing is known of processes that are not in the file: with frames `unexplained` says how
        many more mappings the kernel counted. Flags and map counts are None without frames.

        Raises PfnsHidden for a file without PFNs, UsageError for a PFN past the last frame.
        """
        from pagemap._analyses.owners import owners_in

        return owners_in(self._several([], moment, only=False), pfns, threads=threads)

    def _several(self, pids: list[int], moment: int, *, only: bool) -> SavedProcesses:
        """These processes, and behind them all others, unless `only` these are meant."""
        from pagemap._space.saved_processes import SavedProcesses

        first = [self.process(pid, moment=moment) for pid in pids]
        rest = [] if only else [pid for pid in self.pids(moment=moment) if pid not in pids]
        spaces = [*first, *(self.process(pid, moment=moment) for pid in rest)]
        return SavedProcesses(spaces, self.about_moment(moment))

    def _check(self, moment: int) -> None:
        if self.closed:
            raise ClosedProcess(f"{self!r} is closed; open it again")
        count = self._file.moments
        if moment not in range(-count, count):
            has = f"{count} moments, from 0 to {count - 1}" if count > 1 else "1 moment, 0"
            raise UsageError(
                f"{printable(self.path)} has {has}: there is no moment {moment}",
                errno=ENOENT,
                operation="find a moment",
                path=self.path,
            )

    def _records(self, moment: int) -> list[SavedRecord]:
        self._check(moment)
        records = self._file.processes(moment)
        if not records:
            raise PagemapError(f"{printable(self.path)} has no process", path=self.path)
        return records
