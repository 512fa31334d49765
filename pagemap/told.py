"""What this kernel tells at all: a bit that it never sets says nothing where it is 0.

Soft-dirty needs CONFIG_MEM_SOFT_DIRTY, and the other bits came one after another (the table in
`pagemap.flags`). Which there are is found by marking a page of our own, never by the version. What
cannot be tried, because userfaultfd is forbidden say, passes for known.
"""

from __future__ import annotations

from errno import ENOTSUP

from pagemap import _native
from pagemap.errors import Unsupported
from pagemap.flags import ENTRY_FLAGS

__all__ = ["ALL", "bits", "require", "why_not"]

ALL = sum(1 << flag.bit for flag in ENTRY_FLAGS)
"""All flags of an entry."""

_UFFD_WP = 1 << 57
_NEEDS = {"soft_dirty": "CONFIG_MEM_SOFT_DIRTY", "uffd_wp": "CONFIG_USERFAULTFD"}

# by the folder of proc: each may be another kernel's, as far as anybody can tell
_tried: dict[str, int] = {}
_tried_uffd_wp: dict[str, int] = {}


def bits(procfs: str = "/proc", wanted: int = ALL) -> int:
    """Those of the flags `wanted`, as bits of an entry, that this kernel tells."""
    path = f"{procfs}/self/pagemap"
    found = _tried.get(procfs)
    if found is None:
        try:
            found = _native.probe_told(path)
        except OSError:
            found = ALL
        found = _tried[procfs] = found & ~_UFFD_WP
    if wanted & _UFFD_WP:
        if procfs not in _tried_uffd_wp:
            try:
                told = _native.probe_uffd_wp(path)
            except OSError:
                told = True
            _tried_uffd_wp[procfs] = _UFFD_WP if told else 0
        found |= _tried_uffd_wp[procfs]
    return found & wanted


def why_not(name: str) -> str:
    """Why a kernel does not tell the flag of this name: what it needs."""
    since = next(flag.since for flag in ENTRY_FLAGS if flag.name == name)
    option = f" with {_NEEDS[name]}" if name in _NEEDS else ""
    return f"this kernel does not tell which pages are {name}; Linux {since}{option} does"


def require(wanted: int, *, procfs: str = "/proc", pid: int | None = None) -> None:
    """Raise Unsupported where this kernel does not tell one of the flags `wanted`, bits."""
    missing = wanted & ~bits(procfs, wanted)
    for flag in ENTRY_FLAGS:
        if missing >> flag.bit & 1:
            raise Unsupported(
                why_not(flag.name), pid=pid, errno=ENOTSUP, operation="read the page table"
            )
