"""All memory of this machine, beside the kernel's own figures and memory made for the purpose."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.live.as_nobody import as_nobody
from tests.looks import settled

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
SIZE = int(os.environ.get("PAGEMAP_KNOWN_MIB", "256")) * MIB
"""How much memory of a known kind is made."""

SLACK = 8 * MIB  # what processors count for themselves, and pages that move
TRIES = 4
COMPARED = (
    *("AnonPages", "Mapped", "Cached + Buffers", "Shmem", "Slab", "PageTables", "MemFree"),
    "Hugetlb",
)


@pytest.fixture(autouse=True)
def _need_frames(request: pytest.FixtureRequest) -> None:
    if request.node.name != "test_unprivileged" and not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")


def meminfo() -> dict[str, int]:
    """The lines of meminfo that are amounts, in bytes."""
    lines = re.findall(r"^(\S+):\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {name: int(amount) << 10 for name, amount in lines}


def figure(name: str, info: dict[str, int]) -> int:
    return sum(info[each] for each in name.split(" + "))


def numbers_of(name: str) -> int:
    """The sum of a number of all zones, in bytes."""
    text = Path("/proc/zoneinfo").read_text()
    return sum(map(int, re.findall(rf"^\s+{name}\s+(\d+)$", text, re.MULTILINE))) * PAGE


def system_ram() -> int:
    """The whole frames that the firmware calls memory, in bytes."""
    text = Path("/proc/iomem").read_text()
    frames = 0
    for first, last in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", text, re.MULTILINE):
        frames += (int(last, 16) + 1) // PAGE - -(-int(first, 16) // PAGE)
    if not frames:
        pytest.skip("/proc/iomem does not tell where memory is: needs CAP_SYS_ADMIN")
    return frames * PAGE


def test_every_frame_has_one_kind() -> None:
    """Exactly, however busy the machine is."""
    told = pagemap.memory()
    sizes = {row.kind: row.size or 0 for row in told.kinds}
    assert sum(sizes.values()) == system_ram()
    managed = sum(sizes.values()) - sizes["reserved"] - sizes["missing"]
    assert managed == numbers_of("managed") == meminfo()["MemTotal"]
    assert sizes["missing"] == 0
    assert sum(row.size or 0 for row in told.zones) == managed
    assert sum(row.size or 0 for row in told.nodes) == managed
    assert sum((row.spanned or 0) for row in told.zones) == numbers_of("spanned")
    assert sum(row.holes or 0 for row in told.zones) == numbers_of("spanned") - system_ram()
    for row in told.orders:
        if row.order:
            assert (row.anon or 0) % row.block == 0 or row.order > 9


def differences() -> tuple[dict[str, int], dict[str, pagemap.MemoryKindRow]]:
    """What is further from the kernel's figures, before and after, than they are exact; and kinds.

    Of all that was counted: to go through all of memory takes its time.
    """
    before = meminfo()
    told = pagemap.memory()
    after = meminfo()
    counted = {row.name: row.counted for row in told.figures}
    found = {}
    for name in COMPARED:
        if any(each not in after for each in name.split(" + ")):
            continue  # of a kernel that does not tell it
        low, high = sorted((figure(name, before), figure(name, after)))
        count = counted[name]
        assert count is not None
        slack = max(SLACK, high // 100)
        if not low - slack <= count <= high + slack:
            found[name] = max(low - count, count - high)
    return found, {row.kind: row for row in told.kinds}


def agree() -> dict[str, pagemap.MemoryKindRow]:
    """What there is of each kind.

    Others use the machine while we count: so each figure is to be near in one count of several.
    """
    kinds: dict[str, pagemap.MemoryKindRow] = {}

    def look() -> dict[str, int]:
        found, told = differences()
        kinds.update(told)
        return found

    settled(look)
    return kinds


def test_beside_the_kernels_figures(start: Start, tmp_path: Path) -> None:
    """Of anonymous, shared, and file memory, of each of which some is made."""
    start(workloads.dense(SIZE))
    start(workloads.shared(SIZE))
    size = SIZE // 4
    path = tmp_path / "file"
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    start(workloads.file_at(os.fsencode(path), size))
    told = agree()
    # new pages wait in lists of processors, where nothing says what they are
    assert (told["anon"].size or 0) >= SIZE - SLACK
    # of one area the first half is written
    assert (told["shmem"].size or 0) >= SIZE * 3 // 2 - SLACK
    assert (told["file"].mapped or 0) >= size or (told["shmem"].mapped or 0) >= size  # of tmpfs


def test_hugetlb(start: Start) -> None:
    start(workloads.hugetlb(8))
    size = workloads.huge_page_bytes()
    told = pagemap.memory()
    kinds = {row.kind: row.size or 0 for row in told.kinds}
    pool = int(Path("/proc/sys/vm/nr_hugepages").read_text())
    assert kinds["hugetlb"] >= 8 * size
    assert kinds["hugetlb"] + kinds["hugetlb_idle"] == pool * size
    order = (size // PAGE).bit_length() - 1
    assert sum(row.hugetlb or 0 for row in told.orders if row.order == order) == pool * size


def test_transparent_huge_pages(start: Start) -> None:
    size = 64 * MIB
    start(workloads.thp(size))
    told = pagemap.memory()
    figures = {row.name: row for row in told.figures}
    assert (figures["AnonHugePages"].counted or 0) >= size
    kinds = {row.kind: row for row in told.kinds}
    assert (kinds["anon"].thp or 0) >= size


def test_merged_pages(start: Start) -> None:
    """Frames, of which KSM makes few: the kernel's own number of them."""
    with pagemap.FrameReader() as reader:
        told = reader.tells_ksm()
    start(workloads.ksm(4 * MIB))
    counted = pagemap.memory()
    kinds = {row.kind: row for row in counted.kinds}
    assert counted.about["ksm_told"] is told
    if not told:
        assert kinds["ksm"].size == 0
        return
    shared = int(Path("/sys/kernel/mm/ksm/pages_shared").read_text()) * PAGE
    assert 0 < abs(kinds["ksm"].size or 0) <= shared + SLACK
    assert (kinds["ksm"].kernel or 0) <= shared + SLACK


def told_everybody() -> tuple[dict[str, object], list[list[object]], int | None, int | None]:
    """What anybody is told: about, the rows of kinds, and two sums."""
    told = pagemap.memory(cgroups=True)
    rows: list[list[object]] = [[row.kind, row.size, row.kernel] for row in told.kinds]
    return told.about, rows, told.orders.total().free, told.zones.total().free


def test_unprivileged() -> None:
    root = os.geteuid() == 0
    about, rows, blocks, free = as_nobody(told_everybody) if root else told_everybody()
    if about["counted"]:
        pytest.skip("everybody may read /proc/kpageflags here")
    assert {size for _, size, _ in rows} == {None}
    known = {kind: kernel for kind, _, kernel in rows if isinstance(kernel, int)}
    assert sum(known.values()) - known["reserved"] == meminfo()["MemTotal"]
    assert known["anon"]
    assert blocks
    assert free
