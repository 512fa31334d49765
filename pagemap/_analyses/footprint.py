"""What memory a process takes: the kernel's own sums, or a gentle walk of our own.

The kernel sums up in smaps_rollup and smaps, which need no right beyond reading the process. A walk
(`pagemap._analyses.gentle`) never holds the target's lock for long, and needs root.
"""

from __future__ import annotations

import os
import time
from errno import ESRCH
from functools import partial

from pagemap._analyses.own_fields import OWN_LINES, own_fields
from pagemap._errors import NoSuchProcess, TargetVanished, Unsupported
from pagemap._kernel import smaps, task
from pagemap._kernel.page_monitor import open_monitored, smaps_blocks
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.record import fields_of
from pagemap._vocabulary.rows.footprint import (
    MAPPING_FOOTPRINTS,
    FootprintRow,
    FootprintSums,
    MappingFootprintRow,
)
from pagemap._vocabulary.rows.mapping import of_a_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._analyses.gentle import Gentle
    from pagemap._kernel.folder import Folder
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = [
    "about_gentle",
    "check_gentle",
    "footprint",
    "footprints",
    "mapping_rows",
    "parted",
    "read_sums",
    "with_share",
]

_OPERATION = "read the memory sums"
_MOST = 1 << 16  # bytes of smaps_rollup, which has some 800
_SHARE_DIGITS = 6

# What each field is called among the lines of smaps: some are sums of several, and those that
# have no source are found otherwise.
_KEYS = [(each.source or name).encode("ascii") for name, each in fields_of(FootprintSums).items()]
_ADDED = {key: key.split(b" + ") for key in _KEYS if b" + " in key}
_NAMES = frozenset(name for key in _KEYS for name in key.split(b" + "))
_NOTHING = FootprintSums._make([0] * len(_KEYS))


def footprint(process: AddressSpace, gentle: Gentle | None) -> FootprintRow:
    """See `Process.footprint`."""
    if process.kernel_thread:
        sums = _NOTHING
    elif gentle is not None:
        process.require_live("walk gently")
        sums = gentle.total(process)
    else:
        process.check()
        sums = parted(read_sums(process.folder), process.folder)
        process.check()
    memory = process.machine.memory()
    tables = 0 if process.kernel_thread else task.page_tables(process.folder)
    told = (process.name, *[None] * 6, tables, *[None] * 4)  # what `footprints` reads on demand
    return FootprintRow._make((process.pid, None, *with_share(sums, memory), *told))


def footprints(process: AddressSpace, gentle: Gentle | None) -> Table[MappingFootprintRow]:
    """See `Process.footprints`."""
    began = time.time()
    memory = process.machine.memory()
    rows = list(mapping_rows(process, gentle, memory))
    more = about_gentle(gentle)
    return Table.of_rows(
        MAPPING_FOOTPRINTS, rows, about=about(began, process, memory=memory, **more)
    )


def mapping_rows(
    process: AddressSpace, gentle: Gentle | None, memory: int | None
) -> Iterator[MappingFootprintRow]:
    """A row for each mapping, in order of address."""
    if process.kernel_thread:
        return
    name = process.name
    process.check()
    if gentle is not None:
        process.require_live("walk gently")
    found = _of_mappings(process) if gentle is None else _walked(process, gentle)
    for mapping, sums, own in found:
        yield MappingFootprintRow._make(
            (
                process.pid,
                mapping.start,
                mapping.end,
                mapping.perms,
                *with_share(sums, memory),
                name,
                mapping.dev,
                mapping.inode,
                mapping.path,
                *own,
            )
        )
    process.check()


def check_gentle(gentle: Gentle | None) -> None:
    """Raise TypeError for what is no Gentle."""
    if gentle is None:
        return
    from pagemap._analyses.gentle import Gentle

    if not isinstance(gentle, Gentle):
        raise TypeError(f"gentle must be a pagemap.Gentle, or None, not {gentle!r}")


def about_gentle(gentle: Gentle | None) -> dict[str, object]:
    """What the `about` of a result says of the walk that it comes from."""
    if gentle is None:
        return {}
    return {
        "gentle": {
            "chunks": gentle.chunks,
            "longest_seconds": gentle.longest,
            "held_seconds": gentle.held,
            "paused_seconds": gentle.paused,
        }
    }


def with_share(sums: FootprintSums, memory: int | None) -> FootprintSums:
    """The same with what share of all `memory`, in bytes, its pss is."""
    if memory is None or sums.pss is None:
        return sums
    return sums._replace(share=round(sums.pss / memory, _SHARE_DIGITS))


def parted(sums: FootprintSums, folder: Folder) -> FootprintSums:
    """The same with what `status` has: virtual size, and the running count of shared memory."""
    try:
        size, shmem = task.size_and_shmem(folder)
    except (NoSuchProcess, TargetVanished):  # it ended since its sums were read, or one thread did
        if not folder.find_living():
            raise
        size, shmem = task.size_and_shmem(folder)
    sums = sums._replace(size=size)
    if sums.rss is None or sums.anon is None or shmem is None:
        return sums
    shmem = min(shmem, sums.rss - sums.anon)
    return sums._replace(file=sums.rss - sums.anon - shmem, shmem=shmem)


def _walked(
    process: AddressSpace, gentle: Gentle
) -> Iterator[tuple[Mapping, FootprintSums, tuple[object, ...]]]:
    for mapping, sums in gentle.walk(process):
        yield mapping, sums._replace(size=mapping.size), (None,) * 5


def _of_mappings(
    process: AddressSpace,
) -> Iterator[tuple[Mapping, FootprintSums, tuple[object, ...]]]:
    """Each mapping with its sums and its own fields; the device says what is shared memory."""
    shmem, others = process.devices_by_shmem()
    seen: dict[tuple[Any, ...], tuple[object, ...]] = {}
    names = _NAMES.union(OWN_LINES)
    for mapping, lines in smaps.read(partial(smaps_blocks, process.folder, _OPERATION), names):
        if b"Rss" in lines and b"Anonymous" in lines:
            rest = lines[b"Rss"] - lines[b"Anonymous"]
            dev = mapping.dev if of_a_file(mapping.dev, mapping.inode) else ""
            if dev in shmem:
                lines[b"file"], lines[b"shmem"] = 0, rest
            elif not rest or dev[:3] != "00:" or dev in others:
                lines[b"file"], lines[b"shmem"] = rest, 0
        yield mapping, _sums_of(lines), own_fields(lines, seen)


def _sums_of(lines: dict[bytes, Any]) -> FootprintSums:
    """The sums of what the kernel told; what it did not tell is not known."""
    for key, parts in _ADDED.items():
        known = [lines[part] for part in parts if part in lines]
        if len(known) == len(parts):
            lines[key] = sum(known)
    if lines.get(b"Shared_Hugetlb") == 0 and b"Private_Hugetlb" in lines:
        lines[b"hugetlb_pss"] = lines[b"Private_Hugetlb"]  # else by how many, is not told
    return FootprintSums._make(map(lines.get, _KEYS))


def read_sums(folder: Folder) -> FootprintSums:
    """The kernel's sums of the process whose folder this is, whichever program it runs now.

    It opens one file and needs no `Process`. Raises NoSuchProcess for a process without
    memory (also a kernel thread), AccessDenied, Unsupported.
    """
    try:
        return _read_sums(folder)
    except (NoSuchProcess, TargetVanished):
        if not folder.find_living():
            raise
    return _read_sums(folder)


def _read_sums(folder: Folder) -> FootprintSums:
    try:
        fd = open_monitored(folder, "smaps_rollup", _OPERATION)
    except Unsupported:  # before Linux 4.14
        return _sum_up(folder)
    try:
        data = os.read(fd, _MOST)
    except OSError as error:
        raise folder.error(error, _OPERATION, "smaps_rollup") from None
    finally:
        os.close(fd)
    if not data:
        raise folder.error(OSError(ESRCH, os.strerror(ESRCH)), _OPERATION, "smaps_rollup")
    return _sums_of(smaps.parse_rollup(data, _NAMES))


def _sum_up(folder: Folder) -> FootprintSums:
    total: dict[bytes, int] = {}
    blocks = partial(smaps_blocks, folder, _OPERATION)
    for number, (_, lines) in enumerate(smaps.read(blocks, _NAMES)):
        before = total if number else dict.fromkeys(lines, 0)
        total = {name: size + before[name] for name, size in lines.items() if name in before}
    # smaps of a process that ends midway ends as if it were whole
    if not total.get(b"Rss") and folder.is_kernel_thread():
        raise folder.error(OSError(ESRCH, os.strerror(ESRCH)), _OPERATION, "smaps") from None
    return _sums_of(total)
