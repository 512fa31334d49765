"""Which bits of an entry this kernel sets at all: a 0 in a bit that it never sets means nothing.

Soft-dirty needs CONFIG_MEM_SOFT_DIRTY, and the other bits came with later versions (the table in
`pagemap._vocabulary.flags`). They are tested on a page of our own, not derived from the version. A
bit that cannot be tested, for example because userfaultfd is forbidden, is taken as supported.
"""

from __future__ import annotations

import os
from errno import ENOTSUP

from pagemap._errors import Unsupported
from pagemap._kernel.regular import open_told
from pagemap._native import probes
from pagemap._vocabulary.flags import ENTRY_FLAGS
from pagemap._vocabulary.names import spell

__all__ = ["ALL", "bits", "require", "why_not"]

ALL = sum(1 << flag.bit for flag in ENTRY_FLAGS)
"""All flags of an entry."""

_UFFD_WP = 1 << 57
_NEEDS = {"soft_dirty": "CONFIG_MEM_SOFT_DIRTY", "uffd_wp": "CONFIG_USERFAULTFD"}

# by the folder of proc: each may be another kernel's, as far as anybody can tell
_tried: dict[str, int] = {}


def bits(procfs: str = "/proc", wanted: int = ALL) -> int:
    """Those of the flags `wanted`, as bits of an entry, that this kernel tells."""
    found = _tried.get(procfs)
    if found is None:
        found = _tried[procfs] = _try(procfs)
    return found & wanted


def _try(procfs: str) -> int:
    try:
        found = probes.told(f"{procfs}/self/pagemap")
    except OSError:
        return ALL
    # userfaultfd is not tried here: where system calls are filtered an unusual one may kill. The
    # file is there from 5.2 on wherever the kernel has it.
    if os.path.exists(f"{procfs}/sys/vm/unprivileged_userfaultfd"):
        found |= _UFFD_WP
    return found


def _try_uffd_wp(procfs: str) -> bool:
    """Whether this kernel tells of userfaultfd's protection; True where nobody may try."""
    try:
        with open(f"{procfs}/self/status", "rb", opener=open_told) as file:
            if b"\nSeccomp:\t0\n" not in file.read():
                return True
        return probes.uffd_wp(f"{procfs}/self/pagemap")
    except OSError:
        return True


def why_not(name: str) -> str:
    """Why a kernel does not tell the flag of this name: what it needs."""
    since = next(flag.since for flag in ENTRY_FLAGS if flag.name == name)
    option = f" with {_NEEDS[name]}" if name in _NEEDS else ""
    return f"this kernel does not tell which pages are {spell(name)}; Linux {since}{option} does"


def require(wanted: int, *, procfs: str = "/proc", pid: int | None = None) -> None:
    """Raise Unsupported where this kernel does not tell one of the flags `wanted`, bits."""
    missing = wanted & ~bits(procfs, wanted)
    if wanted & ~missing & _UFFD_WP and not _try_uffd_wp(procfs):
        missing |= _UFFD_WP
    for flag in ENTRY_FLAGS:
        if missing >> flag.bit & 1:
            raise Unsupported(
                why_not(flag.name), pid=pid, errno=ENOTSUP, operation="read the page table"
            )
