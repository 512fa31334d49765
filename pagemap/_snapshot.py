"""A snapshot file: what it says of itself, and its processes, with the methods of a Process."""

from __future__ import annotations

from pagemap._errors import ClosedProcess, NoSuchProcess, PagemapError, UsageError
from pagemap._methods import ProcessMethods
from pagemap._native.descriptors import Holder
from pagemap._space.saved_space import SavedSpace
from pagemap._space.snapshot_file import SnapshotFile
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from pagemap._space.snapshot_file import SavedRecord

__all__ = ["SavedProcess", "Snapshot"]


class SavedProcess(SavedSpace, ProcessMethods):
    """A process of a snapshot, as `Snapshot.process` gives it, with the methods of `Process`.

    They give what those of the process would have given when the snapshot was taken, if it was
    stopped then. The file may not have all of it: without PFNs (`pfns_visible` is False) `pfn` is
    None, and virt_to_phys raises PfnsHidden; without smaps footprints raises Unsupported, as huge,
    page_types and page_runs do in any case, and `fileno`.

    `record` is what the file has of it, in `path`; `pid` the number that it had. No method looks at
    a process that runs, or at any file of this machine.
    """

    __slots__ = ()


class Snapshot(Holder):
    """A snapshot file, open to be read: page tables of processes at one moment, or at several.

    Use it as a context manager, or call `close()`; `closed` says whether it was. `path` is the
    file. The moments of a record are numbered from 0; -1 is the last, and the default.

    Raises PagemapError for a file that is no snapshot, damaged, or of a newer version.

    >>> import pagemap
    >>> with pagemap.Snapshot("before.pagemap") as snapshot:  # doctest: +SKIP
    ...     resident = snapshot.process().tally(["rss"]).total().rss
    """

    __slots__ = ("_file", "closed", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import os

        self.path: str = os.fspath(path)
        self.closed: bool = False
        self._file = SnapshotFile(self.path)

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

    def _check(self, moment: int) -> None:
        if self.closed:
            raise ClosedProcess(f"{self!r} is closed; open it again")
        count = self._file.moments
        check_int("moment", moment, -count, count)

    def _records(self, moment: int) -> list[SavedRecord]:
        self._check(moment)
        records = self._file.processes(moment)
        if not records:
            raise PagemapError(f"{printable(self.path)} has no process", path=self.path)
        return records
