"""A damaged snapshot with frames: what is lost of them is not known, and all else is as it was."""

from __future__ import annotations

import json
import os
import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._cli import main
from pagemap._history.salvage import salvage
from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    # Where a chunk is, its kind, whose it is, and its size.
    Chunk = tuple[int, int, int, int]
    # By address: PFN, flags and map count.
    Pages = dict[int | None, tuple[int | None, int | None, int | None]]

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
BREADTH = int(os.environ.get("PAGEMAP_BREADTH", "0")) > 0
PROCESS, MAPS, PAGES, FRAMES, END, INDEX, TRAILER, MAPPINGS, WITHIN = 2, 3, *range(5, 12)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, pfns_visible: bool) -> Iterator[Path]:
    """A snapshot of two processes."""
    if not pfns_visible:
        pytest.skip("PFNs are hidden: needs CAP_SYS_ADMIN in the initial user namespace")
    path = tmp_path_factory.mktemp("salvaged") / "two"
    with workloads.dense(MIB // 4) as one, workloads.idle() as other:
        pagemap.Snapshot.take([one.pid, other.pid], path, frames=True).close()
        yield path


def chunks_of(data: bytes) -> list[Chunk]:
    """All of a file, by their headers alone."""
    found, at = [], 16
    while at < len(data):
        kind, whose, size = (
            int.from_bytes(data[at + field : at + field + 4], "little") for field in (4, 8, 12)
        )
        found.append((at, kind, whose, 24 + size))
        at += 24 + size
    return found


def frames_in(data: bytes, chunk: Chunk) -> range:
    """The PFNs that a chunk has words of."""
    at, _, _, size = chunk
    text = zlib.decompress(data[at + 24 : at + size], -15)
    first = int.from_bytes(text[:8], "little")
    return range(first, first + len(text) // 16)


def pages_of(path: Path) -> dict[int, Pages]:
    """All pages of each process; none of one whose mappings were lost."""
    found: dict[int, Pages] = {}
    with pagemap.Snapshot(path) as snapshot:
        for pid in snapshot.pids():
            with snapshot.process(pid) as process:
                tables = process.page_runs(each=True, mapcounts=True)
                try:
                    rows = [row for table in tables for row in table]
                except pagemap.PagemapError as error:
                    if f"has lost the mappings of process {pid}:" not in str(error):
                        raise
                    rows = []
                found[pid] = {row.address: (row.pfn, row.flags, row.mapcount) for row in rows}
    return found


@pytest.fixture(scope="module")
def whole(two: Path) -> dict[int, Pages]:
    """All pages of each, undamaged."""
    return pages_of(two)


def without(pages: Pages, lost: list[range]) -> Pages:
    """The same, where nothing is known of these frames."""
    return {
        address: (page[0], None, None) if any((page[0] or 0) in each for each in lost) else page
        for address, page in pages.items()
    }


def saved_of(data: bytes, folder: Path) -> tuple[Path, dict[str, Any]]:
    """What is salvaged of a file with these bytes, and what is said of it."""
    damaged, out = folder / "damaged", folder / "out"
    damaged.write_bytes(data)
    with out.open("wb", buffering=0) as file:
        return out, salvage(str(damaged), file.write)


def chosen(found: list[Chunk]) -> list[Chunk]:
    """One amid those of each kind, of frames of each process; with breadth all."""
    alike: dict[tuple[int, int], list[Chunk]] = {}
    for each in found:
        if BREADTH or not each[2] or each[1] == FRAMES:
            alike.setdefault(each[1:3], []).append(each)
    return sorted(each for of in alike.values() for each in (of if BREADTH else [of[len(of) // 2]]))


def test_each_kind_of_chunk(two: Path, whole: dict[int, Pages], tmp_path: Path) -> None:
    """One damaged chunk of frames took all words of its process, and so did one behind them."""
    pids, data = list(whole), bytearray(two.read_bytes())
    tried: set[int] = set()
    for chunk in chosen(chunks_of(bytes(data))):
        at, kind, whose, size = chunk
        lost = [frames_in(bytes(data), chunk)] if kind == FRAMES else []
        payload, header = at + 24 + (size - 24) // 2, at + 9
        both = BREADTH or (kind == FRAMES and not whose)
        for hit in (payload, header) if both else (payload,):
            data[hit] ^= 1
            out, found = saved_of(bytes(data), tmp_path)
            data[hit] ^= 1
            expected = {pid: dict(pages) for pid, pages in whole.items()}
            if kind == PROCESS:
                del expected[pids[whose]]
            left = pages_of(out)
            assert left.keys() == expected.keys()
            for pid, pages in left.items():
                mine = pid == pids[whose]
                wanted = without(expected[pid], lost if mine else [])
                if kind in (MAPS, MAPPINGS, PAGES, WITHIN) and mine:
                    assert len(pages) < len(wanted)
                    wanted = {address: wanted[address] for address in pages}
                assert pages == wanted, (kind, hit)
            if hit == payload or kind == FRAMES:  # else it may have been one of frames
                assert found["lost_frames"] == (kind in (FRAMES, END)), (kind, hit)
            tried.add(kind)
    assert {PROCESS, FRAMES, END, INDEX, TRAILER} < tried


@pytest.mark.parametrize("seed", range(200 if BREADTH else 3))
def test_random_places(two: Path, whole: dict[int, Pages], tmp_path: Path, seed: int) -> None:
    """Whatever is hit: a page is as it was, or nothing is known of its frame, or it is missing."""
    pids, data = list(whole), bytearray(two.read_bytes())
    rng = random.Random(seed)
    hits = [rng.randrange(16, len(data)) for _ in range(rng.choice([1, 1, 3]))]
    chunks = chunks_of(bytes(data))
    lost: dict[int, list[range]] = {pid: [] for pid in pids}
    for chunk in chunks:
        at, kind, whose, size = chunk
        if kind == FRAMES and any(at <= hit < at + size for hit in hits):
            lost[pids[whose]].append(frames_in(bytes(data), chunk))
    for hit in hits:
        data[hit] ^= 1 << rng.randrange(8)
    out, _ = saved_of(bytes(data), tmp_path)
    for pid, pages in pages_of(out).items():
        wanted = without(whole[pid], lost[pid])
        assert pages.items() <= wanted.items()


def salvaged(two: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[Path, range]:
    """What is saved of a file whose first process has lost a chunk of its frames, and which."""
    data = bytearray(two.read_bytes())
    chunks = chunks_of(bytes(data))
    chunk = next(each for each in chunks if each[1:3] == (FRAMES, 0))
    lost = frames_in(bytes(data), chunk)
    data[chunk[0] + chunk[3] - 1] ^= 1
    damaged, out = folder / "damaged", folder / "out"
    damaged.write_bytes(data)
    assert main(["snapshot", "--salvage", str(damaged), "-o", str(out)]) == 0
    said = capfd.readouterr().err
    # and the trailer, for there is a new one
    assert f"; left out {chunk[3] + 80} bytes, among them flags and map counts of frames" in said
    assert "of frames of 1 process\n" in said
    return out, lost


def test_what_is_lost_is_not_known(
    two: Path, whole: dict[int, Pages], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A word that is not there reads as one without any flag: 0, of which all sums were told."""
    out, lost = salvaged(two, tmp_path, capfd)
    pid, other = whole
    gone = {address for address, page in whole[pid].items() if (page[0] or 0) in lost}
    frames = len({whole[pid][address][0] for address in gone})
    assert gone

    def shown(*words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    document = shown("types", f"{out}#{pid}")
    before = {row["flags"]: row["pages"] for row in shown("types", f"{two}#{pid}")["rows"]}
    *rows, last = document["rows"]
    assert last["flags"] is last["letters"] is None
    assert last["names"] == "unknown"
    assert (last["pages"], last["frames"]) == (len(gone), frames)
    assert last["size"] == frames * PAGE
    assert document["about"]["unknown"] == len(gone)
    assert sum(before.values()) == sum(row["pages"] for row in document["rows"])
    assert all(row["pages"] <= before[row["flags"]] for row in rows)
    assert main(["types", f"{out}#{pid}"]) == 0
    said = capfd.readouterr()
    # behind it is the line of the sums
    assert said.out.splitlines()[-2].split()[:2] == ["-", str(len(gone))]
    assert f"the flags of {len(gone)} page" in said.err
    assert main(["types", f"{out}#{pid}", "--csv"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith(f",{len(gone)},")
    assert shown("types", f"{out}#{other}")["rows"] == shown("types", f"{two}#{other}")["rows"]
    with pagemap.Snapshot(out) as snapshot, snapshot.process(pid) as process:
        for table in process.columns(["pfn", "flags", "mapcount"], frames=["flags", "mapcounts"]):
            for row in table:
                known = row.pfn is not None and row.pfn not in lost
                assert (row.flags is None, row.mapcount is None) == (not known, not known)
    _check_huge(two, out, pid, gone)


def test_kinds_of_what_is_shared(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was said that a file which has lost flags of some frames was taken without any."""
    out, _ = salvaged(two, tmp_path, capfd)
    assert main(["sharing", str(out), "--what", "total", "--json"]) == 0
    said = capfd.readouterr()
    (row,) = json.loads(said.out)["rows"]
    assert row["shared"] > 0
    assert row["anon"] is row["file"] is None
    words = "kinds of memory are not known: flags of frames were lost where the file was damaged\n"
    assert words in said.err


def _check_huge(two: Path, out: Path, pid: int, gone: set[int | None]) -> None:
    """Huge pages are not known of mappings that have lost something, and of nobody else."""
    with pagemap.Snapshot(two) as before, pagemap.Snapshot(out) as after:
        process = after.process(pid)
        if not process.can_find("pfnzero"):
            with pytest.raises(pagemap.Unsupported, match="nothing else tells"):
                process.huge()
            return
        table = process.huge(sizes=True)
        for row, whole in zip(table, before.process(pid).huge(sizes=True), strict=True):
            if any(row.start <= address < row.end for address in gone if address is not None):
                names = ("thp", "aligned", "partial", "anon_thp", "anon_share", "thp_2m")
                assert [getattr(row, name) for name in names] == [None] * len(names)
                known = ("present", "rss", "anon", "zero", "hugetlb")
                for name in known:
                    assert getattr(row, name) == getattr(whole, name)
            else:
                assert row == whole
        total = table.total()
        assert total.thp is total.anon_thp is None
        assert total.rss == before.process(pid).huge().total().rss
        assert table.about["unknown"] == len(gone)


def test_one_that_has_lost_its_mappings_is_left_out(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of the whole file the other one is shown; its sums were 0 beside the other's."""
    data = bytearray(two.read_bytes())
    chunk = next(each for each in chunks_of(bytes(data)) if each[1] in (MAPS, MAPPINGS))
    data[chunk[0] + 30] ^= 1
    out, _ = saved_of(bytes(data), tmp_path)
    with pagemap.Snapshot(out) as snapshot:
        lost, other = snapshot.pids()
    capfd.readouterr()
    for words in (["types"], ["huge", "--by", "process"], ["sharing", "--what", "total"]):
        assert main([*words, str(out), "--json"]) == 0
        about = json.loads(capfd.readouterr().out)["about"]
        (left_out,) = about["left_out"]
        assert (left_out["pid"], about["complete"]) == (lost, False), words
        assert "mappings were lost" in left_out["reason"]
    assert main(["huge", f"{out}#{other}"]) == 0
    capfd.readouterr()
    assert main(["maps", f"{out}#{lost}"]) == 1
    assert capfd.readouterr().out == ""


def test_one_that_has_lost_all_is_left_out(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a whole file nobody was shown, where one had lost its frames."""
    # as the pagemap before this one salvaged it: without frames_end
    data = two.read_bytes()
    chunks = chunks_of(data)
    with pagemap.Snapshot(two) as snapshot:
        pid, other = snapshot.pids()
    place, _, _, size = next(each for each in chunks if each[1:3] == (END, 0))
    facts = json.loads(zlib.decompress(data[place + 24 : place + size], -15))
    del facts["frames_end"]
    payload = deflated(json.dumps(facts | {"frames_lost": True}).encode())
    head = data[place : place + 12] + len(payload).to_bytes(4, "little")
    head += zlib.crc32(payload).to_bytes(4, "little")
    head += zlib.crc32(head).to_bytes(4, "little")
    kept = [each for each in chunks if each[1:3] != (FRAMES, 0)]
    parts = [head + payload if at == place else data[at : at + n] for at, _, _, n in kept]
    out, _ = saved_of(data[:16] + b"".join(parts), tmp_path)

    def shown(*words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    for words in (["types"], ["types", "--list"], ["huge", "--by", "process"]):
        alone = shown(*words, f"{out}#{other}")["rows"]
        assert main([*words, str(out), "--json"]) == 0
        said = capfd.readouterr()
        document = json.loads(said.out)
        for row in (*alone, *document["rows"]):
            row.pop("sharers", None)  # not known of several that were salvaged
        assert document["rows"] == alone
        (left_out,) = document["about"]["left_out"]
        assert left_out["pid"] == pid
        assert document["about"]["complete"] is False
        assert f"the file was damaged): {pid} (" in said.err
    assert len(shown("huge", str(out))["rows"]) == 1  # a process, as of several
    capfd.readouterr()
    assert main(["huge", f"{out}#{other}"]) == 0
    assert capfd.readouterr().err.count("was salvaged") == 1
    for command in ("types", "huge"):
        assert main([command, f"{out}#{pid}"]) == 69
    assert "where some were lost" in capfd.readouterr().err


def deflated(text: bytes) -> bytes:
    """As a chunk has it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(text) + packer.flush()
