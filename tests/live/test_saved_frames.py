"""A snapshot with frames: flags and map counts are those that the kernel's files had."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._cli import main
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.target import Target

MIB = 1 << 20
PFN = (1 << 55) - 1
# What a page that nobody touches is: kernel threads move it between lists, and mark it as idle.
FOLIO = 1 << 15 | 1 << 16  # compound_head, compound_tail
STEADY = 1 << 11 | 1 << 12 | 1 << 14 | 1 << 22  # mmap, anon, swapbacked, thp

pytestmark = pytest.mark.skipif(
    not os.access("/proc/kpageflags", os.R_OK), reason="/proc/kpageflags may not be read"
)


@pytest.fixture(scope="module", name="saved")
def _saved(
    tmp_path_factory: pytest.TempPathFactory, pfns_visible: bool
) -> Iterator[tuple[Target, Path]]:
    """A stopped process, and its snapshot."""
    if not pfns_visible:
        pytest.skip("PFNs are hidden: needs CAP_SYS_ADMIN in the initial user namespace")
    file = tmp_path_factory.mktemp("saved") / "frames.pagemap"
    with workloads.dense(4 * MIB) as target:
        os.kill(target.pid, signal.SIGSTOP)
        try:
            assert main(["snapshot", str(target.pid), "--frames", "-o", str(file)]) == 0
            yield target, file
        finally:
            os.kill(target.pid, signal.SIGCONT)


def kinds_of(process: pagemap.SavedProcess) -> set[int]:
    """The flags that its pages have."""
    return {(row.flags or 0) & STEADY for row in process.page_types()}


def words(name: str, pfns: list[int]) -> list[int]:
    """The words of the kernel's file."""
    with open(f"/proc/{name}", "rb", buffering=0) as file:
        return [struct.unpack("Q", os.pread(file.fileno(), 8, 8 * pfn))[0] for pfn in pfns]


def entries(target: Target) -> list[int]:
    """Those of its memory, as the kernel has them."""
    page = os.sysconf("SC_PAGE_SIZE")
    first = target.first
    with open(f"/proc/{target.pid}/pagemap", "rb", buffering=0) as file:
        data = os.pread(file.fileno(), 4 * MIB // page * 8, first.start // page * 8)
    return list(struct.unpack(f"{len(data) // 8}Q", data))


def test_words_are_the_kernels(saved: tuple[Target, Path]) -> None:
    target, file = saved
    pfns = [entry & PFN for entry in entries(target)]
    start = target.first.start
    with pagemap.Snapshot(file) as snapshot, snapshot.process() as process:
        tables: list[Any] = list(
            process.columns(
                ["pfn", "flags", "mapcount"],
                ranges=[(start, start + len(pfns) * process.page_size)],
                frames=["flags", "mapcounts"],
            )
        )
    found = {
        name: [each for table in tables for each in table[name]] for name in tables[0].schema.names
    }
    assert found["pfn"] == pfns
    assert [int(each) & STEADY for each in found["flags"]] == [
        each & STEADY for each in words("kpageflags", pfns)
    ]
    assert found["mapcount"] == words("kpagecount", pfns) == [1] * len(pfns)


def test_types_count_each_page(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    target, file = saved
    span = f"{target.first.start:#x}-{target.first.start + 4 * MIB:#x}"
    pages = len(entries(target))
    for words_ in (
        ["types", str(file), "--range", span, "--only", "anonymous"],
        ["types", str(file), "--range", span, "--list", "--columns", "address,pages"],
    ):
        assert main([*words_, "--json"]) == 0
        found = json.loads(capfd.readouterr().out)
        assert sum(row["pages"] for row in found["rows"]) == pages
        assert found["about"]["snapshot"] == str(file)
        assert found["about"]["complete"] is True


def test_uss_is_by_map_counts(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """As of the live process; smaps has the same of memory that nobody else maps."""
    target, file = saved
    found = []
    for whose in (str(target.pid), str(file)):
        assert main(["maps", whose, "--columns", "start,rss,uss", "--json"]) == 0
        said = capfd.readouterr()
        assert "huge pages is taken" not in said.err
        found.append(json.loads(said.out)["rows"])
    start = target.first.start
    own = [[row for row in rows if int(str(row["start"]), 0) == start] for rows in found]
    assert own[0] == own[1]
    assert own[1][0]["uss"] == own[1][0]["rss"] >= 4 * MIB


def test_nodes_are_those_of_the_process(saved: tuple[Target, Path]) -> None:
    """What the placement of a process depends on is not known of a snapshot, and not 0."""
    target, file = saved
    with (
        pagemap.Process(target.pid) as live,
        pagemap.Snapshot(file) as snapshot,
        snapshot.process() as process,
    ):
        table, expected = process.nodes(), live.nodes(policies=False)
        assert table.about["nodes"] == expected.about["nodes"]
    assert [row[:6] for row in table] == [row[:6] for row in expected]
    assert sum(row.resident for row in table if row.path == "") >= 4 * MIB
    assert {(row.policy, row.misplaced, row.remote) for row in table} == {(None, None, None)}


def test_what_it_does_not_have(
    saved: tuple[Target, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target, file = saved
    other = tmp_path / "other"
    assert main(["snapshot", str(target.pid), "-o", str(other)]) == 0
    assert main(["types", str(other)]) == 69
    assert "--frames" in capfd.readouterr().err
    assert main(["types", str(file), "self"]) == 2
    assert main(["types", str(file), "--list", "--columns", "address,cgroup"]) == 69
    assert main(["snapshot", "self", "--frames", "--no-pfns", "-o", str(other)]) == 2
    with pagemap.Snapshot(file) as snapshot, snapshot.process() as process:
        with pytest.raises(pagemap.Unsupported, match="cgroups"):
            list(process.columns(frames=["cgroups"]))
        assert process.page_types(only=["anonymous"]).about["complete"] is True


def test_damaged_frames(saved: tuple[Target, Path], tmp_path: Path) -> None:
    """An error of ours, whatever is hit."""
    _, file = saved
    data = bytearray(file.read_bytes())
    place = tmp_path / "damaged"
    for at in range(16, len(data), max(1, len(data) // 40)):
        data[at] ^= 0x41
        place.write_bytes(data)
        with (
            contextlib.suppress(pagemap.PagemapError),
            pagemap.Snapshot(place) as snapshot,
            snapshot.process() as process,
        ):
            process.page_types()
        data[at] ^= 0x41


def test_taken_from_python(saved: tuple[Target, Path], tmp_path: Path) -> None:
    """What the command saves, `Snapshot.take` saves too; without PFNs there is nothing to save."""
    target, file = saved
    with pytest.raises(pagemap.UsageError, match="without PFNs"):
        pagemap.Snapshot.take(target.pid, tmp_path / "none", pfns=False, frames=True)
    assert not (tmp_path / "none").exists()
    with (
        pagemap.Snapshot(file) as one,
        pagemap.Snapshot.take(target.pid, tmp_path / "frames", frames=True) as other,
    ):
        kinds = [kinds_of(snapshot.process()) for snapshot in (one, other)]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) > 1


def test_each_moment_of_a_record_has_frames(saved: tuple[Target, Path], tmp_path: Path) -> None:
    """Also one that is a patch, and that of a record whose file is read much later."""
    target, file = saved
    path = tmp_path / "record"
    with pagemap.Recorder(target.pid, str(path), frames=True) as recorder:
        recorder.take()
        recorder.take()
    with pagemap.Snapshot(file) as one, pagemap.Snapshot(path) as record:
        assert [row.frames for row in record.contents()] == [True, True]
        assert [row.full for row in record.contents()] == [True, False]
        wanted = kinds_of(one.process())
        assert len(wanted) > 1
        assert [kinds_of(record.process(moment=at)) for at in (0, 1)] == [wanted, wanted]
    with pytest.raises(pagemap.UsageError, match="without PFNs"):
        pagemap.Recorder(target.pid, str(tmp_path / "none"), frames=True, pfns=False)


def frames_of(target: Target) -> set[int]:
    """The frames that its pages are in, as the kernel has them."""
    found: set[int] = set()
    page = os.sysconf("SC_PAGE_SIZE")
    text = Path(f"/proc/{target.pid}/maps").read_bytes()
    with open(f"/proc/{target.pid}/pagemap", "rb", buffering=0) as file:
        for each in oracle.parse_maps(text):
            if each.end < 1 << 47:
                size, place = (each.end - each.start) // page * 8, each.start // page * 8
                data = array("Q", os.pread(file.fileno(), size, place))
                found.update(entry & PFN for entry in data if entry >> 63)
    return found


def folio_of(pfn: int) -> range:
    """The frames of the folio that a frame is in, as far as they are in its 2 MiB."""
    group = pfn & ~511
    flags = words("kpageflags", list(range(group, group + 512)))
    first = pfn - group
    end = first + 1
    while first and flags[first] & 1 << 16:
        first -= 1
    while end < 512 and flags[end] & 1 << 16:
        end += 1
    return range(group + first, group + end)


def test_words_of_other_frames_are_0(saved: tuple[Target, Path]) -> None:
    """Those of frames that no page of it is in, nor in a folio with one that has a page of it."""
    target, file = saved
    own = frames_of(target)
    others, met = set(), {}
    with pagemap.Snapshot(file) as snapshot, snapshot.process() as process:
        for first, *columns in process.record.frames():
            flags, mapcounts = (array("Q", column) for column in columns)
            for at, (flag, mapcount) in enumerate(zip(flags, mapcounts, strict=True)):
                if first + at in own:
                    met[first + at] = flag & STEADY, mapcount
                elif flag or mapcount:
                    assert flag & FOLIO
                    others.add(first + at)
    assert set(met) == own
    private = [entry & PFN for entry in entries(target)]
    flags_now, counts_now = words("kpageflags", private), words("kpagecount", private)
    assert [met[pfn] for pfn in private] == [
        (flag & STEADY, count) for flag, count in zip(flags_now, counts_now, strict=True)
    ]
    while others:
        folio = folio_of(others.pop())
        assert own.intersection(folio)
        others.difference_update(folio)
