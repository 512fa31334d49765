"""What a cgroup can do without: memory is taken away in small steps, until it comes back.

The kernel takes what it holds for the coldest (memory.reclaim, Linux 5.19), and counts what is
needed again (workingset_refault_* in memory.stat; mm/workingset.c). This disturbs: the cgroup's
processes wait for each page that was taken and that they do need.
"""

from __future__ import annotations

from errno import EAGAIN, ENOENT, ENOTSUP

from pagemap._errors import Unsupported
from pagemap._history.window import Look, cells
from pagemap._kernel.memory_cgroup import MemoryCgroup
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.window import Window

__all__ = ["looks", "measured"]

METHOD = "reclaim"
_STEPS = 20  # at most
_STEP_OF = 40  # a step is this part of what there is: no more than half is ever taken
_NEEDED = 4  # of what a step took, this part came back: it was needed
_PRECISION = (
    "an upper bound, found by taking memory away until it came back, by at most half: touched is "
    "what was left before the first step that was felt; without swap only the memory of files can "
    "be taken; processes of the cgroup had to wait for what they needed again"
)


def looks(cgroup: str, window: Window) -> Iterator[Look | None]:
    """None when all files that are needed are there, then what was found at the end."""
    yield from measured(MemoryCgroup(cgroup), window)


def measured(cgroup: MemoryCgroup, window: Window) -> Iterator[Look | None]:
    """The same of an open cgroup, which is closed at the end."""
    probe = _Probe(cgroup)
    try:
        whole = probe.current()
        window.begin()
        yield None
        probe.run(whole, window)
    except OSError as error:
        raise probe.error(error) from None
    finally:
        probe.close()
    window.note()
    row = cells(
        cgroup=cgroup.path,
        rss=whole,
        touched=probe.at_most,
        idle=[*[None] * (len(window.idle) - 1), whole - probe.at_most],
        method=METHOD,
        path="[all]",
    )
    yield Look([row], window.about(METHOD, _PRECISION, whole_window=True, **probe.told()))


class _Probe:
    def __init__(self, cgroup: MemoryCgroup) -> None:
        self._cgroup = cgroup
        self.close = cgroup.close
        self.at_most = 0
        self._taken = self._back = self._steps = 0
        self._stopped_by = ""

    def current(self) -> int:
        """The bytes that the cgroup has. Raises OSError where the files are not there."""
        self.at_most = int(self._cgroup.get("memory.current"))
        self._cgroup.put("memory.reclaim", 0)
        return self.at_most

    def run(self, whole: int, window: Window) -> None:
        """Take step by step, and stop where what was taken comes back."""
        step = max(whole // _STEP_OF // PAGE_SIZE, 1) * PAGE_SIZE
        for number in range(_STEPS):
            before, refaults = int(self._cgroup.get("memory.current")), self._refaults()
            self._reclaim(step)
            self._steps += 1
            taken = max(before - int(self._cgroup.get("memory.current")), 0)
            window.wait(window.over * (number + 1) / _STEPS, lambda: None)
            back = (self._refaults() - refaults) * PAGE_SIZE
            self._taken += taken
            self._back += back
            if not taken:
                self._stopped_by = "nothing more could be taken"
                return
            if back * _NEEDED >= taken:
                self._stopped_by = "what was taken came back"
                return
            self.at_most = max(min(self.at_most, int(self._cgroup.get("memory.current"))), 0)
        self._stopped_by = "as much as is allowed was taken, and little came back"

    def _reclaim(self, size: int) -> None:
        try:
            self._cgroup.put("memory.reclaim", size)
        except OSError as error:
            if error.errno != EAGAIN:  # it took less than was asked for
                raise

    def _refaults(self) -> int:
        lines = (line.split() for line in self._cgroup.get("memory.stat").splitlines())
        return sum(int(value) for name, value in lines if name.startswith("workingset_refault"))

    def told(self) -> dict[str, object]:
        """What the result says of the steps."""
        return {
            "steps": self._steps,
            "taken": self._taken,
            "came_back": self._back,
            "stopped_by": self._stopped_by,
        }

    def error(self, error: OSError) -> Exception:
        """The error that stands for one of the cgroup's files."""
        name = str(error.filename or "").rpartition("/")[2]
        if error.errno == ENOENT and name in ("memory.reclaim", "memory.current"):
            return Unsupported(
                f"cgroup {self._cgroup.path!r} has no {name}: it needs cgroup v2 with the memory "
                "controller, Linux 5.19, and another cgroup than the root",
                errno=ENOTSUP,
                operation="find the working set",
                path=f"{self._cgroup.path}/{name}",
            )
        return self._cgroup.error(error)
