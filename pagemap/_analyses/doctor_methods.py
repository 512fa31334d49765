"""Whether the working set of a process can be found, and its writes.

Nothing is set up, nor written: files are opened as they would be for their use, and closed.
A version counts only where the method itself goes by it, since no trial can tell.
"""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, ENOENT, ENOTSUP, EPERM, ESRCH

from pagemap._analyses.findings import failed, wanting
from pagemap._errors import PagemapError
from pagemap._kernel import nodes
from pagemap._kernel.injection import call_in
from pagemap._kernel.memory_cgroup import hierarchy_path, of_process
from pagemap._kernel.release import version
from pagemap._vocabulary.rows.finding import FindingRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = ["of_target"]

_SUDO = "run with sudo"
_PTRACE = "run as its user, or with sudo: CAP_SYS_PTRACE"
_SECCOMP_FILTER = "2"
_CORE, _TABLES, _EACH_NODE = 1, 4, (6, 12)  # as pagemap/_kernel/lru_gen.py has them
_SWITCH = 64  # bytes, more than the file has
_FILE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def of_target(
    folder: Folder,
    written: FindingRow,
    soft_dirty: FindingRow,
    *,
    own: bool,
    procfs: str,
    sysfs: str,
) -> list[FindingRow]:
    """How the working set and the writes of this process can be found.

    `written` is what was found of write tracking by userfaultfd; `own` says that the process is
    this one.
    """
    referenced = _referenced(folder)
    return [
        _damon(sysfs),
        _generations(folder, procfs, sysfs),
        referenced,
        _reclaim(folder, procfs),
        _writes(written, soft_dirty, referenced, own=own),
        _inject(folder, written, own=own),
    ]


def _damon(sysfs: str) -> FindingRow:
    """By what is there alone: its files are not read, since somebody may be using them."""
    name = "wss damon"
    place = f"{sysfs}/kernel/mm/damon/admin/kdamonds"
    number = f"{place}/nr_kdamonds"
    try:
        os.stat(number)
    except OSError as error:
        lacking = "a kernel with CONFIG_DAMON_SYSFS=y and CONFIG_DAMON_VADDR=y (Linux 5.18)"
        return failed(name, error, {ENOENT: lacking, EACCES: _SUDO}.get(error.errno or 0))
    if os.path.exists(f"{place}/0"):
        return FindingRow(
            name,
            False,
            "somebody else has set up DAMON, whose settings would be lost",
            "when nobody needs them any more, switch it off and write 0 to its nr_kdamonds",
            EBUSY,
        )
    if not os.access(number, os.R_OK | os.W_OK, effective_ids=True):
        return failed(name, OSError(EACCES, os.strerror(EACCES)), _SUDO)
    return FindingRow(
        name,
        None,
        "DAMON is there, and free; only its use tells whether it monitors virtual addresses "
        "(CONFIG_DAMON_VADDR)",
    )


def _generations(folder: Folder, procfs: str, sysfs: str) -> FindingRow:
    name = "wss mglru"
    file = f"{sysfs}/kernel/debug/lru_gen"
    enabled = f"{sysfs}/kernel/mm/lru_gen/enabled"
    try:
        with open(enabled, "rb") as switch:
            bits = int(switch.read(_SWITCH), 16)
    except (OSError, ValueError):
        lacking = OSError(ENOENT, os.strerror(ENOENT))
        return failed(name, lacking, "a kernel with CONFIG_LRU_GEN=y (Linux 6.1)")
    if not bits & _CORE:
        return FindingRow(name, False, "it is switched off", f"echo y > {enabled}", ENOTSUP)
    try:
        os.close(os.open(file, os.O_RDWR | _FILE))
    except OSError as error:
        mount = f"mount -t debugfs debugfs {sysfs}/kernel/debug"
        remedies = {EACCES: _SUDO, EPERM: f"{_SUDO}; no lockdown of the kernel", ENOENT: mount}
        return failed(name, error, remedies.get(error.errno or 0))
    one_node = bits & _TABLES and version(os.uname().release) < _EACH_NODE
    if one_node and sum(1 for each in nodes.amounts(sysfs).values() if each.get("MemTotal")) > 1:
        missed = "it misses what is touched on all NUMA nodes but one"
        return FindingRow(name, False, missed, f"Linux 6.12, or echo 3 > {enabled}", ENOTSUP)
    try:
        hierarchy_path(_cgroup(folder, procfs), procfs=procfs)
    except (OSError, PagemapError) as error:
        return FindingRow(name, False, str(error), errno=error.errno)
    return FindingRow(name, True, "the kernel's aging of its memory cgroup can be read and begun")


def _referenced(folder: Folder) -> FindingRow:
    name = "wss referenced"
    try:
        os.close(folder.open("clear_refs", os.O_WRONLY))
        os.close(folder.open("smaps"))
    except OSError as error:
        remedies = {
            EACCES: _PTRACE,
            EPERM: _PTRACE,
            ENOENT: "a kernel with CONFIG_PROC_PAGE_MONITOR=y",
            ESRCH: "another target: a kernel thread, or one that is ending, has no memory",
        }
        return failed(name, error, remedies.get(error.errno or 0))
    return FindingRow(name, True, "accessed marks can be cleared, and read")


def _reclaim(folder: Folder, procfs: str) -> FindingRow:
    name = "wss reclaim"
    try:
        place = _cgroup(folder, procfs)
        os.close(os.open(f"{place}/memory.reclaim", os.O_WRONLY | _FILE))
        os.close(os.open(f"{place}/memory.current", os.O_RDONLY | _FILE))
    except PagemapError as error:
        return FindingRow(name, False, str(error), errno=error.errno)
    except OSError as error:
        if error.errno == ENOENT:
            file = str(error.filename).rpartition("/")[2]
            return FindingRow(
                name,
                False,
                f"its memory cgroup has no {file} (ENOENT)",
                "cgroup v2 with the memory controller, Linux 5.19, another cgroup than the root",
                ENOENT,
            )
        return failed(name, error, _SUDO if error.errno in (EACCES, EPERM) else None)
    return FindingRow(
        name, True, "memory can be taken from its cgroup in steps, to see what it needs"
    )


def _cgroup(folder: Folder, procfs: str) -> str:
    return of_process(os.fsdecode(folder.read("cgroup")), procfs=procfs)


def _writes(
    written: FindingRow, soft_dirty: FindingRow, referenced: FindingRow, *, own: bool
) -> FindingRow:
    name = "writes"
    if own and written.ok:
        return FindingRow(name, True, "by a userfaultfd of one's own")
    lacking = wanting(name, soft_dirty)
    if lacking:
        return lacking
    if not referenced.ok:  # the bits are cleared by the file that clears accessed marks
        return FindingRow(name, False, referenced.detail, referenced.remedy, referenced.errno)
    return FindingRow(name, True, "by soft-dirty bits, which are cleared")


def _inject(folder: Folder, written: FindingRow, *, own: bool) -> FindingRow:
    """The right to trace is that of opening /proc/PID/mem, which traces nothing."""
    name = "writes inject"
    lacking = wanting(name, written)
    if lacking:
        return lacking
    try:
        call_in(folder)
        if own:
            return FindingRow(
                name,
                None,
                "of oneself there is no need; of others it depends on the process",
                "name the process, to have its own answer",
            )
        status = folder.read("status").splitlines()
        os.close(folder.open("mem"))
    except PagemapError as error:
        remedies = {EACCES: _PTRACE, EPERM: _PTRACE, ENOTSUP: "a process on x86-64"}
        return FindingRow(name, False, str(error), remedies.get(error.errno or 0), error.errno)
    except OSError as error:
        remedy = f"{_PTRACE}, and kernel.yama.ptrace_scope that lets it trace"
        return failed(name, error, remedy if error.errno in (EACCES, EPERM) else None)
    words = dict(line.decode("ascii", "replace").partition(":")[::2] for line in status)
    tracer = words.get("TracerPid", "0").strip()
    if tracer != "0":
        return FindingRow(
            name, False, f"process {tracer} traces it already", "end that tracer", EBUSY
        )
    if words.get("Seccomp", "0").strip() == _SECCOMP_FILTER:
        return FindingRow(
            name,
            None,
            "its system calls are filtered (seccomp): only the attempt tells whether the filter "
            "can be suspended",
            "run with sudo: CAP_SYS_ADMIN",
        )
    return FindingRow(name, True, "it may be traced, to make a userfaultfd in it")
