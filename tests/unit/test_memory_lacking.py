"""Memory of machines that lack something, or change, or hide it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import pagemap
from tests.unit.fake_machine import (
    ANON,
    FILE,
    FREE,
    NOPAGE,
    PAGE,
    RESERVED,
    SHMEM,
    Machine,
    Zone,
    sizes,
    usual,
    words,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine to be changed."""
    return usual(tmp_path)


def test_two_nodes_inside_each_other(machine: Machine) -> None:
    """Sysfs tells which blocks of memory are on which node; without it the inner zone has all."""
    machine.frames(words((1024, ANON), (1024, FILE), (1024, SHMEM), (1024, FREE)))
    machine.zones(Zone(0, "Normal", 0, 4096, 2048, 2048), Zone(1, "Normal", 1024, 2048, 2048, 2048))
    machine.ram((0, 4096))
    told = pagemap.memory(**machine.where)
    assert [row.size for row in told.nodes] == [2048 * PAGE, 2048 * PAGE]
    assert (told.nodes[1].file, told.nodes[1].shmem) == (1024 * PAGE, 1024 * PAGE)

    write(machine.sys / "devices/system/memory/block_size_bytes", f"{1024 * PAGE:x}\n")
    for node, blocks in ((0, (0, 2)), (1, (1, 3))):
        folder = machine.sys / f"devices/system/node/node{node}"
        write(folder / "meminfo", f"Node {node} MemTotal:   {2048 * PAGE >> 10} kB\n")
        for block in blocks:
            write(folder / f"memory{block}/state", "online\n")
    machine.zones(Zone(0, "Normal", 0, 4096, 2048, 2048), Zone(1, "Normal", 1024, 3072, 2048, 2048))
    told = pagemap.memory(**machine.where)
    assert [(row.anon, row.file, row.shmem, row.free) for row in told.nodes] == [
        (1024 * PAGE, 0, 1024 * PAGE, 0),
        (0, 1024 * PAGE, 0, 1024 * PAGE),
    ]
    assert [row.kernel for row in told.nodes] == [2048 * PAGE, 2048 * PAGE]


def test_memory_added_meanwhile(machine: Machine) -> None:
    def add(done: int, total: int) -> None:
        assert 0 < done <= total
        machine.zones(Zone(0, "DMA", 1, 127, 95, 79), Zone(0, "Normal", 128, 8000, 8000, 8000))

    told = pagemap.memory(progress=add, **machine.where)
    assert told.about["changed"] is True
    assert sum(sizes(told).values()) == 4063  # as it was at the beginning


def test_memory_removed_meanwhile(machine: Machine) -> None:
    """Frames that are gone, and those past the end of the file, are missing."""
    flags = words((1000, FREE), (96, NOPAGE), (1000, 0))
    machine.frames(flags)
    machine.zones(Zone(0, "Normal", 0, 4096, 4096, 4096))
    machine.ram((0, 4096))
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"free": 1000, "unnamed": 1000, "missing": 96 + 2000}
    assert told.zones[0].missing == 2096 * PAGE


def test_addresses_of_memory_hidden(machine: Machine) -> None:
    """Without CAP_SYS_ADMIN iomem has zeros: holes cannot be told from frames of the kernel."""
    flags = words((1, RESERVED), (31, FREE), (32, 0), (16, FREE), (16, RESERVED), (32, FREE))
    machine.frames(flags)
    machine.zones(Zone(0, "DMA", 1, 127, 95, 79))
    (machine.proc / "iomem").write_text("00000000-00000000 : System RAM\n" * 3)
    told = pagemap.memory(**machine.where)
    assert told.about["system_ram"] is None
    assert sizes(told) == {"free": 79, "reserved": 16}
    assert (told.zones[0].size, told.zones[0].difference) == (79 * PAGE, 0)


REFUSED = [errno.EACCES, errno.EPERM]  # without rights, and where a security module forbids it


@pytest.mark.parametrize("code", REFUSED, ids=errno.errorcode.get)
def test_without_rights(machine: Machine, code: int) -> None:
    machine.pool(1 << 21, 6, 2, 1)
    write(machine.sys / "kernel/mm/ksm/pages_shared", "1\n")
    node = "Node 0 MemTotal: 64 kB\nNode 0 AnonPages: 8 kB\nNode 0 MemFree: 4 kB\n"
    write(machine.sys / "devices/system/node/node0/meminfo", node)
    with refused(code):
        told = pagemap.memory(cgroups=True, blockers=5, runs=5, **machine.where)
        for cgroups in (False, True):
            with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
                pagemap.memory(frames=True, cgroups=cgroups, **machine.where)
    assert told.about["counted"] is False
    assert "CAP_DAC_READ_SEARCH" in str(told.about["why"])
    assert (told.blocks, told.blockers, told.runs) == (None, None, None)
    rows = {row.kind: row for row in told.kinds}
    assert {row.size for row in told.kinds} == {row.mapped for row in told.kinds} == {None}
    assert (rows["anon"].kernel, rows["anon"].source) == (4 * PAGE, "AnonPages - pages_shared")
    assert (rows["ksm"].kernel, rows["hugetlb"].kernel) == (PAGE, 4 << 21)
    assert rows["hugetlb_idle"].kernel == 2 << 21
    total = sum(row.kernel or 0 for row in told.kinds if row.kind not in ("reserved", "missing"))
    assert total == (79 + 3968) * PAGE
    assert [row.free for row in told.zones] == [77 * PAGE, 77 * PAGE]
    assert (told.nodes[0].kernel, told.nodes[0].anon) == (64 << 10, 8 << 10)
    assert (told.nodes[0].file, told.nodes[0].size) == (None, None)
    assert [row.kernel for row in told.orders][:5] == [1, 1, 1, 1, 2]
    assert told.orders[4].free == 32 * PAGE
    assert told.cgroups is not None


def refused(code: int, before: Callable[[], object] = bool) -> Any:
    """Every open of a file about frames is refused, as those of /proc/kpage* are."""
    opens = os.open

    def refuse(path: str, *arguments: Any, **more: Any) -> int:
        if "/kpage" in os.fspath(path):
            before()
            raise OSError(code, os.strerror(code))
        return opens(path, *arguments, **more)

    return mock.patch("os.open", side_effect=refuse)


@pytest.mark.parametrize("code", REFUSED, ids=errno.errorcode.get)
def test_nothing_is_left(machine: Machine, code: int) -> None:
    (machine.proc / "meminfo").unlink()

    def remove() -> None:
        (machine.proc / "zoneinfo").unlink(missing_ok=True)

    with refused(code, remove), pytest.raises(pagemap.AccessDenied):
        pagemap.memory(**machine.where)
    with pytest.raises(pagemap.Unsupported, match="zoneinfo"):
        pagemap.memory(**machine.where)


def test_what_a_kernel_may_lack(machine: Machine) -> None:
    """No kpageflags, no cgroups, no swap, no hugetlb, no /sys."""
    (machine.proc / "kpageflags").unlink()
    told = pagemap.memory(cgroups=True, **machine.where)
    assert "CONFIG_PROC_PAGE_MONITOR" in str(told.about["why"])
    assert told.cgroups is not None
    assert len(told.cgroups) == len(told.swaps) == 0
    assert {row.kind for row in told.kinds if row.kernel is None} >= {"ksm", "hugetlb", "offline"}
    machine.frames(words((4096, FREE)))
    told = pagemap.memory(cgroups=True, **machine.where)
    assert "CONFIG_MEMCG" in str(told.about["why"])
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"free": 31 + 4032}
    (machine.proc / "kpageflags").write_bytes(b"")
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"missing": 31 + 4032}
