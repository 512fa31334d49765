"""Checks of memory for tests: of what is written, huge, shared and resident.

They need no pytest. Where it runs, and this machine cannot tell, the test is skipped with the
reason; without it, or without the plugin, Unsupported or AccessDenied is raised.
"""

from __future__ import annotations

import os
import warnings
from contextlib import closing

from pagemap._analyses.cached_files import cache
from pagemap._errors import AccessDenied, Unsupported, UsageError
from pagemap._native.descriptors import Holder
from pagemap._pytest.areas import Area, pages_of, plural
from pagemap._pytest.growth import regions
from pagemap._pytest.huge_setting import huge_page, why_none
from pagemap._pytest.reasons import cannot_hold, of_the_caller
from pagemap._pytest.same_frames import SameFrames
from pagemap._pytest.writes import Writes
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.checks import check_int, check_number, check_several
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from pagemap._history.tracker import Tracker
    from pagemap._pytest.areas import Of
    from pagemap._space.arguments import Target

__all__ = ["assert_huge", "assert_resident", "assert_shared", "assert_written"]

_MOST = 1 << 52  # pages of 64 bits of addresses


def assert_written(buffer: Of, *, at_most: int) -> AbstractContextManager[Tracker]:
    """Assert that the statements of a ``with`` write at most so many pages of a buffer.

    `buffer` is an object with the buffer protocol, which must not change its size meanwhile; a
    mapping or ``(start, end)`` in bytes of this process; or the name of mappings: a path as in
    /proc/PID/maps, its last part, or ``[anon]``. All pages that it lies in count; of the first and
    the last it may have a part only, and the message says so. Writes of all threads count, those of
    children do not. ``with`` gives the `Tracker`, whose table says what is `unseen`.

    Raises AssertionError, UsageError where there is no such memory, and what `track` raises.

    >>> import mmap, pagemap
    >>> memory = mmap.mmap(-1, 1 << 20)
    >>> with pagemap.assert_written(memory, at_most=1):
    ...     memory[5000] = 1
    """
    return _Written(buffer, check_int("at_most", at_most, 0, _MOST))


class _Written(Holder):
    def __init__(self, buffer: Of, at_most: int) -> None:
        self._area = Area(buffer)
        self._buffer = buffer
        self._at_most = at_most
        self._writes: Writes | None = None
        self._entered = False

    @of_the_caller
    def __enter__(self) -> Tracker:
        __tracebackhide__ = True
        self._entered = True
        try:
            self._writes = Writes(self._area, self._buffer)
        except (Unsupported, AccessDenied) as error:
            cannot_hold(error)
        return self._writes.tracker

    def __exit__(self, kind: object, *rest: object) -> None:
        __tracebackhide__ = True
        writes = self._writes
        assert writes is not None
        if kind is not None:
            writes.close()
            return
        failure, unknown = writes.judged(writes.end(), self._at_most)
        if failure:
            raise AssertionError(failure)
        if unknown:
            cannot_hold(Unsupported(unknown))

    def __del__(self) -> None:
        if not getattr(self, "_entered", True):
            warnings.warn(
                "assert_written checked nothing: write `with assert_written(...):` before the "
                "statements that it is about",
                RuntimeWarning,
                stacklevel=2,
            )


@of_the_caller
def assert_huge(buffer: Of, *, at_least: float = 1.0) -> None:
    """Assert that a buffer is in huge pages, mapped by the PMD or larger: transparent or hugetlb.

    `at_least` is a share, from 0 to 1, of the huge pages that lie wholly in it: what is before the
    first and behind the last need not be huge. `buffer` is as in `assert_written`.

    Raises AssertionError, UsageError for what is smaller than a huge page. Where transparent huge
    pages are turned off, or the kernel does not tell, this cannot be held.
    """
    __tracebackhide__ = True
    share = _share(at_least)
    area = Area(buffer)
    size = huge_page()
    with LiveSpace("self") as process:
        inner = [
            (-(-start & -size), end & -size)
            for start, end in area.ranges(process)
            if -(-start & -size) < end & -size
        ]
        whole = pages_of(inner)
        if not whole:
            raise UsageError(f"{area} has no whole huge page, which is of {size} bytes")
        try:
            found = regions(process, "huge", inner)
        except (Unsupported, AccessDenied) as error:
            cannot_hold(error)
        if found >= share * whole:
            return
        reason = why_none(process, area)
    if reason is not None and not found:
        cannot_hold(Unsupported(reason))
    raise AssertionError(
        f"{found} of {plural(whole)} are in huge pages, at least {share:.0%} must be: "
        f"{whole * PAGE_SIZE // size} whole huge pages in {area}"
    )


@of_the_caller
def assert_resident(file: str | os.PathLike[str], *, at_least: float = 1.0) -> None:
    """Assert that a file is in the page cache: at least this share of its pages, from 0 to 1.

    Raises AssertionError, UsageError for a directory or an empty file, NoSuchFile, PagemapError for
    a file that cannot be looked at. Where the kernel tells its owner alone, this cannot be held.
    """
    __tracebackhide__ = True
    share = _share(at_least)
    path = os.fspath(file)
    if os.path.isdir(path):
        raise UsageError(f"{path!r} is a directory: give a file")
    try:
        (row,) = cache([path], least=0)
    except (Unsupported, AccessDenied) as error:
        cannot_hold(error)
    if row.cached is None:
        cannot_hold(
            Unsupported(
                f"the kernel tells only the owner of {path!r} which of its pages are in the page "
                "cache: run as that user, or as root"
            )
        )
    if not row.size:
        raise UsageError(f"{path!r} is empty: it has no page")
    pages, found = -(-row.size >> PAGE_SHIFT), row.cached >> PAGE_SHIFT
    if found < share * pages:
        raise AssertionError(
            f"{found} of {plural(pages)} are in the page cache, at least {share:.0%} must be "
            f"(by {row.told}): {path}"
        )


@of_the_caller
def assert_shared(processes: Iterable[Target], *, of: Of, at_least: float = 1.0) -> None:
    """Assert that this process and all `processes` have the same frames behind the same memory.

    As after a fork: what nobody wrote is shared. `of` is as in `assert_written`; the same addresses
    are compared or, of a file or shared memory by its name, the same parts of the file. `at_least`
    is a share, from 0 to 1, of the pages that any of them has.

    Raises AssertionError, and NoSuchProcess and the like of `Process`. That frames are the same is
    seen with CAP_SYS_ADMIN alone. Without, pages that a process has alone are an AssertionError,
    and otherwise this cannot be held.

    >>> pagemap.assert_shared(workers, of=table, at_least=0.9)  # doctest: +SKIP
    """
    __tracebackhide__ = True
    share = _share(at_least)
    area = Area(of)
    check_several("processes", processes, "a sequence of processes, such as [1234]")
    targets = list(processes)
    if not targets:
        raise UsageError("give the processes that share it, at least one")
    try:
        with closing(SameFrames(area, targets)) as frames:
            found, pages = frames.count()
            reason = frames.reason()
    except AccessDenied as error:
        cannot_hold(error)
    if not pages:
        raise UsageError(f"{area} has no page, in any of these processes: nothing can be shared")
    if found < share * pages:
        raise AssertionError(
            f"{found} of {plural(pages)} are shared by all {len(targets) + 1} processes, at least "
            f"{share:.0%} must be{frames.who()}: {area}"
        )
    if reason is not None:
        cannot_hold(reason)


def _share(at_least: float) -> float:
    wanted = "a share, above 0 and at most 1, which is all"
    share = check_number("at_least", at_least, wanted)
    if not 0 < share <= 1:
        raise UsageError(f"at_least must be {wanted}: not {at_least}")
    return share
