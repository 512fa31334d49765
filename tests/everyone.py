"""Who maps what, found the slow way: every entry of every process, one read each.

The naive twin of pagemap._analyses.owners and sharing. Nothing of `pagemap` is imported.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests import oracle
from tests.target import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = oracle.PAGE

# Bits of /proc/kpageflags, include/uapi/linux/kernel-page-flags.h.
UPTODATE, ANON, SWAPBACKED, HEAD, TAIL = 1 << 3, 1 << 12, 1 << 14, 1 << 15, 1 << 16
KSM, ZERO_PAGE = 1 << 21, 1 << 24


def word(name: str, pfn: int) -> int:
    """The word of a frame in /proc/kpageflags, kpagecount or kpagecgroup."""
    fd = os.open(f"/proc/{name}", os.O_RDONLY)
    try:
        value: int = struct.unpack("=Q", os.pread(fd, 8, 8 * pfn))[0]
    finally:
        os.close(fd)
    return value


def all_are_seen() -> bool:
    """Whether /proc is of the initial PID namespace, by its fixed number (PROC_PID_INIT_INO)."""
    return os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC


@functools.cache
def ksm_is_told() -> bool:
    """Whether a page that nobody can have merged lacks the flag: in some kernels all have it."""
    page = ctypes.create_string_buffer(os.urandom(3 * oracle.PAGE))
    start = (ctypes.addressof(page) // oracle.PAGE + 1) * oracle.PAGE
    frame = oracle.pfn(next(iter(oracle.entries(os.getpid(), start, start + oracle.PAGE))))
    assert frame is not None
    return not word("kpageflags", frame) & KSM


def kind(pfn: int) -> str:
    """What a mapped frame is, in the words of pagemap._analyses.sharing."""
    flags = word("kpageflags", pfn)
    # Linux 6.1 tells nothing of a tail but that it is one
    while flags & TAIL and not flags & UPTODATE:
        pfn -= 1
        flags = word("kpageflags", pfn)
        assert flags & (TAIL | HEAD)
    if flags & ZERO_PAGE:
        return "zero"
    if flags & KSM and ksm_is_told():
        return "ksm"
    if flags & ANON:
        return "anon"
    return "shmem" if flags & SWAPBACKED else "file"


def pids() -> list[int]:
    """All processes."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def pages(pid: int, *, label: bytes = b"") -> Iterator[tuple[int, int, bytes]]:
    """Of each present page: address, PFN, and path; of all mappings, or those with `label`."""
    for line in oracle.maps(pid):
        if line.start >= 1 << 63 or (label and line.label != label):
            continue
        for index, entry in enumerate(oracle.entries(pid, line.start, line.end)):
            frame = oracle.pfn(entry)
            if frame is not None:
                yield line.start + index * PAGE, frame, line.label


def mappers(pfn: int, among: Iterable[int], *, label: bytes = b"") -> set[tuple[int, int]]:
    """The pids and addresses that map a frame; of processes that can be read."""
    found = set()
    for pid in among:
        try:
            found |= {(pid, at) for at, frame, _ in pages(pid, label=label) if frame == pfn}
        except OSError:
            continue
    return found


Groups = dict[tuple[tuple[int, ...], str], Counter[str]]


def groups(family: Iterable[int]) -> tuple[Groups, Counter[str]]:
    """The frames that several of these processes map, by who they are and the first one's path.

    And those that KSM merged, be it for one process; and by path how many frames less there are
    than if each process, and each mapping of a merged one, had its own.
    """
    members: dict[int, list[int]] = {}
    twice: set[int] = set()
    labels: dict[int, str] = {}
    for pid in family:
        for _, frame, label in pages(pid):
            who = members.setdefault(frame, [])
            labels.setdefault(frame, os.fsdecode(label))
            if not who or who[-1] != pid:
                who.append(pid)
            else:
                twice.add(frame)
    result: Groups = {}
    saved: Counter[str] = Counter()
    for frame, who in members.items():
        if len(who) == 1 and frame not in twice:
            continue
        what = kind(frame)
        if len(who) > 1 or what == "ksm":
            result.setdefault((tuple(who), labels[frame]), Counter())[what] += 1
            copies = word("kpagecount", frame) if what == "ksm" else len(who)
            saved[labels[frame]] += copies - 1 if what != "zero" else 0
    return result, saved


def wait_asleep(pid: int) -> None:
    """Wait until a process waits for something, which a target does for commands."""
    wait_until(lambda: status(pid, "State").startswith("S"))


def status(pid: int, field: str) -> str:
    """A field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise LookupError(field)


def alone(family: dict[int, str]) -> Counter[str]:
    """How many frames each group of these processes maps and no other does, by its name."""
    groups_of: dict[int, set[str]] = {}
    for pid, name in family.items():
        for _, frame, _ in pages(pid):
            groups_of.setdefault(frame, set()).add(name)
    found: Counter[str] = Counter()
    for frame, names in groups_of.items():
        if len(names) == 1 and kind(frame) != "zero":
            found.update(names)
    return found
