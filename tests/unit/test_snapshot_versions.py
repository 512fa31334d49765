"""Files of each version are read as they were written: each with what the kernel showed then."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "snapshots"
FILES = ["version-1-record", "version-1-frames", "version-2-record", "version-2-smaps"]


def found_in(process: pagemap.SavedProcess) -> dict[str, str]:
    """The entries that are not 0, by address."""
    found = {}
    for each in oracle.parse_maps(b"".join(process.record.maps_blocks())):
        if each.start < 1 << 47:
            entries = process.pages((each.start, each.end)).entries
            for number, entry in enumerate(entries):
                if entry:
                    found[f"{each.start + number * oracle.PAGE:x}"] = f"{entry:x}"
    return found


def frames_of(process: pagemap.SavedProcess) -> Iterator[tuple[int, int, int]]:
    """PFN, flags and map count of each frame that was saved."""
    for first, flags, mapcounts in process.record.frames():
        for number in range(len(flags) // 8):
            at = slice(8 * number, 8 * number + 8)
            yield (
                first + number,
                int.from_bytes(flags[at], "little"),
                int.from_bytes(mapcounts[at], "little"),
            )


@pytest.mark.parametrize("name", FILES)
def test_files_of_each_version_are_read(name: str) -> None:
    wanted: list[list[dict[str, Any]]] = json.loads((FOLDER / f"{name}.json").read_text())
    with pagemap.Snapshot(FOLDER / f"{name}.pagemap") as snapshot:
        assert snapshot.moments == len(wanted)
        for moment, processes in enumerate(wanted):
            assert snapshot.pids(moment=moment) == [each["pid"] for each in processes]
            for each in processes:
                process = snapshot.process(each["pid"], moment=moment)
                assert process.name == each["name"]
                maps = b"".join(process.record.maps_blocks())
                assert maps == each["maps"].encode()
                assert found_in(process) == each["entries"]
                if "frames" in each:
                    words = {f"{pfn:x}": [f"{a:x}", f"{b:x}"] for pfn, a, b in frames_of(process)}
                    assert {pfn: words[pfn] for pfn in each["frames"]} == each["frames"]
                if "smaps_sha256" in each:
                    smaps = process.record.smaps() or b""
                    assert hashlib.sha256(smaps).hexdigest() == each["smaps_sha256"]
