"""Of a damaged record all moments that are whole are salvaged, and of an undamaged file all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pagemap
from pagemap._history.salvage import salvage
from tests import oracle, workloads

OLD = Path(__file__).parents[1] / "snapshots"
MOMENTS = 8


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of a process that does nothing: its maps are saved once."""
    path = tmp_path_factory.mktemp("record") / "record"
    with workloads.idle() as target, pagemap.Recorder(target.pid, str(path)) as recorder:
        for _ in range(MOMENTS):
            recorder.take()
    return path


def told(path: Path) -> list[tuple[bytes, list[list[int]]]]:
    """Maps, and the entries of all mappings, at each moment."""
    found = []
    with pagemap.Snapshot(path) as snapshot:
        for moment in range(snapshot.moments):
            process = snapshot.process(snapshot.pids(moment=moment)[0], moment=moment)
            text = b"".join(process.record.maps_blocks())
            entries = [
                list(process.pages((each.start, each.end)).entries)
                for each in oracle.parse_maps(text)
                if each.end < 1 << 47
            ]
            found.append((text, entries))
    return found


def begins(data: bytes | bytearray, kind: int) -> list[int]:
    """Where the chunks of a kind are."""
    mark, at, found = b"\xb1pm\n" + kind.to_bytes(4, "little"), 0, []
    while (at := data.find(mark, at)) >= 0:
        found.append(at)
        at += 1
    return found


def saved(tmp_path: Path, data: bytes | bytearray) -> tuple[dict[str, Any], Path]:
    path, out = tmp_path / "damaged", tmp_path / "saved"
    path.write_bytes(data)
    with out.open("wb", buffering=0) as file:
        return salvage(str(path), file.write), out


def test_what_is_not_damaged_stays_as_it_is(record: Path, tmp_path: Path) -> None:
    """It said that 96 bytes were of no use, and the process was called cut short."""
    found, out = saved(tmp_path, record.read_bytes())
    assert (found["moments"], found["lost"], found["skipped"]) == (MOMENTS, 0, 0)
    assert out.read_bytes() == record.read_bytes()


@pytest.mark.parametrize("name", ["version-1", "version-1-record", "version-1-frames"])
def test_a_file_of_an_older_version(tmp_path: Path, name: str) -> None:
    path = OLD / f"{name}.pagemap"
    found, out = saved(tmp_path, path.read_bytes())
    assert found["skipped"] == 0
    assert told(out) == told(path)


def test_moments_before_the_damage(record: Path, tmp_path: Path) -> None:
    """Only the first one was salvaged."""
    data = record.read_bytes()
    fifth = begins(data, 1)[5]
    found, out = saved(tmp_path, data[: fifth + 200])
    assert (found["moments"], found["lost"], found["skipped"]) == (5, 1, 200)
    assert out.read_bytes() == data[:fifth]


def test_moments_behind_the_damage(record: Path, tmp_path: Path) -> None:
    """Patches go with what they change; a whole moment needs only the maps of an earlier one."""
    data = bytearray(record.read_bytes())
    data[begins(data, 11)[0] + 50] ^= 1
    found, out = saved(tmp_path, data)
    with pagemap.Snapshot(record) as snapshot:
        again = next(at for at in range(1, MOMENTS) if snapshot.about_moment(at)["full"])
    assert (found["moments"], found["lost"], found["whole"]) == (MOMENTS - again, again, True)
    assert told(out) == told(record)[again:]
    with pagemap.Snapshot(out) as snapshot:
        assert snapshot.about_moment(0)["number"] == 0


def test_without_its_mappings_no_page_has_an_address(record: Path, tmp_path: Path) -> None:
    """Pages are numbered within mappings: where some are damaged none is given out."""
    data = bytearray(record.read_bytes()[: begins(record.read_bytes(), 1)[1]])
    data[begins(data, 10)[0] + 50] ^= 1
    found, out = saved(tmp_path, data)
    assert (found["moments"], found["whole"], found["blocks"]) == (1, False, 0)
    with pagemap.Snapshot(out) as snapshot:
        assert snapshot.process().record.about["salvaged"] is True
        lost = "has lost the mappings of process"
        process = snapshot.process()
        for ask in (process.maps, process.tally, process.regions, process.populated):
            with pytest.raises(pagemap.PagemapError, match=lost):  # sums of nothing were 0
                list(ask())
        with (
            pagemap.Snapshot(record) as whole,
            pytest.raises(pagemap.PagemapError, match=lost),  # all of it was "added"
        ):
            pagemap.diff(process, whole.process())
