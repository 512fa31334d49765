"""Snapshot files that are changed at random, chunk by chunk, with sums and places that fit again.

Whoever reads one, through the public door, gets what it says or a PagemapError: within seconds, and
in little memory. `python -m tests.fuzz.snapshots SECONDS SEED` prints how many files were tried; it
keeps the last one where something else happens.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import signal
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pagemap
from pagemap._history.salvage import salvage
from pagemap._space import snapshot_chunks as chunks

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[1] / "snapshots"
SEEDS = ["version-1", "version-1-frames", "version-1-record", "version-2-record", "version-2-smaps"]
MOST_MEMORY = 3 << 30  # bytes of address space: the program and its libraries take one
MOST_SECONDS = 10
NUMBERS = [
    0,
    1,
    2,
    -1,
    7,
    4096,
    1 << 20,
    1 << 31,
    1 << 32,
    (1 << 52) - 1,
    1 << 52,
    1 << 63,
    1 << 64,
]
VALUES: list[Any] = [
    *NUMBERS,
    None,
    True,
    "",
    "x",
    "0" * 9,
    [],
    {},
    [[1, 2]],
    1.5,
    1e300,
    "\u0000",
    "\ud800",
]
JSON = (chunks.MOMENT, chunks.PROCESS, chunks.END)
DEFLATED = (chunks.MAPS, chunks.SMAPS, chunks.FRAMES)


class Piece:
    """A chunk, and where it was."""

    def __init__(self, place: int, kind: int, whose: int, payload: bytes) -> None:
        self.place = place
        self.kind = kind
        self.whose = whose
        self.payload = payload


def pieces_of(data: bytes) -> list[Piece]:
    """The chunks of a file."""
    at, found = 16, []
    while header := chunks.parse_header(data[at : at + 24]):
        end = at + 24 + header.size
        found.append(Piece(at, header.kind, header.whose, data[at + 24 : end]))
        at = end
    return found


def deflated(data: bytes) -> bytes:
    """As files have it."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def change_bytes(draw: random.Random, data: bytes) -> bytes:
    """Some of them are others, more or fewer."""
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(changed) + 1)
        match draw.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                changed[at : at + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
            case 2:
                changed[at : at + 8] = draw.choice(NUMBERS).to_bytes(9, "little", signed=True)[:8]
            case 3:
                changed[at:at] = changed[at : at + draw.randrange(40)]
    return bytes(changed)


def change_json(draw: random.Random, value: Any) -> Any:
    """Something in it is something else."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(sorted(value))
        if draw.random() < 0.1:
            return {each: value[each] for each in value if each != name}
        return {**value, name: change_json(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], change_json(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, int) and draw.random() < 0.5:
        return value + draw.choice([-4096, -1, 1, 4096])
    return draw.choice(VALUES)


def change(draw: random.Random, pieces: list[Piece]) -> None:
    """Change one chunk, or what chunks there are."""
    at = draw.randrange(len(pieces))
    piece = pieces[at]
    kind = draw.randrange(12)
    if kind == 0:
        piece.kind = draw.randrange(13)
    elif kind == 1:
        piece.whose = draw.randrange(3)
    elif kind == 2:
        del pieces[at]
    elif kind == 3:
        pieces.insert(draw.randrange(len(pieces)), piece)
    elif kind == 4:
        piece.payload = change_bytes(draw, piece.payload)
    elif piece.kind in JSON:
        value = json.loads(zlib.decompress(piece.payload, -15))
        piece.payload = deflated(json.dumps(change_json(draw, value)).encode())
    elif piece.kind in DEFLATED:
        piece.payload = deflated(change_bytes(draw, zlib.decompress(piece.payload, -15)))
    elif piece.kind == chunks.INDEX:
        text = zlib.decompress(piece.payload, -15)
        size = int.from_bytes(text[:4], "little")
        head, columns = text[4 : 4 + size], text[4 + size :]
        if draw.random() < 0.7:
            head = json.dumps(change_json(draw, json.loads(head))).encode()
        else:
            columns = change_bytes(draw, columns)
        piece.payload = deflated(len(head).to_bytes(4, "little") + head + columns)
    else:
        piece.payload = change_bytes(draw, piece.payload)


def moved(text: bytes, places: dict[int, int]) -> bytes:
    """An index that names chunks by where they are now, as far as it can be understood."""
    size = int.from_bytes(text[:4], "little")
    value = json.loads(text[4 : 4 + size])
    columns = bytearray(text[4 + size :])
    at = 0
    for entry in value["processes"]:
        for name in ("about", "end"):
            entry[name] = places.get(entry[name], entry[name])
        for name in ("maps", "smaps", "frames"):
            for each in entry.get(name, ()):
                each[0] = places.get(each[0], each[0])
        count = entry["blocks"]
        was, now = 0, 0
        for number in range(min(count, len(columns) // 28)):
            gap = slice(at + 16 * count + 8 * number, at + 16 * count + 8 * number + 8)
            last = at + 24 * count + 4 * number
            was += int.from_bytes(columns[gap], "little")
            place = places.get(was, was)
            columns[gap] = (max(place - now, 0) & (1 << 64) - 1).to_bytes(8, "little")
            now = place + int.from_bytes(columns[last : last + 4], "little")
            was += int.from_bytes(columns[last : last + 4], "little")
        at += 28 * count
    head = json.dumps(value).encode()
    return len(head).to_bytes(4, "little") + head + bytes(columns)


def written(version: int, pieces: list[Piece]) -> bytes:
    """The file of these chunks: sums are right, and places as far as they can be."""
    out = bytearray(chunks.MAGIC + version.to_bytes(4, "little") + bytes(4))
    places: dict[int, int] = {0: 0}
    for piece in pieces:
        payload = piece.payload
        if piece.kind == chunks.INDEX:
            with contextlib.suppress(Exception):
                payload = deflated(moved(zlib.decompress(payload, -15), places))
        elif piece.kind == chunks.TRAILER and len(payload) == chunks.TRAILER_FIELDS.size:
            index, before, *rest = chunks.TRAILER_FIELDS.unpack(payload)
            index, before = places.get(index, index), places.get(before, before)
            payload = chunks.TRAILER_FIELDS.pack(index, before, *rest)
        places[piece.place] = len(out)
        out += chunks.chunk(piece.kind & 0xFF, piece.whose, payload)
    return bytes(out)


def read(path: str) -> int:
    """All that there is to be read of a file; returns how many processes could be."""
    found = 0
    with pagemap.Snapshot(path) as snapshot:
        attempt(snapshot.contents)
        for moment in range(min(snapshot.moments, 3)):
            for pid in attempt(snapshot.pids, moment=moment) or ():
                found += attempt(use, snapshot, pid, moment) or 0
        if snapshot.moments > 1:
            attempt(compare, snapshot)
    return found


def use(snapshot: pagemap.Snapshot, pid: int, moment: int) -> int:
    """Ask for all that a saved process can tell."""
    process = snapshot.process(pid, moment=moment)
    attempt(process.tally)
    attempt(process.footprints)
    attempt(list, process.regions())
    if process.has_frames:
        attempt(process.page_types)
        attempt(process.huge)
    for each in (attempt(process.maps) or [])[:20]:
        pages = attempt(process.pages, (each.start, min(each.end, each.start + (1 << 20))))
        assert pages is None or len(list(pages.entries)) == len(pages)
    return 1


def compare(snapshot: pagemap.Snapshot) -> None:
    """The first moment with the last."""
    pid = snapshot.pids(moment=0)[0]
    pagemap.diff(snapshot.process(pid, moment=0), snapshot.process())


def attempt(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """What it returns, or None where it is refused as it should be."""
    try:
        return call(*arguments, **more)
    except pagemap.PagemapError:
        return None


def main(seconds: float, seed: int) -> None:
    """Try files for so long."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    draw = random.Random(seed or None)
    seeds = [(FOLDER / f"{name}.pagemap").read_bytes() for name in SEEDS]
    end, done, understood = time.monotonic() + seconds, 0, 0
    with tempfile.TemporaryDirectory(prefix="pagemap-fuzz-") as folder:
        path = f"{folder}/file"
        while time.monotonic() < end:
            data = draw.choice(seeds)
            pieces = pieces_of(data)
            for _ in range(draw.choice([1, 1, 1, 2, 3])):
                with contextlib.suppress(ValueError, zlib.error):
                    change(draw, pieces)
                if not pieces:
                    break
            changed = written(int.from_bytes(data[8:12], "little"), pieces)
            Path(path).write_bytes(changed)
            signal.alarm(MOST_SECONDS)
            try:
                understood += attempt(read, path) or 0
                with open(f"{folder}/saved", "wb") as file:
                    saved = attempt(salvage, path, file.write)
                if saved is not None:
                    attempt(read, f"{folder}/saved")
            except BaseException:
                Path(tempfile.gettempdir(), "pagemap-fuzz-snapshot").write_bytes(changed)
                raise
            signal.alarm(0)
            done += 1
    sys.stdout.write(f"{done} files, {understood} processes read\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
