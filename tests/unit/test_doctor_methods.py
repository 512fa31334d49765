"""The doctor on working sets, writes and frames, of machines that are not this one.

What it says of each is written down by hand; no file of the fake machine is changed by it.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._errors import Unsupported
from tests.unit.test_doctor import Machine, error

if TYPE_CHECKING:
    from pathlib import Path

WSS = ["wss damon", "wss mglru", "wss referenced", "wss reclaim"]
KDAMONDS = "kernel/mm/damon/admin/kdamonds"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "proc", monkeypatch)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(each): (each.read_bytes(), each.stat().st_mtime_ns)
        for each in folder.rglob("*")
        if each.is_file()
    }


def test_nothing_is_written(machine: Machine) -> None:
    (machine.root / "77/clear_refs").write_text("as it was")
    (machine.sys / "kernel/debug/lru_gen").write_text("as it was")
    (machine.cgroup / "memory.reclaim").write_text("as it was")
    before = contents(machine.root.parent)
    assert len(before) > 15
    machine.findings()
    assert contents(machine.root.parent) == before


def test_damon_of_somebody_else(machine: Machine) -> None:
    """Its files are not read: a FIFO in place of each would make it wait without end."""
    place = machine.sys / KDAMONDS
    (place / "0").mkdir()
    (place / "nr_kdamonds").unlink()
    for name in ("nr_kdamonds", "0/state"):
        os.mkfifo(place / name)
    found = machine.findings()["wss damon"]
    assert (found.ok, found.errno) == (False, errno.EBUSY)
    assert found.detail == "somebody else has set up DAMON, whose settings would be lost"
    assert "write 0 to its nr_kdamonds" in str(found.remedy)


def test_a_kernel_with_none_of_it(machine: Machine) -> None:
    for name in (f"{KDAMONDS}/nr_kdamonds", "kernel/mm/lru_gen/enabled"):
        (machine.sys / name).unlink()
    (machine.root / "77/clear_refs").unlink()
    (machine.cgroup / "memory.reclaim").unlink()
    found = machine.findings()
    for name, remedy in zip(
        WSS,
        ("CONFIG_DAMON_VADDR", "CONFIG_LRU_GEN", "CONFIG_PROC_PAGE_MONITOR", "Linux 5.19"),
        strict=True,
    ):
        assert (found[name].ok, found[name].errno) == (False, errno.ENOENT)
        assert "ENOENT" in found[name].detail
        assert remedy in str(found[name].remedy)
    assert machine.failing() == [*WSS, "writes"]


def test_the_multi_gen_lru(machine: Machine) -> None:
    enabled = machine.sys / "kernel/mm/lru_gen/enabled"
    enabled.write_text("0x0000")
    found = machine.findings()["wss mglru"]
    assert found[1:] == (False, "it is switched off", f"echo y > {enabled}", errno.ENOTSUP)
    enabled.write_text("0x0001")
    debugfs = machine.sys / "kernel/debug"
    (debugfs / "lru_gen").unlink()
    found = machine.findings()["wss mglru"]
    assert (found.ok, found.remedy) == (False, f"mount -t debugfs debugfs {debugfs}")
    (debugfs / "lru_gen").touch()
    link = machine.root / "77/ns/cgroup"
    link.unlink()
    link.symlink_to("cgroup:[4026532000]")
    found = machine.findings()["wss mglru"]
    assert not found.ok
    assert "cgroup namespace" in found.detail


def test_the_multi_gen_lru_of_several_nodes(machine: Machine) -> None:
    enabled = machine.sys / "kernel/mm/lru_gen/enabled"
    machine.version((6, 11))
    found = machine.findings()["wss mglru"]
    assert (found.ok, found.errno) == (False, errno.ENOTSUP)
    assert f"echo 3 > {enabled}" in str(found.remedy)
    enabled.write_text("0x0003")
    assert machine.failing() == []
    enabled.write_text("0x0007")
    meminfo = machine.sys / "devices/system/node/node1/meminfo"
    meminfo.write_text("Node 1 MemTotal:  0 kB\n")
    assert machine.failing() == []


def test_a_cgroup_that_is_not_mounted(machine: Machine) -> None:
    (machine.root / "77/mountinfo").write_text("")
    found = machine.findings()
    assert machine.failing() == ["wss mglru", "wss reclaim"]
    for name in ("wss mglru", "wss reclaim"):
        assert "/job, is not mounted here" in found[name].detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
def test_forbidden_files(machine: Machine) -> None:
    (machine.sys / KDAMONDS / "nr_kdamonds").chmod(0)
    (machine.sys / "kernel/debug/lru_gen").chmod(0)
    (machine.cgroup / "memory.reclaim").chmod(0)
    for name in ("clear_refs", "mem"):
        (machine.root / "77" / name).chmod(0)
    found = machine.findings()
    closed = [*WSS, "writes", "writes inject"]
    assert machine.failing() == closed
    for name in closed:
        assert (found[name].detail, found[name].errno) == (
            "Permission denied (EACCES)",
            errno.EACCES,
        )
        assert "sudo" in str(found[name].remedy)


def test_writes_by_soft_dirty_bits_alone(machine: Machine) -> None:
    """Linux 6.1 has no userfaultfd that tells of writes."""
    machine.answer("userfaultfd", 0x1FFF)
    found = machine.findings()
    assert machine.failing() == ["userfaultfd WP_ASYNC", "writes inject"]
    assert found["writes"].detail == "by soft-dirty bits, which are cleared"
    assert found["writes inject"].detail == "not tried, for want of userfaultfd WP_ASYNC"
    assert found["writes inject"].remedy == found["userfaultfd WP_ASYNC"].remedy


def test_writes_of_oneself(machine: Machine) -> None:
    """No soft-dirty bits are needed, nor a thread of another."""
    machine.answer("soft_dirty", False)
    found = {each.name: each for each in pagemap.doctor("self", procfs=str(machine.root))}
    assert found["writes"].ok
    assert (found["writes inject"].ok, found["writes inject"].errno) == (None, None)


def test_a_process_that_is_traced_or_filtered(machine: Machine) -> None:
    status = machine.root / "77/status"
    status.write_text("Name:\tjob\nTracerPid:\t4242\nSeccomp:\t2\n")
    found = machine.findings()["writes inject"]
    assert found[1:] == (
        False,
        "process 4242 traces it already",
        "end that tracer",
        errno.EBUSY,
    )
    status.write_text("Name:\tjob\nTracerPid:\t0\nSeccomp:\t2\n")
    found = machine.findings()["writes inject"]
    assert found.ok is None
    assert "CAP_SYS_ADMIN" in str(found.remedy)


def test_another_machine_than_x86_64(machine: Machine) -> None:
    def refuse(_: object) -> object:
        raise Unsupported("it runs on aarch64, not on x86-64", errno=errno.ENOTSUP)

    machine.patch.setattr("pagemap._analyses.doctor_methods.call_in", refuse)
    assert machine.failing() == ["writes inject"]
    found = machine.findings()["writes inject"]
    assert found.detail == "it runs on aarch64, not on x86-64"
    assert found.remedy == "a process on x86-64"


def test_what_is_made_of_frames(machine: Machine) -> None:
    (machine.root / "kpagecgroup").unlink()
    found = machine.findings()
    assert machine.failing() == ["kpagecgroup"]
    assert "not by memory cgroup, for want of kpagecgroup" in found["memory"].detail
    (machine.root / "kpagecount").unlink()
    found = machine.findings()
    assert found["memory"].ok
    for name in ("snapshot frames", "free-if"):
        assert found[name].detail == "not tried, for want of kpagecount"
        assert found[name].remedy == found["kpagecount"].remedy
    machine.answer("pfns", False)
    assert machine.findings()["free-if"].detail == "not tried, for want of PFNs"
    (machine.root / "kpageflags").unlink()
    assert machine.findings()["memory"].detail == "not tried, for want of kpageflags"


def test_cachestat(machine: Machine) -> None:
    machine.answer("cachestat", False)
    found = machine.findings()["cachestat"]
    assert (found.ok, found.errno) == (False, errno.ENOSYS)
    assert "mincore" in found.detail
    assert "Linux 6.5" in str(found.remedy)
    machine.answer("cachestat", error(errno.EIO))
    assert machine.findings()["cachestat"].detail == "Input/output error (EIO)"


def test_nodes(machine: Machine) -> None:
    assert machine.findings()["NUMA nodes"].detail == "2 online"
    for each in (machine.sys / "devices/system/node").iterdir():
        each.rename(machine.sys / each.name)
    found = machine.findings()["NUMA nodes"]
    assert not found.ok
    assert "CONFIG_NUMA" in str(found.remedy)
