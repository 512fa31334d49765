"""A snapshot has what the kernel showed, of every kind of memory; and no file lies about more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap import PagemapError, TargetVanished
from pagemap._history.salvage import salvage
from pagemap._history.snapshot import Options, take
from pagemap._space.snapshot_file import SavedRecord, SnapshotFile, is_snapshot
from tests import oracle, workloads
from tests.target import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

PLACE = (1 << 55) - 1
BLOCK = 11  # the kind of chunk that has pages: docs/snapshot-format.md
MOST = 1 << 30  # bytes of a mapping that are compared page by page


def snapshot(path: Path, *pids: int, **options: bool) -> dict[str, object]:
    with path.open("wb", buffering=0) as file:
        return take(pids, file.write, Options(**options))


def steady(entry: int) -> int:
    """Without the bit exclusive of a file's pages, which other processes map and leave alone."""
    return entry & ~(1 << 56) if entry >> 61 & 1 else entry


def compare(record: SavedRecord, pid: int, *, mask: int = (1 << 64) - 1) -> int:
    """Every entry of every mapping against the kernel's; returns how many are not empty."""
    found = 0
    for each in oracle.maps(pid):
        end = min(each.end, each.start + MOST)
        for start in range(each.start, end, 1 << 26):
            stop = min(start + (1 << 26), end)
            wanted = [steady(entry) & mask for entry in oracle.entries(pid, start, stop)]
            count = (stop - start) // oracle.PAGE
            saved = record.table.read(start // oracle.PAGE, count)
            assert [steady(entry) for entry in saved] == wanted, hex(start)
            found += len(wanted) - wanted.count(0)
    return found


@pytest.mark.parametrize("pfns", [True, False])
def test_all_entries_and_maps_are_those_of_the_kernel(
    stopped: workloads.Target, tmp_path: Path, pfns: bool
) -> None:
    path = tmp_path / "file"
    snapshot(path, stopped.pid, pfns=pfns)
    with SnapshotFile(str(path)) as file:
        (record,) = file.processes()
        assert record.pid == stopped.pid
        text = b"".join(record.maps_blocks()).replace(b"\0", b"\\")
        assert text == Path(f"/proc/{stopped.pid}/maps").read_bytes()
        assert compare(record, stopped.pid, mask=-1 if pfns else ~PLACE & (1 << 64) - 1)
        assert record.about["pfns_visible"] == (pfns and oracle.pfns_visible())


def test_what_it_says_of_the_process(start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    path = tmp_path / "file"
    about = snapshot(path, target.pid, smaps=True)
    assert about["complete"] is True
    assert about["bytes"] == path.stat().st_size
    proc = Path(f"/proc/{target.pid}")
    with SnapshotFile(str(path)) as file:
        (record,) = file.processes()
        facts = record.about
        assert facts["name"] == (proc / "comm").read_text().strip()
        assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert facts["start_time"] == int(
            (proc / "stat").read_text().rpartition(")")[2].split()[19]
        )
        assert facts["pid_namespace"] == os.stat(proc / "ns/pid").st_ino
        assert facts["exe"]["inode"] == (proc / "exe").stat().st_ino
        digest = hashlib.sha256((proc / "auxv").read_bytes()).hexdigest()
        assert facts["auxv_sha256"] == digest
        assert facts["kernel"] == os.uname().release
        assert facts["page_size"] == oracle.PAGE
        assert (facts["complete"], facts["cut_at"], facts["stopped"]) == (True, None, False)
        assert 0 < facts["end_ns"] - facts["begin_ns"] < 60e9
        assert facts["begin"] <= facts["end"]
        smaps = record.smaps()
        assert smaps is not None
        shown = [(each.start, each.end) for each in oracle.parse_smaps(smaps)]
        assert shown == [(each.start, each.end) for each in oracle.maps(target.pid)]
    snapshot(path, target.pid)
    with SnapshotFile(str(path)) as file:
        assert file.processes()[0].smaps() is None


def test_several_processes(start: Start, tmp_path: Path) -> None:
    targets = [start(workloads.dense(1 << 20)) for _ in range(3)]
    path = tmp_path / "file"
    snapshot(path, *(target.pid for target in targets))
    with SnapshotFile(str(path)) as file:
        assert [each.pid for each in file.processes()] == [each.pid for each in targets]
        for record, target in zip(file.processes(), targets, strict=True):
            assert compare(record, target.pid) > 256


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_stop_resumes(start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    states = []

    def write(_: object) -> None:
        states.append(state(target.pid))

    take([target.pid], write, Options(stop=True))
    assert "T" in states
    assert state(target.pid) != "T"


@pytest.mark.usefixtures("need_pfns")
def test_one_that_exits_midway_is_cut_short(start: Start, tmp_path: Path) -> None:
    """What was taken before stands, and the file says how far that goes."""
    target = start(workloads.sparse(128 << 20, 2 * oracle.PAGE))  # in several blocks
    area = max(oracle.maps(target.pid), key=lambda each: each.end - each.start)
    wanted = oracle.entries(target.pid, area.start, area.end)
    path = tmp_path / "file"
    blocks = 0
    with path.open("wb", buffering=0) as file:

        def write(data: bytes | memoryview) -> None:
            nonlocal blocks
            blocks += data[4] == BLOCK
            file.write(data)
            if blocks == 2:
                target.kill()

        about = take([target.pid], write, Options(threads=1))
    assert about["complete"] is False
    with SnapshotFile(str(path)) as opened:
        (record,) = opened.processes()
        assert record.about["complete"] is False
        until = record.about["cut_at"]
        assert until % oracle.PAGE == 0
        count = max(0, min(until, area.end) - area.start) // oracle.PAGE
        saved = record.table.read(area.start // oracle.PAGE, count).tolist()
        assert [entry >> 55 for entry in saved] == [entry >> 55 for entry in wanted[:count]]


def test_one_that_calls_exec_midway_is_cut_short(tmp_path: Path) -> None:
    with subprocess.Popen(["bash", "-c", "read x; exec sleep 60"], stdin=subprocess.PIPE) as bash:
        assert bash.stdin is not None
        comm = Path(f"/proc/{bash.pid}/comm")
        wait_until(lambda: comm.read_text() == "bash\n")
        begin = bash.stdin
        with (tmp_path / "file").open("wb", buffering=0) as file:

            def write(data: bytes | memoryview) -> None:
                file.write(data)
                if file.tell() < 300:  # it is yet to be opened
                    return
                if not begin.closed:
                    begin.write(b"\n")
                    begin.close()
                wait_until(lambda: comm.read_text() == "sleep\n")

            with pytest.raises(TargetVanished, match="exec"):
                take([bash.pid], write, Options())  # before the mappings: nothing stands
        bash.kill()


@pytest.fixture
def small(start: Start, tmp_path: Path) -> tuple[Path, Callable[[], object]]:
    """The file of a small process, and a function that reads all that it says."""
    path = tmp_path / "small"
    snapshot(path, start(workloads.idle()).pid)

    def everything() -> object:
        with SnapshotFile(str(path)) as file:
            return [
                (
                    record.about,
                    b"".join(record.maps_blocks()),
                    [
                        record.table.read(
                            each.start // oracle.PAGE, 1 + (each.end - each.start) // 9999
                        ).tolist()
                        for each in oracle.parse_maps(b"".join(record.maps_blocks()))
                    ],
                )
                for record in file.processes()
            ]

    return path, everything


def test_whatever_is_damaged_is_refused_or_as_it_was(
    small: tuple[Path, Callable[[], object]],
) -> None:
    path, everything = small
    data, wanted = path.read_bytes(), everything()
    draw = random.Random(os.environ.get("PAGEMAP_SEED"))
    refused = 0
    for _ in range(int(os.environ.get("PAGEMAP_FLIPS", "150"))):
        broken = bytearray(data)
        at = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                broken[at] ^= 1 << draw.randrange(8)
            case 1:
                del broken[at:]
            case 2:
                broken[at : at + draw.randrange(1, 40)] = draw.randbytes(draw.randrange(40))
            case 3:
                broken[at : at + 8] = b"\xff" * 8
        path.write_bytes(broken)
        got: object = None
        with contextlib.suppress(PagemapError, OSError):  # of an entry the page table says so
            got = everything()
        refused += got is None
        assert got in (None, wanted)
    assert refused > 50


def test_a_newer_version_is_refused(small: tuple[Path, Callable[[], object]]) -> None:
    path, everything = small
    data = bytearray(path.read_bytes())
    data[8:12] = (3).to_bytes(4, "little")
    path.write_bytes(data)
    assert is_snapshot(str(path))
    with pytest.raises(PagemapError, match=r"of version 3, .* newer"):
        everything()


@pytest.mark.parametrize("data", [b"", b"\x89pagemap", b"#!/bin/sh\n" * 99, b"\x89pagema" * 40])
def test_what_is_no_snapshot(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    assert not is_snapshot(str(tmp_path / "none"))
    assert not is_snapshot(str(tmp_path))
    with pytest.raises(PagemapError):
        SnapshotFile(str(path))


def test_a_bomb_is_not_inflated(small: tuple[Path, Callable[[], object]]) -> None:
    """JSON that says it is short and inflates to a gigabyte: it is let go after a mebibyte."""
    from pagemap._space import snapshot_chunks as chunks

    path, everything = small
    data = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(256)) + packer.flush()
    index = chunks.chunk(chunks.INDEX, 0, bomb)
    trailer = chunks.TRAILER_FIELDS.pack(len(data), 0, 0, bytes(32))
    path.write_bytes(data + index + chunks.chunk(chunks.TRAILER, 0, trailer))
    with pytest.raises(PagemapError, match="too many processes"):
        everything()


def test_facts_that_no_chunk_has_space_for_are_left_out(tmp_path: Path) -> None:
    """65,000 shared mappings made a chunk that the reader refused as too large."""
    from pagemap._history.snapshot_writer import SnapshotWriter

    old = Path(__file__).parents[1] / "snapshots" / "version-1.pagemap"
    path = tmp_path / "file"
    with SnapshotFile(str(old)) as file, path.open("wb", buffering=0) as out:
        facts = file.processes()[0].about
        writer = SnapshotWriter(out.write)
        writer.begin_moment({})
        for number, count in enumerate((10, 65_000)):
            process = writer.process(number)
            process.begin(facts)
            process.end(facts, {"more": {f"{(1 << 35) + at:x}000": 0 for at in range(count)}})
        writer.end_moment({})
    with SnapshotFile(str(path)) as file:
        few, many = file.processes()
        assert len(few.about["more"]) == 10
        assert "more" not in many.about
        assert many.about["pid"] == facts["pid"]


@pytest.mark.parametrize("harm", ["cut", "hole"])
def test_what_is_whole_is_salvaged(start: Start, tmp_path: Path, harm: str) -> None:
    """Entries are as they were, or where a block is gone there are none; none is another."""
    target = start(workloads.dense(64 << 20))
    path, out = tmp_path / "file", tmp_path / "salvaged"
    snapshot(path, target.pid)
    data = bytearray(path.read_bytes())
    # where blocks of pages are, by their headers: mark, kind 11
    starts = [at.start() for at in re.finditer(rb"\xb1pm\n\x0b\0\0\0", data)]
    sizes = [int.from_bytes(data[at + 12 : at + 16], "little") + 24 for at in starts]
    middle = starts[len(starts) // 2] + 30
    if harm == "cut":
        del data[middle:]
    else:
        data[middle : middle + 9] = bytes(byte ^ 0xFF for byte in data[middle : middle + 9])
    end = middle + (1 << 40 if harm == "cut" else 1)  # nothing follows a cut
    whole = [at + size <= middle or at >= end for at, size in zip(starts, sizes, strict=True)]
    path.write_bytes(data)
    with out.open("wb", buffering=0) as file:
        found = salvage(str(path), file.write)
    assert found["processes"] == 1
    area = target.first
    wanted = oracle.entries(target.pid, area.start, area.end)
    with SnapshotFile(str(out)) as opened:
        (record,) = opened.processes()
        assert record.about["complete"] is False
        assert oracle.parse_maps(b"".join(record.maps_blocks())) == oracle.maps(target.pid)
        saved = record.table.read(area.start // oracle.PAGE, len(wanted)).tolist()
    assert all(entry in (0, was) for entry, was in zip(saved, wanted, strict=True))
    assert found["blocks"] == whole.count(True) < len(whole)


def test_nothing_is_salvaged_of_what_is_no_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"\xb1pm\n" * 20_000)
    with pytest.raises(PagemapError, match=r"nothing of .* is whole"):
        salvage(str(path), bytearray().extend)


def test_a_newer_version_is_not_salvaged(small: tuple[Path, Callable[[], object]]) -> None:
    """Its chunks may mean something else; a damaged beginning says nothing of that."""
    path, _ = small
    data = bytearray(path.read_bytes())
    data[8:12] = (3).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(PagemapError, match="version 3"):
        salvage(str(path), bytearray().extend)
    data[:16] = bytes(16)
    path.write_bytes(data)
    assert salvage(str(path), bytearray().extend)["processes"] == 1


@pytest.mark.parametrize("version", [1])
def test_files_of_older_versions_are_read(version: int) -> None:
    """Each was made by the pagemap of its day, with the entries that the kernel showed then."""
    path = Path(__file__).parents[1] / "snapshots" / f"version-{version}.pagemap"
    wanted = json.loads(path.with_suffix(".json").read_text())
    with SnapshotFile(str(path)) as file:
        (record,) = file.processes()
        assert file.version == version
        assert record.name == "sleep"
        assert wanted.keys() <= {
            f"{each.start:x}" for each in oracle.parse_maps(b"".join(record.maps_blocks()))
        }
        for start, entries in wanted.items():
            saved = record.table.read(int(start, 16) >> 12, len(entries))
            assert [steady(entry) for entry in saved] == [
                steady(int(entry, 16)) for entry in entries
            ]
