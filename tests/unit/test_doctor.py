"""The doctor on machines that are not this one: a fake /proc, and a kernel that answers as told."""

from __future__ import annotations

import array
import errno
import os
import struct
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._cli.commands.doctor import exit_code
from pagemap._errors import NoSuchProcess, UsageError
from pagemap._native import probes

if TYPE_CHECKING:
    from pathlib import Path


ANON, KSM = 1 << 12, 1 << 21  # of kpageflags


class Machine:
    """A /proc with one process, 77, and answers of its kernel."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.patch = patch
        process = root / "77"
        process.mkdir(parents=True)
        (process / "stat").write_text("77 (job) S 1 1 1 0\n")
        (process / "maps").write_text("400000-401000 r-xp 00000000 fe:00 658 /bin/job\n")
        (process / "pagemap").write_bytes(bytes(8))
        for name in ("clear_refs", "smaps", "mem"):
            (process / name).touch()
        (process / "status").write_text("TracerPid:\t0\nSeccomp:\t0\n")
        (root / "self").symlink_to("77")
        self.sys = root.parent / "sys"
        self.cgroup = root.parent / "cgroup/job"
        self.set_up(process)
        (root / "version").write_text("Linux version 6.18.0\n")
        for name in ("kpageflags", "kpagecount", "kpagecgroup"):
            (root / name).write_bytes(bytes(8))
        self.answer("pfns", True)
        self.page(ANON)
        self.answer("soft_dirty", True)
        self.answer("exclusive", True)
        self.answer("userfaultfd", (1 << 17) - 1)
        self.answer("cachestat", True)
        self.version((6, 18))
        patch.setattr("pagemap._analyses.doctor_methods.call_in", lambda _: (0, 0))
        self.scan({})

    def set_up(self, process: Path) -> None:
        """A machine of two nodes, with DAMON, the multi-gen LRU and cgroups of version 2."""
        (process / "ns").mkdir()
        (process / "ns/cgroup").symlink_to("cgroup:[4026531835]")
        (process / "cgroup").write_text("0::/job\n")
        line = f"30 20 0:26 / {self.cgroup.parent} rw - cgroup2 cgroup2 rw\n"
        (process / "mountinfo").write_text(line)
        self.cgroup.mkdir(parents=True)
        for name in ("memory.reclaim", "memory.current"):
            (self.cgroup / name).touch()
        for name, text in (
            ("kernel/mm/damon/admin/kdamonds/nr_kdamonds", "0"),
            ("kernel/mm/lru_gen/enabled", "0x0007"),
            ("kernel/debug/lru_gen", ""),
            ("devices/system/node/node0/meminfo", "Node 0 MemTotal:  1024 kB\n"),
            ("devices/system/node/node1/meminfo", "Node 1 MemTotal:  1024 kB\n"),
            ("devices/system/node/online", "0-1"),
        ):
            (self.sys / name).parent.mkdir(parents=True, exist_ok=True)
            (self.sys / name).write_text(text)

    def version(self, number: tuple[int, int]) -> None:
        self.patch.setattr("pagemap._analyses.doctor_methods.version", lambda _: number)

    def answer(self, probe: str, answer: object) -> None:
        def respond(*_: object) -> object:
            if isinstance(answer, OSError):
                raise answer
            return answer

        self.patch.setattr(probes, probe, respond)

    def page(self, word: int) -> None:
        """Let the kernel say this of a page of the doctor's own."""
        (self.root / "kpageflags").write_bytes(struct.pack("=8Q", *[0] * 7, word))
        entry = memoryview(array.array("Q", [1 << 63 | 7]))
        self.patch.setattr("pagemap._kernel.frames.read", lambda *_: entry)

    def scan(self, refused: dict[int, int], default: int = 0) -> None:
        """Let PAGEMAP_SCAN refuse these categories, each with an errno."""
        self.patch.setattr(probes, "scan", lambda _, bit: refused.get(bit, default))

    def findings(self) -> dict[str, pagemap.FindingRow]:
        found = pagemap.doctor(77, procfs=str(self.root), sysfs=str(self.sys))
        return {each.name: each for each in found}

    def failing(self) -> list[str]:
        return [name for name, each in self.findings().items() if each.ok is False]

    def code(self) -> int:
        return exit_code(pagemap.doctor(77, procfs=str(self.root)))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "proc", monkeypatch)


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_where_everything_works(machine: Machine) -> None:
    found = machine.findings()
    assert [name for name, each in found.items() if not each.ok] == ["wss damon"]
    assert found["wss damon"].ok is None  # before it is set up nobody knows what it monitors
    assert not any(each.remedy or each.errno for each in found.values())
    assert machine.code() == 0


def test_exclusive_of_huge_pages(machine: Machine) -> None:
    """Doctor vouched for bit 56, which since Linux 6.15 is a huge page's first page's for all."""
    machine.answer("exclusive", False)
    found = machine.findings()["exclusive"]
    assert found.ok
    assert "kpagecount" in found.detail
    machine.answer("pfns", False)
    found = machine.findings()["exclusive"]
    assert not found.ok
    assert "CAP_SYS_ADMIN" in str(found.remedy)
    for number in (errno.ENODATA, errno.ENOTTY, errno.EPERM):
        machine.answer("exclusive", error(number))
        found = machine.findings()["exclusive"]
        assert (found.ok, found.errno) == (False, number)
    assert machine.code() == 0


def test_the_target_may_be_an_object_with_a_pid(machine: Machine) -> None:
    class Child:
        pid = 77

    assert pagemap.doctor(Child(), procfs=str(machine.root))[0].ok
    assert pagemap.doctor(procfs=str(machine.root))[0].ok
    assert pagemap.doctor("self", procfs=str(machine.root)).about["pid"] == os.getpid()


@pytest.mark.parametrize("target", ["abc", None, 1.5, True, object()])
def test_what_is_no_target(target: object) -> None:
    """It is not taken for none, which would tell the caller of itself."""
    with pytest.raises((TypeError, UsageError), match="not"):
        pagemap.doctor(target)  # type: ignore[arg-type]


def test_hidden_pfns(machine: Machine) -> None:
    machine.answer("pfns", False)
    found = machine.findings()["PFNs"]
    assert (found.ok, found.errno) == (False, errno.EPERM)
    assert "CAP_SYS_ADMIN in the initial user namespace" in str(found.remedy)
    merged = machine.findings()["KSM flag"]
    assert (merged.ok, merged.detail) == (False, "not tried, for want of PFNs")
    assert (merged.remedy, merged.errno) == (found.remedy, found.errno)
    assert machine.code() == 0


def test_a_kernel_without_page_monitoring(machine: Machine) -> None:
    (machine.root / "77" / "pagemap").unlink()
    for name in ("kpageflags", "kpagecount", "kpagecgroup"):
        (machine.root / name).unlink()
    found = machine.findings()
    assert "CONFIG_PROC_PAGE_MONITOR=y" in str(found["pagemap"].remedy)
    assert "CONFIG_PROC_PAGE_MONITOR=y" in str(found["kpageflags"].remedy)
    assert "CONFIG_MEMCG=y" in str(found["kpagecgroup"].remedy)
    assert "ENOENT" in found["kpagecount"].detail
    assert not found["PAGEMAP_SCAN"].ok
    assert machine.code() == 69


def test_a_procfs_that_shows_processes_alone(machine: Machine) -> None:
    """Mounted with subset=pid it lacks these files, whatever the kernel was built with."""
    for name in ("version", "kpageflags", "kpagecount", "kpagecgroup"):
        (machine.root / name).unlink()
    found = machine.findings()
    for name in ("kpageflags", "kpagecount", "kpagecgroup"):
        assert not found[name].ok
        assert str(found[name].remedy).startswith("mount proc without subset=pid")
    assert machine.code() == 0


def test_a_frame_file_that_is_empty(machine: Machine) -> None:
    (machine.root / "kpageflags").write_bytes(b"")
    found = machine.findings()
    assert not found["kpageflags"].ok
    assert found["KSM flag"].detail == "not tried, for want of kpageflags"


def test_the_flag_of_merged_pages(machine: Machine) -> None:
    """A page of our own, just written, is merged with no other; some kernels call it so."""
    machine.page(ANON | KSM)
    found = machine.findings()["KSM flag"]
    assert (found.ok, found.errno) == (False, errno.ENOSYS)
    assert "smaps" in str(found.remedy)
    machine.page(0)  # it moved, again and again
    found = machine.findings()["KSM flag"]
    assert (found.ok, found.detail) == (False, "a page just written could not be seen")
    assert machine.code() == 0


def test_a_flag_that_cannot_be_tried(machine: Machine) -> None:
    """The file has gone from under its reader, or fails."""

    def fail(*_: object) -> object:
        raise error(errno.EIO)

    machine.patch.setattr("pagemap._kernel.frames.read", fail)
    found = machine.findings()["KSM flag"]
    assert (found.ok, found.errno) == (False, errno.EIO)
    assert "Input/output error" in found.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_forbidden_files(machine: Machine) -> None:
    for name in ("77/maps", "77/pagemap", "kpageflags"):
        (machine.root / name).chmod(0)
    found = machine.findings()
    for name in ("maps", "pagemap"):
        assert "EACCES" in found[name].detail
        assert "CAP_SYS_PTRACE" in str(found[name].remedy)
    assert "only root may read it" in str(found["kpageflags"].remedy)
    assert machine.code() == 77


def test_a_kernel_without_the_ioctl(machine: Machine) -> None:
    machine.scan({}, default=errno.ENOTTY)
    found = machine.findings()
    names = [name for name in found if name.startswith("scan ")]
    assert len(names) == 9
    for name in ("PAGEMAP_SCAN", *names):
        assert not found[name].ok
        assert "ENOTTY" in found[name].detail
        assert "or later" in str(found[name].remedy)
    assert "6.7" in str(found["PAGEMAP_SCAN"].remedy)
    assert machine.code() == 0


def test_a_kernel_without_one_category(machine: Machine) -> None:
    machine.scan({1 << 8: errno.EINVAL})
    assert machine.failing() == ["scan guard"]
    found = machine.findings()
    assert found["scan guard"].remedy == "Linux 6.15 or later"
    assert "EINVAL" in found["scan guard"].detail


def test_soft_dirty_that_is_accepted_and_not_tracked(machine: Machine) -> None:
    """Without CONFIG_MEM_SOFT_DIRTY the category is taken all the same, and no page has it."""
    machine.answer("soft_dirty", False)
    lacking = ["scan soft_dirty", "soft-dirty", "writes"]
    assert machine.failing() == lacking
    found = machine.findings()
    for name in lacking:
        assert "CONFIG_MEM_SOFT_DIRTY=y" in str(found[name].remedy)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EPERM, "vm.unprivileged_userfaultfd=1, or CAP_SYS_PTRACE"),
        (errno.ENOSYS, "CONFIG_USERFAULTFD=y"),
    ],
)
def test_no_userfaultfd(machine: Machine, number: int, remedy: str) -> None:
    machine.answer("userfaultfd", error(number))
    found = machine.findings()
    for name in ("userfaultfd", "userfaultfd WP_ASYNC"):
        assert not found[name].ok
        assert remedy in str(found[name].remedy)
        assert errno.errorcode[number] in found[name].detail


def test_a_userfaultfd_that_cannot_track_writes(machine: Machine) -> None:
    """Linux 6.1 has the bits up to 12."""
    machine.answer("userfaultfd", 0x1FFF)
    found = machine.findings()
    assert found["userfaultfd"].ok
    assert not found["userfaultfd WP_ASYNC"].ok
    assert "0x1fff" in found["userfaultfd WP_ASYNC"].detail


def test_probes_that_fail_otherwise_are_told(machine: Machine) -> None:
    machine.answer("pfns", error(errno.EIO))
    machine.answer("soft_dirty", error(errno.ENOMEM))
    found = machine.findings()
    assert found["PFNs"].detail == "Input/output error (EIO)"
    assert found["soft-dirty"].detail == "Cannot allocate memory (ENOMEM)"


def test_no_such_process(machine: Machine) -> None:
    with pytest.raises(NoSuchProcess, match="no process 78"):
        pagemap.doctor(78, procfs=str(machine.root))


def test_a_zombie(machine: Machine) -> None:
    (machine.root / "77" / "stat").write_text("77 (job) Z 1 1 1 0\n")
    with pytest.raises(NoSuchProcess, match="process 77 is a zombie"):
        machine.findings()


def test_no_descriptor_is_left_open(machine: Machine) -> None:
    before = os.listdir("/proc/self/fd")
    machine.findings()
    with pytest.raises(NoSuchProcess):
        pagemap.doctor(78, procfs=str(machine.root))
    assert os.listdir("/proc/self/fd") == before
