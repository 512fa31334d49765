"""What can be read here, what cannot, why, and what would make it work: all found by trying.

Kernel versions stand in the advice only. Distributions carry features back and configure others
away, containers take rights from root, so nothing is concluded from a version or a user id.
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENOENT, ENOSYS, ENOTTY, EPERM, ESRCH
from time import time

from pagemap._analyses import doctor_machine, doctor_methods
from pagemap._analyses.doctor_frames import (
    exclusive_mark,
    file_of_frames,
    merged_flag,
    pfns_shown,
)
from pagemap._analyses.findings import failed
from pagemap._errors import NoSuchProcess, PagemapError, Unsupported
from pagemap._kernel.folder import ZOMBIE, Folder
from pagemap._native import probes
from pagemap._space.about import about
from pagemap._space.arguments import pid_of
from pagemap._tables.table import Table
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.rows.finding import FINDINGS, FindingRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._space.arguments import Target
    from pagemap._vocabulary.flags import Flag

__all__ = ["doctor"]

_FORBIDDEN = (EACCES, EPERM)

# Bits of UFFDIO_API's features; include/uapi/linux/userfaultfd.h.
_WP_UNPOPULATED = 1 << 13
_WP_ASYNC = 1 << 15

_PTRACE = "run as its user, or with sudo: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
_SOFT_DIRTY = "a kernel with CONFIG_MEM_SOFT_DIRTY=y"
_MONITOR = "a kernel with CONFIG_PROC_PAGE_MONITOR=y"


def doctor(
    target: Target = "self", *, procfs: str = "/proc", sysfs: str = "/sys"
) -> Table[FindingRow]:
    """Try everything that pagemap can use here: on `target`, what is of a process.

    Nothing is changed: `ok` is None where only a use that changes something would tell.

    `target` is a pid, "self" for this process, or an object with a `.pid`. Raises TypeError and
    UsageError for another one, NoSuchProcess when there is no such process or it is a zombie,
    Unsupported where no proc file system is mounted, and no other error of pagemap: every other
    failure is a finding.

    >>> import pagemap
    >>> [finding.name for finding in pagemap.doctor() if finding.name in ("maps", "pagemap")]
    ['maps', 'pagemap']
    """
    begin = time()
    pid = pid_of(target)
    own = f"{procfs}/self/pagemap"
    pfns = pfns_shown(own)
    flags = file_of_frames(
        procfs, "kpageflags", "what the kernel says of each page frame", _MONITOR
    )
    counts = file_of_frames(procfs, "kpagecount", "how often each page frame is mapped", _MONITOR)
    cgroups = file_of_frames(
        procfs, "kpagecgroup", "the memory cgroup of each page frame", f"{_MONITOR}, CONFIG_MEMCG=y"
    )
    soft_dirty = _soft_dirty(own)
    faults = list(_userfaultfd())
    folder = _folder(pid, "self" if target == "self" else str(pid), procfs)
    try:
        found = [
            # One folder for all, so that they are of the same process.
            _readable("maps", "the mappings", "mount proc there", folder),
            _readable("pagemap", "the page table", _MONITOR, folder),
            pfns,
            flags,
            counts,
            cgroups,
            merged_flag(procfs, pfns, flags),
            exclusive_mark(own, pfns, counts),
            *_scan(own, soft_dirty),
            soft_dirty,
            *faults,
            *doctor_methods.of_target(
                folder,
                faults[-1],
                soft_dirty,
                own=pid == os.getpid(),
                procfs=procfs,
                sysfs=sysfs,
            ),
            *doctor_machine.of_frames(pfns, flags, counts, cgroups),
            *doctor_machine.of_machine(sysfs),
        ]
    finally:
        folder.close()
    return Table.of_rows(FINDINGS, found, about={"pid": pid, **about(begin)})


def _folder(pid: int, name: str, procfs: str) -> Folder:
    try:
        folder = Folder(pid, name, procfs)
    except (NoSuchProcess, Unsupported):
        raise
    except PagemapError as error:
        raise NoSuchProcess(str(error), pid=pid, errno=error.errno, operation="open") from error
    try:
        ended = folder.has_ended() and not folder.find_living()
    except BaseException:
        folder.close()
        raise
    if ended:
        folder.close()
        raise NoSuchProcess(f"process {pid} {ZOMBIE}", pid=pid, errno=ESRCH, operation="open")
    return folder


def _readable(path: str, what: str, missing: str, folder: Folder) -> FindingRow:
    try:
        fd = folder.open(path)
        try:
            os.read(fd, 8)
        finally:
            os.close(fd)
    except OSError as error:
        remedy = {EACCES: _PTRACE, EPERM: _PTRACE, ENOENT: missing}.get(error.errno or 0)
        if error.errno == ESRCH:
            remedy = "another target: a kernel thread, or one that is ending, has no memory"
        return failed(path, error, remedy)
    return FindingRow(path, True, f"{what} can be read")


def _scan(own: str, soft_dirty: FindingRow) -> Iterator[FindingRow]:
    """The ioctl, then each of its categories; PRESENT is as old as the ioctl itself."""
    try:
        fd = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        yield failed("PAGEMAP_SCAN", error)
        return
    try:
        present = next(each for each in SCAN_CATEGORIES if each.name == "present")
        number = probes.scan(fd, 1 << present.bit)
        if number:
            remedy = "Linux 6.7 or later" if number in (ENOTTY, EINVAL) else None
            yield failed("PAGEMAP_SCAN", OSError(number, os.strerror(number)), remedy)
        else:
            yield FindingRow("PAGEMAP_SCAN", True, "finds pages without reading empty tables")
        for category in SCAN_CATEGORIES:
            yield _category(category, probes.scan(fd, 1 << category.bit), soft_dirty)
    finally:
        os.close(fd)


def _category(category: Flag, number: int, soft_dirty: FindingRow) -> FindingRow:
    name = f"scan {category.name}"
    if number:
        error = OSError(number, os.strerror(number))
        return failed(name, error, f"Linux {category.since} or later")
    if category.name == "soft_dirty" and not soft_dirty.ok:
        # The kernel takes the category all the same, and gives it to no page.
        return FindingRow(name, False, "accepted, but no page ever has it", _SOFT_DIRTY, ENOSYS)
    return FindingRow(name, True, category.meaning)


def _soft_dirty(own: str) -> FindingRow:
    try:
        tracked = probes.soft_dirty(own)
    except OSError as error:
        return failed("soft-dirty", error)
    if tracked:
        return FindingRow("soft-dirty", True, "tells which pages were written")
    # clear_refs takes the write all the same, so only a page just written can tell.
    return FindingRow(
        "soft-dirty", False, "a page just written does not show it", _SOFT_DIRTY, ENOSYS
    )


def _userfaultfd() -> Iterator[FindingRow]:
    try:
        features = probes.userfaultfd()
    except OSError as error:
        remedy = None
        if error.errno in _FORBIDDEN:
            remedy = "sysctl vm.unprivileged_userfaultfd=1, or CAP_SYS_PTRACE; no seccomp filter"
        elif error.errno == ENOSYS:
            remedy = "a kernel with CONFIG_USERFAULTFD=y"
        yield failed("userfaultfd", error, remedy)
        yield failed("userfaultfd WP_ASYNC", error, remedy)
        return
    yield FindingRow("userfaultfd", True, f"features {features:#x}")
    needed = _WP_ASYNC | _WP_UNPOPULATED
    if features & needed == needed:
        yield FindingRow(
            "userfaultfd WP_ASYNC", True, "tells which pages of one's own were written"
        )
    else:
        yield FindingRow(
            "userfaultfd WP_ASYNC",
            False,
            f"features {features:#x} lack it",
            "Linux 6.7 or later, on x86-64 or arm64",
            ENOSYS,
        )
