"""What the frames of files are: active, mapped, dirty, and charged to which memory cgroup.

Their cached pages are mapped for a moment, which tells their frames; `page_cache` says how that
leaves no trace. What is not cached is not mapped.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from pagemap._analyses.page_cache import CacheWalk
from pagemap._errors import PagemapError
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.page_files import OpenFile
from pagemap._kernel.swap_types import kinds
from pagemap._native.descriptors import Holder
from pagemap._native.types import Job
from pagemap._native.types_blocks import SHARES
from pagemap._space.every_space import require_pfns
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["FileShares", "Share", "together"]

_SHARE = struct.Struct("=7Q")
_PURPOSE = "tell what the pages of files are"


class Share(Record):
    """What of a file is charged to one memory cgroup, 0 for all of it; amounts in bytes."""

    cgroup: int = field("inode", "the cgroup, by the inode of its directory")
    cached: int = field("bytes", "in the page cache")
    active: int = field("bytes", "part of it: on an active list")
    mapped: int = field("bytes", "part of it: mapped by processes")
    dirty: int = field("bytes", "part of it: not yet written back")
    mapcount: int = field("", "the highest map count of its pages")


class FileShares(Holder):
    """Tells the shares of files, by cgroup or of all of each file; to be closed.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, PfnsHidden without CAP_SYS_ADMIN, Unsupported
    where the kernel lacks a file that is needed.
    """

    def __init__(
        self, *, by_cgroup: bool, threads: int | None = None, procfs: str = "/proc"
    ) -> None:
        self._reader = FrameReader(procfs=procfs, purpose=_PURPOSE)
        fileno = self._reader.fileno
        self._job = Job(
            page_shift=PAGE_SHIFT,
            kpageflags=fileno("flags"),
            kpagecount=fileno("mapcounts"),
            kpagecgroup=fileno("cgroups") if by_cgroup else -1,
            wanted=SHARES,
            kinds=kinds(),
        )
        require_pfns(_PURPOSE)
        self._blocks = self._job.blocks()
        self._walk = CacheWalk(threads)

    def close(self) -> None:
        """Close the files. May be called again."""
        self._walk.close()
        self._reader.close()

    def below(self, folder: int, path: str, names: Iterable[str]) -> list[list[Share] | None]:
        """The shares of each of these files of a folder; None where it cannot be looked at."""
        wanted = list(names)
        files: dict[OpenFile, int] = {}

        def opened() -> Iterator[OpenFile]:
            for at, name in enumerate(wanted):
                with suppress(PagemapError):
                    file = OpenFile(f"{path}/{name}", follow=False, folder=folder, name=name)
                    files[file] = at
                    yield file

        return self._of(opened(), files, len(wanted))

    def of(self, path: str, look: int | None = None) -> list[Share] | None:
        """The same of one file, `look` a descriptor of O_PATH of it if there is one."""
        try:
            file = OpenFile(path, look=look)
        except PagemapError:
            return None
        return self._of([file], {file: 0}, 1)[0]

    def _of(
        self, opened: Iterable[OpenFile], files: Mapping[OpenFile, int], count: int
    ) -> list[list[Share] | None]:
        failed: list[PagemapError] = []
        found: list[dict[int, Share]] = [{} for _ in range(count)]
        for of, step in self._walk.steps(
            self._job, self._blocks, opened, failed.append, close=True
        ):
            for at, cgroup, *pages, mapcount in _SHARE.iter_unpack(step.rows):
                sums = found[files[of[at]]]
                cached, active, mapped, dirty = (each * PAGE_SIZE for each in pages)
                one = Share(cgroup, cached, active, mapped, dirty, mapcount)
                sums[cgroup] = together([sums[cgroup], one]) if cgroup in sums else one
        known = set(files.values())
        gone = {error.path for error in failed}
        for file, at in files.items():
            if file.path in gone:
                known.discard(at)
        return [list(each.values()) if at in known else None for at, each in enumerate(found)]


def together(shares: Iterable[Share]) -> Share:
    """The sums of shares, as of the cgroup of the first."""
    every = list(shares)
    cached, active, mapped, dirty = (
        sum(getattr(each, name) for each in every)
        for name in ("cached", "active", "mapped", "dirty")
    )
    most = max((each.mapcount for each in every), default=0)
    return Share(every[0].cgroup if every else 0, cached, active, mapped, dirty, most)
