"""A snapshot file that somebody made to take memory or time is refused, with little of either."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._history.salvage import salvage
from pagemap._history.snapshot import Options, take
from pagemap._space import snapshot_chunks as chunks
from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Start

MEMORY = 64 << 10  # KiB, for all that a reader holds beyond what Python itself does
TERABYTE = 1 << 40

READ = """
import resource, sys
from pagemap import PagemapError
from pagemap._space.snapshot_file import SnapshotFile
import json, hashlib

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = ""
try:
    with SnapshotFile(sys.argv[1]) as file:
        records = file.processes()
        for record in records:
            record.about, record.table.reader(), record.smaps()
            for block in record.maps_blocks():
                pass
        said = str(len(records))
except PagemapError as error:
    said = str(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(said)
"""


def read(path: Path) -> str:
    """What becomes of reading all of a file; it takes little memory, and seconds at most."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (10, 10)),
    )
    assert done.returncode == 0, done.stderr.decode()
    peak, _, said = done.stdout.decode().partition("\n")
    assert int(peak) < MEMORY
    return said


def deflated(*parts: bytes, zeros: int = 0) -> bytes:
    """The parts, and so many mebibytes of zeros, deflated once and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    before = b"".join(packer.compress(part) for part in parts) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return before + piece * zeros + packer.flush()


def index(about: object, processes: list[object], *columns: bytes, zeros: int = 0) -> bytes:
    head = json.dumps({"about": about, "processes": processes}).encode()
    return deflated(len(head).to_bytes(4, "little"), head, *columns, zeros=zeros)


def write(path: Path, before: bytes, payload: bytes, size: int = 0) -> None:
    """A file with this index behind `before`, with a hole up to `size`."""
    with path.open("wb") as file:
        file.write(before)
        file.write(chunks.chunk(chunks.INDEX, 0, payload))
        file.seek(max(size, file.tell()))
        file.write(chunks.chunk(chunks.TRAILER, 0, trailer(len(before))))


def trailer(at: int, before: int = 0, digest: bytes = bytes(32)) -> bytes:
    return chunks.TRAILER_FIELDS.pack(at, before, 0, digest)


def entry(whose: int, **more: object) -> dict[str, object]:
    facts = {"whose": whose, "pid": 1, "name": "a", "about": 16, "end": 16, "blocks": 0}
    return {**facts, "maps": [], "smaps": [], **more}


FULL = {"full": True}

BOMBS: dict[str, tuple[bytes, str]] = {
    "an index of 3 GiB": (deflated(b"\n\0\0\0", zeros=3072), "damaged"),
    "a head of 3 GiB": (deflated(b"\xff" * 4, zeros=3072), "too many processes"),
    "blocks of 3 GiB": (
        index(FULL, [entry(0, blocks=(3 << 30) // 28)], zeros=3072),
        "too many blocks",
    ),
    "the most blocks": (
        index(FULL, [entry(0, blocks=chunks.MOST_BLOCKS)], zeros=28),
        "damaged",
    ),
    "more than it says": (index(FULL, [entry(0)], zeros=3072), "more than it says"),
    "a process many times": (index(FULL, [entry(7)] * 5000), "twice"),
    "lists in lists": (deflated((90_000).to_bytes(4, "little"), b"[" * 90_000), "nested"),
    "text many times": (index(FULL, [entry(0, maps=[[16, 1]] * 99_000)]), "not in order"),
    "too much text": (
        index(FULL, [entry(0, maps=[[at, 1 << 20] for at in range(16, 5000)])]),
        "too much text",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
@pytest.mark.parametrize("size", [0, TERABYTE], ids=["dense", "sparse"])
def test_an_index_is_bounded(tmp_path: Path, what: str, size: int) -> None:
    """One of 3 MB took 3 GB: how much was inflated depended on the size, which holes cost nothing.

    And what was read of a process depended on how many had its number: 43 KB took 44 seconds.
    """
    payload, said = BOMBS[what]
    path = tmp_path / "file"
    write(path, chunks.file_header(), payload, size)
    assert path.stat().st_blocks < 4 << 12
    assert said in read(path)


@pytest.mark.parametrize("kind", sorted(chunks.CEILINGS))
def test_a_chunk_over_a_hole_is_not_read(tmp_path: Path, kind: int) -> None:
    """Its header said 4 GiB, and so much was read before the sum was looked at."""
    path = tmp_path / "file"
    hole = chunks.chunk(kind, 0, b"")[:12] + b"\xff" * 4 + bytes(4)
    hole += zlib.crc32(hole).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(chunks.file_header() + hole)
        file.seek(8 << 30)
        at = 16
        if kind != chunks.INDEX:
            head = chunks.chunk(chunks.PROCESS, 0, chunks.to_json({}))
            at = file.tell() + len(head)
            file.write(head)
            text = kind in (chunks.MAPS, chunks.SMAPS)
            places = {"maps": [[16, 1]]} if text else {}
            file.write(chunks.chunk(chunks.INDEX, 0, index(FULL, [entry(0, **places)])))
        file.write(chunks.chunk(chunks.TRAILER, 0, trailer(at)))
    assert "damaged" in read(path)


def test_facts_of_many_processes_are_not_held(start: Start, tmp_path: Path) -> None:
    """Each may have a mebibyte of JSON, which is a kibibyte in the file: one is read at a time."""
    path = tmp_path / "file"
    target = start(workloads.idle())
    with path.open("wb", buffering=0) as file:
        take([target.pid], file.write, Options())
    data = path.read_bytes()
    facts = chunks.chunk(chunks.PROCESS, 0, deflated(b'{"a":[', b"[]," * 300_000, b"[]]}"))
    processes = [entry(number, about=len(data)) for number in range(2000)]
    write(path, data + facts, index(FULL, [*processes]))
    code = READ.replace("records:", "records[:1]:")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, timeout=60
    )
    peak, _, said = done.stdout.decode().partition("\n")
    assert int(peak) < MEMORY
    assert "damaged" in said


def test_patches_are_bounded_together(tmp_path: Path) -> None:
    """63 patches of a million blocks each would be two gigabytes."""
    path = tmp_path / "file"
    blocks = 1 << 17
    columns = (b"\0" * 8, b"\1" + b"\0" * 7, b"\0" * 8, b"\x1e\0\0\0")
    with path.open("wb") as file:
        file.write(chunks.file_header())
        before = 0
        for number in range(12):
            about = {"full": not number, "parent": bytes(32).hex()}
            payload = index(
                about, [entry(0, blocks=blocks)], *(column * blocks for column in columns)
            )
            at = file.tell()
            file.write(chunks.chunk(chunks.INDEX, 0, payload))
            before, _ = file.tell(), file.write(chunks.chunk(9, 0, trailer(at, before)))
    assert "too many blocks" in read(path)


@pytest.fixture
def salvaged(tmp_path: Path) -> Callable[[bytes], str]:
    """What is said of salvaging these bytes; it takes little memory."""

    def salvage(data: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(data)
        code = """
import resource, sys
from pagemap import PagemapError
from pagemap._history.salvage import salvage
import json, hashlib
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    said = salvage(sys.argv[1], lambda data: None)
except PagemapError as error:
    said = error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(said)
"""
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        peak, _, said = done.stdout.decode().partition("\n")
        assert int(peak) < MEMORY
        return said

    return salvage


def test_salvaging_is_bounded(
    salvaged: Callable[[bytes], str], start: Start, tmp_path: Path
) -> None:
    """Facts of many processes, a mebibyte each, are not held until the end."""
    path = tmp_path / "small"
    with path.open("wb", buffering=0) as file:
        take([start(workloads.idle()).pid], file.write, Options())
    data = path.read_bytes()
    at = data.index(b"\xb1pm\n\x02\0\0\0")
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    facts = zlib.decompress(data[at + 24 : at + 24 + size], -15)
    bomb = deflated(facts[:-1], b',"more":[', b"[]," * 300_000, b"[]]}")
    many = b"".join(chunks.chunk(chunks.PROCESS, number, bomb) for number in range(6))
    assert "'processes': 6" in salvaged(chunks.file_header() + many)


def saved(start: Start, path: Path) -> bytes:
    """A snapshot of a process that does nothing."""
    with path.open("wb", buffering=0) as file:
        take([start(workloads.idle()).pid], file.write, Options())
    return path.read_bytes()


def changed(data: bytes, facts: dict[str, object], maps: bytes = b"") -> bytes:
    """A snapshot of one process without pages, with other facts, and `maps`; all sums are right."""
    found: dict[int, bytes] = {}
    at = 16
    while header := chunks.parse_header(data[at : at + 24]):
        found[header.kind] = data[at + 24 : at + 24 + header.size]
        at += 24 + header.size
    about = {**chunks.from_json(found[chunks.PROCESS]), **facts}
    out = chunks.file_header()
    places: dict[str, object] = {"about": len(out), "pid": about["pid"], "name": about["name"]}
    out += chunks.chunk(chunks.PROCESS, 0, chunks.to_json(about))
    lines = maps.splitlines(keepends=True)
    texts: list[list[int]] = []
    for first in range(0, len(lines), 1 << 13):
        text = b"".join(lines[first : first + (1 << 13)])
        texts.append([len(out), len(text)])
        out += chunks.chunk(chunks.MAPS, 0, chunks.deflated(text, 1))
    places["maps"], places["end"] = texts, len(out)
    end = {**chunks.from_json(found[chunks.END]), **facts}
    out += chunks.chunk(chunks.END, 0, chunks.to_json(end))
    at = len(out)
    out += chunks.chunk(chunks.INDEX, 0, index(FULL, [entry(0, **places)]))
    return out + chunks.chunk(chunks.TRAILER, 0, trailer(at))


OUT_OF_BOUNDS: list[tuple[str, object]] = [
    ("told", -1),
    ("told", 1 << 64),
    ("resident", 10**30),
    ("pid_namespace", -1),
    ("end_page", (1 << 52) + 1),
    ("begin_ns", 1 << 63),
    ("zero_frames", [1]),
    ("zero_frames", [0, 1 << 64]),
    ("zero_frames", ["a", "b"]),
    ("categories", [["huge"]]),
    ("categories", [{}]),
    ("swap_areas", ["zz"]),
    ("exe", {}),
    ("exe", {"device": "00:01", "inode": 1 << 64}),
    ("end_page", 1 << 52),
]


@pytest.mark.parametrize(("name", "fact"), OUT_OF_BOUNDS)
def test_facts_have_bounds(start: Start, tmp_path: Path, name: str, fact: object) -> None:
    """Numbers that C does not have ended in an OverflowError, where a table was made of them."""
    path = tmp_path / "file"
    path.write_bytes(changed(saved(start, path), {name: fact}))
    with pytest.raises(pagemap.PagemapError, match="damaged"), pagemap.Snapshot(str(path)) as file:
        file.process().tally()


@pytest.mark.parametrize("end", ["7fffffffffff000", "fffffffffffff000"])
def test_no_mapping_reaches_past_the_end(start: Start, tmp_path: Path, end: str) -> None:
    """Its size was below zero, and to go through its pages took 20 seconds."""
    path = tmp_path / "file"
    line = f"55b4cf51f000-{end} rw-p 00000000 00:00 0 \n".encode()
    path.write_bytes(changed(saved(start, path), {}, line))
    with pagemap.Snapshot(str(path)) as file:
        process = file.process()
        with pytest.raises(pagemap.PagemapError, match="the maps"):
            process.tally()


def test_an_entry_without_maps_is_damaged(start: Start, tmp_path: Path) -> None:
    """It was a KeyError where maps were asked for."""
    path = tmp_path / "file"
    data = saved(start, path)
    lacking = entry(0)
    del lacking["maps"]
    write(path, data, index(FULL, [lacking]))
    with pytest.raises(pagemap.PagemapError, match="lacks 'maps'"), pagemap.Snapshot(path) as file:
        file.process()


@pytest.mark.parametrize("more", [0, 1])
def test_mappings_have_a_bound(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """Text of megabytes in the file is many millions of lines, 400 bytes of memory each."""
    monkeypatch.setattr("pagemap._space.saved_space._MOST_LINES", 10_000)
    path = tmp_path / "file"
    line = "{:012x}-{:012x} r--p 00000000 00:00 0 \n"
    lines = (line.format(at << 12, (at + 1) << 12) for at in range(10_000 + more))
    path.write_bytes(changed(saved(start, path), {}, "".join(lines).encode()))
    with pagemap.Snapshot(str(path)) as file:
        process = file.process()
        if more:
            with pytest.raises(pagemap.PagemapError, match="the maps"):
                process.maps()
        else:
            assert len(process.maps()) == 10_000


def test_a_search_reads_a_file_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 KiB were read for each mark: 100 MB that are nothing but marks took five minutes."""
    path = tmp_path / "file"
    path.write_bytes(b"\xb1pm\n" * (1 << 16))
    read = 0
    pread = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        nonlocal read
        data = pread(fd, size, at)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counted)
    with pytest.raises(pagemap.PagemapError, match=r"nothing of .* is whole"):
        salvage(str(path), bytearray().extend)
    # for moments and for parts, and each time a header at each mark, which is six times as much
    assert read < 2 * 8 * path.stat().st_size
