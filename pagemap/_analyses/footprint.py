"""What memory a process takes: the kernel's own sums, or a gentle walk of our own.

The kernel sums up in smaps_rollup and smaps, which need no right beyond reading the process. A walk
(`pagemap._analyses.gentle`) never holds the target's lock for long, and needs root.
"""

from __future__ import annotations

import os
from errno import ENOENT, ESRCH

from pagemap._errors import NoSuchProcess, TargetVanished, Unsupported
from pagemap._kernel import smaps
from pagemap._kernel.maps_blocks import read_blocks
from pagemap._kernel.smaps import Footprint, total

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pagemap._analyses.gentle import Gentle
    from pagemap._kernel.folder import Folder
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Footprint", "check_gentle", "footprint", "footprints", "read_sums", "total"]

_OPERATION = "read the memory sums"
_MOST = 1 << 16  # bytes of smaps_rollup, which has some 800


def footprint(process: AddressSpace, gentle: Gentle | None) -> Footprint:
    """See `Process.footprint`."""
    if process.kernel_thread:
        return total([])
    if gentle is not None:
        return gentle.total(process)
    process.check()
    result = read_sums(process.folder)
    process.check()
    return result


def footprints(process: AddressSpace, gentle: Gentle | None) -> Iterator[tuple[Mapping, Footprint]]:
    """See `Process.footprints`."""
    if process.kernel_thread:
        return
    if gentle is not None:
        yield from gentle.walk(process)
        return
    process.check()
    yield from smaps.parse(_smaps_blocks(process.folder))
    process.check()


def check_gentle(gentle: Gentle | None) -> None:
    """Raise TypeError for what is no Gentle."""
    if gentle is None:
        return
    from pagemap._analyses.gentle import Gentle

    if not isinstance(gentle, Gentle):
        raise TypeError(f"gentle is a pagemap.Gentle, or None, not {gentle!r}")


def read_sums(folder: Folder) -> Footprint:
    """The kernel's sums of the process whose folder this is, whichever program it runs now.

    For who has no need of a `Process`: this opens one file. Raises NoSuchProcess for what has no
    memory (a kernel thread too), AccessDenied, Unsupported.
    """
    try:
        return _read_sums(folder)
    except (NoSuchProcess, TargetVanished):
        if not folder.find_living():
            raise
    return _read_sums(folder)


def _read_sums(folder: Folder) -> Footprint:
    try:
        fd = _open(folder, "smaps_rollup")
    except Unsupported:  # before Linux 4.14
        result = total(each for _, each in smaps.parse(_smaps_blocks(folder)))
        # smaps of a process that ends midway ends as if it were whole
        if folder.is_kernel_thread() and result.rss == 0:
            raise folder.error(OSError(ESRCH, os.strerror(ESRCH)), _OPERATION, "smaps") from None
        return result
    try:
        data = os.read(fd, _MOST)
    except OSError as error:
        raise folder.error(error, _OPERATION, "smaps_rollup") from None
    finally:
        os.close(fd)
    if not data:
        raise folder.error(OSError(ESRCH, os.strerror(ESRCH)), _OPERATION, "smaps_rollup")
    return smaps.parse_rollup(data)


def _smaps_blocks(folder: Folder) -> Generator[bytes, None, None]:
    fd = _open(folder, "smaps")
    try:
        yield from read_blocks(fd)
    except OSError as error:
        raise folder.error(error, _OPERATION, "smaps") from None
    finally:
        os.close(fd)


def _open(folder: Folder, name: str) -> int:
    try:
        return folder.open(name)
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat", _OPERATION):
            raise Unsupported(
                f"this kernel has no {folder.path}/{name}: smaps_rollup is of Linux 4.14, and both "
                "need CONFIG_PROC_PAGE_MONITOR",
                pid=folder.pid,
                errno=ENOENT,
                operation=_OPERATION,
                path=f"{folder.path}/{name}",
            ) from None
        raise folder.error(error, _OPERATION, name) from None
