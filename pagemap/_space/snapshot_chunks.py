"""The chunks of a snapshot file, as bytes: docs/snapshot-format.md says what each kind holds."""

from __future__ import annotations

import zlib
from struct import Struct, error

from pagemap._native.snapshot import HEADER_SIZE, MARK, PAGES_KIND, WITHIN_KIND, chunk_sum
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "CEILINGS",
    "END",
    "FRAMES",
    "INDEX",
    "MAGIC",
    "MAPPINGS",
    "MAPS",
    "MOMENT",
    "MOST_BLOCKS",
    "MOST_INDEX_JSON",
    "MOST_JSON",
    "MOST_MAPPINGS",
    "MOST_TEXT",
    "MOST_TEXTS",
    "PAGES",
    "PROCESS",
    "RAW",
    "SMAPS",
    "TRAILER",
    "TRAILER_FIELDS",
    "VERSION",
    "WITHIN",
    "Header",
    "chunk",
    "deflated",
    "divided",
    "file_header",
    "from_json",
    "inflated",
    "is_header",
    "parse_header",
    "parse_version",
    "to_json",
    "united",
]

MAGIC = b"\x89pagemap"
VERSION = 2
"""What is written; older ones are read, of which none has MAPPINGS and WITHIN."""

MOMENT, PROCESS, MAPS, SMAPS, PAGES = 1, 2, 3, 4, PAGES_KIND
FRAMES, END, INDEX, TRAILER = 6, 7, 8, 9
MAPPINGS, WITHIN = 10, WITHIN_KIND

MOST_TEXT = 1 << 20
"""Bytes of text in one chunk, before it is deflated."""
MOST_TEXTS = 1 << 28
"""Bytes of maps, or of smaps, of one process."""
MOST_MAPPINGS = 1 << 21
"""Mappings of one process: thirty times as many as it has by default."""
MOST_JSON = 1 << 20
"""Bytes of JSON in one chunk, before it is deflated."""
MOST_INDEX_JSON = 2 << 20
"""Bytes of JSON in an index: some 20,000 processes."""
MOST_BLOCKS = 1 << 20
"""Blocks in an index: 16 TiB of present pages that lie anywhere, and far more in huge pages."""

RAW = -15
"""Bits of the window for zlib, which deflates without a header."""

TRAILER_FIELDS = Struct("<QQQ32s")
"""Where the index is, where the trailer before it is (0: there is none), number, and hash."""

_FILE = Struct("<8sII")
_HEADER = Struct("<IIIIII")
assert _HEADER.size == HEADER_SIZE


def _ceiling(size: int) -> int:
    """How many bytes `size` bytes take at most when they are deflated."""
    return size + (size >> 8) + 64


CEILINGS = {
    MOMENT: _ceiling(MOST_JSON),
    PROCESS: _ceiling(MOST_JSON),
    MAPS: _ceiling(MOST_TEXT),
    MAPPINGS: 2 * MOST_TEXT,
    SMAPS: _ceiling(MOST_TEXT),
    FRAMES: _ceiling(MOST_TEXT),
    END: _ceiling(MOST_JSON),
    INDEX: _ceiling(4 + MOST_INDEX_JSON + 28 * MOST_BLOCKS),
    TRAILER: TRAILER_FIELDS.size,
}
"""The largest payload of each kind: by it, and not by its header, is read what a chunk has."""


class Header(Record):
    """The header of a chunk."""

    kind: int = field("", "what it holds")
    whose: int = field("", "of which process, counted from 0")
    size: int = field("", "bytes that follow it")
    sum: int = field("", "their CRC-32")


def file_header() -> bytes:
    """The first 16 bytes of a file."""
    return _FILE.pack(MAGIC, VERSION, 0)


def parse_version(data: bytes) -> int | None:
    """The version of a file that begins with `data`; None where it is no snapshot."""
    try:
        magic, version, _ = _FILE.unpack_from(data)
    except error:
        return None
    return int(version) if magic == MAGIC else None


def chunk(kind: int, whose: int, payload: bytes | memoryview) -> bytes:
    """A whole chunk."""
    head = _HEADER.pack(MARK, kind, whose, len(payload), chunk_sum(payload), 0)[:-4]
    return b"".join((head, chunk_sum(head).to_bytes(4, "little"), payload))


def is_header(data: bytes) -> bool:
    """Whether these bytes are the header of a chunk."""
    return parse_header(data) is not None


def parse_header(data: bytes | memoryview) -> Header | None:
    """The header in the first bytes of `data`; None where that is none, or damaged."""
    if len(data) < HEADER_SIZE:
        return None
    mark, kind, whose, size, of_payload, of_header = _HEADER.unpack_from(data)
    if mark != MARK or of_header != chunk_sum(bytes(data[: HEADER_SIZE - 4])):
        return None
    return Header(kind, whose, size, of_payload)


def deflated(data: bytes, level: int = 6) -> bytes:
    """`data`, deflated without a header."""
    packer = zlib.compressobj(level, zlib.DEFLATED, RAW)
    return packer.compress(data) + packer.flush()


def inflated(data: bytes | memoryview, most: int) -> bytes:
    """What was deflated, at most `most` bytes. Raises ValueError where it is anything else."""
    unpacker = zlib.decompressobj(RAW)
    try:
        text = unpacker.decompress(data, most + 1)
    except zlib.error as why:
        raise ValueError(str(why)) from None
    if len(text) > most or not unpacker.eof:
        raise ValueError("more text than there may be, or less")
    return text


def divided(words: bytes | bytearray) -> bytes:
    """All first bytes of words of eight, then all second ones, and so on: they deflate better."""
    return b"".join(words[at::8] for at in range(8))


def united(data: bytes | memoryview) -> bytes:
    """The same back."""
    words = bytearray(len(data))
    each = len(data) // 8
    for at in range(8):
        words[at::8] = data[at * each : (at + 1) * each]
    return bytes(words)


def to_json(value: dict[str, Any]) -> bytes:
    """`value` as the payload of a chunk. Raises ValueError where that is too large."""
    import json

    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    if len(text) > MOST_JSON:
        raise ValueError("more JSON than a chunk may have")
    return deflated(text, 9)


def from_json(data: bytes | memoryview, most: int = MOST_JSON) -> dict[str, Any]:
    """The same back. Raises ValueError."""
    import json

    try:
        value = json.loads(inflated(data, most))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - of a file, not of an argument
    return value
