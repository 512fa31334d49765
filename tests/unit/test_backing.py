"""What stands behind mappings, and smaps' word for what no page table tells."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses import backing
from pagemap._kernel import smaps_accounts as accounts
from pagemap._kernel.shmem_devices import devices_without_shmem
from pagemap._native import procmap
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start

SMAPS = b"""\
7f0000000000-7f0000400000 rw-s 00000000 00:0f 2054   /anon_hugepage (deleted)
Size:               4096 kB
Rss:                   0 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr sh mr mw me ms de ht sd
7f0000600000-7f0000800000 rw-p 00000000 00:00 0   [anon:Rss: 7 kB]
Rss:                 512 kB
Anonymous:           500 kB
Swap:                 12 kB
VmFlags: rd wr mr mw me ac sd
"""


def test_accounts() -> None:
    found = accounts.parse(SMAPS.splitlines(keepends=True))
    assert found == {
        0x7F0000000000: accounts.Account(0x7F0000000000, 0, 0, 0, hugetlb=True),
        0x7F0000600000: accounts.Account(0x7F0000600000, 512 << 10, 500 << 10, 12 << 10),
    }
    assert found[0x7F0000600000].file_or_shared == 12 << 10


def test_lines_that_a_kernel_lacks_are_not_0() -> None:
    (account,) = accounts.parse([b"1000-2000 r--p 0 00:00 0\n", b"VmFlags: rd\n"]).values()
    assert (account.rss, account.anon, account.swap) == (None, None, None)
    assert account.file_or_shared is None
    assert accounts.parse_rollup([b"Rss: 4 kB\n"]).swap is None


def test_devices_of_other_file_systems() -> None:
    lines = [
        b"cut",
        b"22 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw",
        b"25 1 254:0 / / rw,relatime - ext4 /dev/root rw",
        b"26 25 0:45 / /run rw master:1 - tmpfs tmpfs rw,size=4k",
        b"27 25 0:300 / /over rw - overlay overlay rw,lowerdir=/a - b",
    ]
    # an overlay shows files of what lies below it, which may be a tmpfs
    assert devices_without_shmem(b"\n".join([*lines, b""])) == {"00:14", "fe:00"}


def test_status() -> None:
    text = b"Name:\tx\nVmSwap:\t     124 kB\nHugetlbPages:\t    2048 kB\n"
    assert backing.status(text, b"VmSwap") == 124 << 10
    assert backing.status(text, b"HugetlbPages") == 2 << 20
    assert backing.status(text, b"VmPin") == 0


def refused(*_: object) -> None:
    raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))


@pytest.mark.parametrize("asked", ["PROCMAP_QUERY", "smaps"])
def test_hugetlb_by_its_device(start: Start, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    """Hugetlb passed for anonymous memory; before Linux 6.11 smaps has to tell it."""
    if asked == "smaps":
        monkeypatch.setattr(procmap, "vma_at", refused)
    target = start(workloads.hugetlb())
    with pagemap.Process(target.pid) as process, pagemap.Sampler(target.pid) as sampler:
        words = ["hugetlb", "rss", "anon", "uss"]
        counts = {row.start: row for row in process.tally(words)}[target.first.start]
        sums = oracle.smaps_rollup(target.pid)
        sample = sampler.sample()
    assert counts.hugetlb == target.first.pages * oracle.PAGE
    assert (counts.rss, counts.anon, counts.uss) == (0, 0, 0)
    assert (sample.hugetlb, sample.rss) == (sums["Private_Hugetlb"], sums["Rss"])


def test_a_name_is_no_hugetlb(start: Start) -> None:
    """Any file may be called as the kernel calls a mapping of hugetlb."""
    target = start(workloads.file(64 << 10, b"anon_hugepage (deleted)"))
    with pagemap.Process(target.pid) as process:
        assert not any(counts.hugetlb for counts in process.tally())
