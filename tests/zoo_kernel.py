"""What the kernel says of a process, in the words of pagemap: the truth of the matrix.

In bytes, mapping by mapping, from two sides that know nothing of each other: smaps, and every page
judged one by one, out of its entry in pagemap and its words in /proc/kpageflags and kpagecount, as
the kernel's tool page-types does. Nothing of `pagemap` is imported.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import everyone, oracle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BY_BITS",
    "BY_PAGES",
    "BY_SMAPS",
    "RELEASE",
    "STATUS_SLACK",
    "Row",
    "by_pages",
    "by_smaps",
    "in_common",
    "living",
    "rollup",
    "status",
]

PAGE = oracle.PAGE
RELEASE = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
WORD = 8
PSS_SHIFT = 12  # fs/proc/task_mmu.c

# Bits of /proc/kpageflags: include/uapi/linux/kernel-page-flags.h.
ANON, SWAPBACKED, HUGE, NOPAGE, KSM, ZERO_PAGE = (1 << bit for bit in (12, 14, 17, 20, 21, 24))

# Swap areas have the lowest types; these are the fewest that a kernel can have (MAX_SWAPFILES of
# include/linux/swap.h, with all that may take types away), and the last type is that of markers.
SWAP_AREAS = 23
MARKER = 31


def _status_slack() -> int:
    """By how much the sums of status and statm may differ from the pages, in bytes.

    Before Linux 6.16 each processor keeps a part to itself, of up to twice as many pages as there
    are processors, and 32 at least. Before 6.2 each thread does, for 64 faults, of which each may
    map 64 KiB of a file.
    """
    if RELEASE >= (6, 16):
        return 0
    if RELEASE < (6, 2):
        return 65 * max(PAGE, 64 << 10)
    processors = os.cpu_count() or 1
    return PAGE * processors * max(64, 2 * processors)


STATUS_SLACK = _status_slack()


class Row(NamedTuple):
    """A mapping, and each word of it in bytes."""

    start: int
    end: int
    path: str
    words: dict[str, int]


def living(pid: int) -> str:
    """/proc/PID, or of a process whose main thread has ended that of a thread that lives."""
    threads = sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: tid != pid)
    for tid in threads:
        folder = f"/proc/{pid}/task/{tid}"
        if Path(folder, "maps").read_bytes():
            return folder
    raise ProcessLookupError(errno.ESRCH, f"process {pid} has no thread with memory")


_SUMS = {
    "rss": ("Rss",),
    "pss": ("Pss",),
    "uss": ("Private_Clean", "Private_Dirty"),
    "shared": ("Shared_Clean", "Shared_Dirty"),
    "clean": ("Private_Clean", "Shared_Clean"),
    "dirty": ("Private_Dirty", "Shared_Dirty"),
    "anon": ("Anonymous",),
    "swap": ("Swap",),
    "hugetlb": ("Shared_Hugetlb", "Private_Hugetlb"),
    "shared_hugetlb": ("Shared_Hugetlb",),
    "private_hugetlb": ("Private_Hugetlb",),
    "thp": ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped"),
    "huge": (
        "AnonHugePages",
        "ShmemPmdMapped",
        "FilePmdMapped",
        "Shared_Hugetlb",
        "Private_Hugetlb",
    ),
    "ksm": ("KSM",),
    "lazyfree": ("LazyFree",),
    "locked": ("Locked",),
}
BY_SMAPS = tuple(_SUMS)


def _summed(sizes: dict[str, int]) -> dict[str, int]:
    """The words that these lines of smaps tell; a word whose lines the kernel lacks is missing."""
    return {
        word: sum(sizes[name] for name in names)
        for word, names in _SUMS.items()
        if all(name in sizes for name in names)
    }


def by_smaps(pid: int) -> list[Row]:
    """Each mapping by smaps."""
    folder = living(pid)
    data = Path(folder, "smaps").read_bytes()
    paths = {line.start: line.path for line in oracle.parse_maps(Path(folder, "maps").read_bytes())}
    return [
        Row(each.start, each.end, paths[each.start], _summed(each.sizes))
        for each in oracle.parse_smaps(data)
    ]


def rollup(pid: int) -> dict[str, int]:
    """The whole process by smaps_rollup, in the same words."""
    text = Path(living(pid), "smaps_rollup").read_text()
    return _summed(
        {n: int(size) * 1024 for n, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    )


def status(pid: int) -> dict[str, int]:
    """The whole process by /proc/PID/status: sums that the kernel keeps, and does not look for."""
    text = Path(living(pid), "status").read_text()
    sizes = {n: int(s) * 1024 for n, s in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    words = {
        "rss": "VmRSS",
        "rss_anon": "RssAnon",
        "rss_file": "RssFile",
        "rss_shmem": "RssShmem",
        "swap_anon": "VmSwap",
        "hugetlb": "HugetlbPages",
        "locked_mappings": "VmLck",
    }
    return {word: sizes[name] for word, name in words.items()}


class _Frames:
    """Words of frames, each read once."""

    def __init__(self) -> None:
        self._fds = [os.open(f"/proc/{n}", os.O_RDONLY) for n in ("kpageflags", "kpagecount")]
        self._known: dict[int, tuple[int, int]] = {}

    def __enter__(self) -> _Frames:
        return self

    def __exit__(self, *exc: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def words(self, pfn: int) -> tuple[int, int]:
        """Those of kpageflags and kpagecount; a frame that has none is no page."""
        if pfn not in self._known:
            data = [os.pread(fd, WORD, pfn * WORD) for fd in self._fds]
            flags, count = (int.from_bytes(word, "little") for word in data)
            self._known[pfn] = (flags if data[0] else NOPAGE, count)
        return self._known[pfn]


_NEEDS_FRAMES = (
    "rss",
    "pss",
    "uss",
    "shared",
    "anon",
    "rss_file",
    "rss_shmem",
    "zero",
    "hugetlb",
    "shared_hugetlb",
    "private_hugetlb",
    "ksm",
    "flag_anon",
    "flag_ksm",
)
BY_BITS = (
    "present",
    "bit_anonymous",
    "bit_exclusive",
    "bit_file",
    "bit_swapped",
    "uffd_wp",
    "guard",
)
BY_PAGES = (*BY_BITS, "swap_entries", "marker", *_NEEDS_FRAMES)


def by_pages(pid: int, *, frames: bool = True) -> list[Row]:
    """Each mapping by its pages; needs PFNs and the files about frames, or tells of bits alone."""
    folder = living(pid)
    rows = []
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(_Frames()) if frames else None
        file = stack.enter_context(Path(folder, "pagemap").open("rb", buffering=0))
        for line in oracle.parse_maps(Path(folder, "maps").read_bytes()):
            words = dict.fromkeys(BY_PAGES if frames else BY_BITS, 0)
            if line.start < 1 << 63:
                for entry in _entries(file.fileno(), line.start, line.end):
                    if entry:
                        _judge(entry, known, words)
            if frames:
                words["pss"] >>= PSS_SHIFT
            if not (frames and everyone.ksm_is_told()):
                words.pop("ksm", None)  # in some kernels all anonymous pages have the flag
            rows.append(Row(line.start, line.end, line.path, words))
    return rows


def _entries(fd: int, start: int, end: int) -> array.array[int]:
    entries = array.array("Q")
    at = start // PAGE * WORD
    while at < end // PAGE * WORD:
        data = os.pread(fd, end // PAGE * WORD - at, at)
        if not data:
            break
        entries.frombytes(data)
        at += len(data)
    return entries


def _judge(entry: int, frames: _Frames | None, words: dict[str, int]) -> None:
    """Add one page to what the kernel would count it as."""
    if oracle.has(entry, "file_or_shared"):
        words["bit_file"] += PAGE
    if oracle.has(entry, "exclusive"):
        words["bit_exclusive"] += PAGE
    if oracle.has(entry, "uffd_wp"):
        words["uffd_wp"] += PAGE
    if oracle.has(entry, "swapped"):
        words["bit_swapped"] += PAGE
    if oracle.has(entry, "guard"):
        words["guard"] += PAGE
    elif not oracle.has(entry, "present") and frames is not None:
        _judge_absent(entry, words)
    if oracle.has(entry, "present"):
        words["present"] += PAGE
        if not oracle.has(entry, "file_or_shared"):
            words["bit_anonymous"] += PAGE
        if frames is not None:
            _judge_frame(*frames.words(oracle.place(entry)), words)


def _judge_absent(entry: int, words: dict[str, int]) -> None:
    """A page that is not there, and no guard: in swap, a marker, or what no process here has."""
    if not oracle.has(entry, "swapped"):
        # hugetlb says of its markers only that they protect
        words["marker"] += PAGE * oracle.has(entry, "uffd_wp")
        return
    kind = oracle.swap_type(entry, hidden=False)
    assert kind is not None
    words["marker"] += PAGE * (kind == MARKER)
    words["swap_entries"] += PAGE * (kind < SWAP_AREAS)


def _judge_frame(flags: int, count: int, words: dict[str, int]) -> None:
    """As smaps_account and smaps_hugetlb_range of fs/proc/task_mmu.c."""
    words["flag_anon"] += PAGE * bool(flags & ANON)
    words["flag_ksm"] += PAGE * bool(flags & KSM)
    if flags & HUGE:
        words["hugetlb"] += PAGE
        words["private_hugetlb" if count == 1 else "shared_hugetlb"] += PAGE
        return
    if flags & ZERO_PAGE:
        words["zero"] += PAGE
        return
    if flags & NOPAGE:
        return
    words["rss"] += PAGE
    words["pss"] += (PAGE << PSS_SHIFT) // max(count, 1)
    words["uss" if count < 2 else "shared"] += PAGE
    if flags & ANON:
        words["anon"] += PAGE
        words["ksm"] += PAGE * bool(flags & KSM)
    else:
        words["rss_shmem" if flags & SWAPBACKED else "rss_file"] += PAGE


def in_common(pids: Sequence[int]) -> int:
    """The memory, in bytes, that several address spaces of these processes map, each frame once.

    And what KSM merged of one: frames that it maps more than once.
    """
    spaces: list[int] = []
    for pid in pids:
        if not any(_one_space(pid, other) for other in spaces):
            spaces.append(pid)
    counts: Counter[int] = Counter()
    with _Frames() as frames:
        for pid in spaces:
            for pfn, often in Counter(_pfns(pid)).items():
                flags = frames.words(pfn)[0]
                if not flags & ZERO_PAGE:
                    merged = flags & KSM and everyone.ksm_is_told()
                    counts[pfn] += often if merged else 1
    return PAGE * sum(count > 1 for count in counts.values())


def _pfns(pid: int) -> Iterator[int]:
    folder = living(pid)
    with Path(folder, "pagemap").open("rb", buffering=0) as file:
        for line in oracle.parse_maps(Path(folder, "maps").read_bytes()):
            if line.start < 1 << 63:
                for entry in _entries(file.fileno(), line.start, line.end):
                    pfn = oracle.pfn(entry) if entry else None
                    if pfn is not None:
                        yield pfn


def _one_space(pid: int, other: int) -> bool:
    """Whether two processes have one address space, says kcmp(2)."""
    number = {"x86_64": 312, "aarch64": 272}[os.uname().machine]
    kcmp_vm = 1
    return bool(ctypes.CDLL(None).syscall(number, pid, other, kcmp_vm, 0, 0) == 0)
