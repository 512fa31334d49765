"""What the types of swap entries are on this kernel: 32 numbers, of which few are swap areas.

An entry with bit 62 has a type in its lowest five bits, which the kernel shows to CAP_SYS_ADMIN
alone. The lowest types are swap areas; those above are the kernel's own, and how many there are
is decided when it is built (include/linux/swap.h)::

    0 .. n-1   swap areas                 n = 32 - poisoned - migrating - device - marker
    poisoned   0 or 1                     CONFIG_MEMORY_FAILURE
    migrating  0, 2, or since 5.19 3      CONFIG_MIGRATION
    device     0, 4, or since 6.15 3      CONFIG_DEVICE_PRIVATE (before 5.14: 2)
    marker     0, or since 5.19 1         CONFIG_PTE_MARKER, since 6.2 always
    poisoned   1 in 5.19 to 6.1           what could not be read back from swap

No file tells these numbers, so they follow from the kernel's configuration, where that can be read,
and from its release. Where it cannot be read all three options are assumed, as distributions set
them. At least 22 types are swap in every configuration, so only on a machine of more than 22 swap
areas, or of a type from 22 on, does any of this decide between swap and not.
"""

from __future__ import annotations

import os

from pagemap._kernel.regular import open_told
from pagemap._kernel.release import version
from pagemap._vocabulary.flags import ENTRY_KINDS, PFN_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["came_back", "in_use", "kind_of", "kinds", "layout", "options_of"]

_TYPES = 32
_KIND = {kind.name: kind.number for kind in ENTRY_KINDS}
_OPTIONS = ("DEVICE_PRIVATE", "MEMORY_FAILURE", "MIGRATION", "PTE_MARKER")
_MOST = 1 << 24  # bytes of a configuration, of which 6.18 has 0.3 MiB

_known: list[bytes] = []


def kinds() -> bytes:
    """For each of the 32 types the number of its kind (`pagemap._vocabulary.flags.ENTRY_KINDS`)."""
    if not _known:
        release = os.uname().release
        _known.append(layout(version(release), _configuration(release)))
    return _known[0]


def in_use(procfs: str = "/proc") -> bool | None:
    """Whether any page of this machine is in a swap area; None where /proc/swaps does not tell.

    Where none is, nothing that the kernel calls swapped is in swap, whatever type it hides.
    """
    try:
        with open(f"{procfs}/swaps", "rb", opener=open_told) as file:
            areas = file.read(_MOST).split(b"\n")[1:]
        # a name may hold no spaces there (they are written \\040): size, used, priority are last
        return any(int(area.split()[-2]) for area in areas if area)
    except (OSError, IndexError, ValueError):
        return None


def came_back(procfs: str = "/proc") -> bool:
    """Whether any page of this machine may have come back from swap since it was started.

    /proc/vmstat counts them, those of zswap and of zeros (6.13) apart. Linux 6.12 does not count
    those of zeros.
    """
    try:
        with open(f"{procfs}/vmstat", "rb", opener=open_told) as file:
            words = dict(line.split() for line in file.read(_MOST).splitlines())
        counts = words[b"pswpin"], words.get(b"zswpin", 0), words.get(b"swpin_zero", 0)
        return any(map(int, counts))
    except (OSError, KeyError, ValueError):
        return True


def kind_of(entry: int) -> str:
    """The name of the kind (`pagemap._vocabulary.flags.ENTRY_KINDS`) of one entry of this kernel's.

    csrc/kernel/entry_kinds.h says the same of many, and draws the bits.
    """
    if entry >> 63 & 1:
        return "present"
    if not entry >> 62 & 1:
        return "marker" if entry >> 57 & 1 else "none"
    place = entry & ((1 << PFN_BITS) - 1)
    if entry >> 58 & 1:
        return "guard"
    if not place:
        return "hidden"
    kind = ENTRY_KINDS[kinds()[place % _TYPES]].name
    if kind == "marker" and place >> 7 & 1:
        return "guard"
    if kind == "marker" and place >> 6 & 1:
        return "poisoned"
    return kind


def layout(version: tuple[int, int], options: frozenset[str] | None) -> bytes:
    """The same of a kernel of this version, built with these of its options; None: not known."""
    if options is None:
        options = frozenset(_OPTIONS)
    top: list[str] = []  # from type 31 down
    if (5, 19) <= version < (6, 2):
        top.append("poisoned")
    if version >= (6, 2) or (version >= (5, 19) and "PTE_MARKER" in options):
        top.append("marker")
    if "DEVICE_PRIVATE" in options:
        top += ["device"] * (3 if version >= (6, 15) else 4 if version >= (5, 14) else 2)
    if "MIGRATION" in options:
        top += ["migrating"] * (3 if version >= (5, 19) else 2)
    if "MEMORY_FAILURE" in options:
        top.append("poisoned")
    names = ["swap"] * (_TYPES - len(top)) + top[::-1]
    return bytes(_KIND[name] for name in names)


def options_of(text: bytes) -> frozenset[str]:
    """Those of the options looked for that a kernel's configuration has set."""
    lines = set(text.split(b"\n"))
    return frozenset(name for name in _OPTIONS if b"CONFIG_%b=y" % name.encode("ascii") in lines)


def _configuration(release: str) -> frozenset[str] | None:
    """What the running kernel was built with; None where no file tells."""
    plain = (f"/boot/config-{release}", f"/lib/modules/{release}/config")
    for path, read in (("/proc/config.gz", _unpacked), *((path, _plain) for path in plain)):
        text = _read(path, read)
        if b"\nCONFIG_" in text:
            return options_of(text)
    return None


def _read(path: str, read: Callable[[str], bytes]) -> bytes:
    try:
        return read(path)
    except (OSError, EOFError, ValueError):
        return b""


def _plain(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST)


def _unpacked(path: str) -> bytes:
    import zlib  # where a type must be judged, and not before: nothing else here needs it

    with open(path, "rb") as file:
        packed = file.read(_MOST)
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, _MOST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
