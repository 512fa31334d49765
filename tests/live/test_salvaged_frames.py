"""A damaged snapshot with frames: only the process that lost some of their words loses them all."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._cli import main
from pagemap._history.salvage import salvage
from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
BREADTH = int(os.environ.get("PAGEMAP_BREADTH", "0")) > 0
PROCESS, PAGES, FRAMES, END, INDEX, TRAILER, WITHIN = 2, 5, 6, 7, 8, 9, 11


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, pfns_visible: bool) -> Iterator[Path]:
    """A snapshot of two processes."""
    if not pfns_visible:
        pytest.skip("PFNs are hidden: needs CAP_SYS_ADMIN in the initial user namespace")
    path = tmp_path_factory.mktemp("salvaged") / "two"
    with workloads.dense(MIB // 4) as one, workloads.idle() as other:
        pagemap.Snapshot.take([one.pid, other.pid], path, frames=True).close()
        yield path


def chunks_of(data: bytes) -> list[tuple[int, int, int, int]]:
    """Where each is, its kind, whose it is and its size, by the header alone."""
    found, at = [], 16
    while at < len(data):
        kind, whose, size = (
            int.from_bytes(data[at + field : at + field + 4], "little") for field in (4, 8, 12)
        )
        found.append((at, kind, whose, 24 + size))
        at += 24 + size
    return found


def frames_of(path: Path, pids: list[int]) -> dict[int, Any]:
    """The chunks of frames of each process, as bytes; None where these were left out."""
    data, found = path.read_bytes(), {}
    there = [each for each in chunks_of(data) if each[1] == FRAMES]
    with pagemap.Snapshot(path) as snapshot:
        for pid in snapshot.pids():
            with snapshot.process(pid) as process:
                mine = pids.index(pid)
                found[pid] = [data[at + 24 : at + size] for at, _, of, size in there if of == mine]
                assert bool(found[pid]) is process.has_frames is not process.frames_lost
    return {pid: words or None for pid, words in found.items()}


def chosen(found: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """One amid those of each kind and process; with breadth the first and the last, too."""
    alike: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for each in found:
        alike.setdefault(each[1:3], []).append(each)
    several = ({of[len(of) // 2], *((of[0], of[-1]) if BREADTH else ())} for of in alike.values())
    return sorted(each for some in several for each in some)


def test_flips_in_each_kind_of_chunk(two: Path, tmp_path: Path) -> None:
    """One damaged chunk of frames took those of all processes, and so did one of anything else."""
    with pagemap.Snapshot(two) as snapshot:
        pids = list(snapshot.pids())
    whole, data = frames_of(two, pids), bytearray(two.read_bytes())
    chunks = chunks_of(bytes(data))
    assert all(whole.values())
    kinds = {at: kind for at, kind, _, _ in chunks} | {len(data): None}
    tried: set[int] = set()
    for at, kind, whose, size in chosen(chunks):
        payload, header = at + 24 + (size - 24) // 2, at + 9
        both = BREADTH or (kind in (FRAMES, PAGES, WITHIN) and not whose)
        for hit in (payload, header) if both else (payload,):
            data[hit] ^= 1
            damaged, out = tmp_path / "damaged", tmp_path / "out"
            damaged.write_bytes(data)
            data[hit] ^= 1
            with out.open("wb", buffering=0) as file:
                found = salvage(str(damaged), file.write)
            left = frames_of(out, pids)
            expected: dict[int, Any] = dict(whole)
            if kind == PROCESS:
                del expected[pids[whose]]
            elif kind in (FRAMES, END):
                expected[pids[whose]] = None
            elif hit == header and kinds[at + size] == FRAMES:
                expected[pids[whose]] = None  # what lies before them may be some of them
            assert left == expected, (kind, hit)
            lost = [words for words in expected.values() if words is None]
            assert found["lost_frames"] == len(lost)
            if kind == FRAMES:
                others = sum(each[3] for each in chunks if each[1:3] == (FRAMES, whose)) - size
                assert found["frames"] == others
            tried.add(kind)
    assert {PROCESS, FRAMES, END, INDEX, TRAILER} < tried


def salvaged(two: Path, folder: Path) -> Path:
    """What is saved of a file whose first process has lost its frames."""
    data = bytearray(two.read_bytes())
    at, _, _, size = next(each for each in chunks_of(bytes(data)) if each[1:3] == (FRAMES, 0))
    data[at + size - 1] ^= 1
    damaged, out = folder / "damaged", folder / "out"
    damaged.write_bytes(data)
    assert main(["snapshot", "--salvage", str(damaged), "-o", str(out)]) == 0
    return out


def test_no_process_of_many_is_taken_for_one_without_flags(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A word that is not there would read as one without any flag."""
    out = salvaged(two, tmp_path)
    assert "flags and map counts of frames of 1 process (" in capfd.readouterr().err
    with pagemap.Snapshot(out) as snapshot:
        pids = list(snapshot.pids())
    assert main(["types", f"{out}#{pids[1]}"]) == 0
    assert main(["types", f"{out}#{pids[0]}"]) == 69
    capfd.readouterr()
    assert main(["types", f"{out}#{pids[0]}", f"{out}#{pids[1]}"]) == 69
    assert "where some were lost" in capfd.readouterr().err


def test_those_that_have_all_their_frames_are_shown(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a whole file nobody was shown, where one had lost its frames."""
    out = salvaged(two, tmp_path)
    with pagemap.Snapshot(out) as snapshot:
        pids = list(snapshot.pids())
    capfd.readouterr()

    def shown(*words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    for words in (["types"], ["types", "--list"], ["huge", "--by", "process"]):
        alone = shown(*words, f"{out}#{pids[1]}")["rows"]
        assert main([*words, str(out), "--json"]) == 0
        said = capfd.readouterr()
        document = json.loads(said.out)
        for row in (*alone, *document["rows"]):
            row.pop("sharers", None)  # not known of several that were salvaged
        assert document["rows"] == alone
        (left_out,) = document["about"]["left_out"]
        assert left_out["pid"] == pids[0]
        assert document["about"]["complete"] is False
        assert f"the file was damaged): {pids[0]} (" in said.err
    assert len(shown("huge", str(out))["rows"]) == 1  # a process, as of several
