"""Memory by NUMA node on made-up machines: holes, nodes inside others, without memory, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._kernel import numa_maps, number_lists
from pagemap._native import probes
from tests.unit import fake_proc
from tests.unit.fake_machine import Machine, Zone, write
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from pathlib import Path

PRESENT = 1 << 63
FILE = 1 << 61
SWAPPED = 1 << 62
PID = 4242
# Mappings by their first pages, and the frames of the pages that are present. Node 0 has frames 0
# to 99 and, behind a hole, 200 to 299; node 1 has 100 to 179 and 300 to 399; all below any kernel,
# where the zero pages are.
MAPS = line(0, 8, "[heap]") + line(8, 16) + line(20, 24, "/lib/a b") + line(24, 32)
FRAMES = {0: 5, 1: 99, 2: 100, 3: 179, 4: 200, 8: 180, 9: 299, 10: 300, 11: 400, 20: 1, 21: 399}
NUMA_MAPS = f"""\
00000000 bind:0 heap anon=5 N0=3 N1=2 kernelpagesize_kB={PAGE_SIZE >> 10}
{8 * PAGE_SIZE:08x} prefer (many):0-1 anon=4 dirty=4 N0=1 N1=1 kernelpagesize_kB={PAGE_SIZE >> 10}
{20 * PAGE_SIZE:08x} default file=/lib/a\\040b N0=1 N1=1 kernelpagesize_kB={PAGE_SIZE >> 10}
{24 * PAGE_SIZE:08x} interleave=static:1 huge N1=1 kernelpagesize_kB=2048
"""
ZONES = (
    Zone(0, "DMA", 1, 99, 99, 99),
    Zone(0, "Normal", 100, 200, 100, 100),  # its span has all of node 1's first
    Zone(1, "Normal", 100, 300, 180, 180),
)
BLOCK = 20  # frames of a memory block
BLOCKS = {0: [*range(5), *range(10, 15)], 1: [*range(5, 9), *range(15, 20)]}


def machine(root: Path, *, pfns: bool = True, numa: str | None = NUMA_MAPS) -> dict[str, str]:
    """A process on two nodes; the processors of a third one, which has no memory."""
    fake = Machine(root)
    entries = {vpn: PRESENT | (frame if pfns else 0) for vpn, frame in FRAMES.items()}
    entries |= {5: SWAPPED | 7, 22: 0}
    fake_proc.make(fake.proc, maps=MAPS, entries=entries)
    fake.zones(*ZONES)
    fake.ram((1, 180), (200, 400))
    folder = fake.proc / str(PID)
    if numa is not None:
        write(folder / "numa_maps", numa)
    write(folder / "status", "Name:\tfake\nMems_allowed_list:\t0-2\n")
    ran_on(fake, 5)
    nodes = fake.sys / "devices/system/node"
    for node, processors in ((0, "0-1,4"), (1, "2-3"), (2, "5")):
        write(nodes / f"node{node}/cpulist", f"{processors}\n")
        write(nodes / f"node{node}/distance", ("10 20 30", "20 10 17", "30 17 10")[node] + "\n")
        for block in BLOCKS.get(node, ()):
            write(nodes / f"node{node}/memory{block}/state", "online\n")
    write(nodes / "possible", "0-3\n")  # the last of them is offline
    write(fake.sys / "devices/system/memory/block_size_bytes", f"{BLOCK * PAGE_SIZE:x}\n")
    return {"procfs": str(fake.proc), "sysfs": str(fake.sys), "root": str(root)}


def ran_on(fake: Machine, *processors: int) -> None:
    for number, processor in enumerate(processors):
        fields = ["S", *["0"] * 35, str(processor), "0"]
        write(fake.proc / f"{PID}/task/{PID + number}/stat", f"1 (a ) b) {' '.join(fields)}\n")


@pytest.fixture
def frames_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "pfns", lambda: True)


@pytest.fixture
def frames_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "pfns", lambda: False)


def pages(where: dict[str, str], **how: Any) -> tuple[dict[tuple[int, int | None], int], Any]:
    """The pages of each mapping, by its first page, on each node; and the table."""
    with pagemap.Process(PID, procfs=where["procfs"]) as process:
        table = process.nodes(sysfs=where["sysfs"], **how)
    found = {(row.start // PAGE_SIZE, row.node): row.resident // PAGE_SIZE for row in table}
    return found, table


BY_FRAMES = {(0, 0): 3, (0, 1): 2, (8, 0): 1, (8, 1): 1, (8, None): 2, (20, 0): 1, (20, 1): 1}


@pytest.mark.usefixtures("frames_visible")
def test_by_frames(tmp_path: Path) -> None:
    """What lies in a hole, or behind all memory, is on no node that is known."""
    found, table = pages(machine(tmp_path))
    assert found == BY_FRAMES
    assert table.about["nodes"] == [0, 1]
    assert table.about["counted_by"] == "frames"
    assert {row.path for row in table} == {"[heap]", "", "/lib/a b"}


@pytest.mark.usefixtures("frames_visible")
def test_by_memory_blocks(tmp_path: Path) -> None:
    """Where zoneinfo does not tell, sysfs does, with its holes."""
    where = machine(tmp_path)
    (tmp_path / "proc/zoneinfo").unlink()
    assert pages(where)[0] == BY_FRAMES


@pytest.mark.usefixtures("frames_visible")
def test_a_block_of_two_nodes(tmp_path: Path) -> None:
    """It counts once, and the table in C is not given frames twice."""
    where = machine(tmp_path)
    (tmp_path / "proc/zoneinfo").unlink()
    write(tmp_path / "sys/devices/system/node/node1/memory4/state", "online\n")
    assert pages(where)[0] == BY_FRAMES


@pytest.mark.usefixtures("frames_visible")
def test_misplaced_and_remote(tmp_path: Path) -> None:
    """The thread ran on node 2, which has no memory; node 1 is the nearest that has."""
    where = machine(tmp_path)
    _, table = pages(where)
    assert table.about["ran_on"] == [1]
    told = {
        (row.start // PAGE_SIZE, row.node): (
            row.policy,
            None if row.misplaced is None else row.misplaced // PAGE_SIZE,
            None if row.remote is None else row.remote // PAGE_SIZE,
        )
        for row in table
    }
    assert told == {
        (0, 0): ("bind:0", 0, 3),
        (0, 1): ("bind:0", 2, 0),
        (8, 0): ("prefer (many):0-1", 0, 1),
        (8, 1): ("prefer (many):0-1", 0, 0),
        (8, None): ("prefer (many):0-1", None, None),
        (20, 0): ("default", 0, 1),
        (20, 1): ("default", 0, 0),
    }
    assert table.total().misplaced is None


@pytest.mark.usefixtures("frames_visible")
def test_a_cpuset_that_does_not_allow_a_node(tmp_path: Path) -> None:
    """That is known without policies too, which nothing else tells then."""
    where = machine(tmp_path)
    write(tmp_path / f"proc/{PID}/status", "Name:\tfake\nMems_allowed_list:\t1\n")
    found = {}
    for policies in (True, False):
        _, table = pages(where, policies=policies)
        found[policies] = {
            (row.start // PAGE_SIZE, row.node): row.misplaced
            for row in table
            if row.start // PAGE_SIZE in (0, 20)
        }
        assert {row.policy for row in table} == (
            {"bind:0", "prefer (many):0-1", "default"} if policies else {None}
        )
        assert table.about["allowed_nodes"] == "1"
    sizes = {(0, 0): 3 * PAGE_SIZE, (20, 0): PAGE_SIZE}
    assert found[True] == {**sizes, (0, 1): 2 * PAGE_SIZE, (20, 1): 0}
    assert found[False] == {**sizes, (0, 1): None, (20, 1): None}


@pytest.mark.usefixtures("frames_hidden")
def test_by_the_kernel(tmp_path: Path) -> None:
    """Its counts, of hugetlb in pages of their own size; what it does not list is left out."""
    found, table = pages(machine(tmp_path, pfns=False))
    huge = (2 << 20) // PAGE_SIZE
    known = {key: count for key, count in BY_FRAMES.items() if key[1] is not None}
    assert found == {**known, (24, 1): huge}
    assert table.about["counted_by"] == "numa_maps"
    assert [row.misplaced for row in table if row.policy == "interleave=static:1"] == [0]


@pytest.mark.usefixtures("frames_hidden")
def test_neither_frames_nor_numa_maps(tmp_path: Path) -> None:
    where = machine(tmp_path, pfns=False, numa=None)
    with pytest.raises(pagemap.PfnsHidden, match="CONFIG_NUMA"):
        pages(where)


@pytest.mark.usefixtures("frames_visible")
def test_nothing_tells_which_frames_a_node_has(tmp_path: Path) -> None:
    where = machine(tmp_path, numa=None)
    (tmp_path / "proc/zoneinfo").unlink()
    with (
        pagemap.Process(PID, procfs=where["procfs"]) as process,
        pytest.raises(pagemap.Unsupported, match="zoneinfo"),
    ):
        process.nodes(sysfs=str(tmp_path / "nothing"))


@pytest.mark.usefixtures("frames_visible")
def test_a_kernel_without_nodes(tmp_path: Path) -> None:
    """Without CONFIG_NUMA there is one node in zoneinfo, and neither numa_maps nor sysfs."""
    where = machine(tmp_path, numa=None)
    (tmp_path / "proc/zoneinfo").write_text(Zone(0, "Normal", 1, 399, 399, 399).text())
    found, table = pages({**where, "sysfs": str(tmp_path / "nothing")})
    assert sum(found.values()) == len(FRAMES)
    assert {node for _, node in found} == {0, None}
    assert {(row.policy, row.misplaced, row.remote) for row in table} == {(None, None, None)}


@pytest.mark.usefixtures("frames_visible")
def test_a_kernel_thread(tmp_path: Path) -> None:
    where = machine(tmp_path)
    folder = tmp_path / f"proc/{PID}"
    (folder / "stat").write_text(fake_proc.KERNEL_THREAD + "\n")
    for name in ("auxv", "pagemap"):
        (folder / name).write_bytes(b"")
    found, table = pages(where)
    assert found == {}
    assert table.about["nodes"] == [0, 1]


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("0-3,8", ((0, 3), (8, 8))),
        ("0\n", ((0, 0),)),
        ("", ()),
        ("1-", ((1, 1),)),
        ("a", None),
        ("1,,2", None),
        ("-1", None),
        ("9" * 30, None),
        ("0-4294967295", None),
    ],
)
def test_lists_of_numbers(text: str, ranges: object) -> None:
    assert number_lists.parse(text) == ranges


def test_lines_of_numa_maps() -> None:
    """Lines that are none are passed over, a part that is none is left out."""
    text = (
        b"7f00 weighted interleave:0-1 N0=1 kernelpagesize_kB=4\n\nzz default N0=1\n7f10\n"
        b"7f20 bind=static:0 N0=x Nx=1 N1=2 N99999999999999999999=1 kernelpagesize_kB=4\n"
    )
    found = numa_maps.parse([text])
    assert found == {
        0x7F00: ("weighted interleave:0-1", {0: 4096}),
        0x7F20: ("bind=static:0", {1: 8192}),
    }
    named = [numa_maps.named_nodes(each.policy) for each in found.values()]
    assert named == [((0, 1),), ((0, 0),)]
    assert numa_maps.named_nodes("default") is None
