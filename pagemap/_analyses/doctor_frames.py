"""What the doctor finds of frames: whether they are shown, and what their flags and counts tell."""

from __future__ import annotations

import os
from errno import EACCES, ENODATA, ENOENT, ENOSYS, ENOTTY, EPERM

from pagemap._analyses.findings import failed, wanting
from pagemap._errors import PagemapError
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.regular import open_told
from pagemap._native import probes
from pagemap._vocabulary.rows.finding import FindingRow

__all__ = ["exclusive_mark", "file_of_frames", "merged_flag", "pfns_shown"]

_FORBIDDEN = (EACCES, EPERM)

_ADMIN = "run with sudo: CAP_SYS_ADMIN in the initial user namespace, when the file is opened"


def pfns_shown(own: str) -> FindingRow:
    try:
        visible = probes.pfns(own)
    except OSError as error:
        return failed("PFNs", error)
    if visible:
        return FindingRow("PFNs", True, "physical addresses are shown")
    return FindingRow("PFNs", False, "the kernel hides physical addresses", _ADMIN, EPERM)


def file_of_frames(procfs: str, name: str, what: str, config: str) -> FindingRow:
    try:
        fd = open_told(f"{procfs}/{name}", os.O_RDONLY)
        try:
            got = len(os.read(fd, 8))
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _FORBIDDEN:
            return failed(name, error, "run with sudo: only root may read it")
        if error.errno == ENOENT and not os.path.exists(f"{procfs}/version"):
            config = f"mount proc without subset=pid: {procfs} shows processes alone"
        return failed(name, error, config if error.errno == ENOENT else None)
    if got < 8:
        return FindingRow(name, False, "it reads as empty", errno=ENOENT)
    return FindingRow(name, True, what)


def exclusive_mark(own: str, pfns: FindingRow, counts: FindingRow) -> FindingRow:
    """By a huge page of our own, into which a forked child writes one page."""
    name = "exclusive"
    try:
        told = probes.exclusive(own)
    except OSError as error:
        if error.errno == ENODATA:
            remedy = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
            return FindingRow(name, False, "not tried: no huge page was to be had", remedy, ENODATA)
        return failed(name, error, "Linux 6.7 or later" if error.errno == ENOTTY else None)
    if told:
        return FindingRow(name, True, "of huge pages too each page has its own mark")
    if pfns.ok and counts.ok:
        return FindingRow(
            name, True, "counted by kpagecount in huge pages, where the page table does not tell"
        )
    return FindingRow(
        name, False, "in huge pages the page table tells of the first page alone", _ADMIN, EPERM
    )


def merged_flag(procfs: str, *needed: FindingRow) -> FindingRow:
    name = "KSM flag"
    lacking = wanting(name, *needed)
    if lacking:
        return lacking
    try:
        with FrameReader(procfs=procfs) as reader:
            told = reader.tells_ksm()
    except (OSError, PagemapError) as error:
        return FindingRow(name, False, str(error), errno=error.errno)
    if told is None:
        return FindingRow(name, False, "a page just written could not be seen", errno=ENOENT)
    if told:
        return FindingRow(name, True, "it tells merged pages from all others that processes map")
    return FindingRow(
        name,
        False,
        "a page just written has it, which nobody has merged",
        "a stable update of this kernel (6.10 and later had the fault); KSM in smaps till then",
        ENOSYS,
    )
