"""DAMON by sysfs (/sys/kernel/mm/damon/admin): which regions of a process's memory are accessed.

The kernel's monitor (mm/damon) looks, at each sample, whether one page of each region was accessed
since the last: it clears the accessed mark of the page's entry, and finds whether the processor has
set it again. It counts the samples that found an access, for each region, and after an interval
of aggregation, starts anew. The files: Documentation/ABI/testing/sysfs-kernel-mm-damon.

The regions are ours (`fvaddr`), and stay as they are: the least number of regions is set so high
that none are merged, and the greatest so that none are split (kdamond_merge_regions and
kdamond_split_regions in mm/damon/core.c).
"""

from __future__ import annotations

import os
import time
from errno import EACCES, EBUSY, EINVAL, ENOENT, EPERM

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._kernel.control_files import get, patiently, put
from pagemap._kernel.put_back import Guard
from pagemap._native.descriptors import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OPERATIONS", "Damon", "require"]

OPERATIONS = "fvaddr"
"""The set of operations: fixed ranges of virtual addresses."""

# Regions of any size and age in which a sample found an access; the last two are of type int.
_WANTED = (("sz", 0, (1 << 64) - 1), ("nr_accesses", 1, (1 << 31) - 1), ("age", 0, (1 << 31) - 1))
_LEAST_REGIONS = 3  # that DAMON takes
_OFF_SECONDS = 10.0
_OPERATION = "find the working set"


class Damon(Holder):
    """Monitors the process `pid`, in `regions`, from now on until `close`; a context manager.

    `regions` are sorted ranges of whole pages that do not overlap, two or more. Samples are taken
    each `sample` seconds, and summed up each `aggregation` seconds.

    DAMON's settings are the whole machine's. They are made only where there are none, and removed
    at the end; if this process is killed, another one does that. Raises PagemapError where somebody
    else has set up DAMON, whether it runs or not; Unsupported, AccessDenied.
    """

    def __init__(
        self,
        pid: int,
        regions: Sequence[tuple[int, int]],
        *,
        sample: float,
        aggregation: float,
        sysfs: str = "/sys",
    ) -> None:
        self._pid = pid
        self._kdamonds = _folder(sysfs)
        self._guard: Guard | None = None
        self._ours = False
        require(sysfs)
        guard = self._guard = Guard(
            [(f"{self._kdamonds}/0/state", "off"), (f"{self._kdamonds}/nr_kdamonds", "0")]
        )
        try:
            patiently(lambda: self._claim(guard, sysfs))
            self._set_up(regions, round(sample * 1e6), round(aggregation * 1e6))
            self._put("state", "on")
        except OSError as error:
            self.close()
            raise _error(error, self._kdamonds) from None
        except BaseException:
            self.close()
            raise

    def _claim(self, guard: Guard, sysfs: str) -> None:
        # Looked at again, since the guard's start took its time: to write the number removes the
        # settings of whoever has come in between.
        require(sysfs)
        put(f"{self._kdamonds}/nr_kdamonds", 1)
        self._ours = True
        guard.arm()

    def _put(self, name: str, text: str | int) -> None:
        patiently(lambda: put(f"{self._kdamonds}/0/{name}", text))

    def _set_up(self, regions: Sequence[tuple[int, int]], sample: int, aggregation: int) -> None:
        self._put("contexts/nr_contexts", 1)
        context = "contexts/0"
        self._put(f"{context}/operations", OPERATIONS)
        times = f"{context}/monitoring_attrs/intervals"
        self._put(f"{times}/sample_us", sample)
        self._put(f"{times}/aggr_us", aggregation)
        self._put(f"{times}/update_us", 1 << 40)  # of ranges that are fixed: never
        fixed = max(2 * len(regions) - 1, _LEAST_REGIONS)
        bounds = f"{context}/monitoring_attrs/nr_regions"
        # each of the two is compared with the other only when it is switched on
        self._put(f"{bounds}/max", fixed)
        self._put(f"{bounds}/min", fixed)
        self._put(f"{context}/targets/nr_targets", 1)
        target = f"{context}/targets/0"
        self._put(f"{target}/pid_target", self._pid)
        self._put(f"{target}/regions/nr_regions", len(regions))
        for number, (start, end) in enumerate(regions):
            self._put(f"{target}/regions/{number}/start", start)
            self._put(f"{target}/regions/{number}/end", end)
        self._put(f"{context}/schemes/nr_schemes", 1)
        scheme = f"{context}/schemes/0"
        self._put(f"{scheme}/action", "stat")  # to count, and do nothing
        for name, least, most in _WANTED:
            self._put(f"{scheme}/access_pattern/{name}/min", least)
            self._put(f"{scheme}/access_pattern/{name}/max", most)

    def accessed(self) -> list[tuple[int, int]]:
        """The regions in which an access was found, in the aggregation that ends next.

        It waits for that end. Raises PagemapError when DAMON has stopped: its target has exited, or
        somebody has switched it off.
        """
        tried = f"{self._kdamonds}/0/contexts/0/schemes/0/tried_regions"
        try:
            self._put("state", "update_schemes_tried_regions")
            return [
                (int(get(f"{tried}/{name}/start")), int(get(f"{tried}/{name}/end")))
                for name in os.listdir(tried)
                if name.isdecimal()
            ]
        except OSError as error:
            raise PagemapError(
                f"DAMON has stopped: {self._kdamonds}/0/state: {error.strerror}; its target has "
                "exited, or somebody has switched it off",
                pid=self._pid,
                errno=error.errno,
                operation=_OPERATION,
                path=f"{self._kdamonds}/0/state",
            ) from None

    def __enter__(self) -> Damon:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch it off and remove what was set up. May be called again."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        if not self._ours:
            guard.dismiss()
            return
        try:
            self._switch_off()
            patiently(lambda: put(f"{self._kdamonds}/nr_kdamonds", 0))
        except OSError as error:
            guard.act()
            if error.errno != ENOENT:  # else somebody has removed it, which is as well
                raise _error(error, self._kdamonds) from None
        except BaseException:
            guard.act()
            raise
        guard.dismiss()

    def _switch_off(self) -> None:
        state = f"{self._kdamonds}/0/state"
        if not os.path.exists(state):
            return
        end = time.monotonic() + _OFF_SECONDS
        while patiently(lambda: get(state)) != "off":
            try:
                patiently(lambda: put(state, "off"))
            except OSError as error:
                if error.errno not in (EBUSY, EINVAL, EPERM):  # it ends by itself at this moment
                    raise
            if time.monotonic() > end:
                raise OSError(EBUSY, f"it is still on after {_OFF_SECONDS:g} s", state)
            time.sleep(0.01)


def require(sysfs: str = "/sys") -> None:
    """Raise where DAMON cannot be used: it is not there, not for us, or somebody else's."""
    folder = _folder(sysfs)
    try:
        number = int(get(f"{folder}/nr_kdamonds"))
        states = [_state(folder, each) for each in range(number)]
        offered = [
            get(f"{folder}/{each}/contexts/{name}/avail_operations").split()
            for each in range(number)
            for name in os.listdir(f"{folder}/{each}/contexts")
            if name.isdecimal()
        ]
    except OSError as error:
        raise _error(error, folder) from None
    if any(OPERATIONS not in names for names in offered):
        raise _no_operations(folder)
    if number:
        how = "is running" if "on" in states else "is set up, though not running"
        raise PagemapError(
            f"DAMON {how} for somebody else, whose settings would be lost; when nobody needs them "
            f"any more, switch it off and write 0 to {folder}/nr_kdamonds",
            errno=EBUSY,
            operation=_OPERATION,
            path=f"{folder}/nr_kdamonds",
        )


def _state(folder: str, number: int) -> str:
    return patiently(lambda: get(f"{folder}/{number}/state"))


def _folder(sysfs: str) -> str:
    return f"{sysfs}/kernel/mm/damon/admin/kdamonds"


def _no_operations(folder: str) -> Unsupported:
    return Unsupported(
        "DAMON of this kernel does not monitor virtual addresses: it needs CONFIG_DAMON_VADDR",
        errno=EINVAL,
        operation=_OPERATION,
        path=folder,
    )


def _error(error: OSError, folder: str) -> PagemapError:
    path = str(error.filename or folder)
    if error.errno == ENOENT and not os.path.isdir(folder):
        return Unsupported(
            f"this kernel has no {folder}: it needs CONFIG_DAMON_SYSFS (Linux 5.18)",
            errno=ENOENT,
            operation=_OPERATION,
            path=folder,
        )
    if error.errno in (EACCES, EPERM):
        return AccessDenied(
            f"cannot use DAMON: {path}: permission denied; run with sudo",
            errno=error.errno,
            operation=_OPERATION,
            path=path,
        )
    if error.errno == EINVAL and path.endswith(("operations", "state")):
        return _no_operations(folder)
    return PagemapError(
        f"cannot use DAMON: {path}: {error.strerror or error}",
        errno=error.errno,
        operation=_OPERATION,
        path=path,
    )
