"""Samples taken by a thread of C at even times, read when there is time for it."""

from __future__ import annotations

import os
import time
from errno import ESRCH

from pagemap._errors import ClosedProcess, TargetVanished, UsageError
from pagemap._kernel.os_errors import from_os_error
from pagemap._native.descriptors import Holder
from pagemap._native.sampled import Ring
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_int, check_number
from pagemap._vocabulary.rows.sample import SAMPLES, SampleRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = ["SampleStream"]

_LEAST, _MOST = 1e-6, 1e6  # seconds
_MOST_KEPT = 1 << 24  # 1.5 GiB


class SampleStream(Holder):
    """Samples of a process, taken every `every` seconds; `Sampler.stream` gives it.

    `read` gives those that it did not give before, `table` all that are kept; Polars, pyarrow,
    pandas and DuckDB take the stream itself as that table (``pl.DataFrame(stream)``). No more than
    the `keep` newest are kept: those that were overwritten before `read` gave them are `lost`. A
    moment is `missed` where the sample before took longer than `every`. Rows have the time since
    `began_ns` of `time.monotonic_ns`; ``about["begin"]`` is that moment in UTC.

    Where the target exits, or calls exec, the samples so far stand, and when `read` has given them
    it raises TargetVanished. After `close` all can still be read. One thread at a time reads.

    A child of fork has no such thread: it gets ClosedProcess, and makes a stream of its own. The
    end of the interpreter stops the thread.
    """

    __slots__ = ("_begin", "_next", "_process", "_ring", "every", "lost")

    schema: Schema[SampleRow] = SAMPLES

    def __init__(self, counter: Any, every: float, keep: int) -> None:
        # a Counter, which is no class of the door
        check_int("keep", keep, 1, _MOST_KEPT + 1)
        wanted = f"a time of {_LEAST} to {_MOST:.0f} seconds"
        every = check_number("every", every, wanted)
        if not _LEAST <= every <= _MOST:  # nor NaN
            raise UsageError(f"every must be {wanted}, not {every}")
        self.every: float = every
        self.lost: int = 0
        self._next = 0
        self._process = counter.process
        job = counter.job
        if job is None:
            self._process.descriptor()  # raises NotMapped or ClosedProcess
            raise ClosedProcess("this Sampler is closed; make another")
        self._begin = time.time()
        try:
            self._ring = Ring(job, round(every * 1e9), keep)
        except OSError as error:
            raise from_os_error(
                error, pid=self._process.pid, operation="start a thread", path=None
            ) from None

    @property
    def began_ns(self) -> int:
        """When it began, as `time.monotonic_ns` has it."""
        return self._ring.began

    @property
    def running(self) -> bool:
        """Whether samples are taken still."""
        return not self._ring.lost and self._ring.look()[2] is None

    @property
    def missed(self) -> int:
        """How many moments passed while the sample before was taken."""
        return self._ring.look()[1]

    def read(self) -> Table[SampleRow]:
        """The samples since the last `read`, which may be none.

        Raises TargetVanished where the target is gone and all its samples were read; ClosedProcess
        in a child of fork.
        """
        taken, missed, error = self._look()
        first = max(self._next, taken - self._ring.capacity)
        table = self._table(first, taken, missed)
        self.lost += taken - self._next - len(table)
        self._next = taken
        table.about["lost"] = self.lost
        if error and not len(table):
            raise self._ended(error)
        return table

    def table(self) -> Table[SampleRow]:
        """All samples that are kept, read before or not. Raises ClosedProcess in a child of fork.

        ``about["lost"]`` is how many there were before them.
        """
        taken, missed, _ = self._look()
        table = self._table(max(0, taken - self._ring.capacity), taken, missed)
        table.about["lost"] = taken - len(table)
        return table

    def _look(self) -> tuple[int, int, int | None]:
        if self._ring.lost:
            raise ClosedProcess(
                f"this stream of process {self._process.pid} is of the process that forked this "
                f"one ({os.getpid()}), which has no thread that samples: make another",
                pid=self._process.pid,
            )
        return self._ring.look()

    def _table(self, first: int, taken: int, missed: int) -> Table[SampleRow]:
        _, columns = self._ring.copy(first, taken - first)
        return Table(
            SAMPLES,
            {name: values for name, (values, _) in columns.items()},
            valid={name: known for name, (_, known) in columns.items() if SAMPLES[name].nullable},
            about=about(
                self._begin,
                self._process,
                began_ns=self.began_ns,
                every=self.every,
                missed=missed,
            ),
            checked=True,
        )

    def _ended(self, error: int) -> Exception:
        pid = self._process.pid
        if error == ESRCH:
            return TargetVanished(
                f"process {pid} exited or called exec: it was sampled until then",
                pid=pid,
                errno=ESRCH,
                operation="sample",
            )
        return from_os_error(
            OSError(error, os.strerror(error)), pid=pid, operation="sample", path=None
        )

    def __arrow_c_schema__(self) -> object:
        """The schema, for consumers of Arrow."""
        return Table.of_rows(SAMPLES, ()).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """All samples that are kept now, as `table` gives them, for consumers of Arrow."""
        return self.table().__arrow_c_stream__()

    def __enter__(self) -> SampleStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and wait some milliseconds until that is done. May be called again."""
        self._ring.end()

    def __repr__(self) -> str:
        state = "running" if self.running else "ended"
        return f"<SampleStream of process {self._process.pid}, every {self.every} s, {state}>"
