"""TARGET that is a snapshot, and what stands where the file does not have it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._cli import main
from tests import workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.target import Target

MIB = 1 << 20


@pytest.fixture(scope="module", name="two")
def _two(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Target], Path]:
    """Two processes in one file, which have ended since."""
    file = tmp_path_factory.mktemp("saved") / "two#1@2.pagemap"
    with workloads.dense(MIB) as one, workloads.dense(2 * MIB) as other:
        words = [str(one.pid), str(other.pid), "--no-pfns", "-o", str(file)]
        assert main(["snapshot", *words]) == 0
    return [one, other], file


def rows(capfd: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    """What a command writes, as it ends well."""
    assert main(list(words)) == 0
    found: list[dict[str, object]] = json.loads(capfd.readouterr().out)["rows"]
    return found


def fails(capfd: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """What a command says as it ends with this code, and without a traceback."""
    assert main(list(words)) == code
    said = capfd.readouterr()
    assert said.out == ""
    return said.err


def test_all_processes_or_one(
    two: tuple[list[Target], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    targets, file = two
    pids = [target.pid for target in targets]
    assert {row["pid"] for row in rows(capfd, "maps", str(file), "--json")} == set(pids)
    for place in (f"{file}#{pids[1]}", f"{file}#{pids[1]}@0", f"{file}@-1#{pids[1]}"):
        assert {row["pid"] for row in rows(capfd, "maps", place, "--json")} == {pids[1]}
    alone = rows(capfd, "regions", f"{file}#{pids[0]}", "--only", "present", "--json")
    assert alone
    said = fails(capfd, 2, "regions", str(file))
    assert f"choose one, as {file}#{pids[0]}:" in said
    assert [line.split()[0] for line in said.splitlines()[1:]] == list(map(str, pids))
    assert "has no process 1;" in fails(capfd, 66, "regions", f"{file}#1")
    assert "moment" in fails(capfd, 66, "regions", f"{file}#{pids[0]}@7")


def test_what_it_does_not_have(
    two: tuple[list[Target], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """It says so, with what to do, and never asks a process that happens to have the number."""
    targets, file = two
    place = f"{file}#{targets[0].pid}"
    start = f"{targets[0].first.start:#x}"
    assert "was taken without them" in fails(capfd, 77, "virt-to-phys", place, start)
    assert main(["dump", place, "--columns", "pfn", "-o", os.devnull]) == 77
    assert "was taken without them" in capfd.readouterr().err
    for words in (["huge", place], ["who", place, start], ["sharing", place], ["segments", place]):
        assert "was taken without them" in fails(capfd, 77, *words)
    for words in (["wss", place], ["writes", place], ["doctor", place], ["memory", place]):
        assert "snapshots are read by maps, dump" in fails(capfd, 2, *words)
    assert "take the snapshot with --smaps" in fails(capfd, 69, "footprint", place)
    with pagemap.Snapshot(file) as snapshot, snapshot.process(targets[0].pid) as process:
        assert process.entry(targets[0].first.start).pfn is None
        for hidden in (process.huge, process.segments, snapshot.sharing):
            with pytest.raises(pagemap.PfnsHidden, match="was taken without them"):
                hidden()
        for call in (
            process.footprint,
            process.footprints,
            process.page_types,
            process.page_runs,
            process.fileno,
            lambda: list(process.columns(frames=["flags"])),
            lambda: process.footprint(gentle=None),
        ):
            with pytest.raises(pagemap.Unsupported, match=r"snapshot|smaps"):
                call()
    for closed in (process.maps, process.tally, lambda: process.source):
        with pytest.raises(pagemap.ClosedProcess):
            closed()


def test_footprints_of_several(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """They are those of the kernel when it was taken: of processes that have ended since."""
    file = tmp_path / "sums"
    with workloads.dense(MIB) as one, workloads.dense(2 * MIB) as other:
        pids = [one.pid, other.pid]
        assert main(["snapshot", *map(str, pids), "--smaps", "-o", str(file)]) == 0
        told = {}
        for pid in pids:
            with open(f"/proc/{pid}/smaps_rollup") as lines:
                sums = dict(line.split(":", 1) for line in list(lines)[1:])
            told[pid] = {
                "rss": int(sums["Rss"].split()[0]) << 10,
                "anon": int(sums["Anonymous"].split()[0]) << 10,
                "locked": int(sums["Locked"].split()[0]) << 10,
            }
    columns = ["--columns", "pid,rss,anon,locked", "--json"]

    def sums_of(*places: str) -> dict[object, dict[str, object]]:
        found = rows(capfd, "footprint", *places, *columns)
        return {row.pop("pid"): row for row in found}

    assert sums_of(str(file)) == told
    assert sums_of(f"{file}#{pids[1]}") == {pids[1]: told[pids[1]]}
    assert sums_of(f"{file}#{pids[1]}", f"{file}#{pids[0]}@-1") == told
    by_path = rows(capfd, "footprint", str(file), "--by", "path", "--columns", "rss", "--json")
    with pagemap.Snapshot(file) as snapshot:
        each = [snapshot.process(pid).footprints() for pid in pids]
    assert sum(int(str(row["rss"])) for row in by_path) == sum(
        sum(map(int, table["rss"])) for table in each
    )
    assert "not several" in fails(capfd, 2, "footprint", str(file), "self")
    assert "leave it out for a snapshot" in fails(capfd, 2, "footprint", str(file), "--gentle")


def test_a_snapshot_that_is_closed(two: tuple[list[Target], Path]) -> None:
    targets, file = two
    with pagemap.Snapshot(file) as snapshot:
        process = snapshot.process(targets[0].pid)
        opened = process.closed
    assert (opened, process.closed) == (False, True)
    with pytest.raises(pagemap.ClosedProcess):
        process.maps()
    with pytest.raises(pagemap.ClosedProcess):
        snapshot.pids()


def test_a_stream_outlives_the_file(two: tuple[list[Target], Path]) -> None:
    import pyarrow as pa

    targets, file = two
    with pagemap.Snapshot(file) as snapshot:
        stream = pa.RecordBatchReader.from_stream(snapshot.process(targets[1].pid).columns())
        count = sum(map(len, snapshot.process(targets[1].pid).columns()))
    assert stream.read_all().num_rows == count >= 2 * MIB // pagemap.Process("self").page_size


def test_a_damaged_file(
    two: tuple[list[Target], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    targets, file = two
    data = bytearray(file.read_bytes())
    place = tmp_path / "damaged"
    for at in range(16, len(data), max(1, len(data) // 60)):
        data[at] ^= 0x41
        place.write_bytes(data)
        code = main(["dump", f"{place}#{targets[0].pid}", "-o", os.devnull])
        said = capfd.readouterr().err
        assert code in (0, 1), said  # 0: what was hit is of the other process
        assert code == 0 or str(place) in said
        data[at] ^= 0x41
    for size in (9, 16, 100, len(data) - 1):
        place.write_bytes(data[:size])
        assert str(place) in fails(capfd, 1, "maps", str(place))


def test_a_newer_file(
    two: tuple[list[Target], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, file = two
    data = bytearray(file.read_bytes())
    data[8] = 99
    place = tmp_path / "newer"
    place.write_bytes(data)
    said = fails(capfd, 1, "maps", str(place))
    assert "version 99" in said
    assert "newer" in said


def test_names_of_processes_are_no_files(
    two: tuple[list[Target], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whoever may write to a folder does not choose what `pagemap maps 4242` shows there."""
    _, file = two
    monkeypatch.chdir(tmp_path)
    own = str(os.getpid())
    for name in (own, "self"):
        shutil.copy(file, tmp_path / name)
        assert {row["pid"] for row in rows(capfd, "maps", name, "--json")} == {os.getpid()}
